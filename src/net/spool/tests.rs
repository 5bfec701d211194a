use std::sync::atomic::AtomicUsize;

use bytes::BytesMut;
use tokio::time::Instant;

use super::super::fixture::{IDLE, body, random};
use super::source::IN_MEMORY;
use super::*;

const KIB: usize = 1024;

/// A spool of a body that has been sent whole, in pieces of this size.
async fn spool_of(bytes: &Bytes, piece: usize, space: &Arc<SpoolSpace>) -> Spool {
    let (incoming, mut client) = body(None).await;
    for start in (0..bytes.len()).step_by(piece) {
        client.says(&bytes.slice(start..(start + piece).min(bytes.len())));
    }
    client.ends();
    Spool::new(incoming, IDLE, Progress::begin(), space.clone())
}

fn space(each: usize) -> Arc<SpoolSpace> {
    Arc::new(SpoolSpace::new(each as u64))
}

async fn read(body: StreamBody) -> Result<Bytes, BoxError> {
    body.collect().await.map(http_body_util::Collected::to_bytes)
}

/// The first `wanted` bytes at least.
async fn read_some(body: &mut StreamBody, wanted: usize) -> Bytes {
    let mut read = BytesMut::new();
    while read.len() < wanted {
        read.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
    }
    read.freeze()
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_the_whole_body_again() {
    for length in [0, 1, IN_MEMORY - 1, IN_MEMORY, IN_MEMORY + 1, 700 * KIB + 13] {
        for piece in [1021, 64 * KIB, 99_991] {
            let bytes = random(length as u64, length);
            let spool = spool_of(&bytes, piece, &space(1024 * KIB)).await;
            for part in [0, length.min(1), length / 3, length / 2, length] {
                let mut attempt = spool.attempt().await.unwrap();
                let begun = read_some(&mut attempt, part).await;
                assert!(bytes.starts_with(&begun) && begun.len() >= part, "{length} in {piece}: the first {part}");
                assert_eq!(spool.passed(), begun.len() as u64);
            }
            assert_eq!(read(spool.attempt().await.unwrap()).await.unwrap(), bytes, "{length} in {piece}");
            assert!(spool.is_delivered());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_attempt_ends_the_old_one() {
    let (incoming, client) = body(None).await;
    let spool = Spool::new(incoming, IDLE, Progress::begin(), space(KIB));
    client.says(&random(1, 100));
    let mut first = spool.attempt().await.unwrap();
    assert_eq!(read_some(&mut first, 100).await.len(), 100);
    // It waits for the client, and may not take what comes next away.
    let waiting = tokio::spawn(async move { first.frame().await.unwrap().map(drop) });
    tokio::task::yield_now().await;
    let mut second = spool.attempt().await.unwrap();
    assert!(waiting.await.unwrap().unwrap_err().is::<Superseded>());
    client.says(&random(2, 50));
    let all = [random(1, 100), random(2, 50)].concat();
    assert_eq!(read_some(&mut second, 150).await, all);
    spool.rewind().await.unwrap();
    assert!(second.frame().await.unwrap().is_err(), "a spool that was rewound sends nothing");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_dropped_at_any_moment_loses_nothing() {
    let bytes = random(3, 500 * KIB);
    let spool = spool_of(&bytes, 10_007, &space(1024 * KIB)).await;
    let polls = Arc::new(AtomicUsize::new(0));
    // Each attempt is polled one time more than the one before, so that it ends in the middle of whatever it does.
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
async fn what_was_too_much_is_sent_once_and_not_again() {
    for (each, length, fits) in [
        (0, IN_MEMORY, true),
        (0, IN_MEMORY + 1, false),
        (10 * KIB, IN_MEMORY + 10 * KIB, true),
        (10 * KIB, IN_MEMORY + 10 * KIB + 1, false),
    ] {
        let (bytes, space) = (random(4, length), space(each));
        let spool = spool_of(&bytes, 1021, &space).await;
        assert_eq!(read(spool.attempt().await.unwrap()).await.unwrap(), bytes, "the first time it always works");
        let again = spool.attempt().await;
        match again {
            Ok(body) => assert_eq!((fits, read(body).await.unwrap()), (true, bytes)),
            Err(Spent { sent, why }) => {
                assert_eq!((fits, sent, why), (false, length as u64, Lost::TooLong((each + IN_MEMORY) as u64)));
            }
        }
        drop(spool);
        assert_eq!(space.used(), 0, "what was taken is given back");
    }
}

#[tokio::test(start_paused = true)]
async fn all_bodies_together_have_a_limit_too() {
    let space = space(100 * KIB);
    let bytes = random(5, IN_MEMORY + 100 * KIB);
    let mut spools = Vec::new();
    for number in 0..17 {
        let spool = spool_of(&bytes, KIB, &space).await;
        drop(read(spool.attempt().await.unwrap()).await.unwrap());
        let lost = spool.rewind().await.err().map(|spent| spent.why);
        assert_eq!(lost, (number == 16).then_some(Lost::Crowded), "spool {number}");
        spools.push(spool);
    }
    spools.pop();
    spools.pop();
    let another = spool_of(&bytes, KIB, &space).await;
    drop(read(another.attempt().await.unwrap()).await.unwrap());
    assert!(another.rewind().await.is_ok(), "there is room again");
}

#[tokio::test(start_paused = true)]
async fn a_body_can_be_taken_in_and_followed_by_another() {
    for first in [10, 300 * KIB] {
        let (one, two, three) = (random(6, first), random(7, 70 * KIB), random(8, 5));
        let space = space(1024 * KIB);
        let spool = spool_of(&one, 4099, &space).await;
        assert_eq!(spool.swallow().await.unwrap(), first as u64);
        let (incoming, mut client) = body(Some(two.len())).await;
        client.says(&two);
        client.ends();
        let both = spool.followed_by(incoming, Progress::begin()).await;
        assert_eq!(both.length(), Some((first + two.len()) as u64));
        assert_eq!(both.swallow().await.unwrap(), (first + two.len()) as u64);
        let (incoming, mut client) = body(None).await;
        client.says(&three);
        client.ends();
        let all = both.followed_by(incoming, Progress::begin()).await;
        assert_eq!(all.length(), None);
        for _ in 0..2 {
            assert_eq!(read(all.attempt().await.unwrap()).await.unwrap(), [&one[..], &two, &three].concat());
        }
        assert!(spool.attempt().await.is_err() && both.attempt().await.is_err(), "what was passed on is gone here");
        assert_eq!(space.used() > 0, first > IN_MEMORY);
        drop((spool, both, all));
        assert_eq!(space.used(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_fails_is_told_from_everything_else() {
    for (dies, fault) in [(true, ClientFault::Broken), (false, ClientFault::Idle(IDLE))] {
        let (incoming, client) = body(Some(1000)).await;
        let spool = Spool::new(incoming, IDLE, Progress::begin(), space(KIB));
        client.says(&random(9, 100));
        let mut attempt = spool.attempt().await.unwrap();
        read_some(&mut attempt, 100).await;
        assert_eq!(spool.fault(), None);
        if dies {
            client.dies();
        }
        let begun = Instant::now();
        assert!(attempt.frame().await.unwrap().is_err());
        assert_eq!((spool.fault(), begun.elapsed()), (Some(fault), if dies { Duration::ZERO } else { IDLE }));
        assert!(!spool.is_delivered());
        let swallowed = spool.swallow().await;
        assert!(matches!(swallowed, Err(Swallow::Client(again)) if again == fault), "{swallowed:?}");
    }
    let spool = spool_of(&random(10, IN_MEMORY + 1), KIB, &space(0)).await;
    assert!(matches!(spool.swallow().await, Err(Swallow::Spent(_))));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_client_does_not_wait_for_the_registry() {
    let (incoming, client) = body(None).await;
    let progress = Progress::begin();
    let spool = Spool::new(incoming, IDLE * 10, progress.clone(), space(KIB));
    let mut attempt = spool.attempt().await.unwrap();
    let reading = tokio::spawn(async move {
        let frame = attempt.frame().await.unwrap().unwrap();
        (frame, attempt)
    });
    assert!(timeout(IDLE * 9, progress.stalled(IDLE)).await.is_err(), "the client takes its time");
    client.says(&random(11, 1));
    drop(reading.await.unwrap());
    let begun = Instant::now();
    progress.stalled(IDLE).await;
    assert_eq!(begun.elapsed(), IDLE, "now it is somebody else's turn");
}

#[test]
fn a_folder_that_cannot_be_written_only_means_that_less_is_kept() {
    const NOWHERE: &str = "/nowhere/to/be/found";
    if std::env::temp_dir() != std::path::Path::new(NOWHERE) {
        let name = "net::spool::tests::a_folder_that_cannot_be_written_only_means_that_less_is_kept";
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("TMPDIR", NOWHERE)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (length, fits) in [(IN_MEMORY, true), (IN_MEMORY + 1, false)] {
            let (bytes, space) = (random(14, length), space(1024 * KIB));
            let spool = spool_of(&bytes, 4099, &space).await;
            assert_eq!(read(spool.attempt().await.unwrap()).await.unwrap(), bytes);
            let lost = spool.rewind().await.err().map(|spent| spent.why);
            let why = Lost::Unwritable(std::io::ErrorKind::NotFound);
            assert_eq!(lost, (!fits).then_some(why), "{length}");
            drop(spool);
            assert_eq!(space.used(), 0);
        }
    });
}
