//! Wrong passwords, and repositories that do not exist.

use http::Method;

use super::outcome::{Outcome, Rejection};
use super::row::{Credential, Row};
use crate::harness::Reply;
use crate::proxied_registry::{assert_no_upstream_headers, assert_rejected};
use crate::registry_setup::RegistrySetup;

/// With a wrong password regpass pulls public content anonymously, which `Server-Timing` shows if the password was rejected.
/// Other requests are a 403. Registries without a credential never get the password.
pub async fn wrong_password(row: &Row) -> Outcome {
    let setup = row.start(Credential::Wrong).await;
    let public = setup.get(&setup.public_manifest()).await;
    if setup.capabilities.credential.is_none() {
        assert_eq!(public.status, 200, "{public:?}");
        setup.take_requests();
        return Outcome::Unsupported(Rejection::NotApplicable);
    }
    let was_sent = setup.sim.ledger().entries().iter().any(|entry| {
        let rejected = entry.status.is_some_and(|status| status.is_client_error());
        rejected && entry.authorization.to_string() != "anonymous"
    });
    if setup.capabilities.anonymous_pull {
        assert_eq!(public.status, 200, "{public:?}");
        assert_eq!(
            public.authorization_source().starts_with("login rejected"),
            was_sent,
            "the authorization source: {public:?}"
        );
    } else {
        assert_rejected(&public, "403 DENIED", &["in the configuration"]);
    }
    assert_no_upstream_headers(&public);
    let private = setup.get(&setup.private_manifest()).await;
    assert_denied(&setup, &private);
    if setup.capabilities.push {
        setup.sim.ledger().take();
        let push = setup.send(Method::POST, &setup.private_uploads()).await;
        assert_denied(&setup, &push);
        let posts = setup.sim.ledger().count("registry", |entry| entry.method == Method::POST);
        assert!(posts <= 1, "a write was repeated without the credential");
    }
    setup.take_requests();
    Outcome::works(if setup.capabilities.anonymous_pull { "public only" } else { "rejected" })
}

/// Asserts a 403 that names the registry, and the configuration as the source of the credential.
#[track_caller]
fn assert_denied(setup: &RegistrySetup, reply: &Reply) {
    assert_rejected(reply, "403 DENIED", &["in the configuration"]);
    assert_eq!(reply.json()["errors"][0]["detail"]["registry"], setup.registry.authority(), "{reply:?}");
}

/// A missing repository is a 404 or a 403 with a code that clients understand, with and without a credential.
pub async fn missing(row: &Row) -> Outcome {
    let mut statuses = Vec::new();
    for credential in [Credential::None, Credential::Valid] {
        let setup = row.start(credential).await;
        let name = format!("{}-missing", setup.private_repository());
        let manifest = setup.get(&format!("/v2/{name}/manifests/1")).await;
        assert_missing(&manifest, &["404 MANIFEST_UNKNOWN", "404 NAME_UNKNOWN", "403 DENIED"]);
        let tags = setup.get(&format!("/v2/{name}/tags/list")).await;
        assert_missing(&tags, &["404 NAME_UNKNOWN", "403 DENIED"]);
        let head = setup.send(Method::HEAD, &format!("/v2/{name}/manifests/1")).await;
        assert_eq!((head.status, head.body.len()), (manifest.status, 0), "{head:?}");
        setup.take_requests();
        statuses.push(manifest.status.as_u16().to_string());
    }
    statuses.dedup();
    Outcome::works(statuses.join(", "))
}

#[track_caller]
fn assert_missing(reply: &Reply, statuses: &[&str]) {
    assert_no_upstream_headers(reply);
    let verdict = reply.status_and_code();
    assert!(statuses.contains(&&*verdict), "{verdict}: {reply:?}");
}
