//! Errors of registries, in one shape.

use super::{TAG, TAGS, World, encoded};
use crate::sim::{self, Fault};

#[tokio::test(start_paused = true)]
async fn documents_and_errors_without_end_are_bounded() {
    let world = World::start("").await;
    let reply = world.under(Fault::giant(17 << 20), TAG).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("larger than"), "{reply:?}");
    for size in [70_000, 20 << 20] {
        let giant = sim::Reply::new(404).body("application/json", vec![b'x'; size]);
        let reply = world.under(Fault::answer(giant), TAG).await;
        assert_eq!(reply.verdict(), "404 MANIFEST_UNKNOWN");
        assert!(reply.body.len() < 2000);
    }
    let long = sim::Reply::error(400, "NAME_INVALID", &"x".repeat(50_000));
    let reply = world.under(Fault::answer(long), TAG).await;
    assert_eq!(reply.status, 400);
    let code = "C".repeat(50_000);
    let reply = world.under(Fault::answer(sim::Reply::error(400, &code, "m")), TAG).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_body_hangs_keeps_nobody_waiting_long() {
    let world = World::start("").await;
    world.registry.registry().inject(Fault::answer(sim::Reply::error(404, "NAME_UNKNOWN", "no such name")));
    world.registry.registry().inject(Fault::hang_mid_body(5));
    let began = tokio::time::Instant::now();
    let reply = world.regpass.get(TAG).await;
    assert_eq!(reply.verdict(), "404 MANIFEST_UNKNOWN");
    assert!(began.elapsed().as_secs() <= 5, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_success_that_is_not_what_was_asked_for_is_none() {
    let world = World::start("").await;
    let blob = format!("/v2/acme/app/blobs/{}", world.image.blobs[0].digest);
    for target in [TAG, TAGS, &blob] {
        for status in [201, 202, 204, 205, 206, 300] {
            let reply = world.under(Fault::answer(sim::Reply::new(status).text("part of it")), target).await;
            assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{target} {status}");
            assert!(reply.error().1.contains(&status.to_string()), "{reply:?}");
        }
    }
    let changed = Fault::alter(|_, mut reply| {
        reply.status = 203.try_into().unwrap();
        reply
    });
    assert_eq!(world.under(changed, TAG).await.body, world.manifest());
}

#[tokio::test(start_paused = true)]
async fn every_error_has_one_shape_and_keeps_its_status() {
    let world = World::start("").await;
    let json = |status: u16, text: &str| Fault::answer(sim::Reply::new(status).json(text));
    for (fault, verdict, said) in [
        (
            json(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"1"}}]}"#),
            "404 MANIFEST_UNKNOWN",
            "manifest unknown",
        ),
        (
            json(404, r#"{"errors":[{"code":"NOT_FOUND","message":"artifact not found"}]}"#),
            "404 MANIFEST_UNKNOWN",
            "artifact not found",
        ),
        (
            json(412, r#"{"errors":[{"code":"PROJECTPOLICYVIOLATION","message":"vulnerable"}]}"#),
            "412 PROJECTPOLICYVIOLATION",
            "vulnerable",
        ),
        (json(400, r#"{"errors":[{"code":"A","message":""},{"code":"B","message":"b"}]}"#), "400 A", "400"),
        (json(404, r#"{"errors":[]}"#), "404 MANIFEST_UNKNOWN", "404"),
        (json(404, r#"{"errors":null}"#), "404 MANIFEST_UNKNOWN", "404"),
        (json(400, r#"{"details":"unknown resource type"}"#), "400 UNKNOWN", "unknown resource type"),
        (json(403, r#"{"message":"secondary rate limit"}"#), "403 DENIED", "secondary rate limit"),
        (json(403, r#"{"message":7}"#), "403 DENIED", "403"),
        (json(400, "[1,2"), "400 UNKNOWN", "[1,2"),
        (Fault::text(429, "Too Many Requests (HAP429).\n"), "429 TOOMANYREQUESTS", "HAP429"),
        (Fault::text(405, "nope"), "405 UNSUPPORTED", "nope"),
        (Fault::text(500, "\u{1b}[31mred\u{7}\r\n\r\nX: y"), "500 UNAVAILABLE", "red"),
        (Fault::html(503), "503 UNAVAILABLE", "503"),
        (Fault::xml(403, "AccessDenied"), "403 DENIED", "AccessDenied"),
        (Fault::answer(sim::Reply::new(500)), "500 UNAVAILABLE", "500"),
        (Fault::answer(sim::Reply::new(418).body("text/plain", vec![0xff, 0xfe, 0x00])), "418 UNKNOWN", "418"),
        (Fault::answer(sim::Reply::new(451).text("law")), "451 UNKNOWN", "law"),
    ] {
        let reply = world.under(fault, TAG).await;
        assert_eq!(reply.verdict(), verdict);
        let (_, message) = reply.error();
        assert!(message.contains(said), "{verdict}: {message}");
        assert!(!message.contains(['\n', '\r', '\u{1b}', '\u{7}', '<']), "{verdict}: {message:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.json()["errors"][0]["detail"]["registry"], "reg.test");
    }
    let reply = world.under(json(404, r#"{"errors":[{"code":"X","message":"m","detail":{"Tag":"1"}}]}"#), TAG).await;
    assert_eq!(reply.json()["errors"][0]["detail"]["upstream"]["Tag"], "1");
}

#[tokio::test(start_paused = true)]
async fn an_encoded_error_is_read_and_a_head_gets_the_status() {
    let world = World::start("").await;
    let fault = Fault::alter(|_, _| {
        let body = encoded("gzip", br#"{"errors":[{"code":"QUOTA","message":"full"}]}"#);
        sim::Reply::new(403).body("application/json", body).header("content-encoding", "gzip")
    });
    let reply = world.under(fault, TAG).await;
    assert_eq!((reply.verdict().as_str(), reply.error().1.as_str()), ("403 QUOTA", "full"));
    assert_eq!(reply.header("content-encoding"), None);
    let reply = world.regpass.head("/v2/acme/app/manifests/none").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (404, 0));
}

#[tokio::test(start_paused = true)]
async fn when_to_come_back_and_how_much_is_left_is_told() {
    let world = World::start("").await;
    for value in ["17", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        let answer = sim::Reply::error(429, "TOOMANYREQUESTS", "slow")
            .header("retry-after", value)
            .header("ratelimit-remaining", "0;w=21600");
        let reply = world.under(Fault::answer(answer), TAG).await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, Some(value)));
        assert_eq!(reply.header("ratelimit-remaining"), Some("0;w=21600"));
    }
    assert_eq!(world.sim.ledger().take().len(), 2, "a limit is not tried against");
}
