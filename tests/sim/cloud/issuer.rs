//! Tokens that a cloud has issued, and what the endpoints of clouds have in common.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use tokio::time::Instant;

use super::super::call::Call;
use super::super::reply::Reply;
use super::super::server::Handler;
use super::super::{lock, query};

/// The tokens of a cloud, each with its purpose and its expiry.
#[derive(Default)]
pub(super) struct Issuer(Mutex<HashMap<String, Issued>>);

#[derive(Clone)]
struct Issued {
    purpose: String,
    expires: Instant,
}

impl Issuer {
    /// Makes `token` valid for `purpose` during `lifetime`.
    pub(super) fn issue(&self, token: &str, purpose: &str, lifetime: Duration) {
        let issued = Issued { purpose: purpose.to_owned(), expires: Instant::now() + lifetime };
        lock(&self.0).insert(token.to_owned(), issued);
    }

    /// The number of the next token, from 1.
    pub(super) fn next_number(&self) -> usize {
        lock(&self.0).len() + 1
    }

    /// The purpose of a token; `None` if it is unknown or expired.
    pub(super) fn purpose(&self, token: &str) -> Option<String> {
        let issued = lock(&self.0).get(token).cloned()?;
        (Instant::now() < issued.expires).then_some(issued.purpose)
    }
}

/// The parameters of a request whose body is a form.
pub(super) struct Form(String);

impl Form {
    /// Reads the form of a POST; `None` if the request is anything else. The ledger entry gets the grant type.
    pub(super) async fn read(call: &mut Call) -> Option<Self> {
        let is_form = call.header("content-type") == Some("application/x-www-form-urlencoded");
        if call.entry.method != http::Method::POST || !is_form || !call.entry.query.is_empty() {
            return None;
        }
        let form = Self(String::from_utf8(call.read().await.to_vec()).ok()?);
        let grant = form.get("grant_type");
        let short = grant.rsplit(':').next().unwrap_or_default().to_owned();
        call.amend(|entry| entry.query = format!("grant_type={short}"));
        Some(form)
    }

    /// The value of a parameter; empty if it is missing or repeated.
    pub(super) fn get(&self, name: &str) -> String {
        let mut values = query::values(&self.0, name);
        if values.len() == 1 { values.remove(0) } else { String::new() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        !query::values(&self.0, name).is_empty()
    }
}

/// An error reply of RFC 6749, section 5.2.
pub(super) fn oauth_error(status: u16, error: &str, description: &str) -> Reply {
    Reply::new(status).json(json!({ "error": error, "error_description": description }))
}

/// A handler that replies without reading the body.
pub(super) fn head_handler<T: Send + Sync + 'static>(cloud: &Arc<T>, reply: fn(&T, &Call) -> Reply) -> Handler {
    handler(cloud, move |cloud, call| async move { reply(&cloud, &call) })
}

/// A handler that calls `answer` with the cloud.
pub(super) fn handler<T, F, R>(cloud: &Arc<T>, answer: F) -> Handler
where
    T: Send + Sync + 'static,
    F: Fn(Arc<T>, Call) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let cloud = Arc::clone(cloud);
    Arc::new(move |call| answer(Arc::clone(&cloud), call).boxed())
}
