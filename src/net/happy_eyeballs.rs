//! Connecting to one of several addresses of a name: Happy Eyeballs (RFC 8305, section 5).

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;
use tracing::debug;

/// Returns the first connection that succeeds. Tries the addresses in order, alternating between IPv6 and IPv4. The
/// next attempt starts when the one before has failed or has taken 250 ms; attempts under way continue. If all fail,
/// the error of a server is preferred over that of a missing route.
pub(super) async fn connect<S, F>(addresses: Vec<SocketAddr>, dial: impl Fn(SocketAddr) -> F) -> io::Result<S>
where
    F: Future<Output = io::Result<S>>,
{
    let mut waiting = alternate_families(addresses);
    let mut attempts = FuturesUnordered::new();
    let mut failure: Option<io::Error> = None;
    loop {
        if let Some(address) = waiting.pop_front() {
            let connecting = dial(address);
            attempts.push(async move { connecting.await.map_err(|error| (address, error)) });
        }
        tokio::select! {
            Some(outcome) = attempts.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err((address, error)) => {
                    debug!(%address, %error, "cannot connect to an address");
                    failure = Some(more_specific(failure, error));
                }
            },
            () = sleep(ATTEMPT_DELAY), if !waiting.is_empty() => {}
            else => {
                let no_address = || io::Error::new(ErrorKind::AddrNotAvailable, "the name has no addresses");
                return Err(failure.unwrap_or_else(no_address));
            }
        }
    }
}

/// Orders addresses so that the families alternate, starting with the first address (RFC 8305, section 4).
fn alternate_families(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let starts_with_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == starts_with_ipv6);
    let mut ordered = VecDeque::with_capacity(first.len() + second.len());
    while !first.is_empty() || !second.is_empty() {
        ordered.extend(first.pop_front());
        ordered.extend(second.pop_front());
    }
    ordered
}

/// Prefers an error of the remote host, such as a refused connection, over a missing route on this machine.
fn more_specific(known: Option<io::Error>, new: io::Error) -> io::Error {
    let is_local = |error: &io::Error| {
        matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable)
    };
    match known {
        Some(known) if !is_local(&known) || is_local(&new) => known,
        _ => new,
    }
}

/// How long an attempt may take before the next one starts beside it (RFC 8305 recommends 250 ms).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Behavior {
        /// Accepts after this many milliseconds.
        Accepts(u64),
        Refuses,
        Unreachable,
        /// Never responds.
        Silent,
    }
    use Behavior::{Accepts, Refuses, Silent, Unreachable};

    const IPV6: &str = "[fd00::1]:443";
    const IPV4: &str = "10.0.0.1:443";

    /// The address that was connected, the elapsed milliseconds, and the attempts in order.
    async fn run(name: &[(&str, Behavior)]) -> (Result<String, ErrorKind>, u128, Vec<String>) {
        let tried = RefCell::new(Vec::new());
        let start = Instant::now();
        let addresses = name.iter().map(|(address, _)| address.parse().unwrap()).collect();
        let outcome = connect(addresses, |address: SocketAddr| {
            tried.borrow_mut().push(address.to_string());
            let (_, behavior) = *name.iter().find(|(known, _)| *known == address.to_string()).unwrap();
            async move {
                match behavior {
                    Accepts(after) => {
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
        (outcome, start.elapsed().as_millis(), tried.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_delays_by_250_ms_and_a_refusing_one_not_at_all() {
        for (name, connected, after) in [
            (&[(IPV6, Silent), (IPV4, Accepts(5))][..], IPV4, 255),
            (&[(IPV4, Silent), (IPV6, Accepts(5))], IPV6, 255),
            (&[(IPV6, Unreachable), (IPV4, Accepts(5))], IPV4, 5),
            (&[(IPV4, Refuses), (IPV6, Accepts(5))], IPV6, 5),
            // The same within one family, and with more than two addresses.
            (&[(IPV4, Silent), ("10.0.0.2:443", Accepts(5))], "10.0.0.2:443", 255),
            (
                &[(IPV6, Silent), ("[fd00::2]:443", Silent), (IPV4, Silent), ("10.0.0.2:443", Accepts(5))],
                "10.0.0.2:443",
                755,
            ),
            // A slow attempt continues after the next one has started.
            (&[(IPV6, Accepts(300)), (IPV4, Accepts(900))], IPV6, 300),
            (&[(IPV6, Accepts(300)), (IPV4, Refuses)], IPV6, 300),
        ] {
            let (outcome, took, _) = run(name).await;
            assert_eq!((outcome.as_deref(), took), (Ok(connected), after), "{name:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn families_alternate_and_no_attempt_is_made_after_a_success() {
        let ipv6 = ["[fd00::1]:443", "[fd00::2]:443", "[fd00::3]:443"];
        let name: Vec<_> = ipv6.into_iter().chain([IPV4]).map(|address| (address, Refuses)).collect();
        assert_eq!(run(&name).await.2, [ipv6[0], IPV4, ipv6[1], ipv6[2]]);
        assert_eq!(run(&[(IPV6, Accepts(5)), (IPV4, Accepts(5))]).await.2, [IPV6]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_of_a_server_is_preferred_over_a_missing_route() {
        for name in [[(IPV6, Unreachable), (IPV4, Refuses)], [(IPV4, Refuses), (IPV6, Unreachable)]] {
            assert_eq!(run(&name).await.0, Err(ErrorKind::ConnectionRefused));
        }
        assert_eq!(run(&[(IPV6, Unreachable)]).await.0, Err(ErrorKind::NetworkUnreachable));
        assert_eq!(run(&[]).await.0, Err(ErrorKind::AddrNotAvailable));
    }
}
