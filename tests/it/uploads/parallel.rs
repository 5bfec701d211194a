//! Many pushes at the same time.

use std::sync::Arc;

use futures_util::future::join_all;
use http::{Method, StatusCode};

use super::{PushSetup, location_of, token_registry, with_digest};
use crate::sim::{Blob, Image, ImageFormat, Role};

/// Pushes an image as a client does: its blobs in parallel, then the manifest.
async fn push(setup: Arc<PushSetup>, repository: String, image: Image) {
    let blobs = image.blobs.iter().map(|blob| {
        let (setup, repository) = (&setup, &repository);
        async move {
            let bytes = blob.slice().to_bytes();
            let started = setup.send(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), "").await;
            assert_eq!(started.status, 202, "{started:?}");
            let target = with_digest(&location_of(&started), &bytes);
            let put = setup.send(Method::PUT, &target, bytes).await;
            assert_eq!(put.status, 201, "{put:?}");
        }
    });
    join_all(blobs).await;
    let reply =
        setup.regpass.send(crate::harness::manifest_put(&format!("/v2/{repository}/manifests/1"), &image)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

fn image(number: u64) -> Image {
    let layers: Vec<_> = (0..6).map(|layer| Blob::random(number * 10 + layer, 301)).collect();
    Image::with_layers("app", ImageFormat::Oci, &layers)
}

async fn push_all(pushes: u64, repository: impl Fn(u64) -> String) -> PushSetup {
    let setup = Arc::new(PushSetup::start(token_registry(), "").await);
    let running = (0..pushes).map(|number| tokio::spawn(push(setup.clone(), repository(number), image(number))));
    for outcome in join_all(running).await {
        outcome.unwrap();
    }
    for number in 0..pushes {
        for blob in &image(number).blobs {
            setup.assert_registry_has(&repository(number), &blob.slice().to_bytes());
        }
    }
    Arc::into_inner(setup).expect("all pushes have ended")
}

/// The number of 401s of the registry, and of token requests.
fn counts(setup: &PushSetup) -> (usize, usize) {
    let entries = setup.sim.ledger().entries();
    let unauthorized =
        entries.iter().filter(|entry| entry.role == Role::Registry && entry.status == Some(StatusCode::UNAUTHORIZED));
    (unauthorized.count(), entries.iter().filter(|entry| entry.role == Role::TokenService).count())
}

#[tokio::test(start_paused = true)]
async fn a_hundred_pushes_to_one_repository_share_one_token() {
    let setup = push_all(100, |_| "team/app".to_owned()).await;
    assert_eq!(counts(&setup), (1, 1));
    // Eight blobs in two requests each, a manifest, the challenge and the token.
    assert_eq!(setup.sim.ledger().entries().len(), 100 * (8 * 2 + 1) + 2);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pushes_to_many_repositories_fetch_one_token_each() {
    let setup = push_all(20, |number| format!("team/app-{number}")).await;
    assert_eq!(counts(&setup), (1, 20));
    setup.sim.finish();
}
