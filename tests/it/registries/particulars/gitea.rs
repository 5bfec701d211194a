//! Gitea and Forgejo, with every form of challenge they were seen to have.

use super::{Scene, login, manifest_of, password_of};
use crate::harness::Regpass;
use crate::sim::{Family, Fault, Image, Offers, Preset, Sim};

const FORMS: [Offers; 4] = [Offers::Bare, Offers::Bearer, Offers::TwoLines, Offers::OneLine];

#[tokio::test(start_paused = true)]
async fn bearer_is_taken_in_whichever_form_it_is_offered() {
    for offers in FORMS {
        let scene = Scene::with_login(Preset::gitea(offers), "profile = \"gitea\"").await;
        assert_eq!(scene.get(&manifest_of(scene.private)).await.status, 200, "{offers:?}");
        let service = if offers == Offers::Bare { "" } else { "service=container_registry&" };
        scene.expect(&[
            "registry GET /v2/acme/private/manifests/1 anonymous 401",
            &format!("token GET /v2/token?{service}scope=repository:acme/private:pull basic:acme 200"),
            "registry GET /v2/acme/private/manifests/1 bearer#1 200",
        ]);
        scene.sim.finish();
    }
}

/// The realm is below `ROOT_URL`, whatever host was asked. Where that is a place the login may not go, and the registry
/// takes the login itself, it gets it.
#[tokio::test(start_paused = true)]
async fn where_the_token_service_may_not_see_the_login_the_registry_itself_does() {
    for offers in FORMS {
        let sim = Sim::memory();
        let preset = Preset::gitea(offers).realm("http://git.corp.example/v2/token");
        let login = login(&preset);
        let registry = sim.start(preset).await;
        registry.furnish("1", &Image::single("app", Family::Oci));
        let host = registry.authority();
        let text = format!("default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"http://{host}\"\n{login}\n");
        let regpass = Regpass::start(&sim, &text);
        let reply = regpass.get("/v2/acme/private/manifests/1").await;
        if offers == Offers::Bearer {
            assert_eq!(reply.verdict(), "502 DENIED");
            assert!(reply.error().1.contains("'realm_hosts'"), "{reply:?}");
            sim.ledger().expect(&["registry GET /v2/acme/private/manifests/1 anonymous 401"]);
        } else {
            assert_eq!(reply.status, 200, "{offers:?}: {reply:?}");
            sim.ledger().expect(&[
                "registry GET /v2/acme/private/manifests/1 anonymous 401",
                "registry GET /v2/acme/private/manifests/1 basic:acme 200",
            ]);
            assert_eq!(regpass.get("/v2/acme/private/tags/list").await.grant(), "direct");
            sim.ledger().expect(&["registry GET /v2/acme/private/tags/list basic:acme 200"]);
        }
        sim.finish();
    }
}

/// Where nobody gives out tokens (a balancer in front that does not know the path, say), the login itself is what is left.
#[tokio::test(start_paused = true)]
async fn where_nobody_gives_out_tokens_the_registry_itself_sees_the_login() {
    for offers in FORMS {
        let scene = Scene::with_login(Preset::gitea(offers), "profile = \"gitea\"").await;
        let target = manifest_of(scene.private);
        let gone = scene.registry.token().inject(Fault::text(404, "404 page not found\n").path("/v2/token"));
        let reply = scene.get(&target).await;
        if offers == Offers::Bearer {
            assert_eq!(reply.status, 502, "{reply:?}");
            assert!(reply.error().1.contains("/v2/token"), "{reply:?}");
        } else {
            assert_eq!((reply.status.as_u16(), reply.grant()), (200, "direct"), "{offers:?}");
        }
        gone.lift();
        let reply = scene.get(&target).await;
        assert_eq!((reply.status.as_u16(), reply.grant()), (200, "fetched"), "{offers:?}: tokens are preferred again");
        scene.sim.finish();
    }
}

/// A login that the registry itself refuses is one that is refused: public pulls go on without it.
#[tokio::test(start_paused = true)]
async fn a_wrong_login_is_left_out_of_public_pulls() {
    for offers in FORMS {
        let preset = Preset::gitea(offers);
        let scene = Scene::set(preset, &format!("profile = \"gitea\"\n{}", password_of("acme", "forgotten"))).await;
        let reply = scene.get(&manifest_of(scene.public)).await;
        assert_eq!((reply.status.as_u16(), reply.grant()), (200, "login rejected, anonymous"), "{offers:?}: {reply:?}");
        let seen = scene.sim.ledger().take();
        assert!(
            seen.iter().all(|e| e.server == "token" || !e.authorization.to_string().starts_with("basic")),
            "{seen:?}"
        );
        assert_eq!(scene.get(&manifest_of(scene.private)).await.verdict(), "403 DENIED", "{offers:?}");
        scene.sim.finish();
    }
}
