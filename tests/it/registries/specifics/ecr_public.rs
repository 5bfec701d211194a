//! Amazon ECR Public: HEAD of blobs, and rejected tokens.

use crate::registry_setup::RegistrySetup;
use crate::sim::{Fault, Preset, Reply};

#[tokio::test(start_paused = true)]
async fn head_of_a_blob_is_answered_from_a_get_with_the_blobs_length() {
    let setup = RegistrySetup::without_credential(Preset::ecr_public(), "profile = \"ecr-public\"").await;
    let target = setup.layer_path(setup.public_repository());
    setup.warm_with(&setup.public_manifest()).await;
    let head = setup.regpass.head(&target).await;
    let length = setup.image.blobs[0].len().to_string();
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, Some(&*length)), "{head:?}");
    assert_eq!(head.header("docker-content-digest"), Some(&*setup.image.blobs[0].digest));
    let requests = setup.sim.ledger().take();
    let at_registry: Vec<String> =
        requests.iter().filter(|e| e.server == "registry").map(ToString::to_string).collect();
    assert_eq!(at_registry, [format!("registry GET {target} bearer#1 307")]);
    assert!(
        requests.len() == 2 && requests[1].headers["range"] == "bytes=0-0",
        "a GET of one byte shows the length: {requests:?}"
    );

    // Clients that push use HEAD to find missing blobs, so a 404 stays a 404.
    let missing = format!("/v2/{}/blobs/sha256:{}", setup.public_repository(), "0".repeat(64));
    assert_eq!(setup.regpass.head(&missing).await.status, 404);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_400_for_the_token_fetches_one_new_token() {
    let setup = RegistrySetup::without_credential(Preset::ecr_public(), "profile = \"ecr-public\"").await;
    let target = setup.public_manifest();
    setup.warm_with(&target).await;
    setup.registry.revoke_tokens();
    assert_eq!(setup.get(&target).await.status, 200);
    setup.expect(&[
        "registry GET /v2/acme/public/manifests/1 bearer#1 400",
        "token GET /token/?service=public.ecr.aws&scope=repository:acme/public:pull anonymous 200",
        "registry GET /v2/acme/public/manifests/1 bearer#2 200",
    ]);
    // regpass fetches one new token per request: a 400 for the new token is an error for the client.
    setup
        .registry
        .api()
        .inject(Fault::answer(Reply::error(400, "DENIED", "Your Authorization Token is invalid.")).path("/manifests/"));
    let rejected = setup.get(&target).await;
    assert!(rejected.status.is_client_error() && rejected.error().0 == "DENIED", "{rejected:?}");
    setup.expect(&[
        "registry GET /v2/acme/public/manifests/1 bearer#2 400",
        "token GET /token/?service=public.ecr.aws&scope=repository:acme/public:pull anonymous 200",
        "registry GET /v2/acme/public/manifests/1 bearer#3 400",
    ]);
    setup.sim.finish();
}

/// The registry API of ECR Public answers Basic with a 400.
#[tokio::test(start_paused = true)]
async fn a_credential_is_sent_to_the_token_service_only() {
    let setup = RegistrySetup::with_credential(Preset::ecr_public(), "profile = \"ecr-public\"").await;
    assert_eq!(setup.get(&setup.private_manifest()).await.status, 200);
    setup.expect(&[
        "registry GET /v2/acme/private/manifests/1 anonymous 401",
        "token GET /token/?service=public.ecr.aws&scope=repository:acme/private:pull basic:AWS 200",
        "registry GET /v2/acme/private/manifests/1 bearer#1 200",
    ]);
    setup.sim.finish();
}
