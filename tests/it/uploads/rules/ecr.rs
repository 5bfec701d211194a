//! ECR: 201 to a PATCH, and a Range that stays at the first chunk.

use http::Method;

use super::Stage;
use crate::harness::{Regpass, only};
use crate::sim::{Fault, Preset, Sim};
use crate::stage::assert_refused;

const PATCH: &str = "PATCH /v2/team/app/blobs/uploads/upload-1?_state=…";
const PUT: &str = "PUT /v2/team/app/blobs/uploads/upload-1?_state=…&digest=…";

/// The registry with the repository in it: pushing creates none.
async fn begun() -> (Stage, String) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::ecr()).await;
    registry.user("AWS", "a password of twelve hours");
    registry.store().write("team/app", |_| ());
    let login = "credential = { source = \"password\", username = \"AWS\", password = \"a password of twelve hours\" }";
    let text = only(&registry, &format!("profile = \"ecr\"\nallow = [\"pull\", \"push\"]\n{login}"));
    let stage = Stage { regpass: Regpass::start(&sim, &text), sim, registry };
    let location = stage.begin("team/app").await;
    stage.sim.ledger().take();
    (stage, location)
}

#[tokio::test(start_paused = true)]
async fn chunks_are_a_202_that_tells_how_far_the_upload_is() {
    let (stage, location) = begun().await;
    let (location, range) = stage.patched(&location, "first ", &[("content-range", "0-5")]).await;
    assert_eq!(range, "0-5");
    let (location, range) = stage.patched(&location, "second ", &[("content-range", "6-12")]).await;
    assert_eq!(range, "0-12", "the registry says 0-5");
    let stuck = stage.registry.registry().inject(Fault::with_header("range", "0-5").method(Method::GET));
    let status = stage.regpass.get(&location).await;
    stuck.lift();
    assert_eq!((status.status.as_u16(), status.header("range")), (204, Some("0-12")), "{status:?}");
    let (location, range) = stage.patched(&super::super::location(&status), "third", &[]).await;
    assert_eq!(range, "0-17");
    let reply = stage.put(&location, "", b"first second third", &[]).await;
    stage.assert_stored(&reply, "team/app", b"first second third");
    stage.expect_steps(&[
        &format!("{PATCH} 0-5 6 201"),
        &format!("{PATCH} 6-12 7 201"),
        &format!("{} 204", PATCH.replace("PATCH", "GET")),
        &format!("{PATCH} 5 201"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_push_into_a_repository_that_nobody_created_says_so() {
    let (stage, _) = begun().await;
    let reply = stage.send_with(Method::POST, "/v2/team/other/blobs/uploads/", "", &[]).await;
    assert_refused(&reply, "404 NAME_UNKNOWN", &["The repository does not exist in the registry"]);
    stage.expect_steps(&["POST /v2/team/other/blobs/uploads/ 404"]);
}
