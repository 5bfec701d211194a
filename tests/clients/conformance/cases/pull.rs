//! "Pull": manifests and blobs.

use super::super::case::{Body, Case, Content, case, get, head, post, push_blob, push_image, put};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = manifests();
    cases.extend(blobs());
    cases
}

fn manifests() -> Vec<Case> {
    vec![
        case("support is determined by GET /v2/", [get("/v2/", &[200])]),
        case(
            "a manifest by tag",
            [get("manifests/one", &[200])
                .wants("content-type", "application/vnd.oci.image.manifest.v1+json")
                .wants("content-length", "*")
                .content(Content::Same(Body::Image))],
        )
        .after(push_image()),
        case("a manifest by digest", [get("manifests/{image}", &[200]).content(Content::Same(Body::Image))])
            .after(push_image()),
        case(
            "HEAD of a manifest by tag and by digest",
            [
                head("manifests/one", &[200]).wants("content-length", "{image size}"),
                head("manifests/{image}", &[200]).wants("content-type", "application/vnd.oci.image.manifest.v1+json"),
            ],
        )
        .after(push_image()),
        case(
            "the digest of a manifest is in its headers",
            [
                get("manifests/one", &[200]).wants("docker-content-digest", "{image}"),
                head("manifests/one", &[200]).wants("docker-content-digest", "{image}"),
                head("manifests/{image}", &[200]).wants("docker-content-digest", "{image}"),
            ],
        )
        .dev()
        .after(push_image()),
        case(
            "a missing tag is a 404",
            [
                get("manifests/nothing", &[404]).content(Content::Error(Some("MANIFEST_UNKNOWN"))),
                head("manifests/nothing", &[404]),
            ],
        )
        .after(push_image()),
        case(
            "a missing digest is a 404",
            [
                get("manifests/{missing}", &[404]).content(Content::Error(Some("MANIFEST_UNKNOWN"))),
                head("manifests/{missing}", &[404]),
            ],
        )
        .after(push_image()),
        case(
            "a tag that no registry can have is a 404",
            [get("manifests/.INVALID_MANIFEST_NAME", &[404]), head("manifests/.INVALID_MANIFEST_NAME", &[404])],
        )
        .after(push_image()),
        case(
            "a manifest of a missing repository is a 404",
            [get("manifests/one", &[404]).content(Content::Error(None))],
        ),
    ]
}

fn blobs() -> Vec<Case> {
    vec![
        case("a blob", [get("blobs/{blob}", &[200]).content(Content::Same(Body::Blob))]).after(push_blob()),
        case("HEAD of a blob", [head("blobs/{blob}", &[200]).wants("content-length", "{size}")]).after(push_blob()),
        case(
            "the digest of a blob is in its headers",
            [
                get("blobs/{blob}", &[200]).wants("docker-content-digest", "{blob}"),
                head("blobs/{blob}", &[200]).wants("docker-content-digest", "{blob}"),
            ],
        )
        .dev()
        .after(push_blob()),
        case(
            "a missing blob is a 404",
            [
                get("blobs/{missing}", &[404]).content(Content::Error(Some("BLOB_UNKNOWN"))),
                head("blobs/{missing}", &[404]),
            ],
        )
        .after(push_blob()),
        case(
            "a range of a blob",
            [
                get("blobs/{blob}", &[206])
                    .header("Range", "bytes={mid}-{end}")
                    .wants("content-range", "bytes {mid}-{end}/{size}")
                    .content(Content::Same(Body::SecondHalf)),
                get("blobs/{blob}", &[206]).header("Range", "bytes={mid}-").content(Content::Same(Body::SecondHalf)),
                get("blobs/{blob}", &[416]).header("Range", "bytes={size}-"),
            ],
        )
        .after(push_blob()),
        case(
            "an invalid digest is an error document",
            [
                get("blobs/sha256:short", &[400, 404]).content(Content::Error(None)),
                get("manifests/sha256:short", &[400, 404]).content(Content::Error(None)),
            ],
        )
        .after(push_blob()),
        case(
            "a blob by its SHA-512 digest",
            [
                get("blobs/{blob512}", &[200])
                    .wants("docker-content-digest", "{blob512}")
                    .content(Content::Same(Body::Blob)),
                head("blobs/{blob512}", &[200]).wants("docker-content-digest", "{blob512}"),
            ],
        )
        .dev()
        .after([post("blobs/uploads/", &[202]), put("{location}+digest={blob512}", Body::Blob, &[201])]),
    ]
}
