//! Artifactory, whose repository is in the host name or in the path.

use std::sync::Arc;

use http::Method;

use crate::registry_setup::{RegistrySetup, manifest_path, preset_credential};
use crate::sim::{Fault, Preset, Scope, TokenFormat};

/// The challenge for a HEAD has no scope, and docker starts with a HEAD.
#[tokio::test(start_paused = true)]
async fn a_first_head_of_a_manifest_works() {
    for (preset, name, scope) in [
        (Preset::artifactory(), "acme/private", "acme/private"),
        (Preset::artifactory_by_path(), "docker-local/acme/private", "acme/private"),
    ] {
        for profile in ["profile = \"artifactory\"", ""] {
            let service = preset.host.clone();
            let setup = RegistrySetup::with_credential(preset.clone(), profile).await;
            let target = manifest_path(name);
            let head = setup.regpass.head(&target).await;
            assert_eq!((head.status.as_u16(), head.header("docker-content-digest")), (200, Some(setup.image.digest())));
            // If the profile is not configured, regpass detects it by the challenge for the HEAD.
            let head = format!("registry HEAD {target} anonymous 401");
            let steps = [
                &*format!("registry GET {target} anonymous 401"),
                &format!(
                    "token GET /artifactory/api/docker/docker-local/v2/token?service={service}&scope=repository:{scope}:pull basic:acme 200"
                ),
                &format!("registry HEAD {target} bearer#1 200"),
            ];
            let detection = profile.is_empty().then_some(&*head);
            setup.expect(&detection.into_iter().chain(steps).collect::<Vec<_>>());
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(setup.send(method.clone(), &target).await.status, 200, "{method}");
                assert_eq!(setup.sim.ledger().take().len(), 1, "{method}");
            }
            setup.sim.finish();
        }
    }
}

/// If the repository's key is in the path, the registry's scopes and links omit the key.
#[tokio::test(start_paused = true)]
async fn with_the_key_in_the_path_clients_see_names_with_it_everywhere() {
    let preset = Preset::artifactory_by_path();
    let more = format!("{}\nallow = [\"pull\", \"push\"]", preset_credential(&preset));
    let setup = RegistrySetup::without_credential(preset, &more).await;
    for tag in ["2", "3"] {
        setup.registry.publish_private(setup.private_repository(), tag, &setup.image);
    }
    let name = setup.private_repository();
    let (mut next, mut tags) = (Some(format!("/v2/{name}/tags/list?n=2")), Vec::new());
    while let Some(target) = next {
        let page = setup.get(&target).await;
        assert_eq!(page.status, 200, "{target}: {page:?}");
        tags.extend(page.json()["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()));
        let link = page.header("link").map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
        assert!(link.iter().all(|link| link.starts_with(&format!("/v2/{name}/tags/list?"))), "{link:?}");
        next = link;
    }
    assert_eq!(tags, ["1", "2", "3"]);
    let scopes: Vec<_> = setup.sim.ledger().take().iter().filter_map(|entry| entry.query_value("scope")).collect();
    assert_eq!(scopes, ["repository:acme/private:pull"], "one token, for the name without the key");

    let started = setup.send(Method::POST, &format!("/v2/{name}/blobs/uploads/")).await;
    assert_eq!(started.status, 202, "{started:?}");
    setup.sim.finish();
}

/// From one repository's challenge regpass infers the scopes of others, so that no token is requested in vain.
#[tokio::test(start_paused = true)]
async fn with_the_key_in_the_path_one_challenge_is_enough_for_all_repositories() {
    let setup = RegistrySetup::with_credential(Preset::artifactory_by_path(), "").await;
    assert_eq!(setup.regpass.head(&setup.private_manifest()).await.status, 200);
    setup.registry.publish_private("docker-local/acme/other", "1", &setup.image);
    setup.sim.ledger().take();
    let target = manifest_path("docker-local/acme/other");
    assert_eq!(setup.regpass.head(&target).await.status, 200);
    setup.expect(&[
        "token GET /artifactory/api/docker/docker-local/v2/token?service=artifactory.test&scope=repository:acme/other:pull basic:acme 200",
        &format!("registry HEAD {target} bearer#2 200"),
    ]);
    setup.sim.finish();
}

/// If a repository's scope has the full name all the same, its own challenge corrects what regpass inferred.
#[tokio::test(start_paused = true)]
async fn a_repository_whose_challenge_has_the_full_name_corrects_the_inferred_scope() {
    let setup = RegistrySetup::with_credential(Preset::generic(), "").await;
    // The first challenge omits the name's first component, and the token service accepts this scope.
    let short =
        r#"Bearer realm="http://auth.generic.test/token",service="generic.test",scope="repository:private:pull""#;
    setup.registry.api().inject(Fault::challenge(&[short]).times(1));
    setup.registry.change_preset(|preset| {
        preset.tokens.format = TokenFormat::Opaque;
        preset.tokens.grant = Arc::new(|request| {
            let scopes_of_request = request.scopes.iter().filter_map(|scope| Scope::parse(scope));
            Ok(scopes_of_request
                .map(|scope| if scope.name == "private" { Scope::repository("acme/private", &["pull"]) } else { scope })
                .collect())
        });
    });
    assert_eq!(setup.get(&manifest_path("acme/private")).await.status, 200);
    let scopes = || {
        let seen = setup.sim.ledger().take();
        seen.iter().filter_map(|entry| entry.query_value("scope")).collect::<Vec<_>>()
    };
    assert_eq!(scopes(), ["repository:private:pull"]);
    assert_eq!(setup.get(&manifest_path("acme/public")).await.status, 200);
    assert_eq!(scopes(), ["repository:public:pull", "repository:acme/public:pull"]);
    setup.registry.revoke_tokens();
    assert_eq!(setup.get(&manifest_path("acme/public")).await.status, 200);
    assert_eq!(scopes(), ["repository:acme/public:pull"], "the correction is kept");
    setup.sim.finish();
}
