//! One line a pull.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{World, assert_told};
use crate::sim::{Family, Fault, Image, Reply};

#[tokio::test(start_paused = true)]
async fn a_pull_is_one_line_with_what_crossed_and_what_it_cost() {
    let world = World::new().await;
    world.registry.token().inject(Fault::delay(Duration::from_millis(40)));
    world.registry.registry().inject(Fault::delay(Duration::from_millis(100)).path(&world.blob(1)));
    let bytes = world.pull("1").await;
    assert!(world.log.told("image").is_empty(), "it may go on");
    let told = world.only_image().await;
    assert_told(
        &told,
        &json!({
            "level": "INFO",
            "image": "reg.test/team/app:1",
            "digest": world.top(),
            "direction": "pull",
            "outcome": "ok",
            "manifests": 2,
            "blobs": 2,
            "bytes": bytes,
            "requests": 4,
            "token_fetches": 1,
            "auth_ms": 40,
            "ms": 140,
            "other_tags": Value::Null,
            "error": Value::Null,
        }),
    );
    let read = world.regpass.proxy.seen.images.last();
    assert_eq!((read.len(), read[0].image.as_str(), read[0].blobs), (1, "reg.test/team/app:1", 2));
    assert_eq!(world.images().await.len(), 1, "and no more of it");
}

#[tokio::test(start_paused = true)]
async fn who_resolves_the_tag_first_and_pulls_by_digest_pulls_that_tag() {
    let world = World::new().await;
    assert_eq!(world.head("manifests/1").await.status, 200);
    for path in [format!("manifests/{}", world.top()), world.child(), world.blob(0), world.blob(1)] {
        assert_eq!(world.get(&path).await.status, 200);
    }
    let told = world.only_image().await;
    let expected = json!({ "image": "reg.test/team/app:1", "digest": world.top(), "manifests": 2, "blobs": 2 });
    assert_told(&told, &expected);
}

#[tokio::test(start_paused = true)]
async fn a_pull_by_digest_goes_by_its_digest() {
    let world = World::new().await;
    assert_eq!(world.get(&format!("manifests/{}", world.top())).await.status, 200);
    assert_eq!(world.get(&world.child()).await.status, 200);
    let image = format!("reg.test/team/app@{}", world.top());
    assert_told(&world.only_image().await, &json!({ "image": image, "digest": world.top(), "manifests": 2 }));
}

#[tokio::test(start_paused = true)]
async fn a_long_pull_is_not_over_while_something_of_it_is_on_its_way() {
    let world = World::new().await;
    world.registry.registry().inject(Fault::delay(Duration::from_secs(25)).path(&world.blob(1)));
    world.pull("1").await;
    assert!(world.log.told("image").is_empty());
    assert_told(&world.only_image().await, &json!({ "ms": 25_000, "requests": 4 }));
}

#[tokio::test(start_paused = true)]
async fn pulls_one_after_the_other_are_told_apart_and_so_are_repositories() {
    let world = World::new().await;
    world.registry.publish("team/app", "2", &world.image);
    world.registry.publish("team/other", "1", &Image::single("other", Family::Oci));
    for tag in ["1", "1", "2"] {
        world.pull(tag).await;
        assert_eq!(world.regpass.get("/v2/reg.test/team/other/manifests/1").await.status, 200);
    }
    let images = world.images().await;
    let mut told: Vec<_> = images.iter().map(|image| (image["image"].as_str().unwrap(), &image["blobs"])).collect();
    told.sort_by_key(|(image, _)| *image);
    let (two, none) = (json!(2), json!(0));
    assert_eq!(
        told,
        [
            ("reg.test/team/app:1", &two),
            ("reg.test/team/app:1", &two),
            ("reg.test/team/app:2", &two),
            ("reg.test/team/other:1", &none),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_with_its_step_and_its_blame_unless_it_was_made_good() {
    for made_good in [false, true] {
        let world = World::new().await;
        let broken = Fault::answer(Reply::error(500, "UNKNOWN", "the disk is gone")).path(&world.blob(1));
        let fault = world.registry.registry().inject(broken);
        for path in ["manifests/1".to_owned(), world.child(), world.blob(0)] {
            assert_eq!(world.get(&path).await.status, 200);
        }
        assert_eq!(world.get(&world.blob(1)).await.status, 500);
        fault.lift();
        if made_good {
            assert_eq!(world.get(&world.blob(1)).await.status, 200);
        }
        let told = world.only_image().await;
        if made_good {
            assert_told(&told, &json!({ "outcome": "ok", "blobs": 2, "blame": Value::Null }));
        } else {
            let expected = json!({ "outcome": "failed", "blobs": 1, "step": "registry", "blame": "registry" });
            assert_told(&told, &expected);
            assert!(told["error"].as_str().unwrap().contains("the disk is gone"), "{told:#}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_of_what_is_not_there_failed_also_when_it_only_came_to_the_head() {
    let world = World::new().await;
    assert_eq!(world.head("manifests/none").await.status, 404);
    let told = world.only_image().await;
    assert_told(&told, &json!({ "image": "reg.test/team/app:none", "direction": "pull", "outcome": "failed" }));
}

#[tokio::test(start_paused = true)]
async fn looking_and_listing_is_no_pull() {
    let world = World::new().await;
    for path in ["manifests/1".to_owned(), world.blob(0)] {
        assert_eq!(world.head(&path).await.status, 200);
    }
    assert_eq!(world.get("tags/list").await.status, 200);
    assert_eq!(world.regpass.get("/v2/").await.status, 200);
    assert!(world.images().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_fails_and_a_client_that_leaves_finishes_nothing() {
    let world = World::new().await;
    assert_eq!(world.get("manifests/1").await.status, 200);
    world.registry.registry().inject(Fault::hang_before_head().path(&world.blob(1)));
    let leaving = tokio::time::timeout(Duration::from_secs(3), world.get(&world.blob(1))).await;
    assert!(leaving.is_err());
    assert_told(&world.only_image().await, &json!({ "outcome": "unfinished", "blobs": 0, "blame": Value::Null }));

    let world = World::new().await;
    assert_eq!(world.get("manifests/1").await.status, 200);
    world.registry.registry().inject(Fault::close_mid_body(3).path(&world.blob(1)));
    assert!(!world.get(&world.blob(1)).await.whole);
    assert_told(&world.only_image().await, &json!({ "outcome": "failed", "step": "transfer", "blame": "registry" }));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_over_is_told_when_the_process_ends() {
    let world = World::new().await;
    world.pull("1").await;
    world.regpass.proxy.seen.images.flush();
    assert_told(&world.log.told("image")[0], &json!({ "outcome": "ok", "blobs": 2 }));
    assert_eq!(world.images().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_one_token_fetched_one() {
    let world = World::new().await;
    assert_eq!(world.regpass.get("/v2/reg.test/team/app/manifests/none").await.status, 404);
    world.images().await;
    sleep(Duration::from_secs(3600)).await;
    world.registry.token().inject(Fault::delay(Duration::from_millis(40)));
    let (first, second) = (world.blob(0), world.blob(1));
    let replies = tokio::join!(world.get("manifests/1"), world.get(&first), world.get(&second));
    assert!([&replies.0, &replies.1, &replies.2].iter().all(|reply| reply.status == 200));
    let waited = |reply: &crate::harness::Reply| reply.grant() == "fetched";
    assert!(waited(&replies.0) && waited(&replies.1), "they waited");
    let told = world.images().await.pop().unwrap();
    assert_told(&told, &json!({ "token_fetches": 1, "requests": 3, "image": "reg.test/team/app:1" }));
    let fetched = world.sim.ledger().count("token", |entry| entry.method == Method::GET);
    assert_eq!(fetched, 2, "one an hour ago, one now");
}
