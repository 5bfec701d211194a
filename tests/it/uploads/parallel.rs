//! Many pushes at once.

use std::sync::Arc;

use futures_util::future::join_all;
use http::{Method, StatusCode};

use super::{Stage, and, location, plain};
use crate::sim::{Blob, Family, Image, Role, sha256};

/// What one client does to push an image: its blobs side by side, then the manifest.
async fn push(stage: Arc<Stage>, repository: String, image: Image) {
    let blobs = image.blobs.iter().map(|blob| {
        let (stage, repository) = (&stage, &repository);
        async move {
            let bytes = blob.slice().to_bytes();
            let began = stage.send(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), "").await;
            assert_eq!(began.status, 202, "{began:?}");
            let target = and(&location(&began), &format!("digest={}", sha256(&bytes)));
            let put = stage.send(Method::PUT, &target, bytes).await;
            assert_eq!(put.status, 201, "{put:?}");
        }
    });
    join_all(blobs).await;
    let reply = stage.regpass.send(crate::harness::put(&format!("/v2/{repository}/manifests/1"), &image)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

fn image(number: u64) -> Image {
    let layers: Vec<_> = (0..6).map(|layer| Blob::random(number * 10 + layer, 301)).collect();
    Image::with_layers("app", Family::Oci, &layers)
}

async fn push_all(pushes: u64, repository: impl Fn(u64) -> String) -> Stage {
    let stage = Arc::new(Stage::set(plain(), "").await);
    let running = (0..pushes).map(|number| tokio::spawn(push(stage.clone(), repository(number), image(number))));
    for outcome in join_all(running).await {
        outcome.unwrap();
    }
    for number in 0..pushes {
        for blob in &image(number).blobs {
            stage.assert_has(&repository(number), &blob.slice().to_bytes());
        }
    }
    Arc::into_inner(stage).expect("everybody is done")
}

/// Registry answers of 401, and token requests.
fn counts(stage: &Stage) -> (usize, usize) {
    let entries = stage.sim.ledger().entries();
    let refused =
        entries.iter().filter(|entry| entry.role == Role::Registry && entry.status == Some(StatusCode::UNAUTHORIZED));
    (refused.count(), entries.iter().filter(|entry| entry.role == Role::Token).count())
}

#[tokio::test(start_paused = true)]
async fn a_hundred_pushes_into_one_repository_take_one_token() {
    let stage = push_all(100, |_| "team/app".to_owned()).await;
    assert_eq!(counts(&stage), (1, 1));
    // Eight blobs in two steps each, a manifest, the demand and the token.
    assert_eq!(stage.sim.ledger().entries().len(), 100 * (8 * 2 + 1) + 2);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pushes_into_many_repositories_take_one_token_each() {
    let stage = push_all(20, |number| format!("team/app-{number}")).await;
    assert_eq!(counts(&stage), (1, 20));
    stage.sim.finish();
}
