//! Push.

use super::api::{Api, MANIFEST_TYPE, OCTETS, with_digest};
use super::{Verdict, checks};
use crate::sim::sha256;

checks![
    upload_by_post_and_put,
    upload_by_one_post,
    upload_in_one_stream,
    upload_in_chunks,
    chunk_out_of_order,
    chunk_repeated,
    state_of_an_upload,
    cancelled_upload,
    upload_with_a_wrong_digest,
    upload_with_an_invalid_digest,
    mount,
    mount_without_a_source,
    manifest_by_tag,
    manifest_by_digest,
    manifest_that_is_none,
    manifest_of_missing_blobs,
];

const CONTENT: &str = "0123456789";

async fn expect_blob(api: &Api, content: &str) -> Verdict {
    let answer = api.get(&format!("blobs/{}", sha256(content.as_bytes()))).await;
    answer.expect_status(&[200])?;
    answer.expect_body(content)
}

async fn upload_by_post_and_put(api: Api) -> Verdict {
    api.push_blob(CONTENT).await?;
    expect_blob(&api, CONTENT).await
}

async fn upload_by_one_post(api: Api) -> Verdict {
    let target = format!("blobs/uploads/?digest={}", sha256(CONTENT.as_bytes()));
    let answer = api.send("POST", &target, &OCTETS, CONTENT).await;
    answer.expect_status(&[201, 202])?;
    if answer.status == 202 {
        let location = answer.header("location").ok_or("no Location")?;
        let put = api.send("PUT", &with_digest(&location, &sha256(CONTENT.as_bytes())), &OCTETS, CONTENT).await;
        put.expect_status(&[201])?;
    }
    expect_blob(&api, CONTENT).await
}

async fn upload_in_one_stream(api: Api) -> Verdict {
    let patch = api.send("PATCH", &api.begin_upload().await?, &OCTETS, CONTENT).await;
    patch.expect_status(&[202])?;
    finish(&api, patch.header("location")).await
}

/// Sends one chunk and returns the next Location.
async fn chunk(api: &Api, location: &str, range: &str, bytes: &'static str) -> Result<String, String> {
    let headers = [OCTETS[0], ("content-range", range)];
    let answer = api.send("PATCH", location, &headers, bytes).await;
    answer.expect_status(&[202])?;
    let last = range.split_once('-').map_or("", |(_, last)| last);
    answer.expect_header("range", &format!("0-{last}"))?;
    answer.header("location").ok_or_else(|| "no Location".to_owned())
}

async fn finish(api: &Api, location: Option<String>) -> Verdict {
    let location = location.ok_or("no Location")?;
    api.send("PUT", &with_digest(&location, &sha256(CONTENT.as_bytes())), &OCTETS, "").await.expect_status(&[201])?;
    expect_blob(api, CONTENT).await
}

async fn upload_in_chunks(api: Api) -> Verdict {
    let location = chunk(&api, &api.begin_upload().await?, "0-3", "0123").await?;
    let location = chunk(&api, &location, "4-9", "456789").await?;
    finish(&api, Some(location)).await
}

async fn chunk_out_of_order(api: Api) -> Verdict {
    let location = chunk(&api, &api.begin_upload().await?, "0-3", "0123").await?;
    let headers = [OCTETS[0], ("content-range", "6-9")];
    api.send("PATCH", &location, &headers, "6789").await.expect_status(&[416])?;
    let location = chunk(&api, &location, "4-9", "456789").await?;
    finish(&api, Some(location)).await
}

async fn chunk_repeated(api: Api) -> Verdict {
    let location = chunk(&api, &api.begin_upload().await?, "0-3", "0123").await?;
    let headers = [OCTETS[0], ("content-range", "0-3")];
    api.send("PATCH", &location, &headers, "0123").await.expect_status(&[416])
}

async fn state_of_an_upload(api: Api) -> Verdict {
    let location = chunk(&api, &api.begin_upload().await?, "0-3", "0123").await?;
    let answer = api.get(&location).await;
    answer.expect_status(&[204])?;
    answer.expect_header("range", "0-3")?;
    if answer.header("location").is_some() { Ok(()) } else { Err("no Location".to_owned()) }
}

async fn cancelled_upload(api: Api) -> Verdict {
    let location = api.begin_upload().await?;
    api.send("DELETE", &location, &[], "").await.expect_status(&[204])?;
    api.get(&location).await.expect_status(&[404])
}

async fn upload_with_a_wrong_digest(api: Api) -> Verdict {
    let location = api.begin_upload().await?;
    let answer = api.send("PUT", &with_digest(&location, &sha256(b"other")), &OCTETS, CONTENT).await;
    answer.expect_status(&[400])?;
    answer.expect_code(&["DIGEST_INVALID"])
}

async fn upload_with_an_invalid_digest(api: Api) -> Verdict {
    let location = api.begin_upload().await?;
    api.send("PUT", &with_digest(&location, "sha256:short"), &OCTETS, CONTENT).await.expect_status(&[400])
}

async fn mount(api: Api) -> Verdict {
    let source = api.neighbor("source");
    let digest = source.push_blob(CONTENT).await?;
    let target = format!("blobs/uploads/?mount={digest}&from={}", source.repository);
    api.send("POST", &target, &[], "").await.expect_status(&[201])?;
    expect_blob(&api, CONTENT).await
}

async fn mount_without_a_source(api: Api) -> Verdict {
    let answer = api.send("POST", &format!("blobs/uploads/?mount={}", sha256(b"missing")), &[], "").await;
    answer.expect_status(&[202])?;
    if answer.header("location").is_some() { Ok(()) } else { Err("no Location".to_owned()) }
}

async fn put_manifest(api: &Api, reference: &str, manifest: String) -> super::api::Answer {
    api.send("PUT", &format!("manifests/{reference}"), &[("content-type", MANIFEST_TYPE)], manifest).await
}

async fn manifest_by_tag(api: Api) -> Verdict {
    let manifest = api.manifest("layer").await?;
    let answer = put_manifest(&api, "one", manifest.clone()).await;
    answer.expect_status(&[201])?;
    answer.expect_header("docker-content-digest", &sha256(manifest.as_bytes()))?;
    let location = answer.header("location").ok_or("no Location")?;
    api.send("GET", &location, &[("accept", MANIFEST_TYPE)], "").await.expect_body(&manifest)
}

async fn manifest_by_digest(api: Api) -> Verdict {
    let manifest = api.manifest("layer").await?;
    let digest = sha256(manifest.as_bytes());
    put_manifest(&api, &digest, manifest.clone()).await.expect_status(&[201])?;
    api.send("GET", &format!("manifests/{digest}"), &[("accept", MANIFEST_TYPE)], "").await.expect_body(&manifest)
}

async fn manifest_that_is_none(api: Api) -> Verdict {
    let answer = put_manifest(&api, "one", "{\"schemaVersion\": 2".to_owned()).await;
    answer.expect_status(&[400])?;
    answer.expect_code(&["MANIFEST_INVALID"])
}

async fn manifest_of_missing_blobs(api: Api) -> Verdict {
    let other = api.neighbor("other");
    let manifest = other.manifest("layer").await?;
    let answer = put_manifest(&api, "one", manifest).await;
    answer.expect_status(&[400, 404])?;
    answer.expect_code(&["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"])
}
