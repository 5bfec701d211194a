//! Clients that send requests without pause while regpass restarts or reloads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinHandle;

/// Running clients, each of which sends its next request once the last one is answered.
pub(super) struct ClientLoad {
    is_stopped: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl ClientLoad {
    /// Starts `count` clients. `request` panics if a request fails.
    pub(super) fn start<F>(count: usize, request: impl Fn() -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let (is_stopped, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = || {
            let (is_stopped, served, request) = (is_stopped.clone(), served.clone(), request.clone());
            tokio::spawn(async move {
                while !is_stopped.load(Ordering::Relaxed) {
                    request().await;
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..count).map(|_| client()).collect();
        Self { is_stopped, served, clients }
    }

    /// The number of requests answered so far.
    pub(super) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits until as many requests have been answered since [`served`](Self::served) was `before` as there are clients.
    pub(super) async fn wait_for_requests_after(&self, before: usize, case: &str) {
        while self.served() < before + self.clients.len() {
            assert!(self.clients.iter().all(|client| !client.is_finished()), "{case}: a request failed");
            tokio::task::yield_now().await;
        }
    }

    /// Stops the clients and fails the test if a request failed.
    pub(super) async fn finish(self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("no request failed");
        }
    }
}
