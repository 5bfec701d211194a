//! Scarf's gateway in front of GHCR.

use http::Method;
use http::header::USER_AGENT;

use super::hosted::start_with_logins;
use crate::harness::{request, with_header};
use crate::proxied_registry::assert_rejected;
use crate::registry_setup::RegistrySetup;
use crate::sim::{Preset, RequestAuth};

const MANIFEST: &str = "/v2/linuxserver/nginx/manifests/1";
const TOKEN: &str = "token GET /token?service=ghcr.io&scope=repository:linuxserver/nginx:pull";

/// The gateway redirects docker, by its `User-Agent`, to the registry behind it. regpass sends its own.
#[tokio::test(start_paused = true)]
async fn images_are_proxied_to_regpass_whatever_client_asks() {
    let setup = RegistrySetup::without_credential(Preset::scarf(), "profile = \"scarf\"").await;
    for agent in ["docker/29.1.0 go/go1.25", "containerd/1.6.20~ds1", "Watchtower (Docker)"] {
        let pull = with_header(request(Method::GET, MANIFEST), "user-agent", agent);
        assert_eq!(setup.regpass.send(pull).await.status, 200, "{agent}");
        for entry in setup.sim.ledger().take() {
            let sent = entry.headers.get(USER_AGENT).unwrap().to_str().unwrap();
            assert!(sent.starts_with("regpass/"), "{agent}: {sent} in {entry}");
            assert!(!entry.status.unwrap().is_redirection(), "{agent}: {entry}");
        }
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_credential_of_the_gateways_own_name_goes_to_the_token_service_of_ghcr() {
    let setup = RegistrySetup::with_credential(Preset::scarf(), "profile = \"scarf\"").await;
    assert_eq!(setup.get(MANIFEST).await.status, 200);
    setup.expect(&[
        &format!("registry GET {MANIFEST} anonymous 401"),
        &format!("{TOKEN} basic:linuxserver 200"),
        &format!("registry GET {MANIFEST} bearer#1 200"),
    ]);
    setup.sim.finish();
}

/// GHCR's token for a personal access token is that token in base64, and the gateway would receive it.
#[tokio::test(start_paused = true)]
async fn ghcrs_own_login_is_not_used_at_the_gateway() {
    let (sim, regpass, _folder) = start_with_logins("lscr.io", Preset::scarf(), &[("ghcr.io", "linuxserver")]).await;
    assert_eq!(regpass.get(MANIFEST).await.status, 200);
    sim.ledger().expect(&[
        &format!("registry GET {MANIFEST} anonymous 401"),
        &format!("{TOKEN} anonymous 200"),
        &format!("registry GET {MANIFEST} bearer#1 200"),
    ]);
    let denied = regpass.get("/v2/linuxserver/private/manifests/1").await;
    assert_eq!(denied.status_and_code(), "403 DENIED");
    let entries = sim.ledger().take();
    assert!(entries.iter().all(|entry| !matches!(entry.authorization, RequestAuth::Basic { .. })), "{entries:?}");
    sim.finish();
    // The same file with a login for the gateway's name.
    let (sim, regpass, _folder) = start_with_logins("lscr.io", Preset::scarf(), &[("lscr.io", "linuxserver")]).await;
    assert_eq!(regpass.get("/v2/linuxserver/private/manifests/1").await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_catalog_and_unknown_images_are_clear_errors() {
    let setup = RegistrySetup::without_credential(Preset::scarf(), "profile = \"scarf\"").await;
    assert_rejected(&setup.get("/v2/_catalog").await, "405 UNSUPPORTED", &["gateway"]);
    setup.expect(&[]);
    let referrers = format!("/v2/linuxserver/nginx/referrers/{}", setup.image.digest());
    assert_eq!(setup.get(&referrers).await.status, 404);
    setup.sim.finish();
}
