//! Mounts that a registry would fail, and statuses in a form of its own.

use http::Method;

use super::Stage;
use crate::sim::{Blob, Mode, Preset, Reply as Answer, WithoutFrom};

const BLOB: &[u8] = b"a blob";

/// Quay: a mount without a source is no upload.
fn quay() -> Preset {
    Preset::distribution(Mode::Token).pushes(|push| {
        push.mounts.without_from = WithoutFrom::Refused(Answer::error(400, "UNKNOWN", "missing from"));
        push.status_prefix = "bytes=";
    })
}

fn digest() -> String {
    Blob::new(BLOB).digest
}

#[tokio::test(start_paused = true)]
async fn a_mount_without_a_source_is_an_upload_where_it_would_fail() {
    let (stage, _) = Stage::begun(quay(), "quay", "team/app").await;
    let target = format!("/v2/team/app/blobs/uploads/?mount={}", digest());
    let reply = stage.send_with(Method::POST, &target, "", &[]).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    stage.expect_steps(&["POST /v2/team/app/blobs/uploads/ 202"]);
    let reply = stage.put(&super::super::location(&reply), BLOB, BLOB, &[]).await;
    stage.assert_stored(&reply, "team/app", BLOB);
}

#[tokio::test(start_paused = true)]
async fn a_mount_without_a_source_is_asked_for_elsewhere() {
    let preset = Preset::distribution(Mode::Token).pushes(|push| push.mounts.without_from = WithoutFrom::Anywhere);
    let (stage, _) = Stage::begun(preset, "distribution", "team/app").await;
    stage.registry.publish_blob("team/app", &Blob::new(BLOB));
    let target = format!("/v2/team/app/blobs/uploads/?mount={}", digest());
    let reply = stage.send_with(Method::POST, &target, "", &[]).await;
    stage.assert_stored(&reply, "team/app", BLOB);
    stage.expect_steps(&[&format!("POST {target} 201")]);
}

#[tokio::test(start_paused = true)]
async fn a_mount_with_a_source_is_asked_for_with_a_token_for_both() {
    let (stage, _) = Stage::begun(quay(), "quay", "team/app").await;
    stage.registry.publish_blob("team/base", &Blob::new(BLOB));
    let target = format!("/v2/team/app/blobs/uploads/?mount={}&from=team/base", digest());
    let reply = stage.send_with(Method::POST, &target, "", &[]).await;
    stage.assert_stored(&reply, "team/app", BLOB);
    stage.expect_steps(&[
        "GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push&scope=repository:team/base:pull 200",
        &format!("POST {target} 201"),
    ]);
}

/// Artifact Registry gives no token for two repositories, and mounts nothing: it is not asked.
#[tokio::test(start_paused = true)]
async fn where_nothing_is_ever_mounted_a_mount_is_an_upload() {
    let (stage, _) = Stage::begun(Preset::google(), "google", "project/images/app").await;
    let target = format!("/v2/project/images/app/blobs/uploads/?mount={}&from=project/images/base", digest());
    let reply = stage.send_with(Method::POST, &target, "", &[]).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let reply = stage.put(&super::super::location(&reply), BLOB, BLOB, &[]).await;
    stage.assert_stored(&reply, "project/images/app", BLOB);
    stage.expect_steps(&[
        "POST /v2/project/images/app/blobs/uploads/ 202",
        "PUT /artifacts-uploads/namespaces/project/repositories/images/uploads/upload-2?digest=… 6 201",
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_status_in_another_form_is_told_in_the_one_form() {
    let (stage, location) = Stage::begun(quay(), "quay", "team/app").await;
    let reply = stage.regpass.get(&location).await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-0")), "{reply:?}");
    let (location, _) = stage.patched(&super::super::location(&reply), "a ", &[]).await;
    let reply = stage.regpass.get(&location).await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-1")), "{reply:?}");
    let reply = stage.put(&super::super::location(&reply), "blob", BLOB, &[]).await;
    stage.assert_stored(&reply, "team/app", BLOB);
}
