//! What regpass logs while one test runs.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::prelude::*;

thread_local! {
    /// What this thread's test listens to. One subscriber serves all threads: with one for each, `tracing` may decide
    /// on a thread without that nobody listens.
    static HEARD: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// What regpass tells on this thread: every level of its own, and of its dependencies the warnings.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn listen() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let wanted = dynamic_filter_fn(|what, _| {
                let own = what.target().starts_with("regpass") || *what.level() <= tracing::Level::WARN;
                own && HEARD.with_borrow(Option::is_some)
            });
            let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Writer).with_filter(wanted);
            tracing_subscriber::registry().with(layer).init();
        });
        let log = Self::default();
        HEARD.set(Some(log.clone()));
        log
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The lines that hold `what`.
    pub fn lines(&self, what: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(what)).map(ToOwned::to_owned).collect()
    }

    /// How many lines of a level hold `words`.
    pub fn count(&self, level: &str, words: &str) -> usize {
        self.lines(words).iter().filter(|line| line.contains(level)).count()
    }
}

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let log = HEARD.with_borrow(Clone::clone);
        log.inspect(|log| log.0.lock().unwrap().extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
