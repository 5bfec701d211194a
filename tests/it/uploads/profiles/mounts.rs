//! Mounts at registries that do not support every form of them, and Quay's form of an upload's status.

use http::Method;

use super::PushSetup;
use crate::sim::{AuthMode, Blob, MountWithoutFrom, Preset, Reply as Answer};

const BLOB: &[u8] = b"a blob";

/// Quay, which rejects a mount without a source instead of starting an upload.
fn quay() -> Preset {
    Preset::distribution(AuthMode::Token).with_push_rules(|push| {
        push.mounts.without_from = MountWithoutFrom::Rejected(Answer::error(400, "UNKNOWN", "missing from"));
        push.status_range_prefix = "bytes=";
    })
}

fn digest() -> String {
    Blob::new(BLOB).digest
}

#[tokio::test(start_paused = true)]
async fn a_mount_without_source_is_sent_to_quay_as_a_plain_upload() {
    let (setup, _) = PushSetup::with_profile(quay(), "quay", "team/app").await;
    let target = format!("/v2/team/app/blobs/uploads/?mount={}", digest());
    let reply = setup.send_with(Method::POST, &target, "", &[]).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    setup.expect_steps(&["POST /v2/team/app/blobs/uploads/ 202"]);
    setup.finish_in("team/app", &crate::uploads::location_of(&reply), BLOB, BLOB, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_mount_without_source_is_forwarded_to_other_registries() {
    let preset = Preset::distribution(AuthMode::Token)
        .with_push_rules(|push| push.mounts.without_from = MountWithoutFrom::AnyReadable);
    let (setup, _) = PushSetup::with_profile(preset, "distribution", "team/app").await;
    setup.registry.publish_blob("team/app", &Blob::new(BLOB));
    let target = format!("/v2/team/app/blobs/uploads/?mount={}", digest());
    let reply = setup.send_with(Method::POST, &target, "", &[]).await;
    setup.assert_stored(&reply, "team/app", BLOB);
    setup.expect_steps(&[&format!("POST {target} 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_mount_with_source_is_forwarded_with_a_token_for_both_repositories() {
    let (setup, _) = PushSetup::with_profile(quay(), "quay", "team/app").await;
    setup.registry.publish_blob("team/base", &Blob::new(BLOB));
    let target = format!("/v2/team/app/blobs/uploads/?mount={}&from=team/base", digest());
    let reply = setup.send_with(Method::POST, &target, "", &[]).await;
    setup.assert_stored(&reply, "team/app", BLOB);
    setup.expect_steps(&[
        "GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push&scope=repository:team/base:pull 200",
        &format!("POST {target} 201"),
    ]);
}

/// Artifact Registry issues no token for two repositories. The source here does not exist.
#[tokio::test(start_paused = true)]
async fn a_mount_that_artifact_registry_cannot_do_is_an_upload_without_a_further_request() {
    let (setup, _) = PushSetup::with_profile(Preset::google(), "google", "project/images/app").await;
    let target = format!("/v2/project/images/app/blobs/uploads/?mount={}&from=project/images/base", digest());
    let reply = setup.send_with(Method::POST, &target, "", &[]).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    setup.finish_in("project/images/app", &crate::uploads::location_of(&reply), BLOB, BLOB, &[]).await;
    setup.expect_steps(&[
        &format!("POST {target} 202"),
        "PUT /artifacts-uploads/namespaces/project/repositories/images/uploads/upload-2?digest=… 6 201",
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_status_with_bytes_in_its_range_reaches_the_client_without() {
    let (setup, location) = PushSetup::with_profile(quay(), "quay", "team/app").await;
    let reply = setup.regpass.get(&location).await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-0")), "{reply:?}");
    let location = setup.patch_with(&crate::uploads::location_of(&reply), "a ", &[]).await;
    let reply = setup.regpass.get(&location).await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-1")), "{reply:?}");
    setup.finish_in("team/app", &crate::uploads::location_of(&reply), "blob", BLOB, &[]).await;
}
