//! Breaks that are healed, and what is not taken for the rest.

use std::time::Duration;

use tokio::time::Instant;

use super::{SIZE, World};
use crate::harness::{Reply, with};
use crate::sim::{self, Blob, Delivery, Fault, Hop, Mode, Place, Preset, Sim};
use crate::wire::Open;

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
async fn a_registry_that_is_busy_for_a_moment_is_asked_once_more() {
    let world = World::start().await;
    let registry = world.registry.registry();
    registry.inject(Fault::close_mid_body(80_000).times(1));
    let is_for_the_rest = |entry: &sim::Entry| entry.headers.contains_key("range");
    registry.inject(Fault::text(503, "busy").times(1).when(is_for_the_rest));
    let began = Instant::now();
    world.assert_whole(&world.regpass.send(world.get()).await);
    assert_eq!(began.elapsed().as_secs(), 1, "after a pause");
    let rest = "bytes=80000-199999";
    assert_eq!(world.seen(), ["registry 200 whole", &format!("registry 503 {rest}"), &format!("registry 206 {rest}")]);
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
