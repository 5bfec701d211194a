//! Content management, and requests that are not valid.

use super::api::Api;
use super::{Verdict, checks};
use crate::sim::sha256;

checks![
    deleted_tag,
    deleted_manifest,
    deleted_blob,
    deletion_of_nothing,
    invalid_name,
    invalid_reference,
    invalid_digest
];

async fn deleted_tag(api: Api) -> Verdict {
    api.push_image("one").await?;
    let answer = api.send("DELETE", "manifests/one", &[], "").await;
    answer.expect_status(&[202, 400, 405])?;
    if answer.status == 202 {
        return api.get("manifests/one").await.expect_status(&[404]);
    }
    answer.expect_code(&["UNSUPPORTED"])
}

async fn deleted_manifest(api: Api) -> Verdict {
    let digest = sha256(api.push_image("one").await?.as_bytes());
    api.send("DELETE", &format!("manifests/{digest}"), &[], "").await.expect_status(&[202])?;
    api.get(&format!("manifests/{digest}")).await.expect_status(&[404])
}

async fn deleted_blob(api: Api) -> Verdict {
    let digest = api.push_blob("a blob").await?;
    api.send("DELETE", &format!("blobs/{digest}"), &[], "").await.expect_status(&[202])?;
    api.get(&format!("blobs/{digest}")).await.expect_status(&[404])
}

async fn deletion_of_nothing(api: Api) -> Verdict {
    api.push_blob("a blob").await?;
    api.send("DELETE", &format!("manifests/{}", sha256(b"missing")), &[], "").await.expect_status(&[404])
}

async fn invalid_name(api: Api) -> Verdict {
    api.get("/v2/Upper/Case/tags/list").await.expect_status(&[400, 404])
}

async fn invalid_reference(api: Api) -> Verdict {
    api.get("manifests/.invalid").await.expect_status(&[400, 404])
}

async fn invalid_digest(api: Api) -> Verdict {
    api.get("blobs/sha256:short").await.expect_status(&[400, 404])
}
