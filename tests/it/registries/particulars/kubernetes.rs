//! registry.k8s.io, which leads to others.

use super::{Scene, manifest_of, password_of};
use crate::sim::{AuthSeen, Preset};

/// Manifests and tags come from a regional host, and clients see nothing of it; whatever is configured as a login, no
/// host that a redirect leads to sees it.
#[tokio::test(start_paused = true)]
async fn what_it_leads_to_comes_as_its_own_answer_and_without_a_credential() {
    for redirects in ["follow", "pass"] {
        let login = password_of("u", "p");
        let more = format!("profile = \"kubernetes\"\nredirects = \"{redirects}\"\n{login}");
        let scene = Scene::set(Preset::kubernetes(), &more).await;
        scene.sim.never_see("u:p");
        for (target, has_digest) in [(manifest_of("pause"), true), ("/v2/pause/tags/list?n=1".to_owned(), false)] {
            let reply = scene.get(&target).await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("location")),
                (200, None),
                "{redirects} {target}: {reply:?}"
            );
            assert_eq!(reply.header("docker-content-digest").is_some(), has_digest);
            let seen = scene.sim.ledger().take();
            assert!(seen.iter().all(|entry| entry.authorization == AuthSeen::None), "{seen:?}");
            let servers: Vec<&str> = seen.iter().map(|entry| entry.server.as_str()).collect();
            assert_eq!(servers, ["registry", "region"], "{seen:?}");
        }
        let head = scene.regpass.head(&manifest_of("pause")).await;
        assert_eq!((head.status.as_u16(), head.header("docker-content-digest")), (200, Some(scene.image.digest())));
        scene.sim.ledger().take();

        let blob = scene.get(&scene.blob("pause")).await;
        if redirects == "follow" {
            assert_eq!((blob.status.as_u16(), blob.body.len() as u64), (200, scene.image.blobs[0].len()));
        } else {
            let location = blob.header("location").unwrap();
            assert!(blob.status == 307 && location.starts_with("http://blobs.k8s.test/"), "{blob:?}");
        }
        let seen = scene.sim.ledger().take();
        assert_eq!(seen.len(), if redirects == "follow" { 2 } else { 1 }, "{seen:?}");
        scene.sim.finish();
    }
}
