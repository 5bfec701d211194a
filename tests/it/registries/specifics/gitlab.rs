//! GitLab's registry, whose token service is at another host.

use crate::registry_setup::{RegistrySetup, preset_credential};
use crate::sim::Preset;

const APP: &str = "/v2/acme/private/manifests/1";

/// regpass sends no credential to an unlisted host. The error names the host and the key to list it.
#[tokio::test(start_paused = true)]
async fn the_credential_goes_to_the_token_services_host_if_it_is_listed() {
    let credential = preset_credential(&Preset::gitlab());
    let mut setup = RegistrySetup::without_credential(Preset::gitlab(), "").await;
    setup.restart_without_realm_hosts(&credential);
    let rejected = setup.get(APP).await;
    assert_eq!(rejected.status_and_code(), "502 DENIED");
    let message = rejected.error().1;
    assert!(
        message.contains("`realm_hosts`") && message.contains(setup.registry.token_service().authority()),
        "{message}"
    );
    setup.expect(&["registry GET /v2/acme/private/manifests/1 anonymous 401"]);

    setup.restart(&credential);
    assert_eq!(setup.get(APP).await.status, 200);
    setup.expect(&[
        "registry GET /v2/acme/private/manifests/1 anonymous 401",
        "token GET /jwt/auth?service=container_registry&scope=repository:acme/private:pull basic:gitlab+deploy-token-1 200",
        "registry GET /v2/acme/private/manifests/1 bearer#1 200",
    ]);
    setup.sim.finish();
}

/// The profile lists gitlab.com for registry.gitlab.com. The realm of any other GitLab has to be listed in the configuration.
#[test]
fn the_profile_lists_the_realm_of_gitlab_com_only() {
    let row = regpass::profile::by_name("gitlab").unwrap();
    assert_eq!((row.hosts, row.realm_hosts), (&["registry.gitlab.com"][..], &["gitlab.com"][..]));
}

/// GitLab resolves a tag that is the subject's digest with a dash to the subject itself.
#[tokio::test(start_paused = true)]
async fn the_referrers_tag_of_a_detected_gitlab_is_a_404() {
    let setup = RegistrySetup::with_credential(Preset::gitlab(), "").await;
    assert_eq!(setup.get(APP).await.status, 200);
    let digest = setup.image.digest();
    assert_eq!(setup.get(&setup.private_path(&format!("referrers/{digest}"))).await.status, 404);
    let tag = setup.private_path(&format!("manifests/{}", digest.replace(':', "-")));
    assert_eq!(setup.get(&tag).await.status_and_code(), "404 MANIFEST_UNKNOWN");
    assert_eq!(setup.regpass.head(&tag).await.status, 404);
    setup.sim.finish();
}
