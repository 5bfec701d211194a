//! "Content Management": deletes.

use super::super::case::{Case, Content, case, delete, get, push_blob, push_image};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "a deleted manifest is a 404",
            [delete("manifests/{image}", &[202]), get("manifests/{image}", &[404]), get("manifests/one", &[404])],
        )
        .after(push_image()),
        case("a tag is deleted, or the delete is a 405 or a 400 UNSUPPORTED", [delete("manifests/one", &[202, 405])])
            .after(push_image()),
        case("a delete of a missing manifest is a 404", [delete("manifests/{missing}", &[404])]).after(push_image()),
        case("a deleted blob is a 404", [delete("blobs/{blob}", &[202]), get("blobs/{blob}", &[404])])
            .after(push_blob()),
        case(
            "a delete of a missing blob is a 404",
            [delete("blobs/{missing}", &[404]).content(Content::Error(Some("BLOB_UNKNOWN")))],
        )
        .after(push_blob()),
    ]
}
