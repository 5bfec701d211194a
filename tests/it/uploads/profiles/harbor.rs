//! Harbor, which deletes manifests by digest only.

use http::Method;

use super::PushSetup;
use crate::harness::{Regpass, Reply, request, single_registry_config};
use crate::proxied_registry::assert_rejected;
use crate::sim::{Image, ImageFormat, Preset, Sim};

async fn with_two_tags() -> (PushSetup, Image) {
    let setup = PushSetup::start(Preset::harbor(), "profile = \"harbor\"").await;
    let image = Image::single("app", ImageFormat::Oci);
    setup.registry.publish_private("alice/app", "1", &image);
    setup.registry.publish_private("alice/app", "stable", &image);
    assert_eq!(setup.regpass.get("/v2/alice/app/manifests/1").await.status, 200);
    setup.sim.ledger().take();
    (setup, image)
}

async fn delete(setup: &PushSetup, reference: &str) -> Reply {
    setup.regpass.send(request(Method::DELETE, &format!("/v2/alice/app/manifests/{reference}"))).await
}

#[tokio::test(start_paused = true)]
async fn deleting_a_tag_deletes_its_manifest_and_the_other_tags() {
    let (setup, image) = with_two_tags().await;
    let reply = delete(&setup, "1").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{reply:?}");
    setup.sim.ledger().expect(&[
        "token GET /service/token?service=harbor-registry&scope=repository:alice/app:pull,delete basic:alice 200",
        "registry HEAD /v2/alice/app/manifests/1 bearer#2 200",
        &format!("registry DELETE /v2/alice/app/manifests/{} bearer#2 202", image.digest()),
    ]);
    for tag in ["1", "stable"] {
        assert_eq!(setup.regpass.get(&format!("/v2/alice/app/manifests/{tag}")).await.status, 404, "{tag}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn deleting_a_digest_needs_no_lookup() {
    let (setup, image) = with_two_tags().await;
    let reply = delete(&setup, image.digest()).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{reply:?}");
    setup.expect_steps(&[
        "GET /service/token?service=harbor-registry&scope=repository:alice/app:pull,delete 200",
        &format!("DELETE /v2/alice/app/manifests/{} 202", image.digest()),
    ]);
}

#[tokio::test(start_paused = true)]
async fn deleting_a_missing_tag_is_a_404_and_deletes_nothing() {
    let (setup, _) = with_two_tags().await;
    assert_rejected(&delete(&setup, "none").await, "404 MANIFEST_UNKNOWN", &[]);
    setup.expect_steps(&[
        "GET /service/token?service=harbor-registry&scope=repository:alice/app:pull,delete 200",
        "HEAD /v2/alice/app/manifests/none 404",
    ]);
    assert_eq!(setup.regpass.get("/v2/alice/app/manifests/1").await.status, 200);
}

/// Looking a tag up needs only `pull`, but deleting has to be allowed.
#[tokio::test(start_paused = true)]
async fn without_delete_in_allow_a_tag_is_not_looked_up() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::harbor()).await;
    let text = single_registry_config(&registry, "profile = \"harbor\"");
    let setup = PushSetup { regpass: Regpass::start(&sim, &text), sim, registry };
    assert_rejected(&delete(&setup, "1").await, "403 DENIED", &["add \"delete\" to `allow`"]);
    setup.expect_steps(&[]);
}
