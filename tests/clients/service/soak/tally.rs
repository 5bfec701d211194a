//! What the clients did, and what of it failed.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use futures_util::FutureExt;
use tokio::time::Instant;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Pull,
    Push,
}

#[derive(Clone, Copy, Debug, Default)]
struct Done {
    operations: usize,
    bytes: usize,
    failed: usize,
}

#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    done: Mutex<BTreeMap<(&'static str, Act), Done>>,
    failures: Mutex<Vec<String>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { began: Instant::now(), done: Mutex::default(), failures: Mutex::default() }
    }
}

impl Tally {
    /// One operation of a client, which moves so many bytes of layers. One that panics has failed, with what it says.
    pub(super) async fn count(
        &self,
        client: &'static str,
        act: Act,
        bytes: usize,
        operation: impl Future<Output = ()>,
    ) {
        let at = self.began.elapsed();
        let outcome = AssertUnwindSafe(operation).catch_unwind().await;
        let mut done = self.done.lock().expect("no panic holds it");
        let done = done.entry((client, act)).or_default();
        match outcome {
            Ok(()) => {
                done.operations += 1;
                done.bytes += bytes;
            }
            Err(panic) => {
                done.failed += 1;
                let lasted = self.began.elapsed().checked_sub(at).unwrap_or_default();
                let told =
                    format!("{client} {act:?}, begun after {at:.3?}, failed after {lasted:.3?}: {}", said(&*panic));
                self.failures.lock().expect("no panic holds it").push(told);
            }
        }
    }

    pub(super) fn failures(&self) -> Vec<String> {
        self.failures.lock().expect("no panic holds it").clone()
    }

    pub(super) fn assert_everyone_worked(&self, clients: &[&'static str]) {
        let done = self.done.lock().expect("no panic holds it");
        for client in clients {
            for act in [Act::Pull, Act::Push] {
                assert!(done.get(&(*client, act)).is_some_and(|done| done.operations > 0), "{client}: no {act:?}");
            }
        }
    }

    pub(super) fn table(&self) -> String {
        let mut table =
            format!("{:<12} {:>6} {:>8} {:>6} {:>8} {:>6}\n", "client", "pulls", "MiB", "pushes", "MiB", "failed");
        let done = self.done.lock().expect("no panic holds it");
        let did = |client, act| done.get(&(client, act)).copied().unwrap_or_default();
        let mut row = |name: &str, pull: Done, push: Done| {
            let of = |done: Done| format!("{:>6} {:>8}", done.operations, done.bytes >> 20);
            writeln!(table, "{name:<12} {} {} {:>6}", of(pull), of(push), pull.failed + push.failed).expect("text");
        };
        let mut clients: Vec<_> = done.keys().map(|(client, _)| *client).collect();
        clients.dedup();
        for client in clients {
            row(client, did(client, Act::Pull), did(client, Act::Push));
        }
        let all =
            |act| done.iter().filter(|((_, of), _)| *of == act).fold(Done::default(), |sum, (_, done)| sum.and(*done));
        row("all", all(Act::Pull), all(Act::Push));
        table
    }
}

impl Done {
    fn and(self, other: Self) -> Self {
        Self {
            operations: self.operations + other.operations,
            bytes: self.bytes + other.bytes,
            failed: self.failed + other.failed,
        }
    }
}

/// What a failed assertion says.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}
