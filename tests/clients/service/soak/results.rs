//! The operations of the clients, and which of them failed.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use futures_util::FutureExt;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Pull,
    Push,
}

/// The numbers of one client's operations, or of all clients'.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    succeeded: usize,
    bytes: usize,
    failed: usize,
}

#[derive(Debug)]
pub(super) struct Results {
    start: Instant,
    totals: Mutex<BTreeMap<(&'static str, Operation), Totals>>,
    failures: Mutex<Vec<String>>,
}

impl Default for Results {
    fn default() -> Self {
        Self { start: Instant::now(), totals: Mutex::default(), failures: Mutex::default() }
    }
}

impl Results {
    /// Runs and records an operation that transfers `bytes` bytes of layers. If it panics it has failed, with the panic's
    /// message.
    pub(super) async fn record(
        &self,
        client: &'static str,
        operation: Operation,
        bytes: usize,
        work: impl Future<Output = ()>,
    ) {
        let started = self.start.elapsed();
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        let mut totals = self.totals.lock().expect("an unpoisoned lock");
        let totals = totals.entry((client, operation)).or_default();
        match outcome {
            Ok(()) => {
                totals.succeeded += 1;
                totals.bytes += bytes;
            }
            Err(panic) => {
                totals.failed += 1;
                let lasted = self.start.elapsed().checked_sub(started).unwrap_or_default();
                let message = panic_message(&*panic);
                let failure = format!(
                    "{client} {operation:?}, started after {started:.3?}, failed after {lasted:.3?}: {message}"
                );
                self.failures.lock().expect("an unpoisoned lock").push(failure);
            }
        }
    }

    pub(super) fn failures(&self) -> Vec<String> {
        self.failures.lock().expect("an unpoisoned lock").clone()
    }

    pub(super) fn assert_every_client_worked(&self, clients: &[&'static str]) {
        let totals = self.totals.lock().expect("an unpoisoned lock");
        for client in clients {
            for operation in [Operation::Pull, Operation::Push] {
                let succeeded = totals.get(&(*client, operation)).map_or(0, |totals| totals.succeeded);
                assert!(succeeded > 0, "{client}: no {operation:?}");
            }
        }
    }

    /// A table with a row for each client and one for all.
    pub(super) fn table(&self) -> String {
        let mut table =
            format!("{:<12} {:>6} {:>8} {:>6} {:>8} {:>6}\n", "client", "pulls", "MiB", "pushes", "MiB", "failed");
        let totals = self.totals.lock().expect("an unpoisoned lock");
        let mut row = |name: &str, pull: Totals, push: Totals| {
            let cells = |totals: Totals| format!("{:>6} {:>8}", totals.succeeded, totals.bytes >> 20);
            writeln!(table, "{name:<12} {} {} {:>6}", cells(pull), cells(push), pull.failed + push.failed)
                .expect("a String accepts all writes");
        };
        let mut clients: Vec<_> = totals.keys().map(|(client, _)| *client).collect();
        clients.dedup();
        let of_client = |client, operation| totals.get(&(client, operation)).copied().unwrap_or_default();
        for client in clients {
            row(client, of_client(client, Operation::Pull), of_client(client, Operation::Push));
        }
        let of_all = |operation| {
            let all = totals.iter().filter(|((_, of), _)| *of == operation);
            all.fold(Totals::default(), |sum, (_, totals)| sum.plus(*totals))
        };
        row("all", of_all(Operation::Pull), of_all(Operation::Push));
        table
    }
}

impl Totals {
    fn plus(self, other: Self) -> Self {
        Self {
            succeeded: self.succeeded + other.succeeded,
            bytes: self.bytes + other.bytes,
            failed: self.failed + other.failed,
        }
    }
}

/// The message of a failed assertion.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}
