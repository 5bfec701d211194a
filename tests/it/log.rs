//! The log of regpass while one test runs.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use regpass::observe::log;
use serde_json::Value;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::prelude::*;

thread_local! {
    /// The log of this thread's test. One subscriber serves all threads: with one per thread, `tracing` may cache on a thread
    /// without a subscriber that an event is of no interest.
    static CAPTURED: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// The log events of one thread: all levels of regpass, and warnings and errors of its dependencies.
#[derive(Clone, Default)]
pub struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    json: Arc<Mutex<Vec<u8>>>,
}

impl Log {
    /// Starts to capture the log of this thread.
    pub fn capture() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let text = log::text(|| Writer(|log| &log.text), false).with_filter(dynamic_filter_fn(is_wanted));
            let json = log::json(|| Writer(|log| &log.json)).with_filter(dynamic_filter_fn(is_wanted));
            tracing_subscriber::registry().with(text).with(json).init();
        });
        let log = Self::default();
        CAPTURED.set(Some(log.clone()));
        log
    }

    /// The log in the text format.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// The lines in the text format that contain `what`.
    pub fn lines(&self, what: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(what)).map(ToOwned::to_owned).collect()
    }

    /// The events in the JSON format with exactly this message, for example `request` or `image`.
    pub fn events(&self, message: &str) -> Vec<Value> {
        let text = String::from_utf8_lossy(&self.json.lock().unwrap()).into_owned();
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|event| event["message"] == message).collect()
    }

    /// How many lines of a level contain `words`.
    pub fn count(&self, level: &str, words: &str) -> usize {
        self.lines(words).iter().filter(|line| line.contains(level)).count()
    }
}

fn is_wanted<S>(what: &tracing::Metadata<'_>, _: &tracing_subscriber::layer::Context<'_, S>) -> bool {
    let own = what.target().starts_with("regpass") || *what.level() <= tracing::Level::WARN;
    own && CAPTURED.with_borrow(Option::is_some)
}

/// Appends to the text or JSON buffer of the log that this thread captures, and discards the bytes if it captures none.
struct Writer(fn(&Log) -> &Mutex<Vec<u8>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let log = CAPTURED.with_borrow(Clone::clone);
        log.inspect(|log| (self.0)(log).lock().unwrap().extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
