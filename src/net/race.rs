//! Several addresses of one name, tried side by side: the first that answers is taken (RFC 8305, section 5).

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;
use tracing::debug;

/// Tries the addresses in their order, the families by turns. The next one is begun when the one before has failed, or
/// has been silent for a while; those that were begun go on. Of all that went wrong, the most telling is the error.
pub(super) async fn first<S, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<S>
where
    F: Future<Output = io::Result<S>>,
{
    let mut waiting = by_turns(addresses);
    let mut open = FuturesUnordered::new();
    let mut worst: Option<io::Error> = None;
    loop {
        if let Some(address) = waiting.pop_front() {
            let connecting = connect(address);
            open.push(async move { connecting.await.map_err(|error| (address, error)) });
        }
        tokio::select! {
            Some(outcome) = open.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err((address, error)) => {
                    debug!(%address, %error, "an address does not connect");
                    worst = Some(more_telling(worst, error));
                }
            },
            () = sleep(HEAD_START), if !waiting.is_empty() => {}
            else => {
                return Err(worst.unwrap_or_else(|| io::Error::new(ErrorKind::AddrNotAvailable, "the name has no address")));
            }
        }
    }
}

/// The first address first, then one of each family in turn (RFC 8305, section 4).
fn by_turns(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let is_six = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut one, mut other): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_six);
    let mut turns = VecDeque::with_capacity(one.len() + other.len());
    while !one.is_empty() || !other.is_empty() {
        turns.extend(one.pop_front());
        turns.extend(other.pop_front());
    }
    turns
}

/// That this machine has no way to an address says less of the other end than that the other end refuses.
fn more_telling(known: Option<io::Error>, new: io::Error) -> io::Error {
    let is_about_us = |error: &io::Error| {
        matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable)
    };
    match known {
        Some(known) if !is_about_us(&known) || is_about_us(&new) => known,
        _ => new,
    }
}

/// How long an address may be silent before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    #[derive(Clone, Copy)]
    enum At {
        /// It answers after this many milliseconds.
        Answers(u64),
        Refuses,
        Unreachable,
        /// Nothing comes back.
        Silent,
    }
    use At::{Answers, Refuses, Silent, Unreachable};

    const SIX: &str = "[fd00::1]:443";
    const FOUR: &str = "10.0.0.1:443";

    /// Which address was taken, after how many milliseconds, and which were tried, in order.
    async fn race(name: &[(&str, At)]) -> (Result<String, ErrorKind>, u128, Vec<String>) {
        let tried = RefCell::new(Vec::new());
        let begun = Instant::now();
        let addresses = name.iter().map(|(address, _)| address.parse().unwrap()).collect();
        let outcome = first(addresses, |address: SocketAddr| {
            tried.borrow_mut().push(address.to_string());
            let (_, at) = *name.iter().find(|(known, _)| *known == address.to_string()).unwrap();
            async move {
                match at {
                    Answers(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Ok(address.to_string())
                    }
                    Refuses => Err(ErrorKind::ConnectionRefused.into()),
                    Unreachable => Err(ErrorKind::NetworkUnreachable.into()),
                    Silent => pending().await,
                }
            }
        });
        let outcome = outcome.await.map_err(|error| error.kind());
        (outcome, begun.elapsed().as_millis(), tried.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_head_start_and_a_dead_one_nothing() {
        for (name, taken, after) in [
            (&[(SIX, Silent), (FOUR, Answers(5))][..], FOUR, 255),
            (&[(FOUR, Silent), (SIX, Answers(5))], SIX, 255),
            (&[(SIX, Unreachable), (FOUR, Answers(5))], FOUR, 5),
            (&[(FOUR, Refuses), (SIX, Answers(5))], SIX, 5),
            // Also within a family, and however many there are.
            (&[(FOUR, Silent), ("10.0.0.2:443", Answers(5))], "10.0.0.2:443", 255),
            (
                &[(SIX, Silent), ("[fd00::2]:443", Silent), (FOUR, Silent), ("10.0.0.2:443", Answers(5))],
                "10.0.0.2:443",
                755,
            ),
            // Slow is not dead: what was begun goes on.
            (&[(SIX, Answers(300)), (FOUR, Answers(900))], SIX, 300),
            (&[(SIX, Answers(300)), (FOUR, Refuses)], SIX, 300),
        ] {
            let (outcome, took, _) = race(name).await;
            assert_eq!((outcome.as_deref(), took), (Ok(taken), after));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn families_take_turns_and_nobody_is_asked_who_need_not_be() {
        let six = ["[fd00::1]:443", "[fd00::2]:443", "[fd00::3]:443"];
        let name: Vec<_> = six.into_iter().chain([FOUR]).map(|address| (address, Refuses)).collect();
        assert_eq!(race(&name).await.2, [six[0], FOUR, six[1], six[2]]);
        assert_eq!(race(&[(SIX, Answers(5)), (FOUR, Answers(5))]).await.2, [SIX]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_is_the_other_ends_where_it_has_one() {
        for name in [[(SIX, Unreachable), (FOUR, Refuses)], [(FOUR, Refuses), (SIX, Unreachable)]] {
            assert_eq!(race(&name).await.0, Err(ErrorKind::ConnectionRefused));
        }
        assert_eq!(race(&[(SIX, Unreachable)]).await.0, Err(ErrorKind::NetworkUnreachable));
        assert_eq!(race(&[]).await.0, Err(ErrorKind::AddrNotAvailable));
    }
}
