//! Request bodies: `Expect: 100-continue`, early replies, broken transfers, and what the ledger records.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sim::{AuthMode, Blob, Entry, ExpectContinue, Framing, Preset, Sim};
use crate::simulator_self_tests::{CHUNKED, TestBench, UPLOADS, exchange, head, read_reply, resolve, with_digest};

fn last(bench: &TestBench) -> Entry {
    bench.sim.ledger().take().pop().unwrap()
}

#[tokio::test(start_paused = true)]
async fn ledger_records_the_framing_of_request_bodies() {
    let bench = TestBench::open(Preset::generic()).await;
    bench.send("GET", "/v2/", &["x-a: b"], b"").await;
    assert_eq!((last(&bench).framing, bench.registry.open_upload_sizes().len()), (Framing::Length(0), 0));
    for (lines, body, framing) in [
        (&[][..], &b"abc"[..], Framing::Length(3)),
        (&[CHUNKED], b"abc", Framing::Chunked),
        (&[CHUNKED], b"", Framing::Chunked),
        (&[], b"", Framing::Length(0)),
    ] {
        let session = bench.open_session().await;
        assert_eq!(bench.send("PATCH", &session, lines, body).await.status, 202);
        let entry = last(&bench);
        assert_eq!((entry.framing, entry.body_len, entry.body_complete), (framing, body.len() as u64, true));
        assert_eq!(entry.expect, ExpectContinue::NotSent);
    }
    let stream = bench.sim.network().connect("generic.test", 80).unwrap();
    exchange(stream, head("GET", "generic.test", "/v2/", &[]).as_bytes()).await.unwrap();
    assert_eq!((last(&bench).framing, bench.sim.take_violations().len()), (Framing::None, 0));
}

/// Runs in memory and on real sockets, with three uploads on one connection.
#[tokio::test]
async fn ledger_records_whether_the_body_waited_for_the_100() {
    for sim in [Sim::memory(), Sim::loopback()] {
        let mut preset = Preset::distribution(AuthMode::Open);
        preset.policy = crate::sim::Policy::Everyone;
        let registry = sim.start(preset).await;
        let bench = TestBench { sim, registry };
        let (host, port) = bench.registry.authority().split_once(':').unwrap_or((bench.registry.authority(), "80"));
        let mut stream: Box<dyn Stream> = if bench.sim.network().is_memory() {
            Box::new(bench.sim.network().connect(host, 80).unwrap())
        } else {
            Box::new(TcpStream::connect((host, port.parse::<u16>().unwrap())).await.unwrap())
        };
        for (waits, expected) in [
            (true, ExpectContinue::Continued),
            (false, ExpectContinue::BodySentEarly),
            (true, ExpectContinue::Continued),
        ] {
            let authority = bench.registry.authority();
            stream.write_all(head("POST", authority, UPLOADS, &["content-length: 0"]).as_bytes()).await.unwrap();
            let session = resolve(UPLOADS, &read_reply(&mut stream).await.unwrap());
            let path = session.strip_prefix(&bench.registry.origin()).unwrap();
            let head = head("PATCH", authority, path, &["content-length: 3", "expect: 100-continue"]);
            let together = if waits { head.into_bytes() } else { [head.as_bytes(), b"abc"].concat() };
            stream.write_all(&together).await.unwrap();
            assert_eq!(read_reply(&mut stream).await.unwrap().status, 100);
            if waits {
                stream.write_all(b"abc").await.unwrap();
            }
            assert_eq!(read_reply(&mut stream).await.unwrap().status, 202);
            assert_eq!(last(&bench).expect, expected);
        }
    }
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Stream for T {}

/// The server sends no 100 either, and closes the connection.
#[tokio::test(start_paused = true)]
async fn denial_is_sent_without_reading_the_body() {
    let bench = TestBench::start(Preset::distribution(AuthMode::Token)).await;
    let path = format!("{UPLOADS}upload-1");
    for lines in [&["content-length: 9"][..], &[CHUNKED], &["content-length: 9", "expect: 100-continue"]] {
        let mut stream = bench.sim.network().connect("distribution.test", 80).unwrap();
        stream.write_all(head("PATCH", "distribution.test", &path, lines).as_bytes()).await.unwrap();
        let reply = read_reply(&mut stream).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.header("connection")), (401, Some("close")), "{lines:?}");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the server closes the connection");
        let entry = last(&bench);
        let expect = if lines.len() == 2 { ExpectContinue::NoContinue } else { ExpectContinue::NotSent };
        assert_eq!((entry.body_len, entry.body_complete, entry.expect), (0, false, expect), "{lines:?}");
    }
}

/// Real sockets: a client that is still sending can read the reply.
#[tokio::test]
async fn early_reply_is_not_lost_to_a_reset() {
    let sim = Sim::loopback();
    let registry = sim.start(Preset::distribution(AuthMode::Token)).await;
    let stream = TcpStream::connect(registry.authority()).await.unwrap();
    let head = head("PATCH", registry.authority(), &format!("{UPLOADS}a"), &["content-length: 100000000"]);
    let mut request = head.into_bytes();
    request.resize(200_000, 7);
    assert_eq!(exchange(stream, &request).await.unwrap().status, 401);
    assert_eq!(sim.ledger().take()[0].body_len, 0);
}

#[tokio::test(start_paused = true)]
async fn broken_transfer_keeps_the_received_bytes_and_completes_nothing() {
    let bench = TestBench::open(Preset::generic()).await;
    let digest = crate::sim::sha256(b"abc");
    for (lines, body) in [("content-length: 9", "abc"), (CHUNKED, "3\r\nabc\r\n"), (CHUNKED, "3\r\nabc\r\nzzz\r\n")] {
        let session = bench.open_session().await;
        let (host, path) = bench.split(&session);
        let target = with_digest(path, &digest);
        let mut stream = bench.sim.network().connect(host, 80).unwrap();
        stream.write_all(format!("{}{body}", head("PUT", host, &target, &[lines])).as_bytes()).await.unwrap();
        bench.sim.ledger().wait_until(|entries| entries.last().is_some_and(|entry| entry.body_len == 3)).await;
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        // hyper itself replies 400 to an invalid chunk.
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&rest));
        let entry = last(&bench);
        assert_eq!((entry.status, entry.body_len, entry.body_complete), (None, 3, false));
        assert!(bench.stored_blob(&digest).is_none());
        let reply = bench.send("GET", &session, &[], b"").await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-2")));
        assert_eq!(bench.send("PUT", &with_digest(&resolve(&session, &reply), &digest), &[], b"").await.status, 201);
        bench.registry.store().write("acme/app/web", |repository| repository.blobs.clear());
    }
}

#[tokio::test]
async fn blob_whose_bytes_are_not_kept_uses_no_memory() {
    const LEN: u64 = 32 << 20;
    let bench = TestBench::open(Preset::generic().with_push_rules(|push| push.keeps_blob_bytes = false)).await;
    let blob = Blob::synthetic(LEN);
    let (mut rest, digest) = (blob.slice(), blob.digest);
    let session = bench.open_session().await;
    let (host, path) = bench.split(&session);
    let before = peak_memory();
    let mut stream = bench.sim.network().connect(host, 80).unwrap();
    let head = head("PUT", host, &with_digest(path, &digest), &[&format!("content-length: {LEN}")]);
    stream.write_all(head.as_bytes()).await.unwrap();
    while let Some(piece) = rest.take_piece(1 << 20) {
        stream.write_all(&piece).await.unwrap();
    }
    assert_eq!(read_reply(&mut stream).await.unwrap().status, 201);
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB more than before");
    let len = bench.registry.store().read("acme/app/web", |repository| repository.blobs[&digest].len());
    assert_eq!(len, Some(LEN));
}

/// The peak resident memory of this process, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn token_is_checked_when_its_request_begins() {
    let bench = TestBench::start(Preset::distribution(AuthMode::Token).lifetime(Duration::from_secs(60))).await;
    bench.registry.add_user("acme", "password");
    let token = bench.bearer("repository:acme/app/web:pull,push", Some(("acme", "password"))).await;
    let session = resolve(UPLOADS, &bench.send("POST", UPLOADS, &[&token], b"").await);
    let (host, path) = bench.split(&session);
    let mut stream = bench.sim.network().connect(host, 80).unwrap();
    stream.write_all(head("PATCH", host, path, &[&token, "content-length: 6"]).as_bytes()).await.unwrap();
    stream.write_all(b"abc").await.unwrap();
    bench.sim.ledger().wait_until(|entries| entries.last().is_some_and(|entry| entry.body_len == 3)).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    stream.write_all(b"def").await.unwrap();
    let reply = read_reply(&mut stream).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.header("range")), (202, Some("0-5")));
    let reply = bench.send("PATCH", &resolve(&session, &reply), &[&token], b"").await;
    assert!(reply.header("www-authenticate").unwrap().ends_with(r#"error="invalid_token""#), "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn repeated_401_is_reported_after_tokens_are_revoked() {
    let bench = TestBench::start(Preset::distribution(AuthMode::Token)).await;
    bench.registry.add_user("acme", "password");
    for (method, target) in
        [("POST", UPLOADS), ("GET", "/v2/acme/app/web/tags/list"), ("POST", "/v2/a/b/blobs/uploads/")]
    {
        assert_eq!(bench.send(method, target, &[], b"").await.status, 401);
    }
    let token = bench.bearer("repository:acme/app/web:pull,push", Some(("acme", "password"))).await;
    assert_eq!(bench.send("POST", UPLOADS, &[&token], b"").await.status, 202);
    assert_eq!(bench.sim.ledger().repeated_401s(), [""; 0]);
    bench.registry.revoke_tokens();
    assert_eq!(bench.send("POST", UPLOADS, &[&token], b"").await.status, 401);
    let repeated = bench.sim.ledger().repeated_401s();
    assert_eq!(repeated, ["registry POST /v2/acme/app/web/blobs/uploads/ bearer#1 401"]);
}
