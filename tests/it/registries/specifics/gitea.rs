//! Gitea and Forgejo, with every observed form of challenge.

use crate::registry_setup::{RegistrySetup, password_credential, preset_credential};
use crate::sim::{Fault, GiteaChallenge, Preset};

const CHALLENGES: [GiteaChallenge; 4] =
    [GiteaChallenge::Bare, GiteaChallenge::Bearer, GiteaChallenge::TwoLines, GiteaChallenge::OneLine];

#[tokio::test(start_paused = true)]
async fn a_bearer_challenge_is_used_in_every_form() {
    for challenge in CHALLENGES {
        let setup = RegistrySetup::with_credential(Preset::gitea(challenge), "profile = \"gitea\"").await;
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{challenge:?}");
        let service = if challenge == GiteaChallenge::Bare { "" } else { "service=container_registry&" };
        setup.expect(&[
            "registry GET /v2/acme/private/manifests/1 anonymous 401",
            &format!("token GET /v2/token?{service}scope=repository:acme/private:pull basic:acme 200"),
            "registry GET /v2/acme/private/manifests/1 bearer#1 200",
        ]);
        setup.sim.finish();
    }
}

/// The realm is below `ROOT_URL`, which may be at another host than the registry. If that host may not get the credential,
/// and the registry offers Basic, regpass sends the credential to the registry.
#[tokio::test(start_paused = true)]
async fn with_an_unlisted_realm_host_basic_is_used_if_the_registry_offers_it() {
    for challenge in CHALLENGES {
        let preset = Preset::gitea(challenge).realm("http://git.corp.example/v2/token");
        let credential = preset_credential(&preset);
        let mut setup = RegistrySetup::without_credential(preset, "").await;
        setup.restart_without_realm_hosts(&credential);
        let reply = setup.get("/v2/acme/private/manifests/1").await;
        if challenge == GiteaChallenge::Bearer {
            assert_eq!(reply.status_and_code(), "502 DENIED");
            assert!(reply.error().1.contains("`realm_hosts`"), "{reply:?}");
            setup.expect(&["registry GET /v2/acme/private/manifests/1 anonymous 401"]);
        } else {
            assert_eq!(reply.status, 200, "{challenge:?}: {reply:?}");
            setup.expect(&[
                "registry GET /v2/acme/private/manifests/1 anonymous 401",
                "registry GET /v2/acme/private/manifests/1 basic:acme 200",
            ]);
            assert_eq!(setup.get("/v2/acme/private/tags/list").await.authorization_source(), "direct");
            setup.expect(&["registry GET /v2/acme/private/tags/list basic:acme 200"]);
        }
        setup.sim.finish();
    }
}

/// The token service may be missing, for example behind a load balancer that does not forward its path.
#[tokio::test(start_paused = true)]
async fn without_a_token_service_basic_is_used_if_the_registry_offers_it() {
    for challenge in CHALLENGES {
        let setup = RegistrySetup::with_credential(Preset::gitea(challenge), "profile = \"gitea\"").await;
        let target = setup.private_manifest();
        let missing = setup.registry.token_service().inject(Fault::text(404, "404 page not found\n").path("/v2/token"));
        let reply = setup.get(&target).await;
        if challenge == GiteaChallenge::Bearer {
            assert_eq!(reply.status, 502, "{reply:?}");
            assert!(reply.error().1.contains("/v2/token"), "{reply:?}");
        } else {
            assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "direct"), "{challenge:?}");
        }
        missing.remove();
        let reply = setup.get(&target).await;
        assert_eq!(
            (reply.status.as_u16(), reply.authorization_source()),
            (200, "fetched"),
            "{challenge:?}: tokens are preferred again"
        );
        setup.sim.finish();
    }
}

/// Gitea answers a request for public content with a 401 if the request has a wrong password.
#[tokio::test(start_paused = true)]
async fn public_pulls_are_anonymous_if_the_credential_is_wrong() {
    for challenge in CHALLENGES {
        let preset = Preset::gitea(challenge);
        let setup = RegistrySetup::without_credential(
            preset,
            &format!("profile = \"gitea\"\n{}", password_credential("acme", "forgotten")),
        )
        .await;
        let reply = setup.get(&setup.public_manifest()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.authorization_source()),
            (200, "login rejected, anonymous"),
            "{challenge:?}: {reply:?}"
        );
        let requests = setup.sim.ledger().take();
        assert!(
            requests
                .iter()
                .all(|entry| entry.server == "token" || !entry.authorization.to_string().starts_with("basic")),
            "{requests:?}"
        );
        assert_eq!(setup.get(&setup.private_manifest()).await.status_and_code(), "403 DENIED", "{challenge:?}");
        setup.sim.finish();
    }
}
