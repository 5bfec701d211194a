//! Distribution 2: deletions of tags.

use http::Method;

use crate::harness::{request, with_header};
use crate::proxied_registry::assert_rejected;
use crate::registry_setup::{ALLOW_ALL, RegistrySetup};
use crate::sim::{AuthMode, Fault, Preset, Reply};

#[tokio::test(start_paused = true)]
async fn a_tag_that_the_registry_cannot_delete_is_a_405_that_says_what_to_do() {
    let preset = Preset::distribution(AuthMode::Token).version_2();
    for profile in ["profile = \"distribution\"", ""] {
        let setup = RegistrySetup::with_credential(preset.clone(), &format!("{profile}\n{ALLOW_ALL}")).await;
        let reply = setup.send(Method::DELETE, &setup.private_manifest()).await;
        let words = [
            "distribution.test deletes manifests by digest only",
            "acme/private:1",
            "every other tag",
            "Docker-Content-Digest",
            "provided digest did not match uploaded content",
        ];
        assert_rejected(&reply, "405 UNSUPPORTED", &words);
        assert_eq!(reply.header("allow"), Some("GET, HEAD, PUT"));
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "registry");
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "nothing was deleted");
        let digest = setup.send(Method::HEAD, &setup.private_manifest()).await;
        let digest = digest.header("docker-content-digest").unwrap().to_owned();
        setup.sim.ledger().take();
        let target = setup.private_path(&format!("manifests/{digest}"));
        assert_eq!(setup.send(Method::DELETE, &target).await.status, 202);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn other_errors_of_a_deletion_stay_as_they_are() {
    let setup = RegistrySetup::with_credential(Preset::distribution(AuthMode::Token), ALLOW_ALL).await;
    let by_digest = setup.private_path(&format!("manifests/{}", setup.image.digest()));
    for (target, reply, status_and_code) in [
        (&by_digest, Reply::error(400, "DIGEST_INVALID", "no"), "400 DIGEST_INVALID"),
        (&setup.private_manifest(), Reply::error(400, "NAME_INVALID", "no"), "400 NAME_INVALID"),
        (&setup.private_manifest(), Reply::error(405, "UNSUPPORTED", "no"), "405 UNSUPPORTED"),
        (&setup.private_manifest(), Reply::error(404, "MANIFEST_UNKNOWN", "no"), "404 MANIFEST_UNKNOWN"),
    ] {
        let fault = setup.registry.api().inject(Fault::answer(reply).method(Method::DELETE));
        assert_eq!(setup.send(Method::DELETE, target).await.status_and_code(), status_and_code, "{target}");
        fault.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn a_condition_of_a_deletion_does_not_apply_to_the_lookup_of_its_digest() {
    let setup = RegistrySetup::with_credential(Preset::harbor(), &format!("profile = \"harbor\"\n{ALLOW_ALL}")).await;
    let etag = format!("\"{}\"", setup.image.digest());
    let delete = with_header(request(Method::DELETE, &setup.private_manifest()), "if-none-match", &etag);
    assert_eq!(setup.regpass.send(delete).await.status, 202);
    let lookup = setup.sim.ledger().entries().into_iter().find(|entry| entry.method == Method::HEAD).unwrap();
    assert!(!lookup.headers.contains_key("if-none-match"));
    setup.sim.finish();
}
