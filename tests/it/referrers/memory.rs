//! What regpass learned about a registry's referrers API: how long it is remembered, and when it is forgotten.

use std::time::Duration;

use http::Method;
use tokio::time::advance;

use super::{SBOM, SIGNATURE, artifacts, publish_list, referrers_path, start, tag_path, types};
use crate::harness::manifest_put;
use crate::sim::{Fault, Referrers, Reply};

const MEMORY: Duration = Duration::from_secs(10 * 60);

#[tokio::test(start_paused = true)]
async fn missing_api_is_remembered_for_ten_minutes_and_for_all_repositories() {
    let setup = start().await;
    setup.warm().await;
    publish_list(&setup);
    let (referrers, tag) = (referrers_path(&setup), tag_path(&setup));
    setup.get(&referrers).await;
    setup.sim.ledger().take();
    let public = format!("/v2/{}", setup.public_repository());
    let other = format!("{public}/referrers/{}", setup.image.digest());
    assert_eq!(setup.get(&other).await.status, 404);
    let lines = setup.sim.ledger().take();
    assert!(lines.iter().all(|entry| !entry.path.contains("/referrers/")), "{lines:?}");
    // Within the lifetime of the token and of what was learned.
    setup.get(&referrers).await;
    setup.expect(&[&format!("registry GET {tag} bearer#1 200")]);
    advance(MEMORY).await;
    assert_eq!(types(&setup.get(&referrers).await), [SIGNATURE, SBOM]);
    assert!(setup.sim.ledger().take().iter().any(|entry| entry.path == referrers), "the API is asked again");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_acknowledges_a_subject_has_the_api() {
    let setup = start().await;
    setup.warm().await;
    publish_list(&setup);
    let referrers = referrers_path(&setup);
    assert_eq!(types(&setup.get(&referrers).await).len(), 2);
    // The registry is upgraded.
    setup.registry.change_preset(|preset| preset.lists.referrers = Referrers::Index);
    assert_eq!(types(&setup.get(&referrers).await).len(), 2, "still from the tag");
    let [signature, _] = artifacts(&setup);
    setup.registry.store().write(setup.private_repository(), |repository| {
        repository.blobs.extend(signature.blobs.iter().map(|blob| (blob.digest.clone(), blob.clone())));
    });
    let target = setup.private_path(&format!("manifests/{}", signature.digest()));
    let pushed = setup.regpass.send(manifest_put(&target, &signature)).await;
    assert_eq!((pushed.status.as_u16(), pushed.header("oci-subject")), (201, Some(setup.image.digest())));
    setup.sim.ledger().take();
    let reply = setup.get(&referrers).await;
    assert_eq!((types(&reply), reply.header("warning")), (vec![SIGNATURE.to_owned()], None));
    assert_eq!(setup.sim.ledger().take().len(), 1);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_404_of_a_registry_that_showed_its_api_costs_no_request_for_the_tag() {
    let setup = super::start_with_api().await;
    setup.warm().await;
    publish_list(&setup);
    let referrers = referrers_path(&setup);
    assert!(types(&setup.get(&referrers).await).is_empty(), "the API's empty list stays");
    assert_eq!(setup.sim.ledger().take().len(), 1);
    let unknown = Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    let fault = setup.registry.api().inject(Fault::answer(unknown).path("/referrers/"));
    assert_eq!(setup.get(&referrers).await.status_and_code(), "404 MANIFEST_UNKNOWN");
    assert_eq!(setup.send(Method::HEAD, &referrers).await.status, 404);
    assert_eq!(setup.sim.ledger().take().len(), 2);
    fault.remove();
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_was_learned_unless_the_registry_changes() {
    let setup = start().await;
    setup.warm().await;
    publish_list(&setup);
    setup.get(&referrers_path(&setup)).await;
    setup.sim.ledger().take();
    let asks_api = async |text: &str| {
        setup.regpass.reconfigure(text);
        setup.get(&referrers_path(&setup)).await;
        setup.sim.ledger().take().iter().any(|entry| entry.path.contains("/referrers/"))
    };
    let preset = crate::sim::Preset::distribution(crate::sim::AuthMode::Token);
    let table = crate::harness::single_registry_config(
        &setup.registry,
        &format!("{}\n{}", crate::registry_setup::preset_credential(&preset), crate::registry_setup::ALLOW_ALL),
    );
    assert!(!asks_api(&table).await);
    assert!(asks_api(&format!("{table}\n[timeouts]\nbody_idle = \"31s\"\n")).await);
    setup.sim.finish();
}
