//! Quay.io: its catalog and the scopes of its challenges.

use crate::registry_setup::{RegistrySetup, manifest_path};
use crate::sim::{Image, ImageFormat, Preset};

/// The catalog's cursor is opaque, and regpass forwards it unchanged in both directions.
#[tokio::test(start_paused = true)]
async fn links_with_an_opaque_cursor_lead_through_the_whole_catalog() {
    let setup = RegistrySetup::with_credential(Preset::quay(), "profile = \"quay\"").await;
    let image = Image::single("app", ImageFormat::Oci);
    let mut expected = vec![setup.private_repository().to_owned(), setup.public_repository().to_owned()];
    for number in 0..250 {
        let name = format!("acme/app{number:03}");
        setup.registry.publish_private(&name, "1", &image);
        expected.push(name);
    }
    let (mut next, mut listed, mut cursors) = (Some("/v2/_catalog".to_owned()), Vec::new(), Vec::new());
    while let Some(target) = next {
        let page = setup.get(&target).await;
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
    let requests = setup.sim.ledger().take();
    let catalog_requests = requests.iter().filter(|entry| entry.path == "/v2/_catalog");
    let sent: Vec<String> =
        catalog_requests.filter_map(|entry| entry.query.split("next_page=").nth(1).map(ToOwned::to_owned)).collect();
    assert_eq!((sent, cursors.len()), (cursors.clone(), 2), "the cursors are sent unchanged");
    // Quay's token service has no scope for the catalog, so the request has none.
    let tokens: Vec<String> =
        requests.iter().filter(|entry| entry.server == "token").map(ToString::to_string).collect();
    assert_eq!(tokens, ["token GET /v2/auth?service=quay.test basic:acme 200"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_catalog_without_a_credential_is_a_403_without_an_upstream_request() {
    let setup = RegistrySetup::without_credential(Preset::quay(), "profile = \"quay\"").await;
    let rejected = setup.get("/v2/_catalog").await;
    assert_eq!(rejected.status_and_code(), "403 DENIED");
    setup.expect(&[]);
    setup.sim.finish();
}

/// Every challenge of Quay names `pull,push`, and a token for `push` would create the repository.
#[tokio::test(start_paused = true)]
async fn a_pull_requests_pull_only() {
    let setup = RegistrySetup::with_credential(Preset::quay(), "").await;
    for name in ["acme/private", "acme/nothing"] {
        setup.get(&manifest_path(name)).await;
        let requests = setup.sim.ledger().take();
        let scopes: Vec<_> = requests.iter().filter_map(|entry| entry.query_value("scope")).collect();
        assert_eq!(scopes, [format!("repository:{name}:pull")]);
    }
    assert!(setup.registry.store().read("acme/nothing", |_| ()).is_none(), "the repository was created");
    setup.sim.finish();
}
