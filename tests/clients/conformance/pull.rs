//! Pull, and content discovery.

use super::api::{Api, MANIFEST_TYPE};
use super::{Verdict, checks};
use crate::sim::{sha256, sha512};

checks![
    ping,
    missing_blob_by_head,
    missing_blob_by_get,
    missing_manifest_by_head,
    missing_manifest_by_get,
    blob_by_head,
    blob_by_get,
    blob_range,
    blob_by_sha512,
    manifest_by_tag_and_digest,
    manifest_by_head,
    tags,
    tags_in_pages,
    referrers_of_nothing,
    referrers,
];

async fn ping(api: Api) -> Verdict {
    api.get("/v2/").await.expect_status(&[200])
}

fn missing() -> String {
    sha256(b"missing")
}

async fn missing_blob_by_head(api: Api) -> Verdict {
    api.head(&format!("blobs/{}", missing())).await.expect_status(&[404])
}

async fn missing_blob_by_get(api: Api) -> Verdict {
    let answer = api.get(&format!("blobs/{}", missing())).await;
    answer.expect_status(&[404])?;
    answer.expect_code(&["BLOB_UNKNOWN", "NAME_UNKNOWN"])
}

async fn missing_manifest_by_head(api: Api) -> Verdict {
    api.head("manifests/missing").await.expect_status(&[404])
}

async fn missing_manifest_by_get(api: Api) -> Verdict {
    let answer = api.get(&format!("manifests/{}", missing())).await;
    answer.expect_status(&[404])?;
    answer.expect_code(&["MANIFEST_UNKNOWN", "NAME_UNKNOWN"])
}

async fn blob_by_head(api: Api) -> Verdict {
    let digest = api.push_blob("a blob").await?;
    let answer = api.head(&format!("blobs/{digest}")).await;
    answer.expect_status(&[200])?;
    answer.expect_header("content-length", "6")?;
    answer.expect_header("docker-content-digest", &digest)
}

async fn blob_by_get(api: Api) -> Verdict {
    let digest = api.push_blob("a blob").await?;
    let answer = api.get(&format!("blobs/{digest}")).await;
    answer.expect_status(&[200])?;
    answer.expect_header("docker-content-digest", &digest)?;
    answer.expect_body("a blob")
}

async fn blob_range(api: Api) -> Verdict {
    let digest = api.push_blob("0123456789").await?;
    for (range, status, content) in [("bytes=2-4", 206, "234"), ("bytes=7-", 206, "789"), ("bytes=-2", 206, "89")] {
        let answer = api.send("GET", &format!("blobs/{digest}"), &[("range", range)], "").await;
        answer.expect_status(&[status])?;
        answer.expect_body(content)?;
    }
    let answer = api.send("HEAD", &format!("blobs/{digest}"), &[], "").await;
    answer.expect_header("accept-ranges", "bytes")
}

async fn blob_by_sha512(api: Api) -> Verdict {
    let digest = sha512(b"a blob");
    let location = api.begin_upload().await?;
    let put = api.send("PUT", &super::api::with_digest(&location, &digest), &super::api::OCTETS, "a blob").await;
    put.expect_status(&[201])?;
    let answer = api.get(&format!("blobs/{digest}")).await;
    answer.expect_status(&[200])?;
    answer.expect_header("docker-content-digest", &digest)
}

async fn manifest_by_tag_and_digest(api: Api) -> Verdict {
    let manifest = api.push_image("one").await?;
    let digest = sha256(manifest.as_bytes());
    for reference in ["one", &digest] {
        let answer = api.send("GET", &format!("manifests/{reference}"), &[("accept", MANIFEST_TYPE)], "").await;
        answer.expect_status(&[200])?;
        answer.expect_header("content-type", MANIFEST_TYPE)?;
        answer.expect_header("docker-content-digest", &digest)?;
        answer.expect_body(&manifest)?;
    }
    Ok(())
}

async fn manifest_by_head(api: Api) -> Verdict {
    let manifest = api.push_image("one").await?;
    let answer = api.send("HEAD", "manifests/one", &[("accept", MANIFEST_TYPE)], "").await;
    answer.expect_status(&[200])?;
    answer.expect_header("content-length", &manifest.len().to_string())?;
    answer.expect_header("docker-content-digest", &sha256(manifest.as_bytes()))
}

async fn push_tags(api: &Api) -> Verdict {
    let manifest = api.push_image("b").await?;
    for tag in ["a", "d", "c"] {
        let put =
            api.send("PUT", &format!("manifests/{tag}"), &[("content-type", MANIFEST_TYPE)], manifest.clone()).await;
        put.expect_status(&[201])?;
    }
    Ok(())
}

async fn tags(api: Api) -> Verdict {
    push_tags(&api).await?;
    let answer = api.get("tags/list").await;
    answer.expect_status(&[200])?;
    let expected = serde_json::json!({ "name": api.repository, "tags": ["a", "b", "c", "d"] });
    if answer.json() == expected { Ok(()) } else { Err(answer.json().to_string()) }
}

async fn tags_in_pages(api: Api) -> Verdict {
    push_tags(&api).await?;
    for (query, tags) in [("n=2", &["a", "b"][..]), ("n=2&last=b", &["c", "d"]), ("last=c", &["d"])] {
        let answer = api.get(&format!("tags/list?{query}")).await;
        answer.expect_status(&[200])?;
        if answer.json()["tags"] != serde_json::json!(tags) {
            return Err(format!("{query}: {}", answer.json()));
        }
    }
    let link = api.get("tags/list?n=2").await.header("link").unwrap_or_default();
    if link.contains("rel=\"next\"") { Ok(()) } else { Err(format!("the Link {link:?}")) }
}

async fn referrers_of_nothing(api: Api) -> Verdict {
    api.push_image("one").await?;
    let answer = api.get(&format!("referrers/{}", missing())).await;
    answer.expect_status(&[200])?;
    answer.expect_header("content-type", "application/vnd.oci.image.index.v1+json")
}

async fn referrers(api: Api) -> Verdict {
    let subject = sha256(api.push_image("one").await?.as_bytes());
    let mut artifact: serde_json::Value = serde_json::from_str(&api.manifest("signature").await?).unwrap_or_default();
    artifact["artifactType"] = "application/vnd.example.signature".into();
    artifact["subject"] = serde_json::json!({ "mediaType": MANIFEST_TYPE, "digest": subject, "size": 1 });
    let put = api.send("PUT", "manifests/signature", &[("content-type", MANIFEST_TYPE)], artifact.to_string()).await;
    put.expect_status(&[201])?;
    let answer = api.get(&format!("referrers/{subject}")).await;
    answer.expect_status(&[200])?;
    if answer.json()["manifests"].as_array().is_some_and(|all| all.len() == 1) {
        Ok(())
    } else {
        Err("not listed".to_owned())
    }
}
