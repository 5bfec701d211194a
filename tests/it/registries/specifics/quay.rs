//! Quay.io: its catalog and the scopes of its challenges.

use crate::registry_setup::{ALLOW_ALL, RegistrySetup, manifest_path, password_credential};
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

/// The token service of 2026 answers a wrong credential with a Basic challenge. It says nothing that regpass does not know.
#[tokio::test(start_paused = true)]
async fn a_challenge_of_the_token_service_starts_no_second_round() {
    let preset = || Preset::quay_with_go_token_service();
    let wrong = password_credential("acme", "a wrong password");
    let token = |name: &str, action: &str, caller: &str| {
        format!("token GET /v2/auth?service=quay.test&scope=repository:{name}:{action} {caller}")
    };
    let setup = RegistrySetup::without_credential(preset(), &format!("{ALLOW_ALL}\n{wrong}")).await;
    let rejected = setup.push_manifest().await;
    assert_eq!(rejected.status_and_code(), "403 DENIED");
    let message = rejected.error().1;
    for part in [
        "/v2/auth refused a token with password in the configuration (401 Unauthorized): invalid_client",
        "it does not accept this credential: correct or replace it",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(rejected.header("www-authenticate"), None);
    setup.expect(&["registry GET /v2/ anonymous 401", &token("acme/private", "pull,push", "basic:acme 401")]);

    // A pull of public content continues anonymously, after one attempt with the credential.
    let pulled = setup.get(&setup.public_manifest()).await;
    assert_eq!(pulled.status, 200, "{pulled:?}");
    let name = setup.public_repository();
    setup.expect(&[
        &token(name, "pull", "basic:acme 401"),
        &token(name, "pull", "anonymous 200"),
        &format!("registry GET {} bearer#1 200", setup.public_manifest()),
    ]);
    setup.sim.finish();

    // Where anonymous access is off, the service challenges anonymous requests, too.
    let mut closed = preset();
    let grant = closed.tokens.grant.clone();
    let challenge = closed.tokens.bad_credential_reply.clone();
    closed.tokens.grant = std::sync::Arc::new(move |request| match &request.user {
        Some(_) => grant(request),
        None => Err(challenge.clone()),
    });
    let setup = RegistrySetup::without_credential(closed, "").await;
    let rejected = setup.get(&setup.public_manifest()).await;
    assert_eq!(rejected.status_and_code(), "403 DENIED");
    let message = rejected.error().1;
    assert!(message.contains("it issues tokens only for a credential: configure `credential`"), "{message}");
    setup.expect(&[
        &format!("registry GET {} anonymous 401", setup.public_manifest()),
        &token(name, "pull", "anonymous 401"),
    ]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_token_service_of_2026_states_lifetimes_and_accepts_an_identity_token_by_get() {
    let setup = RegistrySetup::with_credential(Preset::quay_with_go_token_service(), "").await;
    let pulled = setup.get(&setup.private_manifest()).await;
    assert_eq!((pulled.status.as_u16(), setup.sim.ledger().take().len()), (200, 3), "{pulled:?}");
    setup.sim.finish();
    let identity = r#"credential = { source = "identity", username = "acme", token = "s3cret/acme+1" }"#;
    let setup = RegistrySetup::without_credential(Preset::quay_with_go_token_service(), identity).await;
    setup.registry.add_user("acme", "s3cret/acme+1");
    assert_eq!(setup.get(&setup.private_manifest()).await.status, 200);
    let methods: Vec<_> = setup.sim.ledger().take().into_iter().filter(|entry| entry.server == "token").collect();
    let methods: Vec<String> = methods.iter().map(|entry| entry.method.to_string()).collect();
    assert_eq!(methods, ["POST", "GET"]);
    setup.sim.finish();
}
