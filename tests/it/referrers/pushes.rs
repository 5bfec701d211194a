//! Pushes of referrers to a registry without the API: the client lists them under the tag, and regpass never keeps it from
//! doing so.

use std::time::Duration;

use http::Method;
use tokio::time::advance;

use super::{SBOM, SIGNATURE, artifacts, referrers_path, referrers_tag, start, tag_path, types};
use crate::harness::{Reply, manifest_put};
use crate::registry_setup::RegistrySetup;
use crate::sim::Image;

/// Pushes the manifest of an artifact by digest.
async fn push(setup: &RegistrySetup, artifact: &Image) -> Reply {
    setup.registry.store().write(setup.private_repository(), |repository| {
        repository.blobs.extend(artifact.blobs.iter().map(|blob| (blob.digest.clone(), blob.clone())));
    });
    let target = setup.private_path(&format!("manifests/{}", artifact.digest()));
    let reply = setup.regpass.send(manifest_put(&target, artifact)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply
}

/// Pushes the list under the referrers tag.
async fn push_list(setup: &RegistrySetup, referrers: &[&Image]) {
    let reply = setup.regpass.send(manifest_put(&tag_path(setup), &Image::referrers(referrers))).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

/// The requests of go-containerregistry (crane, cosign): after a push it requests the referrers of the subject, and updates
/// the tag only after a 404.
#[tokio::test(start_paused = true)]
async fn a_client_that_asks_for_the_api_after_a_push_learns_that_it_has_to_update_the_tag() {
    let setup = start().await;
    let [signature, sbom] = artifacts(&setup);
    let referrers = referrers_path(&setup);

    let pushed = push(&setup, &signature).await;
    assert_eq!(pushed.header("oci-subject"), None, "the registry did not say so");
    assert_eq!(setup.get(&referrers).await.status, 404);
    push_list(&setup, &[&signature]).await;
    assert_eq!(types(&setup.get(&referrers).await), [SIGNATURE]);

    // The second referrer of the same subject: a list without it would make the client leave the tag as it is.
    push(&setup, &sbom).await;
    let incomplete = setup.get(&referrers).await;
    assert_eq!(incomplete.status_and_code(), "404 UNSUPPORTED");
    assert!(incomplete.error().1.contains(sbom.digest()), "{incomplete:?}");
    assert_eq!(setup.send(Method::HEAD, &referrers).await.status, 404);
    let tagged = setup.get(&tag_path(&setup)).await;
    assert_eq!(types(&tagged), [SIGNATURE]);
    push_list(&setup, &[&signature, &sbom]).await;
    assert_eq!(types(&setup.get(&referrers).await), [SIGNATURE, SBOM]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_push_whose_tag_is_never_updated_hides_the_others_for_two_minutes_only() {
    let setup = start().await;
    let [signature, sbom] = artifacts(&setup);
    let list = Image::referrers(&[&signature]);
    setup.registry.publish_private(setup.private_repository(), &referrers_tag(&setup), &list);
    push(&setup, &sbom).await;
    assert_eq!(setup.get(&referrers_path(&setup)).await.status, 404);
    advance(Duration::from_secs(2 * 60)).await;
    assert_eq!(types(&setup.get(&referrers_path(&setup)).await), [SIGNATURE]);
    // Referrers of another manifest do not matter.
    let other = Image::artifact(SIGNATURE, signature.top());
    push(&setup, &other).await;
    assert_eq!(types(&setup.get(&referrers_path(&setup)).await), [SIGNATURE]);
    setup.sim.finish();
}
