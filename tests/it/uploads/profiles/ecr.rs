//! ECR, which answers a PATCH with 201, and after every chunk reports the range of the first.

use http::Method;

use super::PushSetup;
use crate::harness::{Regpass, single_registry_config};
use crate::proxied_registry::assert_rejected;
use crate::sim::{Fault, Preset, Sim};

const PATCH: &str = "PATCH /v2/team/app/blobs/uploads/upload-1?_state=…";
const PUT: &str = "PUT /v2/team/app/blobs/uploads/upload-1?_state=…&digest=…";

/// Starts an upload to a repository that exists, because a push to ECR creates none.
async fn with_upload() -> (PushSetup, String) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::ecr()).await;
    registry.add_user("AWS", "a password of twelve hours");
    registry.store().write("team/app", |_| ());
    let credential =
        "credential = { source = \"password\", username = \"AWS\", password = \"a password of twelve hours\" }";
    let text =
        single_registry_config(&registry, &format!("profile = \"ecr\"\nallow = [\"pull\", \"push\"]\n{credential}"));
    let setup = PushSetup { regpass: Regpass::start(&sim, &text), sim, registry };
    let location = setup.start_upload("team/app").await;
    setup.sim.ledger().take();
    (setup, location)
}

#[tokio::test(start_paused = true)]
async fn a_chunk_is_a_202_with_the_range_of_all_chunks() {
    let (setup, location) = with_upload().await;
    let location = setup.patch_to("0-5", &location, "first ", &[("content-range", "0-5")]).await;
    // The registry's own range is still 0-5.
    let location = setup.patch_to("0-12", &location, "second ", &[("content-range", "6-12")]).await;
    let wrong_range = setup.registry.api().inject(Fault::with_header("range", "0-5").method(Method::GET));
    let status = setup.regpass.get(&location).await;
    wrong_range.remove();
    assert_eq!((status.status.as_u16(), status.header("range")), (204, Some("0-12")), "{status:?}");
    let location = setup.patch_to("0-17", &crate::uploads::location_of(&status), "third", &[]).await;
    setup.finish_in("team/app", &location, "", b"first second third", &[]).await;
    setup.expect_steps(&[
        &format!("{PATCH} 0-5 6 201"),
        &format!("{PATCH} 6-12 7 201"),
        &format!("{} 204", PATCH.replace("PATCH", "GET")),
        &format!("{PATCH} 5 201"),
        &format!("{PUT} 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_push_to_a_missing_repository_is_the_registrys_404() {
    let (setup, _) = with_upload().await;
    let reply = setup.send_with(Method::POST, "/v2/team/other/blobs/uploads/", "", &[]).await;
    assert_rejected(&reply, "404 NAME_UNKNOWN", &["The repository does not exist in the registry"]);
    setup.expect_steps(&["POST /v2/team/other/blobs/uploads/ 404"]);
}
