//! Amazon ECR, private. The requests for its password over a day are in `clouds::ecr`.

use std::fs;
use std::time::Duration;

use http::Method;
use tokio::time::advance;

use crate::registry_setup::RegistrySetup;
use crate::sim::{Blob, Fault, Image, ImageFormat, Preset, Reply};

const HEAD: &str = "registry HEAD /v2/acme/private/manifests/1";

#[tokio::test(start_paused = true)]
async fn the_password_is_sent_after_the_first_challenge_and_then_with_every_request() {
    let setup = RegistrySetup::with_credential(Preset::ecr(), "profile = \"ecr\"").await;
    let target = setup.private_manifest();
    assert_eq!(setup.get(&target).await.authorization_source(), "direct");
    setup.expect(&[
        "registry GET /v2/acme/private/manifests/1 anonymous 401",
        "registry GET /v2/acme/private/manifests/1 basic:AWS 200",
    ]);
    // regpass sends no request to the URL in the challenge, not for another repository either.
    for _ in 0..3 {
        assert_eq!(setup.get("/v2/acme/public/tags/list").await.status, 200);
        setup.expect(&["registry GET /v2/acme/public/tags/list basic:AWS 200"]);
    }
    setup.sim.finish();
}

/// Before the first push regpass learns the challenge from `/v2/`.
#[tokio::test(start_paused = true)]
async fn a_first_push_gets_the_challenge_before_the_password_is_sent() {
    let setup = RegistrySetup::with_credential(Preset::ecr(), "profile = \"ecr\"\nallow = [\"pull\", \"push\"]").await;
    let started = setup.send(Method::POST, "/v2/acme/private/blobs/uploads/").await;
    assert_eq!(started.status, 202, "{started:?}");
    setup.expect(&["registry GET /v2/ anonymous 401", "registry POST /v2/acme/private/blobs/uploads/ basic:AWS 202"]);
    setup.sim.finish();
}

/// A 403 for a HEAD has no message. regpass repeats the request if there is a newer password.
#[tokio::test(start_paused = true)]
async fn a_403_for_a_head_is_repeated_with_a_newer_password_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "old").unwrap();
    let credential = format!(
        "profile = \"ecr\"\ncredential = {{ source = \"password\", username = \"AWS\", password = {{ file = \"{}\" }} }}",
        file.display()
    );
    let setup = RegistrySetup::without_credential(Preset::ecr(), &credential).await;
    setup.registry.add_user("AWS", "old");
    let target = setup.private_manifest();
    assert_eq!(setup.regpass.head(&target).await.status, 200);
    setup.sim.ledger().take();

    setup.registry.add_user("AWS", "new");
    let rejected = setup.regpass.head(&target).await;
    assert_eq!((rejected.status.as_u16(), rejected.body.len()), (403, 0));
    setup.expect(&[&format!("{HEAD} basic:AWS 403")]);

    fs::write(&file, "new").unwrap();
    advance(Duration::from_secs(2)).await;
    assert_eq!(setup.regpass.head(&target).await.status, 200);
    setup.expect(&[&format!("{HEAD} basic:AWS 200")]);
    setup.sim.finish();
}

/// Only the message of a 403 distinguishes an expired password from a missing permission.
#[tokio::test(start_paused = true)]
async fn a_403_for_a_missing_permission_is_the_response() {
    let setup = RegistrySetup::with_credential(Preset::ecr(), "profile = \"ecr\"").await;
    let target = setup.private_manifest();
    setup.warm_with(&target).await;
    let message = "User: arn:aws:iam::1:user/u is not authorized to perform: ecr:BatchGetImage";
    setup.registry.api().inject(Fault::answer(Reply::error(403, "DENIED", message)).times(1));
    let rejected = setup.get(&target).await;
    assert_eq!(rejected.status_and_code(), "403 DENIED");
    assert!(rejected.error().1.contains("ecr:BatchGetImage"), "{rejected:?}");
    setup.expect(&["registry GET /v2/acme/private/manifests/1 basic:AWS 403"]);
    assert_eq!(setup.get(&target).await.status, 200, "the denial is not cached");
    setup.sim.finish();
}

/// Without the account's setting, or without a manifest that refers to the blob, the same request starts an upload.
#[tokio::test(start_paused = true)]
async fn a_mount_is_tried_and_costs_one_request_whatever_comes_of_it() {
    for (preset, is_referenced, status) in [
        (Preset::ecr(), true, 202),
        (Preset::ecr_with_settings(), false, 202),
        (Preset::ecr_with_settings(), true, 201),
    ] {
        let setup = RegistrySetup::with_credential(preset, "profile = \"ecr\"\nallow = [\"pull\", \"push\"]").await;
        setup.warm().await;
        let blob = Blob::random(7, 300);
        setup.registry.publish_blob("acme/base", &blob);
        if is_referenced {
            let layers = std::slice::from_ref(&blob);
            setup.registry.publish("acme/base", "1", &Image::with_layers("base", ImageFormat::Oci, layers));
        }
        let mount = format!("{}?mount={}&from=acme/base", setup.private_uploads(), blob.digest);
        assert_eq!(setup.send(Method::POST, &mount).await.status, status);
        setup.expect(&[&format!("registry POST {mount} basic:AWS {status}")]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_to_a_missing_repository_is_the_registrys_answer() {
    for (preset, verdict) in [(Preset::ecr(), 404), (Preset::ecr_with_settings(), 202)] {
        let setup = RegistrySetup::with_credential(preset, "profile = \"ecr\"\nallow = [\"pull\", \"push\"]").await;
        setup.warm().await;
        let started = setup.send(Method::POST, "/v2/acme/new/blobs/uploads/").await;
        assert_eq!(started.status, verdict, "{started:?}");
        if verdict == 404 {
            let (code, message) = started.error();
            assert_eq!((&*code, &*message), ("NAME_UNKNOWN", "The repository does not exist in the registry"));
        }
        setup.expect(&[&format!("registry POST /v2/acme/new/blobs/uploads/ basic:AWS {verdict}")]);
        setup.sim.finish();
    }
}
