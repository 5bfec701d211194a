//! The log line of a pull.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Setup, assert_fields};
use crate::sim::{Fault, Image, ImageFormat, Reply};

#[tokio::test(start_paused = true)]
async fn pull_is_one_line_with_its_size_and_the_cost_of_its_authorization() {
    let setup = Setup::new().await;
    setup.registry.token_service().inject(Fault::delay(Duration::from_millis(40)));
    setup.registry.api().inject(Fault::delay(Duration::from_millis(100)).path(&setup.blob(1)));
    let bytes = setup.pull("1").await;
    assert!(setup.log.events("image").is_empty(), "the pull may go on");
    let logged = setup.only_image().await;
    assert_fields(
        &logged,
        &json!({
            "level": "INFO",
            "image": "reg.test/team/app:1",
            "digest": setup.top(),
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
    let recent = setup.regpass.proxy.activity.images.recent();
    assert_eq!((recent.len(), recent[0].image.as_str(), recent[0].blobs), (1, "reg.test/team/app:1", 2));
    assert_eq!(setup.images().await.len(), 1, "the pull is logged once");
}

#[tokio::test(start_paused = true)]
async fn pull_by_digest_after_head_of_a_tag_is_logged_with_the_tag() {
    let setup = Setup::new().await;
    assert_eq!(setup.head("manifests/1").await.status, 200);
    for path in [format!("manifests/{}", setup.top()), setup.child(), setup.blob(0), setup.blob(1)] {
        assert_eq!(setup.get(&path).await.status, 200);
    }
    let logged = setup.only_image().await;
    let expected = json!({ "image": "reg.test/team/app:1", "digest": setup.top(), "manifests": 2, "blobs": 2 });
    assert_fields(&logged, &expected);
}

#[tokio::test(start_paused = true)]
async fn pull_by_digest_is_logged_with_the_digest() {
    let setup = Setup::new().await;
    assert_eq!(setup.get(&format!("manifests/{}", setup.top())).await.status, 200);
    assert_eq!(setup.get(&setup.child()).await.status, 200);
    let image = format!("reg.test/team/app@{}", setup.top());
    assert_fields(&setup.only_image().await, &json!({ "image": image, "digest": setup.top(), "manifests": 2 }));
}

#[tokio::test(start_paused = true)]
async fn pull_is_not_complete_while_a_request_is_in_flight() {
    let setup = Setup::new().await;
    setup.registry.api().inject(Fault::delay(Duration::from_secs(25)).path(&setup.blob(1)));
    setup.pull("1").await;
    assert!(setup.log.events("image").is_empty());
    assert_fields(&setup.only_image().await, &json!({ "ms": 25_000, "requests": 4 }));
}

#[tokio::test(start_paused = true)]
async fn successive_pulls_and_repositories_have_their_own_lines() {
    let setup = Setup::new().await;
    setup.registry.publish("team/app", "2", &setup.image);
    setup.registry.publish("team/other", "1", &Image::single("other", ImageFormat::Oci));
    for tag in ["1", "1", "2"] {
        setup.pull(tag).await;
        assert_eq!(setup.regpass.get("/v2/reg.test/team/other/manifests/1").await.status, 200);
    }
    let images = setup.images().await;
    let mut logged: Vec<_> = images.iter().map(|image| (image["image"].as_str().unwrap(), &image["blobs"])).collect();
    logged.sort_by_key(|(image, _)| *image);
    let (two, none) = (json!(2), json!(0));
    assert_eq!(
        logged,
        [
            ("reg.test/team/app:1", &two),
            ("reg.test/team/app:1", &two),
            ("reg.test/team/app:2", &two),
            ("reg.test/team/other:1", &none),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn failure_is_logged_with_step_and_blame_unless_a_retry_succeeds() {
    for retry_succeeds in [false, true] {
        let setup = Setup::new().await;
        let broken = Fault::answer(Reply::error(500, "UNKNOWN", "the disk is gone")).path(&setup.blob(1));
        let fault = setup.registry.api().inject(broken);
        for path in ["manifests/1".to_owned(), setup.child(), setup.blob(0)] {
            assert_eq!(setup.get(&path).await.status, 200);
        }
        assert_eq!(setup.get(&setup.blob(1)).await.status, 500);
        fault.remove();
        if retry_succeeds {
            assert_eq!(setup.get(&setup.blob(1)).await.status, 200);
        }
        let logged = setup.only_image().await;
        if retry_succeeds {
            assert_fields(&logged, &json!({ "outcome": "ok", "blobs": 2, "blame": Value::Null }));
        } else {
            let expected = json!({ "outcome": "failed", "blobs": 1, "step": "registry", "blame": "registry" });
            assert_fields(&logged, &expected);
            assert!(logged["error"].as_str().unwrap().contains("the disk is gone"), "{logged:#}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn head_of_a_missing_tag_is_a_failed_pull() {
    let setup = Setup::new().await;
    assert_eq!(setup.head("manifests/none").await.status, 404);
    let logged = setup.only_image().await;
    assert_fields(&logged, &json!({ "image": "reg.test/team/app:none", "direction": "pull", "outcome": "failed" }));
}

#[tokio::test(start_paused = true)]
async fn successful_head_and_tag_list_are_no_pull() {
    let setup = Setup::new().await;
    for path in ["manifests/1".to_owned(), setup.blob(0)] {
        assert_eq!(setup.head(&path).await.status, 200);
    }
    assert_eq!(setup.get("tags/list").await.status, 200);
    assert_eq!(setup.regpass.get("/v2/").await.status, 200);
    assert!(setup.images().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn broken_body_is_a_failed_pull_and_a_vanished_client_an_unfinished_one() {
    let setup = Setup::new().await;
    assert_eq!(setup.get("manifests/1").await.status, 200);
    setup.registry.api().inject(Fault::hang_before_head().path(&setup.blob(1)));
    let abandoned = tokio::time::timeout(Duration::from_secs(3), setup.get(&setup.blob(1))).await;
    assert!(abandoned.is_err());
    assert_fields(&setup.only_image().await, &json!({ "outcome": "unfinished", "blobs": 0, "blame": Value::Null }));

    let setup = Setup::new().await;
    assert_eq!(setup.get("manifests/1").await.status, 200);
    setup.registry.api().inject(Fault::close_mid_body(3).path(&setup.blob(1)));
    assert!(!setup.get(&setup.blob(1)).await.complete);
    assert_fields(&setup.only_image().await, &json!({ "outcome": "failed", "step": "transfer", "blame": "registry" }));
}

#[tokio::test(start_paused = true)]
async fn open_pull_is_logged_at_shutdown() {
    let setup = Setup::new().await;
    setup.pull("1").await;
    setup.regpass.proxy.activity.images.flush();
    assert_fields(&setup.log.events("image")[0], &json!({ "outcome": "ok", "blobs": 2 }));
    assert_eq!(setup.images().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_that_share_a_token_fetch_count_one() {
    let setup = Setup::new().await;
    assert_eq!(setup.regpass.get("/v2/reg.test/team/app/manifests/none").await.status, 404);
    setup.images().await;
    sleep(Duration::from_secs(3600)).await;
    setup.registry.token_service().inject(Fault::delay(Duration::from_millis(40)));
    let (first, second) = (setup.blob(0), setup.blob(1));
    let replies = tokio::join!(setup.get("manifests/1"), setup.get(&first), setup.get(&second));
    assert!([&replies.0, &replies.1, &replies.2].iter().all(|reply| reply.status == 200));
    let waited = |reply: &crate::harness::Reply| reply.authorization_source() == "fetched";
    assert!(waited(&replies.0) && waited(&replies.1), "both waited for the token");
    let logged = setup.images().await.pop().unwrap();
    assert_fields(&logged, &json!({ "token_fetches": 1, "requests": 3, "image": "reg.test/team/app:1" }));
    let fetched = setup.sim.ledger().count("token", |entry| entry.method == Method::GET);
    assert_eq!(fetched, 2, "one an hour before, one for the three requests");
}
