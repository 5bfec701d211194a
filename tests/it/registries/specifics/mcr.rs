//! The Microsoft Artifact Registry: writes, referrers and errors.

use http::Method;

use crate::registry_setup::{RegistrySetup, manifest_path};
use crate::sim::{Fault, Preset};

#[tokio::test(start_paused = true)]
async fn every_write_is_a_405_without_an_upstream_request() {
    let setup =
        RegistrySetup::without_credential(Preset::mcr(), "profile = \"mcr\"\nallow = [\"pull\", \"push\", \"delete\"]")
            .await;
    for (method, path) in [
        (Method::POST, "blobs/uploads/".to_owned()),
        (Method::PUT, "manifests/1".to_owned()),
        (Method::DELETE, "manifests/1".to_owned()),
        (Method::DELETE, format!("blobs/{}", setup.image.blobs[0].digest)),
    ] {
        let rejected = setup.send(method.clone(), &format!("/v2/dotnet/sdk/{path}")).await;
        assert_eq!(rejected.status_and_code(), "405 UNSUPPORTED", "{method} {path}");
        assert!(rejected.error().1.contains("only its owner publishes there"), "{rejected:?}");
    }
    setup.expect(&[]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn unsupported_referrers_are_the_registrys_404() {
    let setup = RegistrySetup::without_credential(Preset::mcr(), "profile = \"mcr\"").await;
    let target = format!("/v2/dotnet/sdk/referrers/{}", setup.image.digest());
    let reply = setup.get(&target).await;
    assert_eq!(reply.status, 404, "clients use the referrers tag: {reply:?}");
    assert!(!reply.error().0.is_empty());
    let tag = format!("/v2/dotnet/sdk/manifests/{}", setup.image.digest().replace(':', "-"));
    setup.expect(&[&format!("registry GET {target} anonymous 404"), &format!("registry GET {tag} anonymous 404")]);
    setup.sim.finish();
}

/// The errors of the load balancer and the storage are not JSON.
#[tokio::test(start_paused = true)]
async fn errors_in_text_and_xml_become_error_documents() {
    let setup = RegistrySetup::without_credential(Preset::mcr(), "profile = \"mcr\"").await;
    let unknown = setup.get("/v2/dotnet/nothing/tags/list").await;
    assert_eq!(unknown.status_and_code(), "404 NAME_UNKNOWN");
    setup.registry.api().inject(Fault::answer(Preset::mcr_throttled_in_text()));
    let busy = setup.get(&manifest_path("dotnet/sdk")).await;
    assert_eq!(busy.status_and_code(), "429 TOOMANYREQUESTS");
    assert!(busy.error().1.contains("Ref A:"), "{busy:?}");
    setup.sim.finish();
}
