//! Mounts of blobs that the registry already has.

use super::session::UploadSession;
use super::{location, send_empty};
use crate::push::stored_image::stored_blob;
use crate::stack::{Stack, in_both_auth_modes};

/// Mounts with a source in the same registry.
const MOUNTED: &[Mount] = &[
    Mount { case: "default registry", name: "one", repository: "library/one", from: "&from=python" },
    Mount { case: "default namespace", name: "two", repository: "library/two", from: "&from=library/python" },
    Mount {
        case: "default registry in both paths",
        name: "docker.io/library/three",
        repository: "library/three",
        from: "&from=docker.io/library/python",
    },
    Mount {
        case: "alias in both paths",
        name: "reg/team/app",
        repository: "team/app",
        from: "&from=reg/toddysm/python",
    },
];

/// Mounts without a usable source. The registry opens an upload session instead.
const UPLOADED: &[Mount] = &[
    Mount { case: "no source", name: "four", repository: "library/four", from: "" },
    Mount { case: "another registry", name: "five", repository: "library/five", from: "&from=reg/toddysm/python" },
    Mount { case: "not allowed", name: "six", repository: "library/six", from: "&from=docker.io/elsewhere/python" },
    Mount { case: "no such repository", name: "seven", repository: "library/seven", from: "&from=nothing" },
    Mount { case: "the default registry", name: "reg/team/eight", repository: "team/eight", from: "&from=python" },
];

struct Mount {
    case: &'static str,
    /// The repository in the URL of regpass.
    name: &'static str,
    /// The registry's own name of the repository.
    repository: &'static str,
    /// The query parameter that names the source.
    from: &'static str,
}

in_both_auth_modes!(blobs_are_mounted_or_else_uploaded, crate::push::run_push_test);

async fn blobs_are_mounted_or_else_uploaded(stack: &Stack) {
    let platform = &stack.image.platforms[0];
    let post = async |mount: &Mount| {
        let path = format!("/v2/{}/blobs/uploads/?mount={}{}", mount.name, platform.layer, mount.from);
        send_empty(stack, "POST", &stack.regpass.url(&path)).await
    };
    for mount in MOUNTED {
        let Mount { case, name, repository, .. } = mount;
        let reply = post(mount).await;
        assert_eq!(reply.status, 201, "{case}: {}", reply.text());
        assert_eq!(reply.header("docker-content-digest"), Some(&*platform.layer), "{case}");
        assert!(location(stack, &reply).ends_with(&format!("/{name}/blobs/{}", platform.layer)), "{case}");
        assert_eq!(stored_blob(&stack.registry, repository, &platform.layer).await, platform.layer_bytes, "{case}");
    }
    for mount in UPLOADED {
        let reply = post(mount).await;
        assert_eq!(reply.status, 202, "{}: {}", mount.case, reply.text());
        let session = UploadSession::from_reply(stack, mount.repository, &reply);
        session.finish(&platform.layer_bytes, &platform.layer_bytes).await;
    }
}
