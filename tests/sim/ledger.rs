//! The record of every request that reached a simulated server, in order of arrival.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use tokio::sync::watch;

use super::registry::Route;
use super::{lock, query};

const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;

/// What a server is for; the rules differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Registry,
    Token,
    Blobs,
    /// The other host of [`Locations::OtherHost`](super::Locations::OtherHost).
    Uploads,
    /// Anything else a test starts, under its own name: a metadata service, a cloud API, a stranger.
    Other(&'static str),
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Token => "token",
            Self::Blobs => "blobs",
            Self::Uploads => "uploads",
            Self::Other(name) => name,
        }
    }
}

/// Who a request said it was, without the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthSeen {
    None,
    Basic {
        user: String,
    },
    /// Tokens are numbered by the simulation in order of issue; `None` for one it never issued.
    Bearer {
        id: Option<usize>,
    },
    /// `grant_type=password` in a form.
    Password {
        user: String,
    },
    /// `grant_type=refresh_token` in a form.
    Identity,
    Other,
}

impl fmt::Display for AuthSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("anonymous"),
            Self::Basic { user } => write!(f, "basic:{user}"),
            Self::Bearer { id: Some(id) } => write!(f, "bearer#{id}"),
            Self::Bearer { id: None } => f.write_str("bearer#unknown"),
            Self::Password { user } => write!(f, "password:{user}"),
            Self::Identity => f.write_str("identity"),
            Self::Other => f.write_str("other"),
        }
    }
}

/// How a request says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Not at all: there is no body.
    None,
    Length(u64),
    Chunked,
}

/// `Expect: 100-continue`, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Absent,
    /// The answer came instead of a 100.
    Unanswered,
    /// The 100 went out before any of the body had come.
    Continued,
    /// The body did not wait for the 100.
    Overrun,
}

/// One request, and what became of it.
#[derive(Clone)]
pub struct Entry {
    /// `registry`, `token`, `blobs`…; with the registry's name in front when [`named`](super::Preset::named).
    pub server: String,
    pub role: Role,
    pub method: Method,
    pub path: String,
    /// As it came; for a token POST, the form.
    pub query: String,
    pub authorization: AuthSeen,
    pub headers: HeaderMap,
    /// Bytes of body read so far: a server that refuses early reads none.
    pub body_len: u64,
    /// The body was read to its proper end.
    pub body_whole: bool,
    pub framing: Framing,
    pub expect: Expect,
    /// `None` until the answer's head leaves.
    pub status: Option<StatusCode>,
}

impl Entry {
    pub fn query_value(&self, key: &str) -> Option<String> {
        query::value(&self.query, key)
    }

    /// Server, repository and kind of access.
    fn access(&self) -> (String, Option<String>, &'static str) {
        let repository = Route::parse(&self.path).and_then(|route| route.repository().map(str::to_owned));
        let kind = match self.method {
            Method::GET | Method::HEAD => "read",
            Method::DELETE => "delete",
            _ => "write",
        };
        (self.server.clone(), repository, kind)
    }

    /// The query for people: decoded, and without what is secret or changes from run to run.
    fn readable_query(&self) -> String {
        const HIDDEN: [&str; 6] = ["_state", "signature", "expires", "refresh_token", "password", "access_token"];
        let shown: Vec<String> = query::pairs(&self.query)
            .into_iter()
            .map(
                |(key, value)| {
                    if HIDDEN.contains(&key.as_str()) { format!("{key}=…") } else { format!("{key}={value}") }
                },
            )
            .collect();
        if shown.is_empty() { String::new() } else { format!("?{}", shown.join("&")) }
    }
}

/// `token GET /token?service=registry.docker.io&scope=repository:library/python:pull anonymous 200`
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, method, path, authorization, .. } = self;
        write!(f, "{server} {method} {path}{} {authorization} ", self.readable_query())?;
        match self.status {
            Some(status) => write!(f, "{}", status.as_u16()),
            None => f.write_str("unanswered"),
        }
    }
}

/// The headers hold tokens, so a derived `Debug` would print them.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A cheap handle; clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {
    pages: Arc<Mutex<Pages>>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Pages {
    /// Arrivals before `entries[0]`, taken away by [`Ledger::take`].
    taken: usize,
    entries: Vec<Entry>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { pages: Arc::default(), changed: watch::Sender::new(()) }
    }
}

impl Ledger {
    pub fn entries(&self) -> Vec<Entry> {
        lock(&self.pages).entries.clone()
    }

    /// One line per request, as [`Entry`] displays itself: never a secret.
    pub fn lines(&self) -> Vec<String> {
        self.entries().iter().map(ToString::to_string).collect()
    }

    pub fn count(&self, server: &str, matches: impl Fn(&Entry) -> bool) -> usize {
        self.entries().iter().filter(|entry| entry.server == server && matches(entry)).count()
    }

    /// Empties the ledger, so that the phases of a test are compared one by one.
    pub fn take(&self) -> Vec<Entry> {
        let mut pages = lock(&self.pages);
        pages.taken += pages.entries.len();
        std::mem::take(&mut pages.entries)
    }

    /// The 401s beyond the first for the same repository and the same kind of access, line by line: with tokens renewed
    /// in time there are none.
    pub fn repeated_401s(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let entries = self.entries();
        let refused = entries.iter().filter(|entry| entry.role == Role::Registry && entry.status == Some(UNAUTHORIZED));
        refused.filter(|entry| !seen.insert(entry.access())).map(ToString::to_string).collect()
    }

    /// Takes everything and compares it, line by line.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        let seen: Vec<String> = self.take().iter().map(ToString::to_string).collect();
        assert!(seen == lines, "the ledger holds\n  {}\ninstead of\n  {}", seen.join("\n  "), lines.join("\n  "));
    }

    /// Until at least `n` requests have arrived since the last [`take`](Self::take).
    pub async fn wait_for(&self, n: usize) {
        self.wait_until(|entries| entries.len() >= n).await;
    }

    /// Until the entries satisfy the condition, which is asked again at every arrival and every answer.
    pub async fn wait_until(&self, condition: impl Fn(&[Entry]) -> bool) {
        let mut changed = self.changed.subscribe();
        let satisfied = async {
            while !condition(&lock(&self.pages).entries) {
                changed.changed().await.expect("the ledger owns the sender");
            }
        };
        let patience = Duration::from_secs(60);
        let in_time = tokio::time::timeout(patience, satisfied).await.is_ok();
        assert!(in_time, "nothing more arrived within {patience:?}; the ledger holds {:#?}", self.lines());
    }

    pub(super) fn arrive(&self, entry: Entry) -> usize {
        let number = {
            let mut pages = lock(&self.pages);
            pages.entries.push(entry);
            pages.taken + pages.entries.len() - 1
        };
        self.changed.send_replace(());
        number
    }

    /// Completes an arrival; one that was taken away meanwhile stays as it was.
    pub(super) fn amend(&self, number: usize, change: impl FnOnce(&mut Entry)) {
        {
            let mut pages = lock(&self.pages);
            let Some(index) = number.checked_sub(pages.taken) else { return };
            change(&mut pages.entries[index]);
        }
        self.changed.send_replace(());
    }
}
