//! NVIDIA's NGC.

use super::{Scene, login, manifest_of};
use crate::sim::{Family, Image, Preset};

/// With a token that is over, the challenge names another token service. Whoever follows it anonymously gets nothing,
/// and whoever follows it with a key shows the key to a host that nobody named.
#[tokio::test(start_paused = true)]
async fn the_first_realm_holds_when_later_ones_are_named() {
    for (key, target, name) in [(true, "acme/team/model", "basic:$oauthtoken"), (false, "nvidia/cuda", "anonymous")] {
        let preset = Preset::ngc();
        let more = if key { login(&preset) } else { String::new() };
        let scene = Scene::set(preset, &format!("profile = \"ngc\"\n{more}")).await;
        let manifest = manifest_of(target);
        assert_eq!(scene.get(&manifest).await.status, 200);
        let (path, token) = (
            format!("registry GET {manifest}"),
            format!("token GET /proxy_auth?scope=repository:{target}:pull {name} 200"),
        );
        scene.expect(&[&format!("{path} anonymous 401"), &token, &format!("{path} bearer#1 200")]);
        for number in 2..5 {
            scene.registry.revoke_tokens();
            assert_eq!(scene.get(&manifest).await.status, 200);
            scene.expect(&[
                &format!("{path} bearer#{} 401", number - 1),
                &token,
                &format!("{path} bearer#{number} 200"),
            ]);
        }
        scene.sim.finish();
    }
}

/// The form of 2019: what a challenge says about the scope stood in the realm. It is one repository's, and the realm is
/// everyone's.
#[tokio::test(start_paused = true)]
async fn a_scope_in_the_realm_is_not_every_repositorys() {
    let realm = "http://ngc.test/proxy_auth?account=x&scope=repository:nvidia/cuda:pull,push";
    let scene = Scene::set(Preset::ngc().realm(realm), "profile = \"ngc\"").await;
    scene.registry.publish("nvidia/tensorflow", "1", &Image::single("other", Family::Oci));
    for name in ["nvidia/cuda", "nvidia/tensorflow"] {
        assert_eq!(scene.get(&manifest_of(name)).await.status, 200, "{name}");
    }
    scene.expect(&[
        "registry GET /v2/nvidia/cuda/manifests/1 anonymous 401",
        "token GET /proxy_auth?account=x&scope=repository:nvidia/cuda:pull anonymous 200",
        "registry GET /v2/nvidia/cuda/manifests/1 bearer#1 200",
        "token GET /proxy_auth?account=x&scope=repository:nvidia/tensorflow:pull anonymous 200",
        "registry GET /v2/nvidia/tensorflow/manifests/1 bearer#2 200",
    ]);
    scene.sim.finish();
}
