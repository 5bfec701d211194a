//! `upload_hosts`: blobs go to the registry's own origin and to listed hosts only.

use http::header::LOCATION;
use http::{HeaderValue, Method};

use super::{PushSetup, UPLOADS, received_bodies, request_with_body, token_registry, with_digest};
use crate::harness::Regpass;
use crate::sim::{AuthMode, Fault, Locations, Preset, Registry, sha256};

const BLOB: &[u8] = b"the first part, and the second";
const LISTED: &str = "upload_hosts = [\"http://uploads.distribution.test\"]";

/// Makes the registry name this origin instead of its own in the locations of uploads.
fn send_uploads_to(registry: &Registry, origin: &'static str) {
    let own = registry.origin();
    registry.api().inject(Fault::alter(move |_, reply| {
        let location = reply.headers.get("location").map(|value| value.to_str().unwrap().replace(&own, origin));
        location.map_or(reply.clone(), |location| reply.header("location", location))
    }));
}

#[tokio::test(start_paused = true)]
async fn an_unlisted_host_is_not_dialled_and_the_502_names_it() {
    for more in ["", "upload_hosts = [\"http://other.test\"]"] {
        let setup = PushSetup::start(token_registry().upload_locations(Locations::OtherHost), more).await;
        let reply = setup.send(Method::POST, UPLOADS, "").await;
        assert_eq!(reply.status_and_code(), "502 BLOB_UPLOAD_INVALID");
        let message = reply.error().1;
        let named = "add \"uploads.distribution.test\" to `upload_hosts` in [registry.\"distribution.test\"]";
        assert!(message.contains(named), "{message}");
        assert_eq!(reply.header("location"), None);
        assert!(setup.sim.network().dials().iter().all(|dial| !dial.starts_with("uploads.")), "the host was dialled");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_listed_host_receives_the_body_without_a_credential() {
    let setup = PushSetup::start(token_registry().upload_locations(Locations::OtherHost), LISTED).await;
    let target = setup.start_upload("team/app").await;
    setup.clear_ledger();
    let target = setup.patch(&target, &BLOB[..15], None).await;
    setup.finish_upload(&target, &BLOB[15..], BLOB).await;
    let digest = sha256(BLOB);
    setup.expect(&[
        "uploads PATCH /v2/team/app/blobs/uploads/upload-1?signature=…&_state=… anonymous 202",
        &format!("uploads PUT /v2/team/app/blobs/uploads/upload-1?signature=…&_state=…&digest={digest} anonymous 201"),
    ]);
    // Requests for the status and the cancellation of an upload go to the listed host, too.
    let target = setup.start_upload("team/app").await;
    setup.clear_ledger();
    assert_eq!(setup.send(Method::GET, &target, "").await.status, 204);
    assert_eq!(setup.send(Method::DELETE, &target, "").await.status, 204);
    assert_eq!(setup.sim.ledger().count("uploads", |_| true), 2, "{:?}", setup.sim.ledger().lines());
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_post_with_the_whole_blob_continues_at_a_listed_host() {
    let setup = PushSetup::start(token_registry().upload_locations(Locations::OtherHost), LISTED).await;
    setup.warm().await;
    let reply = setup.send(Method::POST, &with_digest(UPLOADS, BLOB), BLOB).await;
    setup.assert_created(&reply, BLOB);
    let lines = setup.sim.ledger().lines();
    assert!(lines.len() == 2 && lines[1].starts_with("uploads PUT") && lines[1].contains(" anonymous "), "{lines:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn removing_a_host_from_the_list_makes_its_uploads_a_502() {
    let key = "upload_key = \"the key of all replicas\"";
    let setup = PushSetup::start_with(key, token_registry().upload_locations(Locations::OtherHost), LISTED).await;
    let target = setup.start_upload("team/app").await;
    let narrower = Regpass::start(&setup.sim, &PushSetup::config_text(key, &setup.registry, ""));
    setup.clear_ledger();
    for method in [Method::PATCH, Method::GET, Method::DELETE] {
        let reply = narrower.send(request_with_body(method, &target, BLOB)).await;
        assert_eq!(reply.status_and_code(), "502 BLOB_UPLOAD_INVALID");
        assert!(reply.error().1.contains("`upload_hosts`"), "{reply:?}");
    }
    setup.expect(&[]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_location_with_the_registrys_host_and_another_scheme_or_port_goes_to_its_origin() {
    for origin in [
        "https://distribution.test",
        "http://distribution.test:80",
        "https://distribution.test:443",
        "https://distribution.test:80",
    ] {
        let setup = PushSetup::start(token_registry(), "").await;
        send_uploads_to(&setup.registry, origin);
        let target = setup.start_upload("team/app").await;
        setup.clear_ledger();
        let target = setup.patch(&target, &BLOB[..15], None).await;
        setup.finish_upload(&target, &BLOB[15..], BLOB).await;
        assert_eq!(received_bodies(&setup.sim).len(), 2, "{origin}");
        assert!(setup.sim.network().dials().iter().all(|dial| dial.ends_with(".test:80")), "{origin}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_only_resembles_the_registrys_is_a_502() {
    for (origin, named) in [
        ("http://distribution.test:8080", "distribution.test:8080"),
        ("http://distribution.test.evil.example", "distribution.test.evil.example"),
        ("http://sub.distribution.test", "sub.distribution.test"),
        ("http://169.254.169.254", "169.254.169.254"),
        ("http://localhost:5050", "localhost:5050"),
    ] {
        let setup = PushSetup::start(token_registry(), "").await;
        send_uploads_to(&setup.registry, origin);
        let reply = setup.send(Method::POST, UPLOADS, "").await;
        assert_eq!(reply.status_and_code(), "502 BLOB_UPLOAD_INVALID", "{origin}");
        assert!(reply.error().1.contains(&format!("\"{named}\"")), "{reply:?}");
        assert!(setup.sim.network().dials().iter().all(|dial| dial.contains("distribution.test:80")), "{origin}");
        setup.sim.finish();
    }
    for invalid in ["ftp://distribution.test", "http://", "http://a b"] {
        let setup = PushSetup::start(Preset::distribution(AuthMode::Token), "").await;
        send_uploads_to(&setup.registry, invalid);
        assert_eq!(
            setup.send(Method::POST, UPLOADS, "").await.status_and_code(),
            "502 BLOB_UPLOAD_INVALID",
            "{invalid}"
        );
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_with_an_invalid_location_is_a_502() {
    let long = HeaderValue::try_from(format!("/x/{}", "a".repeat(16 * 1024))).unwrap();
    for (location, reason) in [
        (HeaderValue::from_static(""), "without a Location"),
        (HeaderValue::from_static("http://a b/x"), "not a valid URL"),
        (HeaderValue::from_static("http://alice:pw@distribution.test/x"), "user information"),
        (long, "longer than 16384 bytes"),
    ] {
        let setup = PushSetup::start(token_registry(), "").await;
        setup.registry.api().inject(Fault::alter(move |_, mut reply| {
            if reply.headers.contains_key(LOCATION) {
                reply.headers.insert(LOCATION, location.clone());
            }
            reply
        }));
        let reply = setup.send(Method::POST, UPLOADS, "").await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (502, None), "{reason}");
        assert!(reply.error().1.contains(reason), "{reply:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_for_an_upload_request_is_not_followed() {
    let other = Preset::distribution(AuthMode::Open).named("other");
    let config = |registry: &Registry, _: &Registry| PushSetup::config_text("", registry, "");
    let (setup, other) = PushSetup::start_beside(token_registry(), other, config).await;
    let target = setup.start_upload("team/app").await;
    let redirect = format!("{}/v2/team/app/blobs/uploads/x", other.origin());
    setup.registry.api().inject(Fault::redirect(307, &redirect));
    setup.clear_ledger();
    for method in [Method::PATCH, Method::GET, Method::DELETE] {
        let reply = setup.send(method, &target, BLOB).await;
        assert_eq!((reply.status_and_code(), reply.header("location")), ("502 UNAVAILABLE".to_owned(), None));
    }
    assert_eq!(setup.sim.ledger().count("registry", |_| true), 3);
    assert_eq!(setup.sim.ledger().count("other.registry", |_| true), 0);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_listed_host_is_a_502_that_names_it() {
    let setup = PushSetup::start(token_registry(), "upload_hosts = [\"http://away.test\"]").await;
    send_uploads_to(&setup.registry, "http://away.test");
    let target = setup.start_upload("team/app").await;
    setup.clear_ledger();
    let reply = setup.send(Method::PATCH, &target, BLOB).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    assert!(
        reply.error().1.starts_with("the upload host http://away.test of distribution.test cannot be reached"),
        "{reply:?}"
    );
    setup.expect(&[]);
    setup.sim.finish();
}
