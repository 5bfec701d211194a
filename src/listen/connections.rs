//! The connections of one listener, and which of them gives way to a new one when the listener is full.
//!
//! Closing the longest idle connection costs its client nothing: clients open another. So connections that only stay
//! open, or send a request's head slowly, do not keep other clients out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::peer::{Peer, PeerKey};
use super::usage::{UnfinishedHeads, Usage};

/// The open connections of a listener.
#[derive(Debug)]
pub struct Connections {
    limit: usize,
    open: Mutex<HashMap<u64, Arc<Usage>>>,
    ended: Notify,
    heads: Arc<UnfinishedHeads>,
}

/// A connection's place in [`Connections`]. Dropping it frees the place.
#[derive(Debug)]
pub struct OpenConnection {
    connections: Arc<Connections>,
    pub(super) usage: Arc<Usage>,
}

impl Connections {
    /// `limit`: the number of connections above which old ones are closed for new ones.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, open: Mutex::default(), ended: Notify::new(), heads: Arc::default() })
    }

    /// Makes room for a connection from `peer`. Waits as long as the listener is full of connections that all serve a
    /// request. `None` if the peer itself has most of those: its connection has to be closed, so that it does not keep
    /// others waiting behind it.
    pub(super) async fn admit(self: &Arc<Self>, peer: &Peer) -> Option<OpenConnection> {
        let peer = PeerKey::of(peer);
        loop {
            let ended = self.ended.notified();
            match self.try_admit(peer) {
                Admission::Open(connection) => return Some(connection),
                Admission::Refused => return None,
                Admission::Full => _ = timeout(RETRY_INTERVAL, ended).await,
            }
        }
    }

    fn try_admit(self: &Arc<Self>, peer: Option<PeerKey>) -> Admission {
        let now = Instant::now();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.limit {
            let Some(victim) = victim(&open, now, peer) else {
                let is_own = |other: &Usage| peer.is_some() && other.peer == peer && !other.is_idle();
                let own = open.values().filter(|other| is_own(other)).count();
                return if own > self.limit / 2 { Admission::Refused } else { Admission::Full };
            };
            if let Some(usage) = open.remove(&victim) {
                usage.close();
            }
        }
        let usage = Arc::new(Usage::new(peer, now, self.heads.clone()));
        open.insert(usage.id(), usage.clone());
        Admission::Open(OpenConnection { connections: self.clone(), usage })
    }
}

enum Admission {
    Open(OpenConnection),
    /// Nothing can be closed now.
    Full,
    Refused,
}

impl OpenConnection {
    /// A connection of no listener.
    pub(super) fn alone(peer: &Peer) -> Self {
        let connections = Connections::new(usize::MAX);
        let usage = Arc::new(Usage::new(PeerKey::of(peer), Instant::now(), connections.heads.clone()));
        Self { connections, usage }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.usage.id());
        self.connections.ended.notify_one();
    }
}

/// The connection to close for one more from `newcomer`: the longest idle one; else one whose request made no progress for
/// so long that its client or registry is gone; else, if another peer has most of all connections, its longest quiet one.
fn victim(open: &HashMap<u64, Arc<Usage>>, now: Instant, newcomer: Option<PeerKey>) -> Option<u64> {
    let longest_quiet = |is_candidate: &dyn Fn(&Usage) -> bool, least: Duration| {
        let candidates =
            open.iter().filter(|(_, usage)| is_candidate(usage)).map(|(id, usage)| (usage.quiet(now), *id));
        candidates.max().filter(|(quiet, _)| *quiet >= least).map(|(_, id)| id)
    };
    longest_quiet(&|usage| usage.is_idle(), MIN_IDLE).or_else(|| longest_quiet(&|_| true, STALLED)).or_else(|| {
        let mut counts: HashMap<PeerKey, usize> = HashMap::new();
        for peer in open.values().filter_map(|usage| usage.peer) {
            *counts.entry(peer).or_default() += 1;
        }
        let (largest, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        if newcomer.is_none_or(|newcomer| newcomer == largest) || count <= open.len() / 2 {
            return None;
        }
        longest_quiet(&|usage| usage.peer == Some(largest), Duration::ZERO)
    })
}

/// How long a connection without a request is left to send one.
const MIN_IDLE: Duration = Duration::from_millis(100);
/// Longer than any wait for a registry.
const STALLED: Duration = Duration::from_secs(60);
/// How often a full listener looks for a connection to close.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    fn peer(address: &str) -> Peer {
        Peer { address: Some(SocketAddr::new(address.parse().unwrap(), 1)), ..Peer::default() }
    }

    fn is_closed(connection: &OpenConnection) -> bool {
        connection.usage.closed().now_or_never().is_some()
    }

    async fn admitted(connections: &Arc<Connections>, address: &str) -> Option<OpenConnection> {
        timeout(Duration::from_secs(1), connections.admit(&peer(address))).await.ok()?
    }

    #[tokio::test(start_paused = true)]
    async fn full_listener_closes_its_longest_idle_connection() {
        let connections = Connections::new(3);
        let first = admitted(&connections, "127.0.0.1").await.unwrap();
        let busy = admitted(&connections, "127.0.0.1").await.unwrap();
        let _request = busy.usage.clone().begin_request();
        advance(Duration::from_secs(1)).await;
        let second = admitted(&connections, "127.0.0.1").await.unwrap();
        advance(Duration::from_secs(1)).await;
        first.usage.record_progress();
        let third = admitted(&connections, "127.0.0.1").await.unwrap();
        assert!(is_closed(&second), "it was idle for longer than the first");
        assert!(!is_closed(&first) && !is_closed(&busy) && !is_closed(&third));
    }

    #[tokio::test(start_paused = true)]
    async fn busy_connections_are_not_closed_until_they_stall() {
        let connections = Connections::new(2);
        let all =
            [admitted(&connections, "10.0.0.1").await.unwrap(), admitted(&connections, "10.0.0.2").await.unwrap()];
        let _requests = all.each_ref().map(|one| one.usage.clone().begin_request());
        assert!(admitted(&connections, "10.0.0.3").await.is_none(), "nothing may be closed");
        advance(STALLED).await;
        all[0].usage.record_progress();
        assert!(admitted(&connections, "10.0.0.3").await.is_some());
        assert!(!is_closed(&all[0]) && is_closed(&all[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn peer_with_most_connections_gives_way_to_others_only() {
        let connections = Connections::new(3);
        let mut busy = Vec::new();
        for address in ["10.0.0.1", "10.0.0.1", "10.0.0.2"] {
            let connection = admitted(&connections, address).await.unwrap();
            busy.push((connection.usage.clone().begin_request(), connection));
        }
        assert!(admitted(&connections, "10.0.0.1").await.is_none(), "refused at once");
        assert!(admitted(&connections, "10.0.0.3").await.is_some());
        let closed: Vec<bool> = busy.iter().map(|(_, connection)| is_closed(connection)).collect();
        assert!(closed[..2].contains(&true) && !closed[2], "{closed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn ended_connection_makes_room_at_once() {
        let connections = Connections::new(1);
        let only = admitted(&connections, "127.0.0.1").await.unwrap();
        let request = only.usage.clone().begin_request();
        let next = tokio::spawn({
            let connections = connections.clone();
            async move { admitted(&connections, "127.0.0.1").await.is_some() }
        });
        tokio::task::yield_now().await;
        drop((request, only));
        assert!(next.await.unwrap());
    }
}
