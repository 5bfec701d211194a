//! The forms in which registries write the location of an upload.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method};

use super::{PushSetup, UPLOADS, location_of, request_with_body, with_digest};
use crate::harness::{Regpass, request};
use crate::sim::{Call, Handler, Locations, Preset, Reply, Role, Sim};

const LOCATION_FORMS: [Locations; 8] = [
    Locations::AbsoluteWithState,
    Locations::RelativeWithState,
    Locations::RelativeTrailing,
    Locations::PathRelative,
    Locations::SchemeRelative,
    Locations::Singular,
    Locations::OutsideApi,
    Locations::OtherHost,
];

#[tokio::test(start_paused = true)]
async fn an_upload_works_with_every_form_of_location() {
    for form in LOCATION_FORMS {
        let preset = Preset::distribution(crate::sim::AuthMode::Token).upload_locations(form);
        let setup = PushSetup::start(preset, "upload_hosts = [\"uploads.distribution.test\"]").await;
        let blob = b"the first part, and the second";
        let first = setup.start_upload("team/app").await;
        let second = setup.patch(&first, &blob[..15], None).await;
        setup.finish_upload(&second, &blob[15..], blob).await;
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn characters_that_a_location_should_have_escaped_are_escaped() {
    for (location, path, query) in [
        (&b"/v2/team/app/blobs/uploads/my upload?_state=a b|c&x=%2F"[..], "my%20upload", "_state=a%20b|c&x=%2F"),
        (b"/v2/team/app/blobs/uploads/\"1\"?_state=\"a\"", "%221%22", "_state=%22a%22"),
        (b"/v2/team/app/blobs/uploads/[1]|2?_state=[a]", "[1]%7C2", "_state=[a]"),
        ("/v2/team/app/blobs/uploads/\u{e9}?_state=\u{e9}".as_bytes(), "%C3%A9", "_state=%C3%A9"),
        (b"/v2/team/app/blobs/uploads/\xe9?_state=\xe9", "%E9", "_state=%E9"),
        (b"http://sloppy.test/v2/team/app/blobs/uploads/a%20b?_state=%7B a%2fb%7D", "a%20b", "_state=%7B%20a%2fb%7D"),
    ] {
        let location = HeaderValue::from_bytes(location).unwrap();
        let sloppy: Handler = Arc::new(move |call: Call| {
            let location = location.clone();
            Box::pin(async move {
                let mut reply = Reply::new(match call.entry.method.as_str() {
                    "GET" => 200,
                    "PUT" => 201,
                    _ => 202,
                });
                reply.headers.insert("location", location);
                reply
            })
        });
        let sim = Sim::memory();
        let registry = sim.serve("sloppy.test", Role::Other("sloppy"), sloppy).await;
        let (name, url) = (registry.authority(), registry.origin());
        let table = format!("[registry.\"{name}\"]\nurl = \"{url}\"\nallow = [\"push\"]");
        let regpass = Regpass::start(&sim, &format!("default_registry = \"{name}\"\n{table}"));
        let started = regpass.send(request(Method::POST, UPLOADS)).await;
        assert_eq!(started.status, 202, "{started:?}");
        let put = request_with_body(Method::PUT, &with_digest(&location_of(&started), b"x"), Bytes::new());
        assert_eq!(regpass.send(put).await.status, 201, "{path}");
        let put = sim.ledger().take().pop().unwrap();
        assert_eq!(put.path, format!("/v2/team/app/blobs/uploads/{path}"));
        assert!(put.query.starts_with(&format!("{query}&digest=")), "{}", put.query);
        sim.finish();
    }
}
