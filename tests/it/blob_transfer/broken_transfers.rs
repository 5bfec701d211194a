//! Stalled and interrupted blob transfers: if regpass cannot resume one, the response to the client is cut off.

use tokio::time::Instant;

use super::{SIZE, start};
use crate::sim::Fault;
use crate::wire::StreamingResponse;

#[tokio::test(start_paused = true)]
async fn stalled_body_is_resumed_after_thirty_seconds() {
    let setup = start().await;
    setup.registry.api().inject(Fault::hang_mid_body(80_000).times(1));
    let started = Instant::now();
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    assert_eq!(started.elapsed().as_secs(), 30);
    assert_eq!(setup.requests(), ["registry 200 whole", "registry 206 bytes=80000-199999"]);
}

#[tokio::test(start_paused = true)]
async fn registry_that_sends_no_bytes_three_times_breaks_the_transfer() {
    // A hanging registry costs the idle timeout of 30 s three times. regpass pauses for one second before the third attempt.
    for (fault, seconds) in [(Fault::hang_after_head(), 91), (Fault::close_mid_body(0), 1)] {
        let setup = start().await;
        setup.registry.api().inject(fault);
        let started = Instant::now();
        let reply = setup.regpass.send(setup.get()).await;
        setup.assert_broken(&reply);
        assert_eq!((started.elapsed().as_secs(), setup.requests().len()), (seconds, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn registry_that_sends_one_byte_per_attempt_breaks_the_transfer() {
    let setup = start().await;
    setup.registry.api().inject(Fault::close_mid_body(1));
    let reply = setup.regpass.send(setup.get()).await;
    setup.assert_broken(&reply);
    let count = setup.requests().len();
    assert!((3..=32).contains(&count), "{count} requests for one byte each");
}

#[tokio::test(start_paused = true)]
async fn registry_that_stops_breaks_the_transfer() {
    let setup = start().await;
    setup.registry.api().inject(Fault::hang_mid_body(80_000));
    let mut open = StreamingResponse::start(&setup.regpass, setup.get()).await;
    open.next_piece().await.unwrap().unwrap();
    setup.registry.api().stop();
    let mut last = None;
    while let Some(piece) = open.next_piece().await {
        last = Some(piece.is_ok());
    }
    assert_eq!(last, Some(false));
}

#[tokio::test(start_paused = true)]
async fn interrupted_body_of_unknown_length_is_not_resumed() {
    let setup = start().await;
    setup.registry.api().inject(Fault::alter(|_, reply| reply.without_header("content-length").chunked()));
    let reply = setup.regpass.send(setup.get()).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, None));
    setup.assert_part(&reply, 0, SIZE);
    setup.sim.ledger().take();
    setup.registry.api().inject(Fault::close_mid_body(80_000));
    let reply = setup.regpass.send(setup.get()).await;
    assert_eq!((reply.status.as_u16(), reply.complete), (200, false));
    assert_eq!(setup.requests(), ["registry 200 whole"]);
}
