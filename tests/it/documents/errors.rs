//! Errors of registries: every form becomes an error document of the distribution specification.

use super::{Setup, TAG, TAGS, encoded};
use crate::sim::{self, Fault};

#[tokio::test(start_paused = true)]
async fn size_of_documents_and_errors_is_limited() {
    let setup = Setup::start("").await;
    let reply = setup.get_with_fault(Fault::oversized(17 << 20), TAG).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("larger than"), "{reply:?}");
    for size in [70_000, 20 << 20] {
        let giant = sim::Reply::new(404).body("application/json", vec![b'x'; size]);
        let reply = setup.get_with_fault(Fault::answer(giant), TAG).await;
        assert_eq!(reply.status_and_code(), "404 MANIFEST_UNKNOWN");
        assert!(reply.body.len() < 2000);
    }
    let long = sim::Reply::error(400, "NAME_INVALID", &"x".repeat(50_000));
    let reply = setup.get_with_fault(Fault::answer(long), TAG).await;
    assert_eq!(reply.status, 400);
    let code = "C".repeat(50_000);
    let reply = setup.get_with_fault(Fault::answer(sim::Reply::error(400, &code, "m")), TAG).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test(start_paused = true)]
async fn hanging_error_body_is_abandoned_after_five_seconds() {
    let setup = Setup::start("").await;
    setup.registry.api().inject(Fault::answer(sim::Reply::error(404, "NAME_UNKNOWN", "no such name")));
    setup.registry.api().inject(Fault::hang_mid_body(5));
    let started = tokio::time::Instant::now();
    let reply = setup.regpass.get(TAG).await;
    assert_eq!(reply.status_and_code(), "404 MANIFEST_UNKNOWN");
    assert!(started.elapsed().as_secs() <= 5, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn unexpected_success_status_is_502() {
    let setup = Setup::start("").await;
    let blob = format!("/v2/acme/app/blobs/{}", setup.image.blobs[0].digest);
    for target in [TAG, TAGS, &blob] {
        for status in [201, 202, 204, 205, 206, 300] {
            let reply = setup.get_with_fault(Fault::answer(sim::Reply::new(status).text("part of it")), target).await;
            assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{target} {status}");
            assert!(reply.error().1.contains(&status.to_string()), "{reply:?}");
        }
    }
    let changed = Fault::alter(|_, mut reply| {
        reply.status = 203.try_into().unwrap();
        reply
    });
    assert_eq!(setup.get_with_fault(changed, TAG).await.body, setup.manifest());
}

#[tokio::test(start_paused = true)]
async fn every_error_keeps_its_status_in_one_format() {
    let setup = Setup::start("").await;
    let json = |status: u16, text: &str| Fault::answer(sim::Reply::new(status).json(text));
    for (fault, verdict, text) in [
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
        let reply = setup.get_with_fault(fault, TAG).await;
        assert_eq!(reply.status_and_code(), verdict);
        let (_, message) = reply.error();
        assert!(message.contains(text), "{verdict}: {message}");
        assert!(!message.contains(['\n', '\r', '\u{1b}', '\u{7}', '<']), "{verdict}: {message:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.json()["errors"][0]["detail"]["registry"], "reg.test");
    }
    let reply =
        setup.get_with_fault(json(404, r#"{"errors":[{"code":"X","message":"m","detail":{"Tag":"1"}}]}"#), TAG).await;
    assert_eq!(reply.json()["errors"][0]["detail"]["upstream"]["Tag"], "1");
}

#[tokio::test(start_paused = true)]
async fn encoded_error_is_decoded_and_head_gets_its_status() {
    let setup = Setup::start("").await;
    let fault = Fault::alter(|_, _| {
        let body = encoded("gzip", br#"{"errors":[{"code":"QUOTA","message":"full"}]}"#);
        sim::Reply::new(403).body("application/json", body).header("content-encoding", "gzip")
    });
    let reply = setup.get_with_fault(fault, TAG).await;
    assert_eq!((reply.status_and_code().as_str(), reply.error().1.as_str()), ("403 QUOTA", "full"));
    assert_eq!(reply.header("content-encoding"), None);
    let reply = setup.regpass.head("/v2/acme/app/manifests/none").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (404, 0));
}

#[tokio::test(start_paused = true)]
async fn retry_after_and_rate_limit_are_forwarded() {
    let setup = Setup::start("").await;
    for value in ["17", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        let limited = sim::Reply::error(429, "TOOMANYREQUESTS", "slow")
            .header("retry-after", value)
            .header("ratelimit-remaining", "0;w=21600");
        let reply = setup.get_with_fault(Fault::answer(limited), TAG).await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, Some(value)));
        assert_eq!(reply.header("ratelimit-remaining"), Some("0;w=21600"));
    }
    assert_eq!(setup.sim.ledger().take().len(), 2, "a 429 is not retried");
}
