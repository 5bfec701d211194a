//! NVIDIA's NGC: its realms.

use crate::registry_setup::{RegistrySetup, manifest_path, preset_credential};
use crate::sim::{Image, ImageFormat, Preset};

/// With an expired token the challenge names another token service, which issues no anonymous token and whose host is
/// not listed for the credential.
#[tokio::test(start_paused = true)]
async fn the_realm_of_the_first_challenge_is_kept() {
    for (has_credential, target, authorization) in
        [(true, "acme/team/model", "basic:$oauthtoken"), (false, "nvidia/cuda", "anonymous")]
    {
        let preset = Preset::ngc();
        let more = if has_credential { preset_credential(&preset) } else { String::new() };
        let setup = RegistrySetup::without_credential(preset, &format!("profile = \"ngc\"\n{more}")).await;
        let manifest = manifest_path(target);
        assert_eq!(setup.get(&manifest).await.status, 200);
        let (path, token) = (
            format!("registry GET {manifest}"),
            format!("token GET /proxy_auth?scope=repository:{target}:pull {authorization} 200"),
        );
        setup.expect(&[&format!("{path} anonymous 401"), &token, &format!("{path} bearer#1 200")]);
        for number in 2..5 {
            setup.registry.revoke_tokens();
            assert_eq!(setup.get(&manifest).await.status, 200);
            setup.expect(&[
                &format!("{path} bearer#{} 401", number - 1),
                &token,
                &format!("{path} bearer#{number} 200"),
            ]);
        }
        setup.sim.finish();
    }
}

/// In 2019 the scope was part of the realm. The realm is used for all repositories, and the scope is not.
#[tokio::test(start_paused = true)]
async fn the_scope_in_a_realm_is_replaced_by_the_requests() {
    let realm = "http://ngc.test/proxy_auth?account=x&scope=repository:nvidia/cuda:pull,push";
    let setup = RegistrySetup::without_credential(Preset::ngc().realm(realm), "profile = \"ngc\"").await;
    setup.registry.publish("nvidia/tensorflow", "1", &Image::single("other", ImageFormat::Oci));
    for authorization in ["nvidia/cuda", "nvidia/tensorflow"] {
        assert_eq!(setup.get(&manifest_path(authorization)).await.status, 200, "{authorization}");
    }
    setup.expect(&[
        "registry GET /v2/nvidia/cuda/manifests/1 anonymous 401",
        "token GET /proxy_auth?account=x&scope=repository:nvidia/cuda:pull anonymous 200",
        "registry GET /v2/nvidia/cuda/manifests/1 bearer#1 200",
        "token GET /proxy_auth?account=x&scope=repository:nvidia/tensorflow:pull anonymous 200",
        "registry GET /v2/nvidia/tensorflow/manifests/1 bearer#2 200",
    ]);
    setup.sim.finish();
}
