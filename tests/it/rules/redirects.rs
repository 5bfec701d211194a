//! Redirects.
//!
//! - Rule 21: follow 301, 302, 303, 307 and 308 for GET and HEAD of blobs and manifests. Resolve a relative `Location`.
//!   Send no credential and no cookie to another origin, also if it answers with a challenge.
//! - Rule 22: use a signed URL once. After a 403 from its host, request a new one from the registry.

use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::{all_registries, describe_step, registries_of};
use crate::registry_setup::RegistrySetup;
use crate::sim::{Delivery, Fault, Hop, HopTarget, Preset};

#[tokio::test(start_paused = true)]
async fn rule_21_redirects_are_followed_without_credential_and_cookie() {
    for (profile, preset) in all_registries() {
        let host = preset.host.clone();
        let redirects = matches!(preset.pull.blobs, Delivery::Redirect { .. });
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let (layer, blob) = (setup.private_layer(), &setup.image.blobs[0]);
        let got = setup.get(&layer).await;
        assert_eq!((got.status.as_u16(), &got.body), (200, &blob.slice().to_bytes()), "{host}");
        let head = setup.send(Method::HEAD, &layer).await;
        assert_eq!(
            (head.status.as_u16(), head.header("content-length")),
            (200, Some(&*blob.len().to_string())),
            "{host}"
        );
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{host}");
        let entries = setup.sim.ledger().take();
        let followed = entries.iter().any(|entry| entry.status.is_some_and(|status| status.is_redirection()));
        assert_eq!(followed, redirects, "{host}: {entries:?}");
        let elsewhere = entries.iter().filter(|entry| !["registry", "token"].contains(&&*entry.server));
        for entry in elsewhere {
            assert_eq!(entry.authorization.to_string(), "anonymous", "{host}: {entry:?}");
            assert!(!entry.headers.contains_key("cookie"), "{host}");
        }
        // The blob stores of ECR, NGC and ACR reject a second authorization, which the simulation reports as a violation.
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_21_redirects_of_manifests_and_tags_are_followed_at_registry_k8s_io() {
    let setup = RegistrySetup::with_profile("kubernetes", Preset::kubernetes()).await;
    for target in ["/v2/pause/manifests/1", "/v2/pause/tags/list"] {
        for method in [Method::GET, Method::HEAD] {
            let reply = setup.send(method.clone(), target).await;
            assert_eq!(reply.status, 200, "{method} {target}: {reply:?}");
            assert_eq!(reply.header("location"), None);
            let steps = setup.steps();
            let redirected = format!("region {method} anonymous 200");
            assert_eq!(steps, [format!("{method} anonymous 307"), redirected], "{target}");
        }
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_21_every_redirect_status_is_followed_to_a_relative_or_absolute_location() {
    for (profile, preset) in [("ecr", Preset::ecr()), ("google", Preset::google()), ("ngc", Preset::ngc())] {
        for status in [301, 302, 303, 307, 308] {
            for to in [HopTarget::BlobStore, HopTarget::SameOrigin] {
                let preset = preset.clone().blob_hops(&[Hop::new(status, to)]);
                let setup = RegistrySetup::with_profile(profile, preset).await;
                let got = setup.get(&setup.private_layer()).await;
                let bytes = setup.image.blobs[0].slice().to_bytes();
                assert_eq!((got.status.as_u16(), &got.body), (200, &bytes), "{profile} {status} {to:?}");
                setup.sim.finish();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_21_a_challenge_from_the_redirect_target_gets_no_credential() {
    for (profile, preset) in all_registries() {
        if !matches!(&preset.pull.blobs, Delivery::Redirect { hops, .. } if hops[0].to == HopTarget::BlobStore) {
            continue;
        }
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.warm_with(&setup.private_layer()).await;
        for line in [r#"Basic realm="s3""#, r#"Bearer realm="http://evil.test/token""#] {
            let fault = setup.registry.blob_store().inject(Fault::challenge(&[line]));
            assert_eq!(setup.get(&setup.private_layer()).await.status_and_code(), "502 UNAVAILABLE", "{host}");
            let entries = setup.sim.ledger().take();
            let seen: Vec<String> = entries.iter().filter(|entry| entry.server == "blobs").map(describe_step).collect();
            assert_eq!(seen, ["blobs GET anonymous 401"], "{host}");
            fault.remove();
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_22_a_signed_url_is_used_once_and_an_expired_one_is_replaced_once() {
    for (profile, preset) in registries_of(&["ghcr", "acr"]) {
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let layer = setup.private_layer();
        setup.warm_with(&layer).await;
        for _ in 0..2 {
            assert_eq!(setup.get(&layer).await.status, 200);
            assert_eq!(
                setup.steps(),
                ["GET bearer#1 307", "blobs GET anonymous 200"],
                "{profile}: each request gets its own URL"
            );
        }
        setup.registry.blob_store().inject(Fault::expired_signature().times(1));
        assert_eq!(setup.get(&layer).await.status, 200, "{profile}");
        let steps = ["GET bearer#1 307", "blobs GET anonymous 403", "GET bearer#1 307", "blobs GET anonymous 200"];
        assert_eq!(setup.steps(), steps, "{profile}");
        // Once only: a second 403 has another cause.
        let fault = setup.registry.blob_store().inject(Fault::expired_signature());
        assert_eq!(setup.get(&layer).await.status_and_code(), "502 UNAVAILABLE", "{profile}");
        assert_eq!(setup.steps().len(), 4, "{profile}");
        fault.remove();
        // Earlier URLs have expired by now.
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(setup.get(&layer).await.status, 200, "{profile}");
        setup.sim.finish();
    }
}
