//! Limits and headers.
//!
//! - Rule 38: after a 429 or 503 wait as `Retry-After` asks, else back off, within the time a client waits. Do not retry
//!   against Docker Hub's pull limit and GHCR's secondary limit.
//! - Rule 39: never send a registry's 401 or its challenge to the client.
//! - Rule 40: every request to a registry has a `User-Agent`.
//! - Rule 41: forward rate limits, digest, `ETag`, type, `OCI-*` headers, `Docker-Upload-UUID` and `Range`, and nothing
//!   else. Add a missing `Docker-Content-Digest`.

use std::time::{Duration, UNIX_EPOCH};

use http::Method;
use tokio::time::{Instant, sleep};

use super::{all_registries, for_each, get_with_header, push_registries, registries_of, token_registries};
use crate::harness::{manifest_put, request};
use crate::registry_setup::{RegistrySetup, manifest_path, password_credential};
use crate::sim::{Fault, Preset, Reply};

fn busy(status: u16, retry_after: &str) -> Reply {
    Reply::new(status).text("not now").header("retry-after", retry_after)
}

/// Pulls the private manifest. Returns the duration in seconds, the status, and the number of upstream requests.
async fn timed_pull(setup: &RegistrySetup) -> (u64, u16, usize) {
    let started = Instant::now();
    let status = setup.get(&setup.private_manifest()).await.status.as_u16();
    (started.elapsed().as_secs(), status, setup.steps().len())
}

#[tokio::test(start_paused = true)]
async fn rule_38_regpass_waits_as_retry_after_asks_or_backs_off() {
    for (profile, preset) in all_registries() {
        // The limits of Docker Hub and GHCR last for hours or minutes: see the next test.
        if matches!(profile, "docker-hub" | "ghcr") {
            continue;
        }
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.warm().await;
        timed_pull(&setup).await;
        let cost = timed_pull(&setup).await.2;
        for status in [429, 503] {
            let date = httpdate::fmt_http_date(UNIX_EPOCH + setup.sim.clock().since_1970() + Duration::from_secs(9));
            for (retry_after, min, max) in [(&*date, 8, 9), ("7", 7, 7), ("0", 0, 0)] {
                setup.registry.api().inject(Fault::answer(busy(status, retry_after)).times(1));
                let (seconds, status_after, requests) = timed_pull(&setup).await;
                assert_eq!((status_after, requests), (200, cost + 1), "{host}: {status} {retry_after}");
                assert!((min..=max).contains(&seconds), "{host}: {retry_after} took {seconds} s");
            }
            // regpass does not wait for 120 s: the client gets the error at once.
            let fault = setup.registry.api().inject(Fault::answer(busy(status, "120")));
            let started = Instant::now();
            let reply = setup.get(&setup.private_manifest()).await;
            assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (status, Some("120")), "{host}");
            assert_eq!((started.elapsed().as_secs(), setup.steps().len()), (0, 1), "{host}");
            fault.remove();
            // Without `Retry-After` regpass waits a second, and longer the next time.
            let fault = setup.registry.api().inject(Fault::text(status, "not now"));
            let (seconds, status_after, requests) = timed_pull(&setup).await;
            assert_eq!((status_after, requests), (status, 3), "{host}");
            assert!((3..=6).contains(&seconds), "{host}: {seconds} s");
            fault.remove();
            setup.registry.api().inject(Fault::text(status, "not now").times(1));
            let (seconds, status_after, _) = timed_pull(&setup).await;
            assert!(status_after == 200 && (1..=2).contains(&seconds), "{host}: {status_after} after {seconds} s");
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_38_long_limits_are_not_retried() {
    let hub = [
        Preset::docker_hub_rate_limited(),
        Preset::docker_hub_rate_limited_in_text(),
        Preset::docker_hub_rate_limited_in_message(),
        Preset::docker_hub_rate_limited().header("retry-after", "1"),
    ];
    let secondary = Reply::new(429).json(r#"{"message":"You have exceeded a secondary rate limit."}"#);
    let rows = hub.map(|reply| ("docker-hub", Preset::docker_hub(), reply));
    for (profile, preset, reply) in rows.into_iter().chain([("ghcr", Preset::ghcr(), secondary)]) {
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.warm().await;
        setup.registry.api().inject(Fault::answer(reply));
        for method in [Method::GET, Method::HEAD] {
            let started = Instant::now();
            assert_eq!(setup.send(method, &setup.private_manifest()).await.status, 429, "{profile}");
            assert_eq!((started.elapsed().as_secs(), setup.steps().len()), (0, 1), "{profile}");
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_38_a_client_gets_a_response_within_40_s() {
    let setup = RegistrySetup::with_profile("generic", Preset::generic()).await;
    setup.warm().await;
    setup.registry.api().inject(Fault::answer(busy(503, "14")).times(1));
    setup.registry.api().inject(Fault::delay(Duration::from_secs(20)));
    let started = Instant::now();
    let reply = setup.get(&setup.private_manifest()).await;
    assert!(started.elapsed() <= Duration::from_secs(40), "{:?}", started.elapsed());
    assert_eq!(reply.status_and_code(), "504 UNAVAILABLE");
    // A second wait of 14 s would exceed the retry budget.
    let setup = RegistrySetup::with_profile("generic", Preset::generic()).await;
    setup.warm().await;
    setup.registry.api().inject(Fault::answer(busy(429, "14")));
    assert_eq!(timed_pull(&setup).await, (14, 429, 2));
}

/// A `Retry-After` that is not a representable time is handled as a long one.
#[tokio::test(start_paused = true)]
async fn rule_38_an_enormous_retry_after_reaches_the_client() {
    let max = u64::MAX.to_string();
    for status in [429, 503] {
        for at_token in [false, true] {
            let setup = RegistrySetup::with_profile("generic", Preset::generic()).await;
            if !at_token {
                setup.warm().await;
            }
            let server = if at_token { setup.registry.token_service() } else { setup.registry.api() };
            server.inject(Fault::answer(busy(status, &max)));
            server.inject(Fault::text(status, "not now").times(1));
            let reply = setup.get(&setup.private_manifest()).await;
            assert_eq!(reply.status.as_u16(), status, "{at_token}: {reply:?}");
            assert!(reply.header("retry-after").is_some(), "{at_token}: {reply:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_38_a_manifest_push_is_retried_after_a_429_but_not_after_a_503() {
    for_each(registries_of(&["acr", "ecr", "google", "quay"]), async |host, setup| {
        setup.warm().await;
        let target = setup.private_path("manifests/2");
        setup.registry.api().inject(Fault::answer(busy(429, "2")).method(Method::PUT).times(1));
        assert_eq!(setup.regpass.send(manifest_put(&target, &setup.image)).await.status, 201, "{host}");
        let puts = setup.steps().iter().filter(|step| step.starts_with("PUT")).count();
        assert_eq!(puts, 2, "{host}");
        // After a 503 the registry may have stored the manifest.
        setup.registry.api().inject(Fault::answer(busy(503, "2")).method(Method::PUT).times(1));
        assert_eq!(setup.regpass.send(manifest_put(&target, &setup.image)).await.status, 503, "{host}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_38_token_requests_and_renewals_wait_as_retry_after_asks() {
    for (profile, preset) in token_registries() {
        let (host, path) = (preset.host.clone(), preset.tokens.path.clone());
        let lifetime = preset.tokens.lifetime;
        let offers_basic = profile == "gitea" && preset.access.accepts_basic;
        let has_known_lifetime = preset.tokens.expires_in.is_some() || profile == "quay";
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let busy_for = |seconds: &str, times| Fault::answer(busy(429, seconds)).path(&path).times(times);
        setup.registry.token_service().inject(busy_for("3", 1));
        let started = Instant::now();
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{host}");
        assert_eq!(started.elapsed().as_secs(), 3, "{host}");
        // A `Retry-After` longer than a client waits.
        let other = RegistrySetup::with_profile(profile, setup.registry.preset().as_ref().clone()).await;
        other.registry.token_service().inject(busy_for("33", 9));
        let reply = other.get(&other.private_manifest()).await;
        // If the registry offers Basic, too, regpass uses Basic instead of the token (rule 3).
        let expected = if offers_basic { (200, None) } else { (429, Some("33")) };
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), expected, "{host}");
        let calls = other.steps().iter().filter(|step| step.starts_with("token")).count();
        assert_eq!(calls, 1, "{host}");
        other.sim.finish();
        // If the token service asks to wait a tenth of the lifetime, the renewal comes after that time, and not before.
        if !has_known_lifetime {
            continue;
        }
        let tenth = (lifetime / 10).as_secs().to_string();
        setup.registry.token_service().clear_faults();
        setup.registry.token_service().inject(busy_for(&tenth, 1));
        setup.sim.ledger().take();
        let mut calls = Vec::new();
        for _ in 0..100 {
            sleep(lifetime / 100).await;
            // Docker Hub's rate limit counts GET, but not HEAD.
            let reply = setup.send(Method::HEAD, &setup.private_manifest()).await;
            assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "cached"), "{host}");
            let entries = setup.sim.ledger().take();
            calls.extend(entries.iter().filter(|entry| entry.server == "token").map(|_| Instant::now()));
        }
        assert_eq!(calls.len(), 2, "{host}: {calls:?}");
        assert!(calls[1] - calls[0] >= lifetime / 11, "{host}: {:?}", calls[1] - calls[0]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_39_no_client_sees_a_401_or_a_challenge() {
    for (profile, preset) in all_registries() {
        let host = preset.host.clone();
        let user = preset.capabilities.credential.map_or("nobody", |(user, _)| user);
        let wrong = password_credential(user, "wrong");
        for more in ["", &*wrong] {
            let setup = RegistrySetup::with_table(profile, preset.clone(), more).await;
            let name = setup.private_repository();
            let requests = [
                request(Method::GET, "/v2/"),
                request(Method::GET, &manifest_path(name)),
                request(Method::HEAD, &manifest_path(name)),
                request(Method::GET, &setup.private_layer()),
                request(Method::HEAD, &setup.private_layer()),
                request(Method::GET, &format!("/v2/{name}/tags/list")),
                request(Method::GET, "/v2/_catalog"),
                request(Method::POST, &format!("/v2/{name}/blobs/uploads/")),
                manifest_put(&format!("/v2/{name}/manifests/2"), &setup.image),
                request(Method::DELETE, &format!("/v2/{name}/manifests/{}", setup.image.digest())),
                request(Method::GET, &manifest_path("nobody/none/none")),
            ];
            for request in requests {
                let case = format!("{host}: {} {} with '{more}'", request.method(), request.uri());
                let reply = setup.regpass.send(request).await;
                assert_ne!(reply.status, 401, "{case}");
                for header in ["www-authenticate", "proxy-authenticate", "set-cookie"] {
                    assert_eq!(reply.header(header), None, "{case}");
                }
            }
            // The client gets no 401 when a later request is challenged, either.
            setup.registry.api().inject(Fault::challenge(&[r#"Bearer realm="http://evil.test/t""#]));
            let reply = setup.get(&setup.private_manifest()).await;
            assert!(reply.status != 401 && reply.header("www-authenticate").is_none(), "{host}: {reply:?}");
            setup.sim.take_violations();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_40_every_upstream_request_has_regpasss_user_agent() {
    for_each(all_registries(), async |host, setup| {
        // The client's own `User-Agent` is not forwarded.
        let named = get_with_header(&setup.private_manifest(), "user-agent", "docker/27.0");
        assert_eq!(setup.regpass.send(named).await.status, 200, "{host}");
        setup.send(Method::HEAD, &setup.private_layer()).await;
        setup.get(&setup.private_layer()).await;
        setup.push_manifest().await;
        for entry in setup.sim.ledger().take() {
            let agent = entry.headers["user-agent"].to_str().unwrap();
            assert!(agent.starts_with("regpass/"), "{host}: {agent} at {entry:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_41_only_the_listed_response_headers_reach_the_client() {
    const FORWARDED: [(&str, &str); 9] = [
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
    const HIDDEN: [(&str, &str); 5] = [
        ("docker-ratelimit-source", "192.0.2.7"),
        ("strict-transport-security", "max-age=31536000"),
        ("set-cookie", "sid=1"),
        ("x-ms-correlation-request-id", "c0a4"),
        ("server", "openresty"),
    ];
    for_each(all_registries(), async |host, setup| {
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{host}");
        let server = if host == "k8s.test" { setup.registry.extra_host("region") } else { setup.registry.api() };
        server.inject(Fault::alter(|_, reply| {
            FORWARDED.iter().chain(&HIDDEN).fold(reply, |reply, (name, value)| reply.header(name, value))
        }));
        for method in [Method::GET, Method::HEAD] {
            let reply = setup.send(method.clone(), &setup.private_manifest()).await;
            assert_eq!(reply.status, 200, "{host}");
            for (name, value) in FORWARDED {
                assert_eq!(reply.header(name), Some(value), "{host} {method}: {name}");
            }
            for (name, _) in HIDDEN {
                assert_eq!(reply.header(name), None, "{host} {method}: {name}");
            }
            assert_eq!(reply.header("content-type"), Some(&*setup.image.top().media_type), "{host}");
            assert_eq!(reply.header("docker-content-digest"), Some(setup.image.digest()), "{host}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_41_a_missing_digest_header_is_added() {
    for_each(all_registries(), async |host, setup| {
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{host}");
        let servers = [Some(setup.registry.api()), Some(setup.registry.blob_store())];
        let region = (host == "k8s.test").then(|| setup.registry.extra_host("region"));
        for server in servers.into_iter().chain([region]).flatten() {
            server.inject(Fault::without_header("docker-content-digest"));
        }
        let by_digest = format!("/v2/{}/manifests/{}", setup.private_repository(), setup.image.digest());
        let layer = setup.private_layer();
        let targets = [
            (&by_digest, setup.image.digest()),
            (&layer, &*setup.image.blobs[0].digest),
            (&setup.private_manifest(), setup.image.digest()),
        ];
        for (target, digest) in targets {
            for method in [Method::GET, Method::HEAD] {
                let reply = setup.send(method.clone(), target).await;
                assert_eq!(
                    (reply.status.as_u16(), reply.header("docker-content-digest")),
                    (200, Some(digest)),
                    "{host} {method} {target}"
                );
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_41_upload_responses_have_range_and_uuid() {
    for_each(push_registries(), async |host, setup| {
        let started = setup.send(Method::POST, &setup.private_uploads()).await;
        assert_eq!(started.status, 202, "{host}");
        assert_eq!(started.header("range"), Some("0-0"), "{host}");
        let upstream = setup.sim.ledger().take().pop().unwrap();
        assert_eq!(upstream.method, Method::POST, "{host}");
        assert!(started.header("docker-upload-uuid").is_some(), "{host}: {started:?}");
        let patch =
            request(Method::PATCH, started.header("location").unwrap()).map(|_| bytes::Bytes::from_static(b"12345"));
        let reply = setup.regpass.send(patch).await;
        assert_eq!(reply.header("range"), Some("0-4"), "{host}");
    })
    .await;
}
