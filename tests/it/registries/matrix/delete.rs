//! Deletes of tags, manifests and blobs.

use http::Method;
use regpass::profile::{self, Delete};

use super::outcome::Outcome;
use super::pull::describe_count;
use super::row::{Credential, Row};
use crate::proxied_registry::{assert_no_upstream_headers, assert_rejected};
use crate::registry_setup::RegistrySetup;
use crate::sim::{Image, ImageFormat};

/// A registry at which regpass deletes the tag's manifest also counts: without its manifest the tag is gone.
pub async fn tag(row: &Row) -> Outcome {
    let looks_up_digest = matches!(profile::by_name(row.profile).unwrap().delete, Delete::ByDigest(_));
    let exists = |setup: &RegistrySetup| has(setup, "1");
    let capabilities = &row.preset.capabilities;
    let is_supported = capabilities.delete_tags || capabilities.deletes_over_vendor_api || looks_up_digest;
    delete(row, is_supported, |_| "manifests/1".to_owned(), exists).await
}

pub async fn manifest(row: &Row) -> Outcome {
    let exists = |setup: &RegistrySetup| has(setup, setup.image.digest());
    let target = |setup: &RegistrySetup| format!("manifests/{}", setup.image.digest());
    let capabilities = &row.preset.capabilities;
    delete(row, capabilities.delete_manifests || capabilities.deletes_over_vendor_api, target, exists).await
}

pub async fn blob(row: &Row) -> Outcome {
    let digest = |setup: &RegistrySetup| setup.image.blobs[0].digest.clone();
    let exists = |setup: &RegistrySetup| {
        let digest = digest(setup);
        setup
            .registry
            .store()
            .read(setup.private_repository(), |repository| repository.blobs.contains_key(&digest))
            .unwrap()
    };
    delete(row, row.preset.capabilities.delete_blobs, |setup| format!("blobs/{}", digest(setup)), exists).await
}

fn has(setup: &RegistrySetup, reference: &str) -> bool {
    setup
        .registry
        .store()
        .read(setup.private_repository(), |repository| repository.manifest(reference).is_some())
        .unwrap()
}

async fn delete(
    row: &Row,
    is_supported: bool,
    target: impl Fn(&RegistrySetup) -> String,
    exists: impl Fn(&RegistrySetup) -> bool,
) -> Outcome {
    let setup = row.start(Credential::Valid).await;
    if setup.capabilities.deletes_over_vendor_api {
        // A package keeps its last tagged version.
        setup.registry.publish_private(setup.private_repository(), "2", &Image::single("other", ImageFormat::Oci));
    }
    setup.warm().await;
    let reply = setup.send(Method::DELETE, &setup.private_path(&target(&setup))).await;
    let requests = setup.take_requests();
    if !is_supported {
        assert_rejected(&reply, "405 UNSUPPORTED", &[]);
        assert!(exists(&setup), "the delete was rejected, but the registry lacks the content");
        return Outcome::rejected_after(requests.count());
    }
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_no_upstream_headers(&reply);
    assert!(!exists(&setup), "the delete succeeded, but the registry still has the content");
    let registry_requests = requests.count() - requests.token_calls();
    assert!(requests.token_calls() <= 1 && registry_requests <= 3, "{requests:?}");
    Outcome::works(if registry_requests == 1 { String::new() } else { describe_count(registry_requests) })
}
