//! Artifactory, with its repository in the host's name and in the path.

use std::sync::Arc;

use http::Method;

use super::{Scene, login, manifest_of};
use crate::sim::{Fault, Mint, Preset, Scope};

/// A HEAD is challenged without its scope, and docker begins with a HEAD.
#[tokio::test(start_paused = true)]
async fn a_cold_head_of_a_manifest_works() {
    for (preset, name, scope) in [
        (Preset::artifactory(), "acme/private", "acme/private"),
        (Preset::artifactory_by_path(), "docker-local/acme/private", "acme/private"),
    ] {
        for profile in ["profile = \"artifactory\"", ""] {
            let service = preset.host.clone();
            let scene = Scene::with_login(preset.clone(), profile).await;
            let target = manifest_of(name);
            let head = scene.regpass.head(&target).await;
            assert_eq!((head.status.as_u16(), head.header("docker-content-digest")), (200, Some(scene.image.digest())));
            // What is not known for an Artifactory yet has to say so first.
            let head = format!("registry HEAD {target} anonymous 401");
            let steps = [
                &*format!("registry GET {target} anonymous 401"),
                &format!(
                    "token GET /artifactory/api/docker/docker-local/v2/token?service={service}&scope=repository:{scope}:pull basic:acme 200"
                ),
                &format!("registry HEAD {target} bearer#1 200"),
            ];
            let unknown = profile.is_empty().then_some(&*head);
            scene.expect(&unknown.into_iter().chain(steps).collect::<Vec<_>>());
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(scene.send(method.clone(), &target).await.status, 200, "{method}");
                assert_eq!(scene.sim.ledger().take().len(), 1, "{method}");
            }
            scene.sim.finish();
        }
    }
}

/// In the path the repository's key is no part of the scope, and no part of what `Link` repeats.
#[tokio::test(start_paused = true)]
async fn by_path_scopes_and_links_leave_the_key_out_and_clients_see_nothing_of_it() {
    let preset = Preset::artifactory_by_path();
    let more = format!("{}\nallow = [\"pull\", \"push\"]", login(&preset));
    let scene = Scene::set(preset, &more).await;
    for tag in ["2", "3"] {
        scene.registry.keep(scene.private, tag, &scene.image);
    }
    let name = scene.private;
    let (mut next, mut tags) = (Some(format!("/v2/{name}/tags/list?n=2")), Vec::new());
    while let Some(target) = next {
        let page = scene.get(&target).await;
        assert_eq!(page.status, 200, "{target}: {page:?}");
        tags.extend(page.json()["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()));
        let link = page.header("link").map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
        assert!(link.iter().all(|link| link.starts_with(&format!("/v2/{name}/tags/list?"))), "{link:?}");
        next = link;
    }
    assert_eq!(tags, ["1", "2", "3"]);
    let scopes: Vec<_> = scene.sim.ledger().take().iter().filter_map(|entry| entry.query_value("scope")).collect();
    assert_eq!(scopes, ["repository:acme/private:pull"], "one token, for the short name");

    let begun = scene.send(Method::POST, &format!("/v2/{name}/blobs/uploads/")).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    scene.sim.finish();
}

/// What one repository's challenge told of names holds for its neighbours: no token is asked for in vain, and a HEAD is
/// not refused for one.
#[tokio::test(start_paused = true)]
async fn by_path_one_challenge_tells_the_names_of_all() {
    let scene = Scene::with_login(Preset::artifactory_by_path(), "").await;
    assert_eq!(scene.regpass.head(&manifest_of(scene.private)).await.status, 200);
    scene.registry.keep("docker-local/acme/other", "1", &scene.image);
    scene.sim.ledger().take();
    let target = manifest_of("docker-local/acme/other");
    assert_eq!(scene.regpass.head(&target).await.status, 200);
    scene.expect(&[
        "token GET /artifactory/api/docker/docker-local/v2/token?service=artifactory.test&scope=repository:acme/other:pull basic:acme 200",
        &format!("registry HEAD {target} bearer#2 200"),
    ]);
    scene.sim.finish();
}

/// A neighbour whose scope has the whole name all the same is corrected by its own challenge, and stays so.
#[tokio::test(start_paused = true)]
async fn a_neighbour_that_is_named_in_full_is_asked_for_in_full() {
    let scene = Scene::with_login(Preset::generic(), "").await;
    // The first refusal names the end of the name, as behind a path; the token service believes that.
    let short =
        r#"Bearer realm="http://auth.generic.test/token",service="generic.test",scope="repository:private:pull""#;
    scene.registry.registry().inject(Fault::challenge(&[short]).times(1));
    scene.registry.change(|preset| {
        preset.tokens.mint = Mint::Opaque;
        preset.tokens.grant = Arc::new(|ask| {
            let wanted = ask.scopes.iter().filter_map(|scope| Scope::parse(scope));
            Ok(wanted
                .map(|scope| if scope.name == "private" { Scope::repository("acme/private", &["pull"]) } else { scope })
                .collect())
        });
    });
    assert_eq!(scene.get(&manifest_of("acme/private")).await.status, 200);
    let scopes = || {
        let seen = scene.sim.ledger().take();
        seen.iter().filter_map(|entry| entry.query_value("scope")).collect::<Vec<_>>()
    };
    assert_eq!(scopes(), ["repository:private:pull"]);
    assert_eq!(scene.get(&manifest_of("acme/public")).await.status, 200);
    assert_eq!(scopes(), ["repository:public:pull", "repository:acme/public:pull"]);
    scene.registry.revoke_tokens();
    assert_eq!(scene.get(&manifest_of("acme/public")).await.status, 200);
    assert_eq!(scopes(), ["repository:acme/public:pull"], "and once was enough");
    scene.sim.finish();
}
