//! Blobs that are in the registry already.

use super::session::Session;
use super::{bare, location};
use crate::push::held::blob;
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

pushes_in_both_modes!(mounts_what_is_there);

async fn mounts_what_is_there(scene: &Scene) {
    let platform = &scene.image.platforms[0];
    let mount = async |name: &str, from: &str| {
        let query = format!("?mount={}{from}", platform.layer);
        bare(scene, "POST", &scene.regpass.url(&format!("/v2/{name}/blobs/uploads/{query}"))).await
    };

    // The source in the path's own terms: of the default registry, and behind the same prefix.
    for (name, repository, from) in [
        ("one", "library/one", "&from=python"),
        ("two", "library/two", "&from=library/python"),
        ("docker.io/library/three", "library/three", "&from=docker.io/library/python"),
        ("reg/team/app", "team/app", "&from=reg/toddysm/python"),
    ] {
        let reply = mount(name, from).await;
        assert_eq!(reply.status, 201, "{name}{from}: {}", reply.text());
        assert_eq!(reply.header("docker-content-digest"), Some(&*platform.layer));
        assert!(location(scene, &reply).ends_with(&format!("/{name}/blobs/{}", platform.layer)));
        assert_eq!(blob(&scene.registry, repository, &platform.layer).await, platform.layer_bytes);
    }

    // Nothing to mount: no source, one of another registry, one that is closed, one that has no such blob.
    for (name, repository, from) in [
        ("four", "library/four", ""),
        ("five", "library/five", "&from=reg/toddysm/python"),
        ("six", "library/six", "&from=docker.io/elsewhere/python"),
        ("seven", "library/seven", "&from=nothing"),
        ("reg/team/eight", "team/eight", "&from=python"),
    ] {
        let reply = mount(name, from).await;
        assert_eq!(reply.status, 202, "{name}{from}: {}", reply.text());
        Session::opened(scene, repository, &reply).finish(&platform.layer_bytes, &platform.layer_bytes).await;
    }
}
