//! registry.k8s.io, which redirects to other hosts, and is read-only.

use http::Method;

use crate::registry_setup::{ALLOW_ALL, RegistrySetup, manifest_path, password_credential};
use crate::sim::{Preset, RequestAuth};

/// Manifests and tags come from a regional host, also with `redirects = "pass"`. No redirect target gets a configured
/// credential.
#[tokio::test(start_paused = true)]
async fn redirects_of_manifests_and_tags_are_followed_without_a_credential() {
    for redirects in ["follow", "pass"] {
        let credential = password_credential("u", "p");
        let more = format!("profile = \"kubernetes\"\nredirects = \"{redirects}\"\n{credential}");
        let setup = RegistrySetup::without_credential(Preset::kubernetes(), &more).await;
        setup.sim.forbid_secret("u:p");
        for (target, has_digest) in [(manifest_path("pause"), true), ("/v2/pause/tags/list?n=1".to_owned(), false)] {
            let reply = setup.get(&target).await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("location")),
                (200, None),
                "{redirects} {target}: {reply:?}"
            );
            assert_eq!(reply.header("docker-content-digest").is_some(), has_digest);
            let requests = setup.sim.ledger().take();
            assert!(requests.iter().all(|entry| entry.authorization == RequestAuth::None), "{requests:?}");
            let servers: Vec<&str> = requests.iter().map(|entry| entry.server.as_str()).collect();
            assert_eq!(servers, ["registry", "region"], "{requests:?}");
        }
        let head = setup.regpass.head(&manifest_path("pause")).await;
        assert_eq!((head.status.as_u16(), head.header("docker-content-digest")), (200, Some(setup.image.digest())));
        setup.sim.ledger().take();

        let blob = setup.get(&setup.layer_path("pause")).await;
        if redirects == "follow" {
            assert_eq!((blob.status.as_u16(), blob.body.len() as u64), (200, setup.image.blobs[0].len()));
        } else {
            let location = blob.header("location").unwrap();
            assert!(blob.status == 307 && location.starts_with("http://blobs.k8s.test/"), "{blob:?}");
        }
        let requests = setup.sim.ledger().take();
        assert_eq!(requests.len(), if redirects == "follow" { 2 } else { 1 }, "{requests:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn every_write_is_a_405_without_an_upstream_request() {
    let more = format!("profile = \"kubernetes\"\n{ALLOW_ALL}");
    let setup = RegistrySetup::without_credential(Preset::kubernetes(), &more).await;
    for (method, path) in
        [(Method::POST, "blobs/uploads/"), (Method::PUT, "manifests/1"), (Method::DELETE, "manifests/1")]
    {
        let reply = setup.send(method.clone(), &format!("/v2/a/b/{path}")).await;
        assert_eq!(reply.status_and_code(), "405 UNSUPPORTED", "{method}");
        assert!(reply.error().1.contains("kubernetes/k8s.io"), "{reply:?}");
    }
    setup.expect(&[]);
}
