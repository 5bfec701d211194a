//! `Expect: 100-continue` from the client to the registry: a client that waits gets the 100 when the registry sends
//! one, or after 2 s.

use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::clients::RawConnection;
use super::{PushSetup, location_of, received_bodies, request_with_body, token_registry, with_digest};
use crate::sim::{ExpectContinue, Fault, Preset, Reply as Answer, Scope};

const BLOB: &[u8] = b"a blob that waits";
const EXPECT: &str = "Expect: 100-continue";

/// How the registry handled the `Expect` of the last request.
fn expectation(setup: &PushSetup) -> ExpectContinue {
    setup.sim.ledger().entries().last().unwrap().expect
}

/// Starts an upload and returns the request line of the PUT for the blob.
async fn start_put(preset: Preset) -> (PushSetup, String) {
    let setup = PushSetup::start(preset, "").await;
    let target = setup.start_upload("team/app").await;
    let line = format!("PUT {} HTTP/1.1", with_digest(&target, BLOB));
    setup.clear_ledger();
    (setup, line)
}

/// Opens a connection and writes the head of a request with this request line, `Expect` and the blob's length.
async fn open_expecting(setup: &PushSetup, line: &str) -> RawConnection {
    RawConnection::open_with_head(&setup.regpass, &[line, EXPECT, "Content-Length: 17"]).await
}

/// Writes the blob, and asserts that the registry stored the blob and handled `Expect` as expected.
async fn finish_put(setup: PushSetup, mut connection: RawConnection, expected: ExpectContinue) {
    connection.write(BLOB).await;
    setup.assert_created(&connection.read_response().await, BLOB);
    assert_eq!(expectation(&setup), expected);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_client_gets_100_continue_when_the_registry_sends_it() {
    for framing in ["Content-Length: 17", "Transfer-Encoding: chunked"] {
        let (setup, line) = start_put(token_registry()).await;
        setup.registry.api().inject(Fault::delay(Duration::from_secs(1)));
        let mut connection = RawConnection::open_with_head(&setup.regpass, &[&line, EXPECT, framing]).await;
        assert!(connection.receives_nothing_for(Duration::from_millis(900)).await, "the registry has sent nothing yet");
        connection.read_continue().await;
        assert_eq!(setup.sim.ledger().entries().last().unwrap().body_len, 0);
        connection.write(if framing.contains("17") { BLOB.to_vec() } else { in_one_chunk(BLOB) }).await;
        let reply = connection.read_response().await;
        setup.assert_created(&reply, BLOB);
        assert_eq!(expectation(&setup), ExpectContinue::Continued);
        assert_eq!(setup.sim.ledger().lines().len(), 1);
        setup.sim.finish();
    }
}

fn in_one_chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat()
}

#[tokio::test(start_paused = true)]
async fn the_client_gets_100_continue_only_after_a_rejected_token_is_replaced() {
    let (setup, line) = start_put(token_registry()).await;
    setup.registry.revoke_tokens();
    let mut connection = open_expecting(&setup, &line).await;
    connection.read_continue().await;
    // The registry rejected the old token before any body, and the request with the new one has arrived.
    let requests: Vec<_> =
        setup.sim.ledger().entries().iter().map(|entry| (entry.server.clone(), entry.body_len)).collect();
    assert_eq!(requests, [("registry".into(), 0), ("token".into(), 0), ("registry".into(), 0)]);
    connection.write(BLOB).await;
    setup.assert_created(&connection.read_response().await, BLOB);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_client_of_a_first_push_gets_100_continue_after_challenge_and_token() {
    let setup = PushSetup::start(token_registry(), "").await;
    setup.registry.token_service().inject(Fault::delay(Duration::from_secs(3)));
    let target = with_digest(super::UPLOADS, BLOB);
    let mut connection = open_expecting(&setup, &format!("POST {target} HTTP/1.1")).await;
    assert!(connection.receives_nothing_for(Duration::from_millis(2900)).await);
    // This registry ignores the body of a POST, and sends 100 for the PUT that follows.
    connection.read_continue().await;
    connection.write(BLOB).await;
    setup.assert_created(&connection.read_response().await, BLOB);
    let statuses: Vec<_> = setup.sim.ledger().entries().iter().map(|entry| entry.status.unwrap().as_u16()).collect();
    assert_eq!(statuses, [401, 200, 202, 201]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_rejection_reaches_the_client_before_it_sends_the_body() {
    for (fault, verdict) in [
        (Fault::text(404, "nothing here"), "404 BLOB_UPLOAD_UNKNOWN"),
        (Fault::text(507, "the disk is full"), "507 UNAVAILABLE"),
    ] {
        let (setup, line) = start_put(token_registry()).await;
        setup.registry.api().inject(fault);
        let connection = open_expecting(&setup, &line).await;
        // The response comes without a 100 before it.
        assert_eq!(connection.read_response().await.status_and_code(), verdict);
        assert_eq!(received_bodies(&setup.sim), ["PUT length 17, 0 incomplete"]);
        assert_eq!(expectation(&setup), ExpectContinue::NoContinue);
        setup.sim.finish();
    }
    // A request that the configuration does not allow is not forwarded.
    let setup = PushSetup::start(token_registry(), "repositories = [\"other/**\"]").await;
    let connection = open_expecting(&setup, "PATCH /v2/team/app/blobs/uploads/x HTTP/1.1").await;
    assert_eq!(connection.read_response().await.status_and_code(), "403 DENIED");
    setup.expect(&[]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn without_100_from_the_registry_the_client_gets_100_continue_after_2_s() {
    let (setup, line) = start_put(token_registry()).await;
    // The registry reads the head at once, and the body after ten seconds.
    setup.registry.api().inject(Fault::delay(Duration::from_secs(10)));
    let mut connection = open_expecting(&setup, &line).await;
    assert!(connection.receives_nothing_for(Duration::from_millis(1900)).await);
    connection.read_continue().await;
    finish_put(setup, connection, ExpectContinue::BodySentEarly).await;
}

#[tokio::test(start_paused = true)]
async fn without_expect_from_the_client_the_registry_gets_none() {
    let (setup, line) = start_put(token_registry()).await;
    let connection = RawConnection::open_with_head(&setup.regpass, &[&line, "Content-Length: 17"]).await;
    finish_put(setup, connection, ExpectContinue::NotSent).await;
}

#[tokio::test(start_paused = true)]
async fn an_expect_for_an_empty_body_is_not_forwarded() {
    let (setup, mut target) = PushSetup::with_upload().await;
    target = location_of(&setup.regpass.send(request_with_body(Method::PATCH, &target, BLOB)).await);
    let line = format!("PUT {} HTTP/1.1", with_digest(&target, BLOB));
    let connection = RawConnection::open_with_head(&setup.regpass, &[&line, EXPECT, "Content-Length: 0"]).await;
    setup.assert_created(&connection.read_response().await, BLOB);
    assert_eq!(expectation(&setup), ExpectContinue::NotSent);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_expect_and_the_body_at_once_succeeds() {
    let (setup, line) = start_put(token_registry()).await;
    let mut connection = open_expecting(&setup, &line).await;
    connection.write(BLOB).await;
    let reply = connection.read_response().await;
    // hyper may have sent a 100 before it read the body. The response follows it then.
    assert!(reply.status == 201 || reply.status == 100, "{reply:?}");
    setup.assert_registry_has("team/app", BLOB);
    setup.sim.finish();
}

/// Requests whose bodies regpass holds whole or in parts before it sends them: a manifest, a chunk that is split, and one
/// that is buffered.
fn held_requests(session: &str) -> Vec<(&'static str, [String; 3])> {
    let patch = format!("PATCH {session} HTTP/1.1");
    vec![
        ("generic", ["PUT /v2/team/app/manifests/1 HTTP/1.1".into(), EXPECT.into(), "Content-Length: 100000".into()]),
        ("acr", [patch.clone(), EXPECT.into(), "Transfer-Encoding: chunked".into()]),
        ("google", [patch, format!("{EXPECT}\r\nContent-Range: 0-16"), "Content-Length: 17".into()]),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_push_that_will_be_denied_gets_its_403_instead_of_100_continue() {
    for (case, granted) in [(0, true), (0, false), (1, false), (2, false)] {
        let profile = held_requests("")[case].0;
        let setup = PushSetup::start(token_registry(), &format!("profile = \"{profile}\"")).await;
        let session = setup.start_upload("team/app").await;
        let (_, lines) = held_requests(&session).swap_remove(case);
        // The next token grants only `pull`, or the token service denies it.
        setup.registry.change_preset(move |preset| {
            preset.tokens.grant = std::sync::Arc::new(move |_| {
                if granted {
                    Ok(vec![Scope::repository("team/app", &["pull"])])
                } else {
                    Err(Answer::error(403, "DENIED", "read only"))
                }
            });
        });
        // The first token ends unused.
        sleep(Duration::from_secs(3600)).await;
        setup.clear_ledger();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let connection = RawConnection::open_with_head(&setup.regpass, &lines).await;
        assert_eq!(connection.read_response().await.status_and_code(), "403 DENIED", "{profile} {granted}");
        let requests = setup.sim.ledger().lines();
        assert!(requests.len() == 1 && requests[0].starts_with("token "), "{profile} {granted}: {requests:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_gets_100_continue_once_its_token_is_known_and_costs_no_further_request() {
    let setup = PushSetup::start(token_registry(), "").await;
    setup.registry.token_service().inject(Fault::delay(Duration::from_secs(3)));
    let head = ["PUT /v2/team/app/manifests/1 HTTP/1.1", EXPECT, "Content-Length: 2"];
    let token = "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200";
    let put = "registry PUT /v2/team/app/manifests/1 bearer#1 400";
    for lines in [&["registry GET /v2/ anonymous 401", token, put][..], &[put]] {
        let mut connection = RawConnection::open_with_head(&setup.regpass, &head).await;
        if lines.len() == 3 {
            assert!(connection.receives_nothing_for(Duration::from_millis(2900)).await, "the token is not known yet");
        }
        connection.read_continue().await;
        connection.write("{}").await;
        assert_eq!(connection.read_response().await.status, 400);
        setup.expect(lines);
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_while_the_manifest_arrives_is_replaced() {
    let setup = PushSetup::start(token_registry().lifetime(Duration::from_secs(10)), "").await;
    let head = ["PUT /v2/team/app/manifests/1 HTTP/1.1", EXPECT, "Content-Length: 2"];
    let mut connection = RawConnection::open_with_head(&setup.regpass, &head).await;
    connection.read_continue().await;
    sleep(Duration::from_secs(25)).await;
    connection.write("{}").await;
    assert_eq!(connection.read_response().await.status_and_code(), "400 MANIFEST_INVALID");
    assert_eq!(setup.sim.ledger().repeated_401s(), [] as [String; 0]);
    let puts = setup.sim.ledger().count("registry", |entry| entry.method == Method::PUT);
    assert_eq!(puts, 1, "{:?}", setup.sim.ledger().lines());
    setup.sim.finish();
}
