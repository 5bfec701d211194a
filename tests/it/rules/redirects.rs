//! Rules 21 and 22: where redirects lead, and what stays at home.

use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::{World, everyone, registries, step};
use crate::sim::{Delivery, Fault, Hop, Place, Preset};

#[tokio::test(start_paused = true)]
async fn rule_21_blobs_and_manifests_are_followed_and_credentials_stay() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let leads = matches!(preset.pull.blobs, Delivery::Redirect { .. });
        let world = World::of(profile, preset).await;
        let (layer, blob) = (world.layer(), &world.image.blobs[0]);
        let got = world.get(&layer).await;
        assert_eq!((got.status.as_u16(), &got.body), (200, &blob.slice().to_bytes()), "{host}");
        let head = world.method(Method::HEAD, &layer).await;
        assert_eq!(
            (head.status.as_u16(), head.header("content-length")),
            (200, Some(&*blob.len().to_string())),
            "{host}"
        );
        assert_eq!(world.get(&world.private()).await.status, 200, "{host}");
        let entries = world.sim.ledger().take();
        let followed = entries.iter().any(|entry| entry.status.is_some_and(|status| status.is_redirection()));
        assert_eq!(followed, leads, "{host}: {entries:?}");
        let elsewhere = entries.iter().filter(|entry| !["registry", "token"].contains(&&*entry.server));
        for entry in elsewhere {
            assert_eq!(entry.authorization.to_string(), "anonymous", "{host}: {entry:?}");
            assert!(!entry.headers.contains_key("cookie"), "{host}");
        }
        // Stores that refuse a second authority (ECR, NGC, ACR), and rules of the simulation, have nothing to say.
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_21_manifests_and_tags_live_elsewhere_at_registry_k8s_io() {
    let world = World::of("kubernetes", Preset::kubernetes()).await;
    for target in ["/v2/pause/manifests/1", "/v2/pause/tags/list"] {
        for method in [Method::GET, Method::HEAD] {
            let reply = world.method(method.clone(), target).await;
            assert_eq!(reply.status, 200, "{method} {target}: {reply:?}");
            assert_eq!(reply.header("location"), None);
            let steps = world.steps();
            let there = format!("region {method} anonymous 200");
            assert_eq!(steps, [format!("{method} anonymous 307"), there], "{target}");
        }
    }
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_21_every_status_leads_on_relative_or_absolute() {
    for (profile, preset) in [("ecr", Preset::ecr()), ("google", Preset::google()), ("ngc", Preset::ngc())] {
        for status in [301, 302, 303, 307, 308] {
            for to in [Place::Blobs, Place::Here] {
                let preset = preset.clone().blob_hops(&[Hop::new(status, to)]);
                let world = World::of(profile, preset).await;
                let got = world.get(&world.layer()).await;
                let bytes = world.image.blobs[0].slice().to_bytes();
                assert_eq!((got.status.as_u16(), &got.body), (200, &bytes), "{profile} {status} {to:?}");
                world.sim.finish();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_21_a_challenge_of_the_target_is_met_by_nobody() {
    for (profile, preset) in everyone() {
        if !matches!(&preset.pull.blobs, Delivery::Redirect { hops, .. } if hops[0].to == Place::Blobs) {
            continue;
        }
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        assert_eq!(world.get(&world.layer()).await.status, 200, "{host}");
        world.sim.ledger().take();
        for line in [r#"Basic realm="s3""#, r#"Bearer realm="http://evil.test/token""#] {
            let fault = world.registry.blobs().inject(Fault::challenge(&[line]));
            assert_eq!(world.get(&world.layer()).await.verdict(), "502 UNAVAILABLE", "{host}");
            let entries = world.sim.ledger().take();
            let seen: Vec<String> = entries.iter().filter(|entry| entry.server == "blobs").map(step).collect();
            assert_eq!(seen, ["blobs GET anonymous 401"], "{host}");
            fault.lift();
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_22_a_signed_url_is_used_once_and_one_that_is_over_is_asked_for_anew() {
    for (profile, preset) in registries(&["ghcr", "acr"]) {
        let world = World::of(profile, preset).await;
        let layer = world.layer();
        assert_eq!(world.get(&layer).await.status, 200);
        world.sim.ledger().take();
        for _ in 0..2 {
            assert_eq!(world.get(&layer).await.status, 200);
            assert_eq!(world.steps(), ["GET bearer#1 307", "blobs GET anonymous 200"], "{profile}: a URL of its own");
        }
        world.registry.blobs().inject(Fault::expired_signature().times(1));
        assert_eq!(world.get(&layer).await.status, 200, "{profile}");
        let steps = ["GET bearer#1 307", "blobs GET anonymous 403", "GET bearer#1 307", "blobs GET anonymous 200"];
        assert_eq!(world.steps(), steps, "{profile}");
        // Once: who goes on refusing refuses something else.
        let fault = world.registry.blobs().inject(Fault::expired_signature());
        assert_eq!(world.get(&layer).await.verdict(), "502 UNAVAILABLE", "{profile}");
        assert_eq!(world.steps().len(), 4, "{profile}");
        fault.lift();
        // However long the URLs of others lasted.
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(world.get(&layer).await.status, 200, "{profile}");
        world.sim.finish();
    }
}
