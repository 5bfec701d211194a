//! "Push": blobs in every way, mounts, and manifests.

use super::super::case::{
    Body, Case, Content, Step, case, delete, get, head, patch, post, push_blob, push_config, push_image, put,
};

/// Reads the uploaded blob.
fn blob_is_there() -> Step {
    get("blobs/{blob}", &[200]).content(Content::Same(Body::Blob))
}

fn open() -> Step {
    post("blobs/uploads/", &[202]).wants("location", "*")
}

fn first_chunk() -> Step {
    patch("{location}", Body::FirstHalf, &[202])
        .header("Content-Range", "0-{mid1}")
        .wants("location", "*")
        .wants("range", "0-{mid1}")
}

fn second_chunk() -> Step {
    patch("{location}", Body::SecondHalf, &[202]).header("Content-Range", "{mid}-{end}").wants("range", "0-{end}")
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = uploads();
    cases.extend(chunks());
    cases.extend(mounts());
    cases.extend(manifests());
    cases
}

fn uploads() -> Vec<Case> {
    vec![
        case(
            "POST then PUT",
            [open(), put("{location}+digest={blob}", Body::Blob, &[201]).wants("location", "*"), blob_is_there()],
        ),
        case("the location of a pushed blob serves it", [get("{location}", &[200]).content(Content::Same(Body::Blob))])
            .after(push_blob()),
        case(
            "a single POST",
            [post("blobs/uploads/?digest={blob}", &[201]).body(Body::Blob).wants("location", "*"), blob_is_there()],
        )
        .after([]),
        case(
            "POST then a stream by PATCH, then PUT",
            [
                open(),
                patch("{location}", Body::Blob, &[202]).header("Transfer-Encoding", "chunked").wants("location", "*"),
                put("{location}+digest={blob}", Body::Empty, &[201]),
                blob_is_there(),
            ],
        ),
        case(
            "an empty blob",
            [
                open(),
                put("{location}+digest={empty}", Body::Empty, &[201]),
                head("blobs/{empty}", &[200]).wants("content-length", "0"),
            ],
        ),
        case(
            "a blob that does not match its digest is rejected",
            [
                open(),
                put("{location}+digest={missing}", Body::Blob, &[400]).content(Content::Error(Some("DIGEST_INVALID"))),
                head("blobs/{missing}", &[404]),
            ],
        ),
        case(
            "a single POST that does not match its digest is rejected",
            [post("blobs/uploads/?digest={missing}", &[400]).body(Body::Blob), head("blobs/{missing}", &[404])],
        ),
        case(
            "a blob by its SHA-512 digest is accepted",
            [
                open(),
                put("{location}+digest={blob512}", Body::Blob, &[201]).wants("location", "*"),
                get("blobs/{blob512}", &[200]).content(Content::Same(Body::Blob)),
            ],
        ),
        case(
            "an upload that names its digest algorithm",
            [
                post("blobs/uploads/?digest-algorithm=sha512", &[202]),
                put("{location}+digest={blob512}", Body::Blob, &[201]),
                head("blobs/{blob512}", &[200]),
            ],
        )
        .dev(),
        case(
            "a cancelled upload is gone",
            [
                open(),
                delete("{location}", &[204]),
                get("{location}", &[404]).content(Content::Error(Some("BLOB_UPLOAD_UNKNOWN"))),
            ],
        )
        .dev(),
    ]
}

fn chunks() -> Vec<Case> {
    vec![
        case(
            "chunks in order",
            [
                open(),
                first_chunk(),
                second_chunk(),
                put("{location}+digest={blob}", Body::Empty, &[201]).wants("location", "*"),
                blob_is_there(),
            ],
        ),
        case(
            "the last chunk in the PUT",
            [
                open(),
                first_chunk(),
                put("{location}+digest={blob}", Body::SecondHalf, &[201]).header("Content-Range", "{mid}-{end}"),
                blob_is_there(),
            ],
        ),
        case(
            "the status of an upload",
            [open(), first_chunk(), get("{location}", &[204]).wants("location", "*").wants("range", "0-{mid1}")],
        ),
        case(
            "a first chunk that does not start at 0 is a 416",
            [open(), patch("{location}", Body::SecondHalf, &[416]).header("Content-Range", "{mid}-{end}")],
        ),
        case(
            "a repeated chunk is a 416 and the upload goes on",
            [
                open().save("start"),
                first_chunk(),
                patch("{location}", Body::FirstHalf, &[416]).header("Content-Range", "0-{mid1}"),
                get("{location}", &[204]).wants("range", "0-{mid1}"),
                second_chunk(),
                put("{location}+digest={blob}", Body::Empty, &[201]),
                blob_is_there(),
            ],
        ),
    ]
}

fn mounts() -> Vec<Case> {
    vec![
        case(
            "a mount from another repository",
            [
                post("/v2/{other}/blobs/uploads/?mount={blob}&from={repository}", &[201]).wants("location", "*"),
                get("/v2/{other}/blobs/{blob}", &[200]).content(Content::Same(Body::Blob)),
            ],
        )
        .after(push_blob()),
        case(
            "a mount without a source starts an upload or succeeds",
            [post("/v2/{other}/blobs/uploads/?mount={blob}", &[201, 202]).wants("location", "*")],
        )
        .after(push_blob()),
        case(
            "a mount of a missing blob starts an upload",
            [
                post("blobs/uploads/?mount={blob}&from={other}", &[202]).wants("location", "*"),
                put("{location}+digest={blob}", Body::Blob, &[201]),
                blob_is_there(),
            ],
        ),
    ]
}

fn manifests() -> Vec<Case> {
    vec![
        case(
            "a manifest by tag, with a location that serves it",
            [get("{location}", &[200]).content(Content::Same(Body::Image))],
        )
        .after(push_image()),
        case(
            "a manifest by digest is accepted",
            [
                put("manifests/{image}", Body::Image, &[201]).wants("location", "*"),
                get("manifests/{image}", &[200]).content(Content::Same(Body::Image)),
            ],
        )
        .after(push_config()),
        case(
            "the digest of a pushed manifest is in the headers",
            [put("manifests/one", Body::Image, &[201]).wants("docker-content-digest", "{image}")],
        )
        .dev()
        .after(push_config()),
        case(
            "a manifest that does not match its digest is a 400",
            [put("manifests/{missing}", Body::Image, &[400]).content(Content::Error(Some("DIGEST_INVALID")))],
        )
        .after(push_config()),
        case(
            "a manifest that is not JSON is a 400",
            [put("manifests/one", Body::Text("no JSON"), &[400])
                .header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
                .content(Content::Error(None))],
        ),
        case("a manifest with a subject that does not exist", [put("manifests/{artifact}", Body::Artifact, &[201])])
            .after(push_config()),
        case(
            "a subject is acknowledged",
            [put("manifests/{artifact}", Body::Artifact, &[201]).wants("oci-subject", "{image}")],
        )
        .after(push_image())
        .beyond_regpass("the registry has no referrers API, and regpass must not claim it: the client updates the tag"),
        case(
            "a manifest by digest with further tags",
            [
                put("manifests/{image}?tag=x&tag=y", Body::Image, &[201]).wants("oci-tag", "*"),
                head("manifests/x", &[200]).wants("docker-content-digest", "{image}"),
                head("manifests/y", &[200]),
            ],
        )
        .dev()
        .after(push_config())
        .beyond_regpass("the registry ignores `tag`: the client pushes the tags one by one"),
        case(
            "a manifest by its SHA-512 digest",
            [
                put("manifests/{image512}", Body::Image, &[201]),
                get("manifests/{image512}", &[200]).content(Content::Same(Body::Image)),
            ],
        )
        .after(push_config())
        .beyond_regpass("the registry knows manifests by SHA-256 only"),
    ]
}
