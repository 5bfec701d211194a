//! Google's Artifact Registry, also under the names of gcr.io: blobs, mounts, the token service's parameters, lifetimes and
//! anonymous pulls.

use std::time::Duration;

use http::Method;
use tokio::time::advance;

use crate::registry_setup::{RegistrySetup, manifest_path, preset_credential};
use crate::sim::{MountSource, Preset, Role};

/// The redirect of a blob is relative to the registry, and its path is outside the registry API.
#[tokio::test(start_paused = true)]
async fn a_relative_redirect_of_a_blob_is_followed() {
    for redirects in ["follow", "pass"] {
        let setup = RegistrySetup::with_credential(
            Preset::google(),
            &format!("profile = \"google\"\nredirects = \"{redirects}\""),
        )
        .await;
        let blob = setup.get(&setup.private_layer()).await;
        assert_eq!(
            (blob.status.as_u16(), blob.body.len() as u64),
            (200, setup.image.blobs[0].len()),
            "{redirects}: {blob:?}"
        );
        assert_eq!(blob.header("location"), None);
        let requests = setup.sim.ledger().take();
        let last = requests.last().unwrap();
        assert!(last.path.starts_with("/artifacts-downloads/namespaces/project/"), "{requests:?}");
        setup.sim.finish();
    }
}

/// Artifact Registry's challenge for `/v2/` has no service, and gcr.io's has one without quotes.
#[tokio::test(start_paused = true)]
async fn the_token_request_has_the_service_of_the_challenge_if_there_is_one() {
    for (preset, name, by_v2, repository) in [
        (Preset::google(), "project/images/private", "", "service=pkg.test&"),
        (Preset::gcr(), "project/private", "service=gcr.test&", "service=gcr.test&"),
    ] {
        let credential = preset_credential(&preset);
        let pulls =
            RegistrySetup::without_credential(preset.clone(), &format!("profile = \"google\"\n{credential}")).await;
        assert_eq!(pulls.get(&manifest_path(name)).await.status, 200);
        pulls.expect(&[
            &format!("registry GET /v2/{name}/manifests/1 anonymous 401"),
            &format!("token GET /v2/token?{repository}scope=repository:{name}:pull basic:oauth2accesstoken 200"),
            &format!("registry GET /v2/{name}/manifests/1 bearer#1 200"),
        ]);
        pulls.sim.finish();

        let pushes = RegistrySetup::without_credential(
            preset,
            &format!("profile = \"google\"\nallow = [\"pull\", \"push\"]\n{credential}"),
        )
        .await;
        let started = pushes.send(Method::POST, &format!("/v2/{name}/blobs/uploads/")).await;
        assert_eq!(started.status, 202, "{started:?}");
        assert!(started.header("location").unwrap().starts_with(&format!("/v2/{name}/blobs/uploads/")), "{started:?}");
        pushes.expect(&[
            "registry GET /v2/ anonymous 401",
            &format!("token GET /v2/token?{by_v2}scope=repository:{name}:pull,push basic:oauth2accesstoken 200"),
            &format!("registry POST /v2/{name}/blobs/uploads/ bearer#1 202"),
        ]);
        pushes.sim.finish();
    }
}

/// Public content needs no token.
#[tokio::test(start_paused = true)]
async fn a_pull_of_public_content_takes_one_request() {
    let setup = RegistrySetup::without_credential(Preset::google(), "profile = \"google\"").await;
    for _ in 0..2 {
        assert_eq!(setup.get(&setup.public_manifest()).await.status, 200);
        setup.expect(&["registry GET /v2/project/images/public/manifests/1 anonymous 200"]);
    }
    let rejected = setup.get(&setup.private_manifest()).await;
    assert_eq!(rejected.status_and_code(), "403 DENIED", "{rejected:?}");
    setup.sim.ledger().take();
    assert_eq!(
        setup.get(&setup.public_manifest()).await.status,
        200,
        "a denial for another repository changes nothing"
    );
    setup.sim.finish();
}

/// The token service rejects two repositories, so regpass requests a token for the target alone. The registry checks the
/// user's access to the source itself.
#[tokio::test(start_paused = true)]
async fn a_mount_is_tried_with_a_token_for_its_target() {
    for (mounts, status) in [(MountSource::Optional, 201), (MountSource::Never, 202)] {
        let preset = Preset::google().with_push_rules(|push| push.mounts.source = mounts);
        let more = "profile = \"google\"\nallow = [\"pull\", \"push\"]";
        let setup = RegistrySetup::with_credential(preset, more).await;
        setup.warm().await;
        let digest = &setup.image.blobs[0].digest;
        let mount = format!("{}?mount={digest}&from={}", setup.private_uploads(), setup.public_repository());
        assert_eq!(setup.send(Method::POST, &mount).await.status, status);
        let token = "token GET /v2/token?service=pkg.test&scope=repository:project/images/private:pull,push basic:oauth2accesstoken 200";
        setup.expect(&[token, &format!("registry POST {mount} bearer#2 {status}")]);
        setup.sim.finish();
    }
}

/// Tokens made by workload identity federation end after about five minutes, whatever `expires_in` says (moby/buildkit#5859).
#[tokio::test(start_paused = true)]
async fn a_token_that_ends_before_its_stated_lifetime_is_renewed_within_the_request() {
    let mut preset = Preset::google();
    preset.tokens.lifetime = Duration::from_secs(300);
    let setup = RegistrySetup::with_credential(preset, "profile = \"google\"").await;
    let manifest = setup.private_manifest();
    setup.warm().await;
    advance(Duration::from_secs(301)).await;
    assert_eq!(setup.get(&manifest).await.status, 200);
    setup.expect(&[
        &format!("registry GET {manifest} bearer#1 401"),
        "token GET /v2/token?service=pkg.test&scope=repository:project/images/private:pull basic:oauth2accesstoken 200",
        &format!("registry GET {manifest} bearer#2 200"),
    ]);
    setup.sim.finish();
}

/// The answer to a token request may omit `expires_in`; then a token counts as valid for a minute, not for an hour.
#[tokio::test(start_paused = true)]
async fn a_token_without_a_stated_lifetime_is_used_for_a_minute() {
    let mut preset = Preset::google();
    preset.tokens.expires_in = None;
    let setup = RegistrySetup::with_credential(preset, "profile = \"google\"").await;
    let manifest = setup.private_manifest();
    setup.warm().await;
    advance(Duration::from_secs(61)).await;
    assert_eq!(setup.get(&manifest).await.status, 200);
    let requests = setup.sim.ledger().take();
    assert_eq!(requests.iter().filter(|entry| entry.role == Role::TokenService).count(), 1, "{requests:?}");
    setup.sim.finish();
}
