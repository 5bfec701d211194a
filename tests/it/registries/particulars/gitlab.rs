//! GitLab's registry, whose tokens come from another host.

use super::login;
use crate::harness::{Regpass, only};
use crate::sim::{Family, Image, Preset, Sim};

const APP: &str = "/v2/acme/private/manifests/1";

/// A login goes to no host that nobody named; the error says which one it is, and the key that names it.
#[tokio::test(start_paused = true)]
async fn the_login_goes_to_the_other_host_once_it_is_named() {
    let sim = Sim::memory();
    let preset = Preset::gitlab();
    let login = login(&preset);
    let registry = sim.start(preset).await;
    registry.furnish("1", &Image::single("app", Family::Oci));
    let unnamed = format!(
        "default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"http://{host}\"\n{login}\n",
        host = registry.authority()
    );
    let regpass = Regpass::start(&sim, &unnamed);
    let refused = regpass.get(APP).await;
    assert_eq!(refused.verdict(), "502 DENIED");
    let message = refused.error().1;
    assert!(message.contains("'realm_hosts'") && message.contains(registry.token().authority()), "{message}");
    sim.ledger().expect(&["registry GET /v2/acme/private/manifests/1 anonymous 401"]);

    let regpass = Regpass::start(&sim, &only(&registry, &login));
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().expect(&[
        "registry GET /v2/acme/private/manifests/1 anonymous 401",
        "token GET /jwt/auth?service=container_registry&scope=repository:acme/private:pull basic:gitlab+deploy-token-1 200",
        "registry GET /v2/acme/private/manifests/1 bearer#1 200",
    ]);
    sim.finish();
}

/// Its row names gitlab.com for registry.gitlab.com. Nobody else's GitLab is trusted for that.
#[test]
fn only_gitlab_coms_own_token_service_needs_no_naming() {
    let row = regpass::profile::by_name("gitlab").unwrap();
    assert_eq!((row.hosts, row.realm_hosts), (&["registry.gitlab.com"][..], &["gitlab.com"][..]));
}

/// Known from its first challenge: the tag that spells the subject's digest gives no referrers.
#[tokio::test(start_paused = true)]
async fn a_gitlab_at_home_has_no_false_referrers_either() {
    let sim = Sim::memory();
    let preset = Preset::gitlab();
    let login = login(&preset);
    let registry = sim.start(preset).await;
    let image = Image::single("app", Family::Oci);
    registry.furnish("1", &image);
    let regpass = Regpass::start(&sim, &only(&registry, &login));
    let name = registry.preset().can.private;
    assert_eq!(regpass.get(APP).await.status, 200);
    assert_eq!(regpass.get(&format!("/v2/{name}/referrers/{}", image.digest())).await.status, 404);
    let tag = image.digest().replace(':', "-");
    assert_eq!(regpass.get(&format!("/v2/{name}/manifests/{tag}")).await.verdict(), "404 MANIFEST_UNKNOWN");
    assert_eq!(regpass.head(&format!("/v2/{name}/manifests/{tag}")).await.status, 404);
    sim.finish();
}
