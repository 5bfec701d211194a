//! Blobs on their way to the client: healed where the registry allows it, and otherwise visibly broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use regpass::base::clock::WallClock;
use regpass::net::dial::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::harness::{Regpass, Reply, request, table, with};
use crate::sim::{self, Blob, Delivery, Fault, Hop, Mode, Place, Preset, Registry, Sim};
use crate::wire::Open;

const SIZE: usize = 200_000;

struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    blob: Blob,
    target: String,
}

impl World {
    async fn start() -> Self {
        Self::over(Sim::memory(), Preset::distribution(Mode::Open)).await
    }

    async fn over(sim: Sim, preset: Preset) -> Self {
        let registry = sim.start(preset).await;
        let blob = Blob::random(2, SIZE);
        registry.publish_blob("acme/app", &blob);
        let text = format!("default_registry = \"reg.test\"\n{}", table("reg.test", &registry, ""));
        let regpass = Regpass::start(&sim, &text);
        let target = format!("/v2/acme/app/blobs/{}", blob.digest);
        Self { sim, registry, regpass, blob, target }
    }

    fn get(&self) -> Request<Bytes> {
        request(Method::GET, &self.target)
    }

    /// What the ledger saw: server, status and the range that was asked for.
    fn seen(&self) -> Vec<String> {
        let told = |entry: &sim::Entry| {
            let range = entry.headers.get("range").map_or("whole", |range| range.to_str().unwrap());
            format!("{} {} {range}", entry.server, entry.status.map_or(0, |status| status.as_u16()))
        };
        self.sim.ledger().take().iter().map(told).collect()
    }

    #[track_caller]
    fn assert_whole(&self, reply: &Reply) {
        self.assert_part(reply, 0, SIZE);
        assert_eq!(reply.status, 200);
        assert_eq!(sim::sha256(&reply.body), self.blob.digest);
    }

    #[track_caller]
    fn assert_part(&self, reply: &Reply, from: usize, to: usize) {
        assert_eq!((reply.whole, reply.body.len()), (true, to - from), "{}", reply.status);
        assert!(reply.body == self.blob.slice().to_bytes().slice(from..to), "the bytes are the blob's");
    }

    /// Broken for the client to see, with nothing wrong in what came before.
    #[track_caller]
    fn assert_broken(&self, reply: &Reply) {
        assert_eq!((reply.status.as_u16(), reply.whole), (200, false));
        assert_eq!(reply.header("content-length"), Some("200000"));
        assert!(self.blob.slice().to_bytes().starts_with(&reply.body), "what came is the blob's beginning");
    }
}

#[tokio::test(start_paused = true)]
async fn a_break_is_healed_by_one_request_for_the_rest() {
    for after in [0, 1, 65_536, 199_999] {
        for fault in [Fault::close_mid_body, Fault::reset_mid_body] {
            let world = World::start().await;
            world.registry.registry().inject(fault(after).times(1));
            world.assert_whole(&world.regpass.send(world.get()).await);
            let rest = format!("registry 206 bytes={after}-199999");
            assert_eq!(world.seen(), ["registry 200 whole".to_owned(), rest]);
            world.sim.finish();
        }
    }
}

#[tokio::test]
async fn a_tcp_reset_is_healed_like_any_break() {
    let world = World::over(Sim::loopback(), Preset::distribution(Mode::Open)).await;
    world.registry.registry().inject(Fault::reset_mid_body(100_000).times(1));
    world.assert_whole(&world.regpass.send(world.get()).await);
    // A reset may lose bytes that were sent, so where the rest begins is the kernel's affair.
    assert_eq!(world.sim.ledger().take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn several_breaks_are_healed_as_long_as_bytes_come() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::close_mid_body(30_000).times(6));
    world.assert_whole(&world.regpass.send(world.get()).await);
    assert_eq!(world.seen().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_break_of_a_part_is_healed_within_the_part() {
    for (range, from, to) in
        [("bytes=1000-49999", 1000, 50_000), ("bytes=150000-", 150_000, SIZE), ("bytes=-50000", 150_000, SIZE)]
    {
        let world = World::start().await;
        world.registry.registry().inject(Fault::close_mid_body(10_000).times(1));
        let reply = world.regpass.send(with(world.get(), "range", range)).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-range").is_some()), (206, true));
        world.assert_part(&reply, from, to);
        let rest = format!("registry 206 bytes={}-{}", from + 10_000, to - 1);
        assert_eq!(world.seen(), [format!("registry 206 {range}"), rest]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_clients_conditions_do_not_spoil_the_healing() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::close_mid_body(10_000).times(1));
    // The entity changed since the client's first part, so it gets the whole, and the rest of that.
    let conditional = with(with(world.get(), "range", "bytes=500-"), "if-range", "\"older\"");
    world.assert_whole(&world.regpass.send(conditional).await);
    assert_eq!(world.seen(), ["registry 200 bytes=500-", "registry 206 bytes=10000-199999"]);
}

#[tokio::test(start_paused = true)]
async fn the_rest_comes_by_a_new_signed_url() {
    let mut preset = Preset::distribution(Mode::Open);
    let hops = vec![Hop::new(307, Place::Blobs)];
    preset.pull.blobs = Delivery::Redirect { hops, valid_for: Duration::from_secs(20), head_allowed: true };
    let world = World::over(Sim::memory(), preset).await;
    world.registry.blobs().inject(Fault::hang_mid_body(100_000).times(1));
    let began = Instant::now();
    world.assert_whole(&world.regpass.send(world.get()).await);
    assert_eq!(began.elapsed().as_secs(), 30, "the first URL is over by now");
    let first = ["registry 307 whole", "blobs 200 whole"];
    let rest = ["registry 307 bytes=100000-199999", "blobs 206 bytes=100000-199999"];
    assert_eq!(world.seen(), [first, rest].concat());

    // Also when the new one is over at once.
    world.registry.blobs().inject(Fault::close_mid_body(5).times(1));
    world
        .registry
        .blobs()
        .inject(Fault::expired_signature().when(|entry| entry.headers.contains_key("range")).times(1));
    world.assert_whole(&world.regpass.send(world.get()).await);
    let rest = [
        "registry 307 bytes=5-199999",
        "blobs 403 bytes=5-199999",
        "registry 307 bytes=5-199999",
        "blobs 206 bytes=5-199999",
    ];
    assert_eq!(world.seen(), [&first[..], &rest].concat());
}

#[tokio::test(start_paused = true)]
async fn the_rest_comes_by_a_new_token_when_the_old_one_is_over() {
    let world = World::over(Sim::memory(), Preset::distribution(Mode::Token)).await;
    let to_token = |entry: &sim::Entry| entry.authorization != sim::AuthSeen::None;
    world.registry.registry().inject(Fault::hang_mid_body(50_000).when(to_token).times(1));
    let mut open = Open::begin(&world.regpass, world.get()).await;
    let first = open.piece().await.unwrap().unwrap();
    world.sim.ledger().take();
    world.registry.revoke_tokens();
    let mut got = first.len();
    while let Some(piece) = open.piece().await {
        got += piece.unwrap().len();
    }
    assert_eq!(got, SIZE);
    let statuses: Vec<String> = world
        .sim
        .ledger()
        .take()
        .iter()
        .map(|entry| format!("{} {} {}", entry.server, entry.authorization, entry.status.unwrap().as_u16()))
        .collect();
    assert_eq!(statuses, ["registry bearer#1 401", "token anonymous 200", "registry bearer#2 206"]);
}

/// After a break, every answer to a request for the rest.
async fn rest_answered_with(fault: Fault) -> (World, Reply) {
    let world = World::start().await;
    world.registry.registry().inject(Fault::close_mid_body(70_000).times(1));
    world.registry.registry().inject(fault.when(|entry| entry.headers.contains_key("range")));
    let reply = world.regpass.send(world.get()).await;
    (world, reply)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_the_rest_is_not_taken_for_it() {
    let whole = || Blob::random(2, SIZE).slice();
    for (what, fault) in [
        ("ranges are ignored", Fault::answer(sim::Reply::new(200).slice("application/octet-stream", whole()))),
        (
            "ranges are ignored but named",
            Fault::answer(
                sim::Reply::new(200)
                    .slice("application/octet-stream", whole())
                    .header("content-range", "bytes 70000-199999/200000"),
            ),
        ),
        ("another tag", Fault::with_header("etag", "\"another\"")),
        ("another part", Fault::with_header("content-range", "bytes 60000-199999/200000")),
        ("another length", Fault::with_header("content-range", "bytes 70000-199999/200001")),
        ("no part named", Fault::without_header("content-range")),
        ("garbage for a part", Fault::with_header("content-range", "bytes seventy-")),
        ("gone", Fault::answer(sim::Reply::error(404, "BLOB_UNKNOWN", "blob unknown"))),
        ("an error", Fault::html(503)),
        ("a challenge", Fault::challenge(&["Basic realm=\"x\""])),
    ] {
        let (world, reply) = rest_answered_with(fault).await;
        world.assert_broken(&reply);
        assert_eq!(
            world.sim.ledger().count("registry", |entry| entry.path == world.target
                && entry.status.is_some_and(|status| status == 200 && !entry.headers.contains_key("range"))),
            1,
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_shorter_than_asked_is_asked_on_from() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::close_mid_body(70_000).times(1));
    let part = sim::Reply::new(206)
        .slice("application/octet-stream", world.blob.slice().part(70_000, 99_999))
        .header("content-range", "bytes 70000-99999/200000");
    world.registry.registry().inject(Fault::answer(part).when(|entry| entry.headers.contains_key("range")).times(1));
    world.assert_whole(&world.regpass.send(world.get()).await);
    let rests = ["registry 206 bytes=70000-199999", "registry 206 bytes=100000-199999"];
    assert_eq!(world.seen(), [&["registry 200 whole"][..], &rests].concat());
}

#[tokio::test(start_paused = true)]
async fn more_than_was_promised_never_reaches_the_client() {
    for whole in ["204990", "200000", "*"] {
        let world = World::start().await;
        world.registry.registry().inject(Fault::close_mid_body(199_990).times(1));
        let part = sim::Reply::new(206)
            .slice("application/octet-stream", Blob::random(3, 5000).slice())
            .header("content-range", format!("bytes 199990-204989/{whole}"));
        world.registry.registry().inject(Fault::answer(part).when(|entry| entry.headers.contains_key("range")));
        let reply = world.regpass.send(world.get()).await;
        world.assert_broken(&reply);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_asked_for_again_after_half_a_minute() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::hang_mid_body(80_000).times(1));
    let began = Instant::now();
    world.assert_whole(&world.regpass.send(world.get()).await);
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(world.seen(), ["registry 200 whole", "registry 206 bytes=80000-199999"]);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_sends_nothing_three_times_is_given_up() {
    for (fault, seconds) in [(Fault::hang_after_head(), 90), (Fault::close_mid_body(0), 0)] {
        let world = World::start().await;
        world.registry.registry().inject(fault);
        let began = Instant::now();
        let reply = world.regpass.send(world.get()).await;
        world.assert_broken(&reply);
        assert_eq!((began.elapsed().as_secs(), world.seen().len()), (seconds, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_drips_is_given_up_too() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::close_mid_body(1));
    let reply = world.regpass.send(world.get()).await;
    world.assert_broken(&reply);
    let asked = world.seen().len();
    assert!((3..=32).contains(&asked), "{asked} requests for as many bytes");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_gone_leaves_a_broken_transfer() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::hang_mid_body(80_000));
    let mut open = Open::begin(&world.regpass, world.get()).await;
    open.piece().await.unwrap().unwrap();
    world.registry.registry().stop();
    let mut last = None;
    while let Some(piece) = open.piece().await {
        last = Some(piece.is_ok());
    }
    assert_eq!(last, Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_body_of_unknown_length_that_breaks_is_a_broken_one() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::alter(|_, reply| reply.without("content-length").chunked()));
    let reply = world.regpass.send(world.get()).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, None));
    world.assert_part(&reply, 0, SIZE);
    world.sim.ledger().take();
    world.registry.registry().inject(Fault::close_mid_body(80_000));
    let reply = world.regpass.send(world.get()).await;
    assert_eq!((reply.status.as_u16(), reply.whole), (200, false));
    assert_eq!(world.seen(), ["registry 200 whole"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_leaves_nothing_running() {
    let world = World::start().await;
    let big = Blob::synthetic_as(1 << 40, &format!("sha256:{}", "b".repeat(64)));
    world.registry.publish_blob("acme/app", &big);
    let target = format!("/v2/acme/app/blobs/{}", big.digest);
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    for fault in [None, Some(Fault::hang_mid_body(100_000)), Some(Fault::hang_after_head())] {
        let fault = fault.map(|fault| world.registry.registry().inject(fault));
        let mut open = Open::begin(&world.regpass, request(Method::GET, &target)).await;
        // Without a piece in a second where none comes.
        drop(tokio::time::timeout(Duration::from_secs(1), open.piece()).await);
        open.leave().await;
        sleep(Duration::from_secs(2)).await;
        assert_eq!(alive(), before, "client, regpass and registry have let go");
        fault.inspect(sim::FaultHandle::lift);
    }
    assert_eq!(world.seen(), ["registry 200 whole"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_answer_leaves_nothing_running() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::hang_before_head());
    let before = Handle::current().metrics().num_alive_tasks();
    let (mut stream, serving) = crate::wire::connect(&world.regpass);
    stream.write_all(format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", world.target).as_bytes()).await.unwrap();
    world.sim.ledger().wait_for(1).await;
    drop(stream);
    tokio::time::timeout(Duration::from_secs(2), serving).await.expect("the server notices").unwrap();
    sleep(Duration::from_secs(2)).await;
    // The simulated server has its own task for the request it hangs on; a closed connection ends it.
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_waited_for() {
    let world = World::start().await;
    let mut open = Open::begin(&world.regpass, world.get()).await;
    let mut got = Vec::new();
    while let Some(piece) = open.piece().await {
        got.extend_from_slice(&piece.unwrap());
        sleep(Duration::from_secs(100)).await;
    }
    assert_eq!(sim::sha256(&got), world.blob.digest);
    assert_eq!(world.seen(), ["registry 200 whole"]);
}

#[tokio::test(start_paused = true)]
async fn parts_and_conditions_pass() {
    let world = World::start().await;
    let tag = format!("\"{}\"", world.blob.digest);
    for method in [Method::GET, Method::HEAD] {
        let known = with(request(method.clone(), &world.target), "if-none-match", &tag);
        let reply = world.regpass.send(known).await;
        assert_eq!((reply.status.as_u16(), reply.body.len(), reply.whole), (304, 0, true), "{method}");
        assert_eq!((reply.header("etag"), reply.header("content-length")), (Some(&*tag), None));
    }
    let reply = world.regpass.send(with(world.get(), "if-none-match", "\"other\"")).await;
    world.assert_whole(&reply);
    let reply = world.regpass.send(with(world.get(), "range", "bytes=10-19")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-range")), (206, Some("bytes 10-19/200000")));
    assert_eq!(reply.header("content-length"), Some("10"));
    let reply = world.regpass.send(with(world.get(), "range", "bytes=200000-")).await;
    assert_eq!(
        (reply.verdict().as_str(), reply.header("content-range")),
        ("416 RANGE_INVALID", Some("bytes */200000"))
    );
    let same = with(with(world.get(), "range", "bytes=10-19"), "if-range", &tag);
    assert_eq!(world.regpass.send(same).await.status, 206);
    let changed = with(with(world.get(), "range", "bytes=10-19"), "if-range", "\"other\"");
    assert_eq!(world.regpass.send(changed).await.status, 200);
    world.sim.ledger().take();
    world.regpass.send(with(world.get(), "range", "bytes=0-1,5-6")).await;
    assert_eq!(world.seen(), ["registry 200 whole"]);
}

#[tokio::test(start_paused = true)]
async fn an_encoded_blob_passes_as_it_is() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::gzip());
    let reply = world.regpass.send(with(world.get(), "accept-encoding", "br")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(reply.body[..2], [0x1f, 0x8b]);
    assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()));
    assert_eq!(world.sim.ledger().take()[0].headers["accept-encoding"], "identity");
}

/// A registry in the hand, which counts what it could write.
fn endless(length: u64, written: &Arc<AtomicU64>) -> Network {
    let written = written.clone();
    Network::Memory(Arc::new(move |_host, _port| {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let written = written.clone();
        tokio::spawn(async move {
            let mut request = [0; 4096];
            assert!(theirs.read(&mut request).await.unwrap() > 0);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            theirs.write_all(head.as_bytes()).await.unwrap();
            let mut rest = Blob::synthetic_as(length, "").slice();
            while let Some(piece) = rest.take_piece(64 * 1024) {
                if theirs.write_all(&piece).await.is_err() {
                    return;
                }
                written.fetch_add(piece.len() as u64, Ordering::AcqRel);
            }
        });
        Ok(ours)
    }))
}

#[tokio::test(start_paused = true)]
async fn a_large_blob_streams_with_bounded_buffers() {
    const LARGE: u64 = 400 << 20;
    let written = Arc::default();
    let text = "default_registry = \"reg.test\"\n[registry.\"reg.test\"]\nurl = \"http://reg.test\"";
    let regpass = Regpass::over(&endless(LARGE, &written), WallClock::tokio(Duration::ZERO), text);
    let target = format!("/v2/acme/app/blobs/sha256:{}", "c".repeat(64));
    let mut open = Open::begin(&regpass, request(Method::GET, &target)).await;
    let mut expected = Blob::synthetic_as(LARGE, "").slice();
    let (mut got, mut ahead) = (0, 0);
    while let Some(piece) = open.piece().await {
        let mut piece = piece.unwrap();
        got += piece.len() as u64;
        while !piece.is_empty() {
            let same = expected.take_piece(piece.len() as u64).expect("no more than was promised");
            assert!(piece.split_to(same.len()) == same, "the bytes are the blob's");
        }
        if got % (32 << 20) < 64 * 1024 {
            // Long enough for everything to run full.
            sleep(Duration::from_millis(10)).await;
        }
        ahead = ahead.max(written.load(Ordering::Acquire).saturating_sub(got));
    }
    assert_eq!(got, LARGE);
    assert!(ahead < 2 << 20, "{ahead} bytes were on their way");
}
