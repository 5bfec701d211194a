//! Gitea and Forgejo, with every form of challenge they were seen to have.

use super::{Scene, login, manifest_of};
use crate::harness::Regpass;
use crate::sim::{Family, Image, Offers, Preset, Sim};

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
