//! Rules 23 to 25: which hosts are called, by which name, and what the client is told of them.

use bytes::Bytes;
use http::Method;

use super::{World, everyone, manifest, registries};
use crate::harness::{put, request, with};
use crate::sim::{Fault, Locations, Mode, Preset, Registry, Sim, TokenPlace, sha256};

#[tokio::test(start_paused = true)]
async fn rule_23_a_registry_is_called_by_its_own_name() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let name = format!("{host}.localhost:5050");
        let requests = [request(Method::GET, &world.private()), request(Method::HEAD, &world.layer())];
        for mut request in requests {
            request.headers_mut().insert("host", name.parse().unwrap());
            assert_eq!(world.regpass.send(request).await.status, 200, "{host}");
        }
        for entry in world.sim.ledger().take().iter().filter(|entry| entry.server == "registry") {
            assert_eq!(entry.headers["host"], *host, "{entry:?}");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_23_realms_and_locations_made_of_the_host_lead_to_the_registry() {
    // Harbor's and Artifactory's realms, and Distribution's upload locations, repeat the Host they were asked by.
    for (profile, preset) in registries(&["harbor", "artifactory", "distribution"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let begun = world.method(Method::POST, &format!("/v2/{}/blobs/uploads/", world.can.private)).await;
        assert_eq!(begun.status, 202, "{host}: {begun:?}");
        let target = format!("{}?digest={}", begun.header("location").unwrap(), sha256(b"blob"));
        let reply = world.regpass.send(request(Method::PUT, &target).map(|_| Bytes::from_static(b"blob"))).await;
        assert_eq!(reply.status, 201, "{host}: {reply:?}");
        let dials = world.sim.network().dials();
        let own = |dial: &String| *dial == format!("{host}:80") || *dial == format!("auth.{host}:80");
        assert!(dials.iter().all(own), "{host}: {dials:?}");
        world.sim.finish();
    }
}

/// What a registry is refused for that sends its login along this realm.
async fn sent_to(realm: &str, more: &str) -> (Sim, crate::harness::Reply) {
    let sim = Sim::memory();
    let preset = Preset::generic().realm(realm);
    let registry: Registry = sim.start(preset).await;
    registry.user("alice", "alices password");
    let login = super::as_user("alice", "alices password");
    let (host, url) = (registry.authority(), registry.origin());
    let text = format!("default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"{url}\"\n{login}\n{more}\n");
    let regpass = crate::harness::Regpass::start(&sim, &text);
    let reply = regpass.get(&manifest("team/app")).await;
    (sim, reply)
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_login_goes_to_no_realm_that_nobody_listed() {
    for realm in [
        "http://evil.test/token",
        "http://auth.generic.test.evil.test/token",
        "http://generic.test:8080/token",
        "http://10.0.0.1/token",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/latest",
        "http://metadata.google.internal/computeMetadata/v1/",
        "https://evil.test/token",
    ] {
        let (sim, reply) = sent_to(realm, "").await;
        assert_eq!(reply.verdict(), "502 DENIED", "{realm}");
        assert!(reply.error().1.contains("realm_hosts"), "{realm}: {reply:?}");
        assert_eq!(sim.ledger().take().len(), 1, "{realm}: nobody was asked");
        assert!(sim.network().dials().iter().all(|dial| dial == "generic.test:80"), "{realm}");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_24_token_calls_follow_no_redirect() {
    // The two registries whose realm is at another host, and one with its own.
    for (profile, preset) in registries(&["docker-hub", "gitlab", "ngc"]) {
        for status in [301, 302, 303, 307, 308] {
            let (host, token) = (preset.host.clone(), preset.tokens.path.clone());
            let own = preset.tokens.place == TokenPlace::Registry;
            let world = World::of(profile, preset.clone()).await;
            let to = format!("http://blobs.{host}/token");
            world.registry.token().inject(Fault::redirect(status, &to).path(&token));
            assert_eq!(world.get(&world.private()).await.verdict(), "502 UNAVAILABLE", "{host} {status}");
            let entries = world.sim.ledger().take();
            assert_eq!(entries.len(), 2, "{host} {status} {own}: {entries:?}");
            world.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_25_every_location_leads_through_regpass() {
    for (profile, preset) in everyone() {
        if !preset.can.push {
            continue;
        }
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let name = world.can.private;
        let begun = world.method(Method::POST, &format!("/v2/{name}/blobs/uploads/")).await;
        assert_eq!(begun.status, 202, "{host}: {begun:?}");
        let sessions = format!("/v2/{name}/blobs/uploads/");
        let first = begun.header("location").unwrap().to_owned();
        assert!(first.starts_with(&sessions), "{host}: {first}");
        let patch = request(Method::PATCH, &first).map(|_| Bytes::from_static(b"a blob"));
        let sent = world.regpass.send(with(patch, "transfer-encoding", "chunked")).await;
        assert_eq!(sent.status, 202, "{host}: {sent:?}");
        let second = sent.header("location").unwrap().to_owned();
        assert!(second.starts_with(&sessions), "{host}: {second}");
        // Clients put the digest behind whatever they were given.
        let joint = if second.contains('?') { '&' } else { '?' };
        let digest = sha256(b"a blob");
        let ended = world.method(Method::PUT, &format!("{second}{joint}digest={digest}")).await;
        assert_eq!(ended.header("location"), Some(&*format!("/v2/{name}/blobs/{digest}")), "{host}: {ended:?}");
        assert_eq!(world.get(&format!("/v2/{name}/blobs/{digest}")).await.body, "a blob", "{host}");
        let reply = world.regpass.send(put(&format!("/v2/{name}/manifests/2"), &world.image)).await;
        let by_digest = format!("/v2/{name}/manifests/{}", world.image.digest());
        assert_eq!((reply.status.as_u16(), reply.header("location")), (201, Some(&*by_digest)), "{host}");
        let mount = format!("{sessions}?mount={digest}&from={name}");
        let reply = world.method(Method::POST, &mount).await;
        assert!(matches!(reply.status.as_u16(), 201 | 202), "{host}: {reply:?}");
        let location = reply.header("location").unwrap();
        assert!(location.starts_with(&format!("/v2/{name}/blobs/")), "{host}: {location}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_25_a_host_of_its_own_for_uploads_gets_no_credential() {
    for listed in [true, false] {
        let preset = Preset::distribution(Mode::Token).locations(Locations::OtherHost);
        let login = super::login(&preset);
        let more = if listed { "upload_hosts = [\"uploads.distribution.test\"]" } else { "" };
        let world = World::with("distribution", preset, &format!("{login}\n{more}")).await;
        let reply = world.method(Method::POST, "/v2/acme/private/blobs/uploads/").await;
        if !listed {
            assert_eq!(reply.verdict(), "502 BLOB_UPLOAD_INVALID");
            assert!(reply.error().1.contains("upload_hosts"), "{reply:?}");
            continue;
        }
        let target = format!("{}?digest={}", reply.header("location").unwrap(), sha256(b"blob"));
        let reply = world.regpass.send(request(Method::PUT, &target).map(|_| Bytes::from_static(b"blob"))).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let seen = world.sim.ledger().take();
        let there: Vec<_> = seen.iter().filter(|entry| entry.server == "uploads").collect();
        assert_eq!((there.len(), there[0].authorization.to_string().as_str()), (1, "anonymous"));
        world.sim.finish();
    }
}
