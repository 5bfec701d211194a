//! Quay.io.

use super::{Scene, manifest_of};
use crate::sim::{Family, Image, Preset};

/// The cursor of the catalog is nothing a client could make up: it goes there and back as it is.
#[tokio::test(start_paused = true)]
async fn the_catalog_is_read_to_its_end_by_links_that_only_quay_reads() {
    let scene = Scene::with_login(Preset::quay(), "profile = \"quay\"").await;
    let image = Image::single("app", Family::Oci);
    let mut expected = vec![scene.private.to_owned(), scene.public.to_owned()];
    for number in 0..250 {
        let name = format!("acme/app{number:03}");
        scene.registry.keep(&name, "1", &image);
        expected.push(name);
    }
    let (mut next, mut listed, mut cursors) = (Some("/v2/_catalog".to_owned()), Vec::new(), Vec::new());
    while let Some(target) = next {
        let page = scene.get(&target).await;
        assert_eq!(page.status, 200, "{target}: {page:?}");
        listed.extend(
            page.json()["repositories"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()),
        );
        next = page.header("link").map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
        if let Some(link) = &next {
            assert!(link.starts_with("/v2/_catalog?"), "{link}");
            cursors.push(link.split("next_page=").nth(1).unwrap().to_owned());
        }
    }
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let seen = scene.sim.ledger().take();
    let asked = seen.iter().filter(|entry| entry.path == "/v2/_catalog");
    let sent: Vec<String> =
        asked.filter_map(|entry| entry.query.split("next_page=").nth(1).map(ToOwned::to_owned)).collect();
    assert_eq!((sent, cursors.len()), (cursors.clone(), 2), "word for word");
    // Its token service knows no scope of a catalog, so none is asked for.
    let tokens: Vec<String> = seen.iter().filter(|entry| entry.server == "token").map(ToString::to_string).collect();
    assert_eq!(tokens, ["token GET /v2/auth?service=quay.test basic:acme 200"]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_catalog_without_a_login_is_a_403_without_a_call() {
    let scene = Scene::set(Preset::quay(), "profile = \"quay\"").await;
    let refused = scene.get("/v2/_catalog").await;
    assert_eq!(refused.verdict(), "403 DENIED");
    scene.expect(&[]);
    scene.sim.finish();
}

/// Every challenge there names `pull,push`, and asking for `push` would make the repository.
#[tokio::test(start_paused = true)]
async fn a_pull_asks_for_pull_whatever_the_challenge_names() {
    let scene = Scene::with_login(Preset::quay(), "").await;
    for name in ["acme/private", "acme/nothing"] {
        scene.get(&manifest_of(name)).await;
        let seen = scene.sim.ledger().take();
        let scopes: Vec<_> = seen.iter().filter_map(|entry| entry.query_value("scope")).collect();
        assert_eq!(scopes, [format!("repository:{name}:pull")]);
    }
    assert!(scene.registry.store().read("acme/nothing", |_| ()).is_none(), "nothing was made");
    scene.sim.finish();
}
