//! Host names: which hosts regpass sends requests to, and which locations the client gets.
//!
//! - Rule 23: send the registry's own `Host`, because realms (Harbor, Artifactory) and locations (Distribution) repeat it.
//! - Rule 24: send no credential to a realm that is not listed, and follow no redirect of a token request.
//! - Rule 25: every `Location` is at regpass: of uploads, manifests, blobs and mounts. Only the registry's own origin gets
//!   a credential.

use http::Method;

use super::{all_registries, for_each, push_registries, registries_of};
use crate::harness::{Regpass, Reply, request, with_header};
use crate::registry_setup::{RegistrySetup, manifest_path, password_credential, preset_credential};
use crate::sim::{AuthMode, Fault, Locations, Preset, Sim, TokenHost, sha256};
use crate::uploads::{location_of, request_with_body, with_digest};

#[tokio::test(start_paused = true)]
async fn rule_23_the_registry_gets_its_own_name_as_host() {
    for_each(all_registries(), async |host, setup| {
        let name = format!("{host}.localhost:5050");
        let requests = [request(Method::GET, &setup.private_manifest()), request(Method::HEAD, &setup.private_layer())];
        for mut request in requests {
            request.headers_mut().insert("host", name.parse().unwrap());
            assert_eq!(setup.regpass.send(request).await.status, 200, "{host}");
        }
        for entry in setup.sim.ledger().take().iter().filter(|entry| entry.server == "registry") {
            assert_eq!(entry.headers["host"], *host, "{entry:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_23_realms_and_locations_that_repeat_the_host_are_at_the_registry() {
    // Harbor's and Artifactory's realms, and Distribution's upload locations, repeat the request's `Host`.
    for_each(registries_of(&["harbor", "artifactory", "distribution"]), async |host, setup| {
        let started = setup.send(Method::POST, &setup.private_uploads()).await;
        assert_eq!(started.status, 202, "{host}: {started:?}");
        let reply = setup.put_blob(&started, b"blob").await;
        assert_eq!(reply.status, 201, "{host}: {reply:?}");
        let dials = setup.sim.network().dials();
        let own = |dial: &String| *dial == format!("{host}:80") || *dial == format!("auth.{host}:80");
        assert!(dials.iter().all(own), "{host}: {dials:?}");
    })
    .await;
}

/// Pulls from a registry whose challenge names this realm, and returns the response.
async fn pull_with_realm(realm: &str) -> (Sim, Reply) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::generic().realm(realm)).await;
    registry.add_user("alice", "alices password");
    let credential = password_credential("alice", "alices password");
    let (host, url) = (registry.authority(), registry.origin());
    let text = format!("default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"{url}\"\n{credential}\n");
    let regpass = Regpass::start(&sim, &text);
    let reply = regpass.get(&manifest_path("team/app")).await;
    (sim, reply)
}

#[tokio::test(start_paused = true)]
async fn rule_24_an_unlisted_realm_gets_no_credential_and_is_a_502() {
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
        let (sim, reply) = pull_with_realm(realm).await;
        assert_eq!(reply.status_and_code(), "502 DENIED", "{realm}");
        assert!(reply.error().1.contains("realm_hosts"), "{realm}: {reply:?}");
        assert_eq!(sim.ledger().take().len(), 1, "{realm}: regpass sent a token request");
        assert!(sim.network().dials().iter().all(|dial| dial == "generic.test:80"), "{realm}");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_24_a_redirect_of_a_token_request_is_a_502() {
    // Two registries whose realm is at another host, and one whose realm is at its own.
    for (profile, preset) in registries_of(&["docker-hub", "gitlab", "ngc"]) {
        for status in [301, 302, 303, 307, 308] {
            let (host, token) = (preset.host.clone(), preset.tokens.path.clone());
            let own = preset.tokens.host == TokenHost::Registry;
            let setup = RegistrySetup::with_profile(profile, preset.clone()).await;
            let redirect = format!("http://blobs.{host}/token");
            setup.registry.token_service().inject(Fault::redirect(status, &redirect).path(&token));
            assert_eq!(
                setup.get(&setup.private_manifest()).await.status_and_code(),
                "502 UNAVAILABLE",
                "{host} {status}"
            );
            let entries = setup.sim.ledger().take();
            assert_eq!(entries.len(), 2, "{host} {status} {own}: {entries:?}");
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_25_every_location_is_at_regpass() {
    for_each(push_registries(), async |host, setup| {
        let uploads = setup.private_uploads();
        let started = setup.send(Method::POST, &uploads).await;
        assert_eq!(started.status, 202, "{host}: {started:?}");
        let first = location_of(&started);
        assert!(first.starts_with(&uploads), "{host}: {first}");
        let patch = request_with_body(Method::PATCH, &first, "a blob");
        let patched = setup.regpass.send(with_header(patch, "transfer-encoding", "chunked")).await;
        assert_eq!(patched.status, 202, "{host}: {patched:?}");
        let second = location_of(&patched);
        assert!(second.starts_with(&uploads), "{host}: {second}");
        let digest = sha256(b"a blob");
        let blob = setup.private_path(&format!("blobs/{digest}"));
        let finished = setup.send(Method::PUT, &with_digest(&second, b"a blob")).await;
        assert_eq!(finished.header("location"), Some(&*blob), "{host}: {finished:?}");
        assert_eq!(setup.get(&blob).await.body, "a blob", "{host}");
        let reply = setup.push_manifest().await;
        let by_digest = setup.private_path(&format!("manifests/{}", setup.image.digest()));
        assert_eq!((reply.status.as_u16(), reply.header("location")), (201, Some(&*by_digest)), "{host}");
        let mount = format!("{uploads}?mount={digest}&from={}", setup.private_repository());
        let reply = setup.send(Method::POST, &mount).await;
        assert!(matches!(reply.status.as_u16(), 201 | 202), "{host}: {reply:?}");
        let location = reply.header("location").unwrap();
        assert!(location.starts_with(&setup.private_path("blobs/")), "{host}: {location}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_25_a_separate_upload_host_gets_no_credential() {
    for is_listed in [true, false] {
        let preset = Preset::distribution(AuthMode::Token).upload_locations(Locations::OtherHost);
        let credential = preset_credential(&preset);
        let more = if is_listed { "upload_hosts = [\"uploads.distribution.test\"]" } else { "" };
        let setup = RegistrySetup::with_table("distribution", preset, &format!("{credential}\n{more}")).await;
        let reply = setup.send(Method::POST, "/v2/acme/private/blobs/uploads/").await;
        if !is_listed {
            assert_eq!(reply.status_and_code(), "502 BLOB_UPLOAD_INVALID");
            assert!(reply.error().1.contains("upload_hosts"), "{reply:?}");
            continue;
        }
        let reply = setup.put_blob(&reply, b"blob").await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let entries = setup.sim.ledger().take();
        let uploads: Vec<_> = entries.iter().filter(|entry| entry.server == "uploads").collect();
        assert_eq!((uploads.len(), uploads[0].authorization.to_string().as_str()), (1, "anonymous"));
        setup.sim.finish();
    }
}
