//! "Content Discovery": tags and referrers.

use super::super::case::{Body, Case, Content, case, get, push_image, push_tags, put};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = tags();
    cases.extend(referrers());
    cases
}

fn tags() -> Vec<Case> {
    vec![
        case("all tags", [get("tags/list", &[200]).content(Content::TagsInAnyOrder(&["a", "b", "c", "d"]))])
            .after(push_tags()),
        case("at most n tags", [get("tags/list?n=2", &[200]).content(Content::Tags(&["a", "b"]))]).after(push_tags()),
        case("tags after last", [get("tags/list?last=b", &[200]).content(Content::Tags(&["c", "d"]))])
            .after(push_tags()),
        case("at most n tags after last", [get("tags/list?n=1&last=b", &[200]).content(Content::Tags(&["c"]))])
            .after(push_tags()),
        case(
            "more than n tags are enough",
            [get("tags/list?n=9", &[200]).content(Content::TagsInAnyOrder(&["a", "b", "c", "d"]))],
        )
        .after(push_tags()),
        case(
            "tags of a missing repository are a 404",
            [get("tags/list", &[404]).content(Content::Error(Some("NAME_UNKNOWN")))],
        ),
    ]
}

fn referrers() -> Vec<Case> {
    const NO_API: &str = "the registry has no referrers API, and an invented empty list would hide signatures";
    vec![
        case(
            "a manifest without referrers has an empty list",
            [get("referrers/{image}", &[200]).content(Content::Referrers(&[]))],
        )
        .after(push_image())
        .beyond_regpass(NO_API),
        case(
            "a manifest that does not exist has an empty list",
            [get("referrers/{missing}", &[200]).content(Content::Referrers(&[]))],
        )
        .after(push_image())
        .beyond_regpass(NO_API),
        case(
            "a pushed referrer is listed",
            [
                put("manifests/{artifact}", Body::Artifact, &[201]),
                get("referrers/{image}", &[200]).content(Content::Referrers(&["{artifact}"])),
            ],
        )
        .after(push_image())
        .beyond_regpass("the registry has no referrers API: the client has to update the tag first"),
        case(
            "referrers after the client updated the referrers tag",
            [
                put("manifests/{artifact}", Body::Artifact, &[201]),
                put("manifests/{referrers tag}", Body::ReferrersList, &[201]),
                get("referrers/{image}", &[200])
                    .wants("content-type", "application/vnd.oci.image.index.v1+json")
                    .content(Content::Referrers(&["{artifact}"])),
            ],
        )
        .after(push_image()),
        case(
            "referrers of one artifact type",
            [
                put("manifests/{artifact}", Body::Artifact, &[201]),
                put("manifests/{referrers tag}", Body::ReferrersList, &[201]),
                get("referrers/{image}?artifactType=application/vnd.example.signature", &[200])
                    .wants("oci-filters-applied", "artifactType")
                    .content(Content::Referrers(&["{artifact}"])),
                get("referrers/{image}?artifactType=application/vnd.example.other", &[200])
                    .wants("oci-filters-applied", "artifactType")
                    .content(Content::Referrers(&[])),
            ],
        )
        .after(push_image()),
        case("an invalid digest is a 400", [get("referrers/sha256:short", &[400]).content(Content::Error(None))])
            .after(push_image()),
    ]
}
