//! The model of `/status.json` and of the status page. `docs/status.md` describes each field; a test compares the two.
//!
//! Points in time (`at`, `since`, `last_success`) are Unix timestamps in seconds; `…_seconds` and `…_ms` are durations.

use std::time::Duration;

use serde::Serialize;

use crate::observe::recent_requests;

/// The whole status. Contains no secret.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub version: &'static str,
    pub instance: String,
    pub at: f64,
    pub since: f64,
    pub uptime_seconds: f64,
    /// `starting`, `serving` or `draining`.
    pub stage: &'static str,
    pub listeners: Vec<Listener>,
    pub configuration: Configuration,
    pub totals: Totals,
    pub registries: Vec<Registry>,
    pub registries_left_out: usize,
    pub images: Vec<Image>,
    pub requests: Vec<Request>,
    pub errors: Vec<Request>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Listener {
    pub address: String,
    pub admin: bool,
    pub registry: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Configuration {
    pub file: Option<String>,
    pub since: f64,
    pub replaced: u64,
    pub patterns: Vec<String>,
    pub refused: Option<Refused>,
    pub troubles: Vec<FileTrouble>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    pub since: f64,
    pub problems: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct FileTrouble {
    pub since: f64,
    pub key: String,
    pub message: String,
    pub kept: bool,
}

impl FileTrouble {
    /// What the unusable file means for regpass, as a clause for display.
    pub fn consequence(&self) -> &'static str {
        if self.kept { "its last valid content stays in use" } else { "it has never been read successfully" }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    pub in_flight: u64,
    pub requests: u64,
    pub failed: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub tokens_held: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Registry {
    pub host: String,
    pub label: String,
    pub profile: &'static str,
    pub url: String,
    pub state: State,
    pub troubles: Vec<Trouble>,
    pub in_flight: u64,
    pub requests: u64,
    pub failed: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub last_success: Option<f64>,
    pub last_failure: Option<LastFailure>,
    pub outages: Vec<Outage>,
    pub egress: Vec<EgressHost>,
    pub credentials: Vec<Credential>,
    pub rate_limits: Vec<RateLimit>,
    pub tokens_held: usize,
    pub tokens: Vec<Token>,
}

/// The state of a registry; the order is from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No request to it has succeeded or failed yet.
    Unused,
    Healthy,
    /// It works, but a credential cannot be read, is rejected, or made the last request fail.
    Degraded,
    /// The last request failed, and neither the client nor a credential was to blame; or the circuit of one of its
    /// other hosts is open.
    Failing,
    /// Its API does not answer: the circuit of its own address is open.
    Down,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Down => "down",
        }
    }
}

/// A current problem of a registry, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    pub message: String,
    pub advice: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub struct LastFailure {
    pub at: f64,
    pub status: u16,
    #[serde(flatten)]
    pub failure: Failure,
}

#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    pub step: &'static str,
    pub blame: &'static str,
    pub message: String,
    pub advice: &'static str,
}

impl From<&recent_requests::Failure> for Failure {
    fn from(failure: &recent_requests::Failure) -> Self {
        Self {
            step: failure.step.as_str(),
            blame: failure.blame.as_str(),
            message: failure.message.to_string(),
            advice: failure.advice(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Outage {
    pub origin: String,
    pub failures: u32,
    pub message: String,
    pub retry_in_seconds: Option<f64>,
}

/// A host that a firewall has to let regpass connect to for a registry.
#[derive(Clone, Debug, Serialize)]
pub struct EgressHost {
    pub address: String,
    pub purpose: &'static str,
    pub seen: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Credential {
    pub source: &'static str,
    pub repositories: Option<Vec<String>>,
    pub identity: Option<String>,
    pub expires_in_seconds: Option<f64>,
    pub refused: bool,
    pub problem: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RateLimit {
    pub identity: String,
    pub counted: Option<String>,
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    pub window_seconds: Option<f64>,
    pub at: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Token {
    pub scopes: Vec<String>,
    pub identity: String,
    pub realm: String,
    pub expires_in_seconds: f64,
    pub lifetime_seconds: f64,
    pub uses: u64,
}

/// A finished pull or push of an image, put together from the client's requests.
#[derive(Clone, Debug, Serialize)]
pub struct Image {
    pub number: u64,
    pub at: f64,
    pub image: String,
    pub digest: Option<String>,
    pub direction: &'static str,
    pub outcome: &'static str,
    pub manifests: usize,
    pub blobs: usize,
    pub bytes: u64,
    pub requests: u32,
    pub token_fetches: u32,
    pub auth_ms: f64,
    pub total_ms: f64,
    pub other_tags: usize,
    pub failure: Option<Failure>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Request {
    pub number: u64,
    pub at: f64,
    pub method: String,
    pub registry: Option<String>,
    pub repository: Option<String>,
    pub reference: Option<String>,
    pub operation: &'static str,
    pub status: u16,
    pub grant: &'static str,
    pub attempts: u32,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub whole: bool,
    pub auth_ms: f64,
    pub upstream_ms: f64,
    pub transfer_ms: f64,
    pub total_ms: f64,
    pub failure: Option<Failure>,
}

/// A length of time or a Unix timestamp in seconds, rounded to the millisecond.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}
