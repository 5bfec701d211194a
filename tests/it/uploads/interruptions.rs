//! Uploads that the client or the registry interrupts: the client never gets a success, and no connection stays open.

use std::time::Duration;

use http::Method;
use tokio::time::{Instant, timeout};

use super::clients::{RawConnection, StreamedRequest};
use super::{PushSetup, UPLOADS, body_target, random_bytes, request_with_body, token_registry, with_digest};
use crate::harness::{Reply as HttpReply, with_header};
use crate::log::Log;
use crate::sim::{Fault, MonolithicPost, Reply};

/// The methods by which a client sends a body to an upload.
const METHODS: [Method; 2] = [Method::PATCH, Method::PUT];

/// The data of a blob that no test sends completely.
const BLOB: &[u8] = b"never complete";

/// Starts an upload, and returns the target to which a client sends its body by this method.
async fn upload_for(method: &Method) -> (PushSetup, String) {
    let (setup, target) = PushSetup::with_upload().await;
    let target = body_target(method, &target, BLOB);
    (setup, target)
}

/// Asserts that no blob was created, and that regpass closed its connection to the registry after so many bytes.
fn assert_dropped(setup: &PushSetup, arrived: u64) {
    setup.assert_no_blob();
    let last = setup.sim.ledger().entries().pop().unwrap();
    assert!(!last.body_complete && last.body_len == arrived, "{last:?}: {} bytes", last.body_len);
}

/// Starts a request whose first 1000 bytes the registry gets, and returns the response, which has to come within 20 s.
async fn response_to_unfinished_body(setup: &PushSetup, method: &Method, target: &str) -> HttpReply {
    let streamed = StreamedRequest::start(&setup.regpass, request_with_body(method.clone(), target, "")).await;
    streamed.send_piece(random_bytes(1000));
    let response = timeout(Duration::from_secs(20), streamed.response_before_end()).await;
    response.expect("the response does not wait for the rest of the body")
}

#[tokio::test(start_paused = true)]
async fn a_client_disconnect_closes_the_connection_to_the_registry() {
    for chunked in [true, false] {
        for method in METHODS {
            let log = Log::capture();
            let (setup, target) = upload_for(&method).await;
            let mut request = request_with_body(method, &target, "");
            if !chunked {
                request = with_header(request, "content-length", "1000000");
            }
            let streamed = StreamedRequest::start(&setup.regpass, request).await;
            streamed.send_piece(random_bytes(100_000));
            setup.sim.ledger().wait_until(|entries| entries.last().unwrap().body_len == 100_000).await;
            streamed.disconnect().await;
            assert_dropped(&setup, 100_000);
            assert_eq!(setup.registry.open_upload_sizes(), [100_000], "the registry keeps the bytes it received");
            let logged = log.lines("the client stopped sending the body before its end");
            assert_eq!(logged.len(), 1, "{}", log.text());
            assert!(logged[0].contains("blame=client") && logged[0].contains("sent=100000"), "{logged:?}");
            // The next upload works.
            setup.registry.store().write("team/app", |_| ());
            let target = setup.start_upload("team/app").await;
            setup.finish_upload(&target, "fine", b"fine").await;
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_shorter_than_its_content_length_is_a_400() {
    for method in METHODS {
        let (setup, target) = upload_for(&method).await;
        let head = [&*format!("{method} {target} HTTP/1.1"), "Content-Length: 100"];
        let mut connection = RawConnection::open_with_head(&setup.regpass, &head).await;
        connection.write("too little").await;
        let reply = connection.shutdown_and_read().await;
        assert!(reply.is_none_or(|reply| reply.status_and_code() == "400 BLOB_UPLOAD_INVALID"), "never a success");
        assert_dropped(&setup, 10);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_gets_a_408_after_the_idle_timeout() {
    for method in METHODS {
        let log = Log::capture();
        let (setup, target) = upload_for(&method).await;
        let streamed = StreamedRequest::start(&setup.regpass, request_with_body(method, &target, "")).await;
        streamed.send_piece(random_bytes(1000));
        let started = Instant::now();
        let reply = streamed.response_before_end().await;
        assert_eq!(reply.status_and_code(), "408 BLOB_UPLOAD_INVALID");
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "client");
        assert_eq!(started.elapsed().as_secs(), 30, "the idle timeout of bodies");
        assert_dropped(&setup, 1000);
        let requests = log.events("request");
        let blamed = requests.iter().filter(|line| line["blame"] == "client").count();
        assert_eq!(blamed, 1, "{}", log.text());
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_closes_the_connection_during_the_body_is_a_502() {
    for after in [0, 1, 50_000] {
        for method in METHODS {
            let (setup, target) = upload_for(&method).await;
            setup.registry.api().inject(Fault::cut_upload(after).times(1));
            let before = setup.sim.ledger().lines().len();
            let reply = setup.send(method.clone(), &target, random_bytes(100_000)).await;
            assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{method} after {after}");
            assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "registry");
            assert_eq!(
                setup.sim.ledger().lines().len(),
                before + 1,
                "regpass does not retry a body that may have been processed"
            );
            assert_dropped(&setup, after);
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_registry_connection_is_a_502_while_the_client_sends_nothing() {
    let (setup, target) = PushSetup::with_upload().await;
    setup.registry.api().inject(Fault::cut_upload(10).times(1));
    let streamed = StreamedRequest::start(&setup.regpass, request_with_body(Method::PATCH, &target, "")).await;
    streamed.send_piece("ten bytes.");
    let started = Instant::now();
    let reply = streamed.response_before_end().await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_stops_reading_is_a_504_after_30_s() {
    for method in METHODS {
        let (setup, target) = upload_for(&method).await;
        setup.registry.api().inject(Fault::stall_upload(70_000).times(1));
        let started = Instant::now();
        let reply = setup.send(method, &target, random_bytes(1_000_000)).await;
        assert_eq!(reply.status_and_code(), "504 UNAVAILABLE");
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "registry");
        assert_eq!(started.elapsed().as_secs(), 30);
        assert_dropped(&setup, 70_000);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_before_the_body_is_complete_is_a_502() {
    for (method, status) in [(Method::PATCH, 202), (Method::PUT, 201)] {
        let (setup, target) = upload_for(&method).await;
        let early = Reply::new(status).header("location", format!("{UPLOADS}upload-1"));
        setup.registry.api().inject(Fault::answer_mid_upload(1000, early).times(1));
        let reply = response_to_unfinished_body(&setup, &method, &target).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{method}");
        assert!(reply.error().1.contains("before it received the whole body"), "{reply:?}");
        setup.sim.finish();
    }
    // The registry answers an unfinished `POST ?digest=` with a 201, which would say that it has the blob.
    let setup =
        PushSetup::start(token_registry().with_push_rules(|push| push.monolithic_post = MonolithicPost::Accepted), "")
            .await;
    setup.warm().await;
    let early = Reply::new(201).header("location", "/v2/team/app/blobs/x");
    setup.registry.api().inject(Fault::answer_mid_upload(1000, early).times(1));
    let reply = response_to_unfinished_body(&setup, &Method::POST, &with_digest(UPLOADS, BLOB)).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_error_during_the_body_reaches_a_client_that_is_still_sending() {
    let (setup, target) = PushSetup::with_upload().await;
    let rejection = Reply::error(413, "SIZE_INVALID", "no blob may be that large");
    setup.registry.api().inject(Fault::answer_mid_upload(1000, rejection).times(1));
    let reply = response_to_unfinished_body(&setup, &Method::PATCH, &target).await;
    assert_eq!(reply.status_and_code(), "413 SIZE_INVALID");
    assert!(reply.error().1.contains("no blob may be that large"));
    setup.sim.finish();
}
