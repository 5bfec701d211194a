//! Deletion of manifests by digest, of blobs, and of tags if the registry supports it.

use super::send_empty;
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(manifests_and_blobs_are_deleted, crate::push::run_push_test);

async fn manifests_and_blobs_are_deleted(stack: &Stack) {
    let platform = &stack.image.platforms[0];
    for (name, repository) in [("python", "library/python"), ("reg/toddysm/python", "toddysm/python")] {
        let delete =
            async |path: &str| send_empty(stack, "DELETE", &stack.regpass.url(&format!("/v2/{name}/{path}"))).await;
        // Debian's registry deletes no tags, and regpass passes its error on.
        let reply = delete("manifests/3.12").await;
        assert!(matches!(reply.status, 400 | 405), "{name}: {} {}", reply.status, reply.text());
        assert_eq!(stack.registry.get(repository, "manifests/3.12").await.status, 200, "{name}");

        for path in [format!("manifests/{}", stack.image.digest), format!("blobs/{}", platform.layer)] {
            assert_eq!(stack.registry.get(repository, &path).await.status, 200, "{path} before");
            let reply = delete(&path).await;
            assert_eq!(reply.status, 202, "{path}: {}", reply.text());
            assert_eq!(stack.registry.get(repository, &path).await.status, 404, "{path} after");
            assert_eq!(delete(&path).await.status, 404, "{path} deleted again");
        }
        assert_eq!(stack.registry.get(repository, "manifests/3.12").await.status, 404, "{name}");
    }
}
