use std::sync::atomic::AtomicUsize;

use bytes::BytesMut;
use tokio::time::Instant;

use super::super::fixture::{IDLE, body, random};
use super::replay_buffer::IN_MEMORY;
use super::*;

const KIB: usize = 1024;

/// A spool of a body that the client has sent completely, in pieces of this size.
async fn spool_of(bytes: &Bytes, piece: usize, space: &Arc<SpoolSpace>) -> Spool {
    let (incoming, mut client) = body(None).await;
    for start in (0..bytes.len()).step_by(piece) {
        client.send(&bytes.slice(start..(start + piece).min(bytes.len())));
    }
    client.finish();
    Spool::new(incoming, IDLE, Progress::start(), space.clone())
}

fn space(per_body: usize) -> Arc<SpoolSpace> {
    Arc::new(SpoolSpace::new(per_body as u64))
}

async fn read(body: StreamBody) -> Result<Bytes, BoxError> {
    body.collect().await.map(http_body_util::Collected::to_bytes)
}

/// Reads at least `min` bytes.
async fn read_at_least(body: &mut StreamBody, min: usize) -> Bytes {
    let mut read = BytesMut::new();
    while read.len() < min {
        read.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
    }
    read.freeze()
}

#[tokio::test(start_paused = true)]
async fn every_attempt_yields_the_whole_body() {
    for length in [0, 1, IN_MEMORY - 1, IN_MEMORY, IN_MEMORY + 1, 700 * KIB + 13] {
        for piece in [1021, 64 * KIB, 99_991] {
            let bytes = random(length as u64, length);
            let spool = spool_of(&bytes, piece, &space(1024 * KIB)).await;
            for part in [0, length.min(1), length / 3, length / 2, length] {
                let mut attempt = spool.attempt().await.unwrap();
                let start = read_at_least(&mut attempt, part).await;
                assert!(bytes.starts_with(&start) && start.len() >= part, "{length} in {piece}: the first {part}");
                assert_eq!(spool.bytes_sent(), start.len() as u64);
            }
            assert_eq!(read(spool.attempt().await.unwrap()).await.unwrap(), bytes, "{length} in {piece}");
            assert!(spool.is_fully_sent());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_attempt_stops_the_one_before() {
    let (incoming, client) = body(None).await;
    let spool = Spool::new(incoming, IDLE, Progress::start(), space(KIB));
    client.send(&random(1, 100));
    let mut first = spool.attempt().await.unwrap();
    assert_eq!(read_at_least(&mut first, 100).await.len(), 100);
    // While it waits for the client, it must not consume the next piece.
    let waiting = tokio::spawn(async move { first.frame().await.unwrap().map(drop) });
    tokio::task::yield_now().await;
    let mut second = spool.attempt().await.unwrap();
    assert!(waiting.await.unwrap().unwrap_err().is::<Superseded>());
    client.send(&random(2, 50));
    let all = [random(1, 100), random(2, 50)].concat();
    assert_eq!(read_at_least(&mut second, 150).await, all);
    spool.rewind().await.unwrap();
    assert!(second.frame().await.unwrap().is_err(), "after a rewind the attempt yields nothing");
}

#[tokio::test(start_paused = true)]
async fn dropping_an_attempt_at_any_moment_loses_no_data() {
    let bytes = random(3, 500 * KIB);
    let spool = spool_of(&bytes, 10_007, &space(1024 * KIB)).await;
    let polls = Arc::new(AtomicUsize::new(0));
    // Each attempt is polled once more than the one before, so every await point is interrupted.
    for most in 1..400 {
        let mut attempt = spool.attempt().await.unwrap();
        polls.store(0, Ordering::Relaxed);
        let reading = std::pin::pin!(async { while attempt.frame().await.is_some() {} });
        let mut reading = reading;
        std::future::poll_fn(|cx| {
            let done = reading.as_mut().poll(cx).is_ready();
            if done || polls.fetch_add(1, Ordering::Relaxed) >= most {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        })
        .await;
    }
    assert_eq!(read(spool.attempt().await.unwrap()).await.unwrap(), bytes);
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_limit_can_be_sent_once_only() {
    for (per_body, length, fits) in [
        (0, IN_MEMORY, true),
        (0, IN_MEMORY + 1, false),
        (10 * KIB, IN_MEMORY + 10 * KIB, true),
        (10 * KIB, IN_MEMORY + 10 * KIB + 1, false),
    ] {
        let (bytes, space) = (random(4, length), space(per_body));
        let spool = spool_of(&bytes, 1021, &space).await;
        assert_eq!(read(spool.attempt().await.unwrap()).await.unwrap(), bytes, "the first attempt always works");
        let again = spool.attempt().await;
        match again {
            Ok(body) => assert_eq!((fits, read(body).await.unwrap()), (true, bytes)),
            Err(NotReplayable { sent, why }) => {
                assert_eq!(
                    (fits, sent, why),
                    (false, length as u64, SpoolError::BodyTooLarge((per_body + IN_MEMORY) as u64))
                );
            }
        }
        drop(spool);
        assert_eq!(space.used(), 0, "the space is released");
    }
}

#[tokio::test(start_paused = true)]
async fn the_space_of_all_bodies_together_is_limited() {
    let space = space(100 * KIB);
    let bytes = random(5, IN_MEMORY + 100 * KIB);
    let mut spools = Vec::new();
    for number in 0..17 {
        let spool = spool_of(&bytes, KIB, &space).await;
        drop(read(spool.attempt().await.unwrap()).await.unwrap());
        let error = spool.rewind().await.err().map(|error| error.why);
        assert_eq!(error, (number == 16).then_some(SpoolError::NoSpaceLeft), "spool {number}");
        spools.push(spool);
    }
    spools.pop();
    spools.pop();
    let another = spool_of(&bytes, KIB, &space).await;
    drop(read(another.attempt().await.unwrap()).await.unwrap());
    assert!(another.rewind().await.is_ok(), "dropped spools have released their space");
}

#[tokio::test(start_paused = true)]
async fn a_buffered_body_can_be_continued_with_another() {
    for first in [10, 300 * KIB] {
        let (one, two, three) = (random(6, first), random(7, 70 * KIB), random(8, 5));
        let space = space(1024 * KIB);
        let spool = spool_of(&one, 4099, &space).await;
        assert_eq!(spool.buffer_whole().await.unwrap(), first as u64);
        let (incoming, mut client) = body(Some(two.len())).await;
        client.send(&two);
        client.finish();
        let both = spool.followed_by(incoming, Progress::start()).await;
        assert_eq!(both.length(), Some((first + two.len()) as u64));
        assert_eq!(both.buffer_whole().await.unwrap(), (first + two.len()) as u64);
        let (incoming, mut client) = body(None).await;
        client.send(&three);
        client.finish();
        let all = both.followed_by(incoming, Progress::start()).await;
        assert_eq!(all.length(), None);
        for _ in 0..2 {
            assert_eq!(read(all.attempt().await.unwrap()).await.unwrap(), [&one[..], &two, &three].concat());
        }
        assert!(
            spool.attempt().await.is_err() && both.attempt().await.is_err(),
            "a spool that was continued is unusable"
        );
        assert_eq!(space.used() > 0, first > IN_MEMORY);
        drop((spool, both, all));
        assert_eq!(space.used(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_client_is_reported_as_a_client_fault() {
    for (disconnects, fault) in [(true, ClientFault::Broken), (false, ClientFault::Idle(IDLE))] {
        let (incoming, client) = body(Some(1000)).await;
        let spool = Spool::new(incoming, IDLE, Progress::start(), space(KIB));
        client.send(&random(9, 100));
        let mut attempt = spool.attempt().await.unwrap();
        read_at_least(&mut attempt, 100).await;
        assert_eq!(spool.client_fault(), None);
        if disconnects {
            client.disconnect();
        }
        let start = Instant::now();
        assert!(attempt.frame().await.unwrap().is_err());
        assert_eq!(
            (spool.client_fault(), start.elapsed()),
            (Some(fault), if disconnects { Duration::ZERO } else { IDLE })
        );
        assert!(!spool.is_fully_sent());
        let buffered = spool.buffer_whole().await;
        assert!(matches!(buffered, Err(BufferError::Client(again)) if again == fault), "{buffered:?}");
    }
    let spool = spool_of(&random(10, IN_MEMORY + 1), KIB, &space(0)).await;
    assert!(matches!(spool.buffer_whole().await, Err(BufferError::NotReplayable(_))));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_client_pauses_the_timeout_of_the_registry() {
    let (incoming, client) = body(None).await;
    let progress = Progress::start();
    let spool = Spool::new(incoming, IDLE * 10, progress.clone(), space(KIB));
    let mut attempt = spool.attempt().await.unwrap();
    let reading = tokio::spawn(async move {
        let frame = attempt.frame().await.unwrap().unwrap();
        (frame, attempt)
    });
    assert!(timeout(IDLE * 9, progress.stalled(IDLE)).await.is_err(), "paused while the client sends nothing");
    client.send(&random(11, 1));
    drop(reading.await.unwrap());
    let start = Instant::now();
    progress.stalled(IDLE).await;
    assert_eq!(start.elapsed(), IDLE, "restarted by the client's piece");
}

#[test]
fn without_a_writable_folder_only_small_bodies_can_be_sent_again() {
    const NOWHERE: &str = "/nowhere/to/be/found";
    if std::env::temp_dir() != std::path::Path::new(NOWHERE) {
        let name = "net::spool::tests::without_a_writable_folder_only_small_bodies_can_be_sent_again";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("TMPDIR", NOWHERE)
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (length, fits) in [(IN_MEMORY, true), (IN_MEMORY + 1, false)] {
            let (bytes, space) = (random(14, length), space(1024 * KIB));
            let spool = spool_of(&bytes, 4099, &space).await;
            assert_eq!(read(spool.attempt().await.unwrap()).await.unwrap(), bytes);
            let error = spool.rewind().await.err().map(|error| error.why);
            let expected = SpoolError::Unwritable(std::io::ErrorKind::NotFound);
            assert_eq!(error, (!fits).then_some(expected), "{length} bytes");
            drop(spool);
            assert_eq!(space.used(), 0);
        }
    });
}
