//! What a token says that it grants: a push is denied before its body only if the token certainly does not allow it.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::{PushSetup, UPLOADS, location_of, request_with_body, token_registry, with_digest};
use crate::harness::manifest_put;
use crate::sim::{Image, ImageFormat, Preset};

const BLOB: &[u8] = b"a blob";
const MANIFEST: &str = "/v2/team/app/manifests/1";

/// A registry whose tokens grant everything, and say in their `access` claim what this JSON says.
fn registry_that_says(access: &Value) -> Preset {
    let mut preset = token_registry();
    let access = access.clone();
    preset.tokens.edit_claims = Some(Arc::new(move |claims| claims["access"] = access.clone()));
    preset
}

/// The claim for these grants: `repository:team/app:pull,push`.
fn access(grants: &[&str]) -> Value {
    let entry = |grant: &&str| {
        let (kind, rest) = grant.split_once(':').unwrap();
        let (name, actions) = rest.rsplit_once(':').unwrap();
        let actions: Vec<&str> = actions.split(',').filter(|action| !action.is_empty()).collect();
        json!({ "type": kind, "name": name, "actions": actions })
    };
    grants.iter().map(entry).collect()
}

#[tokio::test(start_paused = true)]
async fn a_push_with_a_grant_that_may_suffice_reaches_the_registry() {
    for claim in [
        access(&["repository:*:*"]),
        access(&["repository:team/*:pull,push"]),
        access(&["repository:team/app:*"]),
        access(&["repository:team/app:push"]),
        access(&["repository:team/app:pull,write"]),
        access(&["repository:app:pull,push"]),
        access(&["repository:library/team/app:pull,push"]),
        access(&["repository(plugin):team/app:pull,push"]),
        access(&["repository:team/app:pull", "repository:*:push"]),
        access(&["project:team:*"]),
        access(&["registry:*:*"]),
        access(&["repository:other/name:pull,push"]),
        json!([{ "type": "repository", "name": "team/app", "actions": "pull,push" }]),
        json!(["repository:team/app:pull,push"]),
        json!(null),
        json!("repository:team/app:pull,push"),
    ] {
        let setup = PushSetup::start(registry_that_says(&claim), "").await;
        let location = location_of(&setup.send(Method::POST, UPLOADS, "").await);
        setup.finish_upload(&location, BLOB, BLOB).await;
        setup.regpass.send(manifest_put(MANIFEST, &Image::single("app", ImageFormat::Oci))).await;
        let puts = setup.sim.ledger().count("registry", |entry| entry.path == MANIFEST);
        assert_eq!((puts, setup.sim.ledger().count("token", |_| true)), (1, 1), "{claim}");
        assert_eq!(setup.sim.ledger().lines().len(), 5, "{claim}: challenge, token, POST, PUT, PUT");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_with_a_grant_that_is_certainly_too_small_is_a_403_before_it_is_sent() {
    for (claim, granted) in [
        (json!([]), "nothing"),
        (access(&["repository:team/app:"]), "nothing"),
        (access(&["repository:team/app:pull"]), "repository:team/app:pull"),
        (access(&["repository:*:pull"]), "repository:*:pull"),
        (access(&["repository:app:pull"]), "repository:app:pull"),
        (
            access(&["repository:team/app:pull", "repository:team/other:pull,push"]),
            "repository:team/app:pull repository:team/other:pull,push",
        ),
        (access(&["repository:team/app:pull", "registry:catalog:*"]), "registry:catalog:* repository:team/app:pull"),
    ] {
        let setup = PushSetup::start(registry_that_says(&claim), "").await;
        for request in [
            request_with_body(Method::POST, UPLOADS, ""),
            request_with_body(Method::POST, &with_digest(UPLOADS, BLOB), BLOB),
            manifest_put(MANIFEST, &Image::single("app", ImageFormat::Oci)),
        ] {
            let reply = setup.regpass.send(request).await;
            assert_eq!(reply.status_and_code(), "403 DENIED", "{claim}");
            let message = format!("granted {granted} instead of repository:team/app:pull,push");
            assert!(reply.error().1.contains(&message), "{reply:?}");
        }
        let lines = setup.sim.ledger().lines();
        assert!(lines.len() == 2 && lines[0].ends_with("GET /v2/ anonymous 401"), "{claim}: {lines:?}");
        setup.sim.finish();
    }
}

/// A delete has no body: only a grant without any write is denied early.
#[tokio::test(start_paused = true)]
async fn a_delete_with_a_grant_to_push_reaches_the_registry() {
    for (grants, status) in [(&["repository:team/app:pull,push"][..], 202), (&["repository:team/app:pull"], 403)] {
        let setup = PushSetup::start(registry_that_says(&access(grants)), "").await;
        setup.registry.publish_private("team/app", "1", &Image::single("app", ImageFormat::Oci));
        assert_eq!(setup.send(Method::DELETE, MANIFEST, "").await.status, status, "{grants:?}");
        let deletes = setup.sim.ledger().count("registry", |entry| entry.method == Method::DELETE);
        assert_eq!(deletes, usize::from(status == 202), "{grants:?}");
        setup.sim.finish();
    }
}
