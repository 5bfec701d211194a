//! A whole upload with every form of session URL, and the replies to requests with a changed session URL.

use crate::sim::{Fault, Locations, Preset, Rule, sha256};
use crate::simulator_self_tests::{NAME, STREAM, TestBench, UPLOADS, resolve, status_and_code, with_digest};

const FORMS: [(Locations, &str); 8] = [
    (Locations::AbsoluteWithState, "http://generic.test/v2/acme/app/web/blobs/uploads/upload-1?odd=a%20b%26&_state="),
    (Locations::RelativeWithState, "/v2/acme/app/web/blobs/uploads/upload-1?odd=a%20b%26&_state="),
    (Locations::RelativeTrailing, "/v2/acme/app/web/blobs/uploads/upload-1?odd=a%20b%26&_state="),
    (Locations::PathRelative, "../uploads/upload-1?odd=a%20b%26&_state="),
    (Locations::SchemeRelative, "//generic.test/v2/acme/app/web/blobs/uploads/upload-1?odd=a%20b%26&_state="),
    (Locations::Singular, "/v2/acme/app/web/blobs/upload/upload-1?odd=a%20b%26"),
    (Locations::OutsideApi, "/artifacts-uploads/namespaces/acme/repositories/app/uploads/upload-1?odd=a%20b%26"),
    (
        Locations::OtherHost,
        "http://uploads.generic.test/v2/acme/app/web/blobs/uploads/upload-1?odd=a%20b%26&signature=",
    ),
];

async fn bench(locations: Locations) -> TestBench {
    TestBench::open(
        Preset::generic()
            .upload_locations(locations)
            .with_push_rules(|push| push.location_parameters = &[("odd", "a b&")]),
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn upload_completes_with_every_form_of_location() {
    for (form, begins) in FORMS {
        let bench = bench(form).await;
        let reply = bench.send("POST", UPLOADS, &[], b"").await;
        assert!(reply.header("location").unwrap().starts_with(begins), "{form:?}: {reply:?}");
        assert_eq!(reply.header("location").unwrap().ends_with('&'), form == Locations::RelativeTrailing);
        assert_eq!((reply.header("range"), reply.header("docker-upload-uuid")), (Some("0-0"), Some("upload-1")));
        let mut session = resolve(UPLOADS, &reply);
        let steps = [
            ("PATCH", STREAM, "one ", 202, "0-3"),
            ("GET", STREAM, "", 204, "0-3"),
            ("PATCH", "content-range: 4-7", "two ", 202, "0-7"),
            ("PATCH", "content-range: 4-7", "two ", 416, "0-7"),
        ];
        for (method, line, body, status, range) in steps {
            let reply = bench.send(method, &session, &[line], body.as_bytes()).await;
            assert_eq!((reply.status.as_u16(), reply.header("range")), (status, Some(range)), "{form:?}: {reply:?}");
            session = resolve(&session, &reply);
        }
        let digest = sha256(b"one two three");
        let reply = bench.send("PUT", &with_digest(&session, &digest), &[STREAM], b"three").await;
        assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (201, Some(&*digest)), "{form:?}");
        let path = format!("/v2/{NAME}/blobs/{digest}");
        let absolute = matches!(form, Locations::AbsoluteWithState | Locations::OtherHost);
        let location = if absolute { format!("http://generic.test{path}") } else { path };
        assert_eq!(reply.header("location"), Some(&*location), "{form:?}");
        assert_eq!(bench.stored_blob(&digest).as_deref(), Some(&b"one two three"[..]));
        assert_eq!(status_and_code(&bench.send("GET", &session, &[], b"").await), "404 BLOB_UPLOAD_UNKNOWN");
        bench.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn changed_session_query_is_rejected() {
    for (form, _) in FORMS {
        let bench = bench(form).await;
        let session = bench.open_session().await;
        let bare = session.split('?').next().unwrap();
        let changed = [
            bare.to_owned(),
            session.replace("odd=a%20b%26", "odd=a"),
            session.replace("odd=a%20b%26", "even=1"),
            format!("{session}&more=1"),
            session.replace('?', "?digest=sha256:0&"),
            session.replace("_state=", "_state=x"),
            session.replace("%3D", "%253D"),
        ];
        for changed in changed.iter().filter(|changed| **changed != session) {
            let reply = bench.send("PUT", &with_digest(changed, &sha256(b"")), &[], b"").await;
            assert_eq!(status_and_code(&reply), "400 BLOB_UPLOAD_INVALID", "{form:?} {changed}");
            assert_eq!(
                status_and_code(&bench.send("PATCH", changed, &[], b"x").await),
                "400 BLOB_UPLOAD_INVALID",
                "{changed}"
            );
        }
        assert_eq!(bench.registry.open_upload_sizes(), [0]);
    }
}

#[tokio::test(start_paused = true)]
async fn session_is_found_only_under_its_own_url() {
    for (form, _) in FORMS {
        let bench = bench(form).await;
        let session = bench.open_session().await;
        let query = session.split_once('?').unwrap().1;
        let addresses = [
            "http://generic.test/v2/acme/app/web/blobs/uploads/upload-1",
            "http://generic.test/v2/acme/app/web/blobs/upload/upload-1",
            "http://generic.test/artifacts-uploads/namespaces/acme/repositories/app/uploads/upload-1",
            "http://generic.test/artifacts-uploads/namespaces/acme/repositories/other/uploads/upload-1",
            "http://uploads.generic.test/v2/acme/app/web/blobs/uploads/upload-1",
            "http://generic.test/v2/acme/app/blobs/uploads/upload-1",
            "http://generic.test/v2/acme/app/web/blobs/uploads/upload-2",
        ];
        let mut found = 0;
        for address in addresses {
            let reply = bench.send("GET", &format!("{address}?{query}"), &[], b"").await;
            found += usize::from(reply.status == 204);
            assert!(reply.status == 204 || status_and_code(&reply) == "404 BLOB_UPLOAD_UNKNOWN", "{form:?} {address}");
        }
        assert_eq!(found, 1, "{form:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn state_of_an_older_location_is_rejected_for_writes() {
    let bench = bench(Locations::RelativeWithState).await;
    let first = bench.open_session().await;
    let second = resolve(&first, &bench.send("PATCH", &first, &[], b"one").await);
    for (method, expected) in [("PATCH", "400 BLOB_UPLOAD_INVALID"), ("PUT", "400 BLOB_UPLOAD_INVALID"), ("GET", "204")]
    {
        assert_eq!(
            status_and_code(&bench.send(method, &first, &[], b"").await),
            expected,
            "{method} with an older location"
        );
    }
    let reply = bench.send("PUT", &with_digest(&second, &sha256(b"one")), &[], b"").await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn credential_at_the_upload_host_breaks_a_rule() {
    for line in ["authorization: Bearer abc", "authorization: Basic YTpi", "cookie: a=b"] {
        let bench = bench(Locations::OtherHost).await;
        bench.sim.allow(Rule::UnknownBearer);
        bench.sim.allow(Rule::ForwardedHeader);
        let session = bench.open_session().await;
        let reply = bench.send("PATCH", &session, &[line], b"abc").await;
        assert_eq!(reply.status.as_u16(), if line.starts_with("cookie") { 202 } else { 400 }, "{line}");
        let broken = bench.sim.take_violations();
        assert!(broken.len() == 1 && broken[0].starts_with("CredentialAtUploadHost: uploads PATCH"), "{broken:?}");
    }
    let bench = bench(Locations::OtherHost).await;
    let uploads = bench.registry.upload_host();
    uploads.inject(Fault::text(503, "busy").times(1));
    assert_eq!(bench.send("GET", &format!("{}/", uploads.origin()), &[], b"").await.status, 503);
    assert_eq!(bench.send("GET", "http://uploads.generic.test/v2/", &[], b"").await.status, 404);
    assert!(bench.sim.take_violations()[0].starts_with("UnknownPath"));
}
