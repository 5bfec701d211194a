//! Blobs go to the registry's own origin, or to hosts that the operator listed.

use http::header::LOCATION;
use http::{HeaderValue, Method};

use super::{Stage, UPLOADS, and, bodies, carrying, plain};
use crate::harness::Regpass;
use crate::sim::{Fault, Locations, Mode, Preset, Registry, Sim, sha256};

const BLOB: &[u8] = b"the first part, and the second";
const LISTED: &str = "upload_hosts = [\"http://uploads.distribution.test\"]";

/// Makes the registry send uploads there: its own locations, with another origin.
fn send_uploads_to(registry: &Registry, origin: &'static str) {
    let own = registry.origin();
    registry.registry().inject(Fault::alter(move |_, reply| {
        let there = reply.headers.get("location").map(|value| value.to_str().unwrap().replace(&own, origin));
        there.map_or(reply.clone(), |there| reply.header("location", there))
    }));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_listed_gets_nothing_and_is_named() {
    for more in ["", "upload_hosts = [\"http://other.test\"]"] {
        let stage = Stage::set(plain().locations(Locations::OtherHost), more).await;
        let reply = stage.send(Method::POST, UPLOADS, "").await;
        assert_eq!(reply.verdict(), "502 BLOB_UPLOAD_INVALID");
        let message = reply.error().1;
        let named = "add \"uploads.distribution.test\" to 'upload_hosts' of [registry.\"distribution.test\"]";
        assert!(message.contains(named), "{message}");
        assert_eq!(reply.header("location"), None);
        assert!(stage.sim.network().dials().iter().all(|dial| !dial.starts_with("uploads.")), "nobody went there");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_listed_host_gets_the_body_and_no_credential() {
    let stage = Stage::set(plain().locations(Locations::OtherHost), LISTED).await;
    let target = stage.begin("team/app").await;
    stage.forget();
    let target = stage.patch(&target, &BLOB[..15], None).await;
    stage.finish(&target, &BLOB[15..], BLOB).await;
    let digest = sha256(BLOB);
    stage.expect(&[
        "uploads PATCH /v2/team/app/blobs/uploads/upload-1?signature=…&_state=… anonymous 202",
        &format!("uploads PUT /v2/team/app/blobs/uploads/upload-1?signature=…&_state=…&digest={digest} anonymous 201"),
    ]);
    // A status and a cancellation go there, too.
    let target = stage.begin("team/app").await;
    stage.forget();
    assert_eq!(stage.send(Method::GET, &target, "").await.status, 204);
    assert_eq!(stage.send(Method::DELETE, &target, "").await.status, 204);
    assert_eq!(stage.sim.ledger().count("uploads", |_| true), 2, "{:?}", stage.sim.ledger().lines());
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_whole_blob_goes_to_a_listed_host_in_the_same_request() {
    let stage = Stage::set(plain().locations(Locations::OtherHost), LISTED).await;
    stage.warm().await;
    let reply = stage.send(Method::POST, &and(UPLOADS, &format!("digest={}", sha256(BLOB))), BLOB).await;
    stage.assert_created(&reply, BLOB);
    let lines = stage.sim.ledger().lines();
    assert!(lines.len() == 2 && lines[1].starts_with("uploads PUT") && lines[1].contains(" anonymous "), "{lines:?}");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_taken_from_the_list_ends_its_uploads() {
    let key = "upload_key = \"the key of all replicas\"";
    let stage = Stage::set_with(key, plain().locations(Locations::OtherHost), LISTED).await;
    let target = stage.begin("team/app").await;
    let narrower = Regpass::start(&stage.sim, &Stage::text(key, &stage.registry, ""));
    stage.forget();
    for method in [Method::PATCH, Method::GET, Method::DELETE] {
        let reply = narrower.send(carrying(method, &target, BLOB)).await;
        assert_eq!(reply.verdict(), "502 BLOB_UPLOAD_INVALID");
        assert!(reply.error().1.contains("'upload_hosts'"), "{reply:?}");
    }
    stage.expect(&[]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_registrys_own_name_means_its_own_origin() {
    for origin in [
        "https://distribution.test",
        "http://distribution.test:80",
        "https://distribution.test:443",
        "https://distribution.test:80",
    ] {
        let stage = Stage::set(plain(), "").await;
        send_uploads_to(&stage.registry, origin);
        let target = stage.begin("team/app").await;
        stage.forget();
        let target = stage.patch(&target, &BLOB[..15], None).await;
        stage.finish(&target, &BLOB[15..], BLOB).await;
        assert_eq!(bodies(&stage.sim).len(), 2, "{origin}");
        assert!(stage.sim.network().dials().iter().all(|dial| dial.ends_with(".test:80")), "{origin}");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn other_origins_however_near_are_others() {
    for (origin, named) in [
        ("http://distribution.test:8080", "distribution.test:8080"),
        ("http://distribution.test.evil.example", "distribution.test.evil.example"),
        ("http://sub.distribution.test", "sub.distribution.test"),
        ("http://169.254.169.254", "169.254.169.254"),
        ("http://localhost:5050", "localhost:5050"),
    ] {
        let stage = Stage::set(plain(), "").await;
        send_uploads_to(&stage.registry, origin);
        let reply = stage.send(Method::POST, UPLOADS, "").await;
        assert_eq!(reply.verdict(), "502 BLOB_UPLOAD_INVALID", "{origin}");
        assert!(reply.error().1.contains(&format!("\"{named}\"")), "{reply:?}");
        assert!(stage.sim.network().dials().iter().all(|dial| dial.contains("distribution.test:80")), "{origin}");
        stage.sim.finish();
    }
    for nonsense in ["ftp://distribution.test", "http://", "http://a b"] {
        let stage = Stage::set(Preset::distribution(Mode::Token), "").await;
        send_uploads_to(&stage.registry, nonsense);
        assert_eq!(stage.send(Method::POST, UPLOADS, "").await.verdict(), "502 BLOB_UPLOAD_INVALID", "{nonsense}");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_location_that_cannot_be_gone_to_starts_nothing() {
    let long = HeaderValue::try_from(format!("/x/{}", "a".repeat(16 * 1024))).unwrap();
    for (location, why) in [
        (HeaderValue::from_static(""), "without saying where it goes on"),
        (HeaderValue::from_static("/x y"), "no URL"),
        (HeaderValue::from_static("http://alice:pw@distribution.test/x"), "user information"),
        (HeaderValue::from_bytes(b"/v2/\xff\xfe").unwrap(), "no text"),
        (long, "longer than 16384 bytes"),
    ] {
        let stage = Stage::set(plain(), "").await;
        stage.registry.registry().inject(Fault::alter(move |_, mut reply| {
            if reply.headers.contains_key(LOCATION) {
                reply.headers.insert(LOCATION, location.clone());
            }
            reply
        }));
        let reply = stage.send(Method::POST, UPLOADS, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (502, None), "{why}");
        assert!(reply.error().1.contains(why), "{reply:?}");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_redirects_is_not_followed() {
    let sim = Sim::memory();
    let registry = sim.start(plain()).await;
    let stranger = sim.start(Preset::distribution(Mode::Open).named("stranger")).await;
    registry.user("alice", "alices password");
    let stage = Stage { regpass: Regpass::start(&sim, &Stage::text("", &registry, "")), sim, registry };
    let target = stage.begin("team/app").await;
    let there = format!("{}/v2/team/app/blobs/uploads/x", stranger.origin());
    stage.registry.registry().inject(Fault::redirect(307, &there));
    stage.forget();
    for method in [Method::PATCH, Method::GET, Method::DELETE] {
        let reply = stage.send(method, &target, BLOB).await;
        assert_eq!((reply.verdict(), reply.header("location")), ("502 UNAVAILABLE".to_owned(), None));
    }
    assert_eq!(stage.sim.ledger().count("registry", |_| true), 3);
    assert_eq!(stage.sim.ledger().count("stranger.registry", |_| true), 0);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_listed_host_that_is_away_is_named() {
    let stage = Stage::set(plain(), "upload_hosts = [\"http://away.test\"]").await;
    send_uploads_to(&stage.registry, "http://away.test");
    let target = stage.begin("team/app").await;
    stage.forget();
    let reply = stage.send(Method::PATCH, &target, BLOB).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(reply.error().1.starts_with("http://away.test, where distribution.test takes uploads,"), "{reply:?}");
    stage.expect(&[]);
    stage.sim.finish();
}
