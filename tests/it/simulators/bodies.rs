//! Bodies on the wire: when they are asked for, when they are not read, and what the ledger tells of them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sim::{Blob, Entry, Expect, Framing, Mode, Preset, Sim};
use crate::simulators::{Bench, CHUNKED, UPLOADS, answer, exchange, head, resolve, with_digest};

fn last(bench: &Bench) -> Entry {
    bench.sim.ledger().take().pop().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_ledger_tells_how_a_body_came() {
    let bench = Bench::open(Preset::generic()).await;
    bench.send("GET", "/v2/", &["x-a: b"], b"").await;
    assert_eq!((last(&bench).framing, bench.registry.open_uploads().len()), (Framing::Length(0), 0));
    for (lines, body, framing) in [
        (&[][..], &b"abc"[..], Framing::Length(3)),
        (&[CHUNKED], b"abc", Framing::Chunked),
        (&[CHUNKED], b"", Framing::Chunked),
        (&[], b"", Framing::Length(0)),
    ] {
        let at = bench.session().await;
        assert_eq!(bench.send("PATCH", &at, lines, body).await.status, 202);
        let entry = last(&bench);
        assert_eq!((entry.framing, entry.body_len, entry.body_whole), (framing, body.len() as u64, true));
        assert_eq!(entry.expect, Expect::Absent);
    }
    let stream = bench.sim.network().connect("generic.test", 80).unwrap();
    exchange(stream, head("GET", "generic.test", "/v2/", &[]).as_bytes()).await.unwrap();
    assert_eq!((last(&bench).framing, bench.sim.take_violations().len()), (Framing::None, 0));
}

/// In memory and on real sockets, over a connection that is used twice.
#[tokio::test]
async fn a_100_is_sent_when_the_body_is_wanted_and_seen_when_it_is_not_waited_for() {
    for sim in [Sim::memory(), Sim::loopback()] {
        let mut preset = Preset::distribution(Mode::Open);
        preset.policy = crate::sim::Policy::Everyone;
        let registry = sim.start(preset).await;
        let bench = Bench { sim, registry };
        let (host, port) = bench.registry.authority().split_once(':').unwrap_or((bench.registry.authority(), "80"));
        let mut stream: Box<dyn Stream> = if bench.sim.network().is_memory() {
            Box::new(bench.sim.network().connect(host, 80).unwrap())
        } else {
            Box::new(TcpStream::connect((host, port.parse::<u16>().unwrap())).await.unwrap())
        };
        for (waits, expected) in [(true, Expect::Continued), (false, Expect::Overrun), (true, Expect::Continued)] {
            let authority = bench.registry.authority();
            stream.write_all(head("POST", authority, UPLOADS, &["content-length: 0"]).as_bytes()).await.unwrap();
            let at = resolve(UPLOADS, &answer(&mut stream).await.unwrap());
            let path = at.strip_prefix(&bench.registry.origin()).unwrap();
            let head = head("PATCH", authority, path, &["content-length: 3", "expect: 100-continue"]);
            let together = if waits { head.into_bytes() } else { [head.as_bytes(), b"abc"].concat() };
            stream.write_all(&together).await.unwrap();
            assert_eq!(answer(&mut stream).await.unwrap().status, 100);
            if waits {
                stream.write_all(b"abc").await.unwrap();
            }
            assert_eq!(answer(&mut stream).await.unwrap().status, 202);
            assert_eq!(last(&bench).expect, expected);
        }
    }
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Stream for T {}

/// A refusal comes before any of the body is read, without a 100, and ends the connection.
#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_wait_for_the_body() {
    let bench = Bench::start(Preset::distribution(Mode::Token)).await;
    let path = format!("{UPLOADS}upload-1");
    for lines in [&["content-length: 9"][..], &[CHUNKED], &["content-length: 9", "expect: 100-continue"]] {
        let mut stream = bench.sim.network().connect("distribution.test", 80).unwrap();
        stream.write_all(head("PATCH", "distribution.test", &path, lines).as_bytes()).await.unwrap();
        let reply = answer(&mut stream).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.header("connection")), (401, Some("close")), "{lines:?}");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the connection ends");
        let entry = last(&bench);
        let expect = if lines.len() == 2 { Expect::Unanswered } else { Expect::Absent };
        assert_eq!((entry.body_len, entry.body_whole, entry.expect), (0, false, expect), "{lines:?}");
    }
}

/// Real sockets: whoever is still sending reads the answer all the same, and no reset.
#[tokio::test]
async fn an_early_answer_is_not_lost_to_a_reset() {
    let sim = Sim::loopback();
    let registry = sim.start(Preset::distribution(Mode::Token)).await;
    let stream = TcpStream::connect(registry.authority()).await.unwrap();
    let head = head("PATCH", registry.authority(), &format!("{UPLOADS}a"), &["content-length: 100000000"]);
    let mut request = head.into_bytes();
    request.resize(200_000, 7);
    assert_eq!(exchange(stream, &request).await.unwrap().status, 401);
    assert_eq!(sim.ledger().take()[0].body_len, 0);
}

/// A client that breaks off leaves what has come, and no blob.
#[tokio::test(start_paused = true)]
async fn a_broken_transfer_leaves_what_arrived_and_completes_nothing() {
    let bench = Bench::open(Preset::generic()).await;
    let digest = crate::sim::sha256(b"abc");
    for (lines, body) in [("content-length: 9", "abc"), (CHUNKED, "3\r\nabc\r\n"), (CHUNKED, "3\r\nabc\r\nzzz\r\n")] {
        let at = bench.session().await;
        let (host, path) = bench.split(&at);
        let target = with_digest(path, &digest);
        let mut stream = bench.sim.network().connect(host, 80).unwrap();
        stream.write_all(format!("{}{body}", head("PUT", host, &target, &[lines])).as_bytes()).await.unwrap();
        bench.sim.ledger().wait_until(|entries| entries.last().is_some_and(|entry| entry.body_len == 3)).await;
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        // hyper itself refuses chunks that are none.
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&rest));
        let entry = last(&bench);
        assert_eq!((entry.status, entry.body_len, entry.body_whole), (None, 3, false));
        assert!(bench.stored(&digest).is_none());
        let reply = bench.send("GET", &at, &[], b"").await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("0-2")));
        assert_eq!(bench.send("PUT", &with_digest(&resolve(&at, &reply), &digest), &[], b"").await.status, 201);
        bench.registry.store().write("acme/app/web", |repository| repository.blobs.clear());
    }
}

#[tokio::test]
async fn what_is_not_kept_costs_no_memory() {
    const LEN: u64 = 32 << 20;
    let bench = Bench::open(Preset::generic().pushes(|push| push.keep_blobs = false)).await;
    let blob = Blob::synthetic(LEN);
    let (mut rest, digest) = (blob.slice(), blob.digest);
    let at = bench.session().await;
    let (host, path) = bench.split(&at);
    let before = resident();
    let mut stream = bench.sim.network().connect(host, 80).unwrap();
    let head = head("PUT", host, &with_digest(path, &digest), &[&format!("content-length: {LEN}")]);
    stream.write_all(head.as_bytes()).await.unwrap();
    while let Some(piece) = rest.take_piece(1 << 20) {
        stream.write_all(&piece).await.unwrap();
    }
    assert_eq!(answer(&mut stream).await.unwrap().status, 201);
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB more than before");
    let len = bench.registry.store().read("acme/app/web", |repository| repository.blobs[&digest].len());
    assert_eq!(len, Some(LEN));
}

/// The most this process has held so far, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_token_is_judged_when_its_request_begins() {
    let bench = Bench::start(Preset::distribution(Mode::Token).lifetime(Duration::from_secs(60))).await;
    bench.registry.user("acme", "password");
    let token = token(&bench).await;
    let at = resolve(UPLOADS, &bench.send("POST", UPLOADS, &[&token], b"").await);
    let (host, path) = bench.split(&at);
    let mut stream = bench.sim.network().connect(host, 80).unwrap();
    stream.write_all(head("PATCH", host, path, &[&token, "content-length: 6"]).as_bytes()).await.unwrap();
    stream.write_all(b"abc").await.unwrap();
    bench.sim.ledger().wait_until(|entries| entries.last().is_some_and(|entry| entry.body_len == 3)).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    stream.write_all(b"def").await.unwrap();
    let reply = answer(&mut stream).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.header("range")), (202, Some("0-5")));
    let reply = bench.send("PATCH", &resolve(&at, &reply), &[&token], b"").await;
    assert!(reply.header("www-authenticate").unwrap().ends_with(r#"error="invalid_token""#), "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_401_for_the_same_access_is_told_and_all_tokens_can_be_revoked() {
    let bench = Bench::start(Preset::distribution(Mode::Token)).await;
    bench.registry.user("acme", "password");
    for (method, target) in
        [("POST", UPLOADS), ("GET", "/v2/acme/app/web/tags/list"), ("POST", "/v2/a/b/blobs/uploads/")]
    {
        assert_eq!(bench.send(method, target, &[], b"").await.status, 401);
    }
    let token = token(&bench).await;
    assert_eq!(bench.send("POST", UPLOADS, &[&token], b"").await.status, 202);
    assert_eq!(bench.sim.ledger().repeated_401s(), [""; 0]);
    bench.registry.revoke_tokens();
    assert_eq!(bench.send("POST", UPLOADS, &[&token], b"").await.status, 401);
    let repeated = bench.sim.ledger().repeated_401s();
    assert_eq!(repeated, ["registry POST /v2/acme/app/web/blobs/uploads/ bearer#1 401"]);
}

async fn token(bench: &Bench) -> String {
    let service = "service=Docker%20registry&scope=repository:acme/app/web:pull,push";
    let target = format!("http://auth.distribution.test/auth/token?{service}");
    let reply = bench.send("GET", &target, &[&crate::simulators::basic("acme", "password")], b"").await;
    format!("authorization: Bearer {}", reply.json()["token"].as_str().unwrap())
}
