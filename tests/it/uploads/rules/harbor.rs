//! Harbor: manifests are deleted by digest only.

use http::Method;

use super::Stage;
use crate::harness::{Regpass, Reply, only, request};
use crate::sim::{Family, Image, Preset, Sim};
use crate::stage::assert_refused;

async fn set() -> (Stage, Image) {
    let stage = Stage::set(Preset::harbor(), "profile = \"harbor\"").await;
    let image = Image::single("app", Family::Oci);
    stage.registry.keep("alice/app", "1", &image);
    stage.registry.keep("alice/app", "stable", &image);
    assert_eq!(stage.regpass.get("/v2/alice/app/manifests/1").await.status, 200);
    stage.sim.ledger().take();
    (stage, image)
}

async fn delete(stage: &Stage, reference: &str) -> Reply {
    stage.regpass.send(request(Method::DELETE, &format!("/v2/alice/app/manifests/{reference}"))).await
}

#[tokio::test(start_paused = true)]
async fn a_tag_is_looked_up_and_its_manifest_deleted_with_all_its_tags() {
    let (stage, image) = set().await;
    let reply = delete(&stage, "1").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{reply:?}");
    stage.sim.ledger().expect(&[
        "token GET /service/token?service=harbor-registry&scope=repository:alice/app:pull,delete basic:alice 200",
        "registry HEAD /v2/alice/app/manifests/1 bearer#2 200",
        &format!("registry DELETE /v2/alice/app/manifests/{} bearer#2 202", image.digest()),
    ]);
    for tag in ["1", "stable"] {
        assert_eq!(stage.regpass.get(&format!("/v2/alice/app/manifests/{tag}")).await.status, 404, "{tag}");
    }
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_digest_is_deleted_at_once() {
    let (stage, image) = set().await;
    let reply = delete(&stage, image.digest()).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{reply:?}");
    stage.expect_steps(&[
        "GET /service/token?service=harbor-registry&scope=repository:alice/app:pull,delete 200",
        &format!("DELETE /v2/alice/app/manifests/{} 202", image.digest()),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_not_there_is_a_404_and_nothing_is_deleted() {
    let (stage, _) = set().await;
    assert_refused(&delete(&stage, "none").await, "404 MANIFEST_UNKNOWN", &[]);
    stage.expect_steps(&[
        "GET /service/token?service=harbor-registry&scope=repository:alice/app:pull,delete 200",
        "HEAD /v2/alice/app/manifests/none 404",
    ]);
    assert_eq!(stage.regpass.get("/v2/alice/app/manifests/1").await.status, 200);
}

/// Deleting has to be allowed, whatever it takes to look the tag up.
#[tokio::test(start_paused = true)]
async fn a_tag_is_not_looked_up_for_who_may_not_delete() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::harbor()).await;
    let text = only(&registry, "profile = \"harbor\"");
    let stage = Stage { regpass: Regpass::start(&sim, &text), sim, registry };
    assert_refused(&delete(&stage, "1").await, "403 DENIED", &["add \"delete\" to 'allow'"]);
    stage.expect_steps(&[]);
}
