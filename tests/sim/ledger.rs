//! The ledger: every request that reached a simulated server, in order of arrival.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use tokio::sync::watch;

use super::route::Route;
use super::{lock, query};

const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;

/// What a server is; the rules depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Registry,
    TokenService,
    BlobStore,
    /// The host of the sessions of [`Locations::OtherHost`](super::Locations::OtherHost).
    UploadHost,
    /// The API of a vendor beside the registry. It checks the credential itself, which need not be a token that the
    /// simulation issued.
    VendorApi(&'static str),
    /// Any other server, by its name in the ledger: an extra host of a registry, a metadata service, a cloud API.
    Other(&'static str),
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::TokenService => "token",
            Self::BlobStore => "blobs",
            Self::UploadHost => "uploads",
            Self::VendorApi(name) | Self::Other(name) => name,
        }
    }
}

/// The credential of a request, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestAuth {
    None,
    Basic {
        user: String,
    },
    /// Tokens are numbered in order of issue; `None` for a token that the simulation never issued.
    Bearer {
        number: Option<usize>,
    },
    /// A form with `grant_type=password`.
    Password {
        user: String,
    },
    /// A form with `grant_type=refresh_token`.
    IdentityToken,
    Other,
}

impl fmt::Display for RequestAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("anonymous"),
            Self::Basic { user } => write!(f, "basic:{user}"),
            Self::Bearer { number: Some(number) } => write!(f, "bearer#{number}"),
            Self::Bearer { number: None } => f.write_str("bearer#unknown"),
            Self::Password { user } => write!(f, "password:{user}"),
            Self::IdentityToken => f.write_str("identity"),
            Self::Other => f.write_str("other"),
        }
    }
}

/// How a request delimits its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is neither `Content-Length` nor `Transfer-Encoding`: no body.
    None,
    Length(u64),
    Chunked,
}

/// What happened to `Expect: 100-continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectContinue {
    /// The request has no such header.
    NotSent,
    /// The final reply was sent without a 100 before it.
    NoContinue,
    /// The 100 was sent before any byte of the body arrived.
    Continued,
    /// The client sent body bytes without waiting for the 100.
    BodySentEarly,
}

/// One request and its outcome.
#[derive(Clone)]
pub struct Entry {
    /// `registry`, `token`, `blobs`…; the registry's name precedes it if the preset is [`named`](super::Preset::named).
    pub server: String,
    pub role: Role,
    pub method: Method,
    pub path: String,
    /// The query as received; for a token POST, the form.
    pub query: String,
    pub authorization: RequestAuth,
    pub headers: HeaderMap,
    /// Bytes of the body that the server has read so far; 0 if it replied without reading the body.
    pub body_len: u64,
    /// The body was read to its regular end.
    pub body_complete: bool,
    pub framing: Framing,
    pub expect: ExpectContinue,
    /// Bytes of the reply's body, whether or not all of them were sent.
    pub reply_len: u64,
    /// `None` until the server replies.
    pub status: Option<StatusCode>,
}

impl Entry {
    pub fn query_value(&self, key: &str) -> Option<String> {
        query::value(&self.query, key)
    }

    /// The server, the repository and the kind of access: what [`Ledger::repeated_401s`] compares.
    fn access(&self) -> (String, Option<String>, &'static str) {
        let repository = Route::parse(&self.path).and_then(|route| route.repository().map(str::to_owned));
        let kind = match self.method {
            Method::GET | Method::HEAD => "read",
            Method::DELETE => "delete",
            _ => "write",
        };
        (self.server.clone(), repository, kind)
    }

    /// The decoded query, without values that are secret or change from run to run.
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

/// Not derived: the headers hold tokens, which must not be printed.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A cheap handle; clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {
    state: Arc<Mutex<Entries>>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Entries {
    /// How many entries [`Ledger::take`] has removed before `entries[0]`.
    taken: usize,
    entries: Vec<Entry>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { state: Arc::default(), changed: watch::Sender::new(()) }
    }
}

impl Ledger {
    /// A copy of all entries.
    pub fn entries(&self) -> Vec<Entry> {
        lock(&self.state).entries.clone()
    }

    /// One line per request, as [`Entry`] displays itself, without secrets.
    pub fn lines(&self) -> Vec<String> {
        self.entries().iter().map(ToString::to_string).collect()
    }

    /// How many requests to `server` match.
    pub fn count(&self, server: &str, matches: impl Fn(&Entry) -> bool) -> usize {
        self.entries().iter().filter(|entry| entry.server == server && matches(entry)).count()
    }

    /// Removes and returns all entries, so that the next phase of a test starts with an empty ledger.
    pub fn take(&self) -> Vec<Entry> {
        let mut state = lock(&self.state);
        state.taken += state.entries.len();
        std::mem::take(&mut state.entries)
    }

    /// The ledger lines of requests to registries that got a 401, without the first for each server, repository and
    /// kind of access. Empty as long as tokens are renewed in time.
    pub fn repeated_401s(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let entries = self.entries();
        let refused = entries.iter().filter(|entry| entry.role == Role::Registry && entry.status == Some(UNAUTHORIZED));
        refused.filter(|entry| !seen.insert(entry.access())).map(ToString::to_string).collect()
    }

    /// Removes all entries; panics unless their lines are exactly these.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        let seen: Vec<String> = self.take().iter().map(ToString::to_string).collect();
        assert!(seen == lines, "the ledger holds\n  {}\ninstead of\n  {}", seen.join("\n  "), lines.join("\n  "));
    }

    /// Waits until at least `n` requests have arrived since the last [`take`](Self::take).
    pub async fn wait_for(&self, n: usize) {
        self.wait_until(|entries| entries.len() >= n).await;
    }

    /// Waits until the entries satisfy the condition, which is evaluated at every change of an entry; panics after 60
    /// s.
    pub async fn wait_until(&self, condition: impl Fn(&[Entry]) -> bool) {
        let mut changed = self.changed.subscribe();
        let satisfied = async {
            while !condition(&lock(&self.state).entries) {
                changed.changed().await.expect("the ledger owns the sender");
            }
        };
        let limit = Duration::from_secs(60);
        let in_time = tokio::time::timeout(limit, satisfied).await.is_ok();
        assert!(in_time, "the condition did not hold within {limit:?}; the ledger holds {:#?}", self.lines());
    }

    /// Adds an entry; returns its number for [`amend`](Self::amend).
    pub(super) fn record(&self, entry: Entry) -> usize {
        let number = {
            let mut state = lock(&self.state);
            state.entries.push(entry);
            state.taken + state.entries.len() - 1
        };
        self.changed.send_replace(());
        number
    }

    /// Changes an entry, unless [`take`](Self::take) has removed it.
    pub(super) fn amend(&self, number: usize, change: impl FnOnce(&mut Entry)) {
        {
            let mut state = lock(&self.state);
            let Some(index) = number.checked_sub(state.taken) else { return };
            change(&mut state.entries[index]);
        }
        self.changed.send_replace(());
    }
}
