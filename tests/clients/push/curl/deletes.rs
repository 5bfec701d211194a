//! Taking away what is there: manifests by digest, blobs, and tags where the registry can.

use super::bare;
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

pushes_in_both_modes!(deletes_manifests_and_blobs);

async fn deletes_manifests_and_blobs(scene: &Scene) {
    let platform = &scene.image.platforms[0];
    for (name, repository) in [("python", "library/python"), ("reg/toddysm/python", "toddysm/python")] {
        let delete = async |path: &str| bare(scene, "DELETE", &scene.regpass.url(&format!("/v2/{name}/{path}"))).await;

        // Debian's registry deletes no tag, and the client is told.
        let reply = delete("manifests/3.12").await;
        assert!(matches!(reply.status, 400 | 405), "{} {}", reply.status, reply.text());
        assert_eq!(scene.registry.get(repository, "manifests/3.12").await.status, 200);

        for path in [format!("manifests/{}", scene.image.digest), format!("blobs/{}", platform.layer)] {
            assert_eq!(scene.registry.get(repository, &path).await.status, 200, "{path}");
            let reply = delete(&path).await;
            assert_eq!(reply.status, 202, "{path}: {}", reply.text());
            assert_eq!(scene.registry.get(repository, &path).await.status, 404, "{path}");
            assert_eq!(delete(&path).await.status, 404, "{path} again");
        }
        assert_eq!(scene.registry.get(repository, "manifests/3.12").await.status, 404);
    }
}
