//! Rules 38 to 41: limits, what clients never see, and what they do.

use std::time::{Duration, UNIX_EPOCH};

use http::Method;
use tokio::time::{Instant, sleep};

use super::{World, as_user, everyone, get_with, manifest, registries, with_tokens};
use crate::harness::{put, request};
use crate::sim::{Fault, Preset, Reply};

fn busy(status: u16, retry_after: &str) -> Reply {
    Reply::new(status).text("not now").header("retry-after", retry_after)
}

/// The seconds a pull took, its status, and what it cost at the registry.
async fn pulled(world: &World) -> (u64, u16, usize) {
    let begun = Instant::now();
    let status = world.get(&world.private()).await.status.as_u16();
    (begun.elapsed().as_secs(), status, world.steps().len())
}

#[tokio::test(start_paused = true)]
async fn rule_38_a_busy_registry_is_waited_for_as_it_asks() {
    for (profile, preset) in everyone() {
        // Limits of hours, and of minutes.
        if matches!(profile, "docker-hub" | "ghcr") {
            continue;
        }
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        world.warm().await;
        pulled(&world).await;
        let cost = pulled(&world).await.2;
        for status in [429, 503] {
            let date = httpdate::fmt_http_date(UNIX_EPOCH + world.sim.clock().since_1970() + Duration::from_secs(9));
            for (retry_after, least, most) in [(&*date, 8, 9), ("7", 7, 7), ("0", 0, 0)] {
                world.registry.registry().inject(Fault::answer(busy(status, retry_after)).times(1));
                let (seconds, answered, requests) = pulled(&world).await;
                assert_eq!((answered, requests), (200, cost + 1), "{host}: {status} {retry_after}");
                assert!((least..=most).contains(&seconds), "{host}: {retry_after} took {seconds} s");
            }
            // Whoever names a longer time is left alone, and the client hears of it at once.
            let fault = world.registry.registry().inject(Fault::answer(busy(status, "120")));
            let begun = Instant::now();
            let reply = world.get(&world.private()).await;
            assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (status, Some("120")), "{host}");
            assert_eq!((begun.elapsed().as_secs(), world.steps().len()), (0, 1), "{host}");
            fault.lift();
            // Whoever names none is given a second, and more the next time.
            let fault = world.registry.registry().inject(Fault::text(status, "not now"));
            let (seconds, answered, requests) = pulled(&world).await;
            assert_eq!((answered, requests), (status, 3), "{host}");
            assert!((3..=6).contains(&seconds), "{host}: {seconds} s");
            fault.lift();
            world.registry.registry().inject(Fault::text(status, "not now").times(1));
            let (seconds, answered, _) = pulled(&world).await;
            assert!(answered == 200 && (1..=2).contains(&seconds), "{host}: {answered} after {seconds} s");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_38_limits_of_hours_are_not_tried_against() {
    let hub = [
        Preset::docker_hub_rate_limited(),
        Preset::docker_hub_rate_limited_in_text(),
        Preset::docker_hub_rate_limited_in_message(),
        Preset::docker_hub_rate_limited().header("retry-after", "1"),
    ];
    let secondary = Reply::new(429).json(r#"{"message":"You have exceeded a secondary rate limit."}"#);
    let rows = hub.map(|reply| ("docker-hub", Preset::docker_hub(), reply));
    for (profile, preset, reply) in rows.into_iter().chain([("ghcr", Preset::ghcr(), secondary)]) {
        let world = World::of(profile, preset).await;
        world.warm().await;
        world.registry.registry().inject(Fault::answer(reply));
        for method in [Method::GET, Method::HEAD] {
            let begun = Instant::now();
            assert_eq!(world.method(method, &world.private()).await.status, 429, "{profile}");
            assert_eq!((begun.elapsed().as_secs(), world.steps().len()), (0, 1), "{profile}");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_38_a_client_hears_within_forty_seconds() {
    let world = World::of("generic", Preset::generic()).await;
    world.warm().await;
    world.registry.registry().inject(Fault::answer(busy(503, "14")).times(1));
    world.registry.registry().inject(Fault::delay(Duration::from_secs(20)));
    let begun = Instant::now();
    let reply = world.get(&world.private()).await;
    assert!(begun.elapsed() <= Duration::from_secs(40), "{:?}", begun.elapsed());
    assert_eq!(reply.verdict(), "504 UNAVAILABLE");
    // Asked for fourteen seconds twice, a registry has had its chance.
    let world = World::of("generic", Preset::generic()).await;
    world.warm().await;
    world.registry.registry().inject(Fault::answer(busy(429, "14")));
    assert_eq!(pulled(&world).await, (14, 429, 2));
}

/// A registry or a token service that names a time nobody can count to is answered for as one that names a long one.
#[tokio::test(start_paused = true)]
async fn rule_38_no_time_is_too_long_to_be_told() {
    let most = u64::MAX.to_string();
    for status in [429, 503] {
        for at_token in [false, true] {
            let world = World::of("generic", Preset::generic()).await;
            if !at_token {
                world.warm().await;
            }
            let server = if at_token { world.registry.token() } else { world.registry.registry() };
            server.inject(Fault::answer(busy(status, &most)));
            server.inject(Fault::text(status, "not now").times(1));
            let reply = world.get(&world.private()).await;
            assert_eq!(reply.status.as_u16(), status, "{at_token}: {reply:?}");
            assert!(reply.header("retry-after").is_some(), "{at_token}: {reply:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_38_what_a_429_left_undone_is_sent_again() {
    for (profile, preset) in registries(&["acr", "ecr", "google", "quay"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        world.warm().await;
        let target = format!("/v2/{}/manifests/2", world.can.private);
        world.registry.registry().inject(Fault::answer(busy(429, "2")).method(Method::PUT).times(1));
        assert_eq!(world.regpass.send(put(&target, &world.image)).await.status, 201, "{host}");
        let puts = world.steps().iter().filter(|step| step.starts_with("PUT")).count();
        assert_eq!(puts, 2, "{host}");
        // A 503 may have done it.
        world.registry.registry().inject(Fault::answer(busy(503, "2")).method(Method::PUT).times(1));
        assert_eq!(world.regpass.send(put(&target, &world.image)).await.status, 503, "{host}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_38_token_services_and_renewals_wait_too() {
    for (profile, preset) in with_tokens() {
        let (host, path) = (preset.host.clone(), preset.tokens.path.clone());
        let lifetime = preset.tokens.lifetime;
        let offers_basic = profile == "gitea" && preset.gate.basic;
        let told = preset.tokens.expires_in.is_some() || profile == "quay";
        let world = World::of(profile, preset).await;
        let busy_for = |seconds: &str, times| Fault::answer(busy(429, seconds)).path(&path).times(times);
        world.registry.token().inject(busy_for("3", 1));
        let begun = Instant::now();
        assert_eq!(world.get(&world.private()).await.status, 200, "{host}");
        assert_eq!(begun.elapsed().as_secs(), 3, "{host}");
        // Longer than a client can be kept waiting.
        let other = World::of(profile, world.registry.preset().as_ref().clone()).await;
        other.registry.token().inject(busy_for("33", 9));
        let reply = other.get(&other.private()).await;
        // Unless the registry takes the login itself (rule 3).
        let expected = if offers_basic { (200, None) } else { (429, Some("33")) };
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), expected, "{host}");
        let calls = other.steps().iter().filter(|step| step.starts_with("token")).count();
        assert_eq!(calls, 1, "{host}");
        other.sim.finish();
        // A renewal that is put off for a tenth of a life comes after it, and not before.
        if !told {
            continue;
        }
        let tenth = (lifetime / 10).as_secs().to_string();
        world.registry.token().lift_faults();
        world.registry.token().inject(busy_for(&tenth, 1));
        world.sim.ledger().take();
        let mut calls = Vec::new();
        for _ in 0..100 {
            sleep(lifetime / 100).await;
            // Pulls are counted at Docker Hub, and heads are not.
            let reply = world.method(Method::HEAD, &world.private()).await;
            assert_eq!((reply.status.as_u16(), reply.grant()), (200, "cached"), "{host}");
            let entries = world.sim.ledger().take();
            calls.extend(entries.iter().filter(|entry| entry.server == "token").map(|_| Instant::now()));
        }
        assert_eq!(calls.len(), 2, "{host}: {calls:?}");
        assert!(calls[1] - calls[0] >= lifetime / 11, "{host}: {:?}", calls[1] - calls[0]);
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_39_no_client_sees_a_401_or_a_challenge() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let user = preset.can.login.map_or("nobody", |(user, _)| user);
        let wrong = as_user(user, "wrong");
        for more in ["", &*wrong] {
            let world = World::with(profile, preset.clone(), more).await;
            let name = world.can.private;
            let requests = [
                request(Method::GET, "/v2/"),
                request(Method::GET, &manifest(name)),
                request(Method::HEAD, &manifest(name)),
                request(Method::GET, &world.layer()),
                request(Method::HEAD, &world.layer()),
                request(Method::GET, &format!("/v2/{name}/tags/list")),
                request(Method::GET, "/v2/_catalog"),
                request(Method::POST, &format!("/v2/{name}/blobs/uploads/")),
                put(&format!("/v2/{name}/manifests/2"), &world.image),
                request(Method::DELETE, &format!("/v2/{name}/manifests/{}", world.image.digest())),
                request(Method::GET, &manifest("nobody/none/none")),
            ];
            for request in requests {
                let what = format!("{host}: {} {} with '{more}'", request.method(), request.uri());
                let reply = world.regpass.send(request).await;
                assert_ne!(reply.status, 401, "{what}");
                for header in ["www-authenticate", "proxy-authenticate", "set-cookie"] {
                    assert_eq!(reply.header(header), None, "{what}");
                }
            }
            // However late it comes.
            world.registry.registry().inject(Fault::challenge(&[r#"Bearer realm="http://evil.test/t""#]));
            let reply = world.get(&world.private()).await;
            assert!(reply.status != 401 && reply.header("www-authenticate").is_none(), "{host}: {reply:?}");
            world.sim.take_violations();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_40_every_request_says_who_asks() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        // The client's own name is none of theirs.
        let named = get_with(&world.private(), "user-agent", "docker/27.0");
        assert_eq!(world.regpass.send(named).await.status, 200, "{host}");
        world.method(Method::HEAD, &world.layer()).await;
        world.get(&world.layer()).await;
        world.regpass.send(put(&format!("/v2/{}/manifests/2", world.can.private), &world.image)).await;
        for entry in world.sim.ledger().take() {
            let agent = entry.headers["user-agent"].to_str().unwrap();
            assert!(agent.starts_with("regpass/"), "{host}: {agent} at {entry:?}");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_41_headers_that_mean_something_pass() {
    const PASSING: [(&str, &str); 9] = [
        ("ratelimit-limit", "100;w=21600"),
        ("ratelimit-remaining", "99;w=21600"),
        ("x-ratelimit-remaining", "4999"),
        ("etag", "\"an-etag\""),
        ("oci-filters-applied", "artifactType"),
        ("oci-subject", "sha256:1"),
        ("docker-upload-uuid", "8ae39bd9"),
        ("warning", "299 - \"soon gone\""),
        ("retry-after", "60"),
    ];
    const STAYING: [(&str, &str); 5] = [
        ("docker-ratelimit-source", "192.0.2.7"),
        ("strict-transport-security", "max-age=31536000"),
        ("set-cookie", "sid=1"),
        ("x-ms-correlation-request-id", "c0a4"),
        ("server", "openresty"),
    ];
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        assert_eq!(world.get(&world.private()).await.status, 200, "{host}");
        let server = if profile == "kubernetes" { world.registry.other("region") } else { world.registry.registry() };
        server.inject(Fault::alter(|_, reply| {
            PASSING.iter().chain(&STAYING).fold(reply, |reply, (name, value)| reply.header(name, value))
        }));
        for method in [Method::GET, Method::HEAD] {
            let reply = world.method(method.clone(), &world.private()).await;
            assert_eq!(reply.status, 200, "{host}");
            for (name, value) in PASSING {
                assert_eq!(reply.header(name), Some(value), "{host} {method}: {name}");
            }
            for (name, _) in STAYING {
                assert_eq!(reply.header(name), None, "{host} {method}: {name}");
            }
            assert_eq!(reply.header("content-type"), Some(&*world.image.top().media_type), "{host}");
            assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()), "{host}");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_41_a_digest_that_was_not_told_is_added() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        assert_eq!(world.get(&world.private()).await.status, 200, "{host}");
        let servers = [Some(world.registry.registry()), Some(world.registry.blobs())];
        let region = (profile == "kubernetes").then(|| world.registry.other("region"));
        for server in servers.into_iter().chain([region]).flatten() {
            server.inject(Fault::without_header("docker-content-digest"));
        }
        let by_digest = format!("/v2/{}/manifests/{}", world.can.private, world.image.digest());
        let layer = world.layer();
        let targets = [
            (&by_digest, world.image.digest()),
            (&layer, &*world.image.blobs[0].digest),
            (&world.private(), world.image.digest()),
        ];
        for (target, digest) in targets {
            for method in [Method::GET, Method::HEAD] {
                let reply = world.method(method.clone(), target).await;
                assert_eq!(
                    (reply.status.as_u16(), reply.header("docker-content-digest")),
                    (200, Some(digest)),
                    "{host} {method} {target}"
                );
            }
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_41_uploads_tell_how_far_they_are_and_which_they_are() {
    for (profile, preset) in everyone() {
        if !preset.can.push {
            continue;
        }
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let begun = world.method(Method::POST, &format!("/v2/{}/blobs/uploads/", world.can.private)).await;
        assert_eq!(begun.status, 202, "{host}");
        assert_eq!(begun.header("range"), Some("0-0"), "{host}");
        let upstream = world.sim.ledger().take().pop().unwrap();
        assert_eq!(upstream.method, Method::POST, "{host}");
        assert!(begun.header("docker-upload-uuid").is_some(), "{host}: {begun:?}");
        let patch =
            request(Method::PATCH, begun.header("location").unwrap()).map(|_| bytes::Bytes::from_static(b"12345"));
        let reply = world.regpass.send(patch).await;
        assert_eq!(reply.header("range"), Some("0-4"), "{host}");
        world.sim.finish();
    }
}
