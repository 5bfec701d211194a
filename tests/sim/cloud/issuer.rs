//! Tokens that a cloud has issued, and what its endpoints share.

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

/// Tokens by name of what they are for.
#[derive(Default)]
pub(super) struct Issuer(Mutex<HashMap<String, Issued>>);

#[derive(Clone)]
struct Issued {
    purpose: String,
    until: Instant,
}

impl Issuer {
    /// Makes `token` good for `purpose` and for a while.
    pub(super) fn issue(&self, token: &str, purpose: &str, lifetime: Duration) {
        let issued = Issued { purpose: purpose.to_owned(), until: Instant::now() + lifetime };
        lock(&self.0).insert(token.to_owned(), issued);
    }

    pub(super) fn next_number(&self) -> usize {
        lock(&self.0).len() + 1
    }

    /// What a token is for, as long as it lasts.
    pub(super) fn purpose(&self, token: &str) -> Option<String> {
        let issued = lock(&self.0).get(token).cloned()?;
        (Instant::now() < issued.until).then_some(issued.purpose)
    }
}

/// A form as it was posted; the ledger shows what kind of grant it asks for.
pub(super) struct Form(String);

impl Form {
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

    /// A parameter that is there once; empty for all others.
    pub(super) fn get(&self, name: &str) -> String {
        let mut values = query::values(&self.0, name);
        if values.len() == 1 { values.remove(0) } else { String::new() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        !query::values(&self.0, name).is_empty()
    }
}

/// RFC 6749, section 5.2.
pub(super) fn oauth_error(status: u16, error: &str, description: &str) -> Reply {
    Reply::new(status).json(json!({ "error": error, "error_description": description }))
}

pub(super) fn handler<T, F, R>(cloud: &Arc<T>, answer: F) -> Handler
where
    T: Send + Sync + 'static,
    F: Fn(Arc<T>, Call) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let cloud = Arc::clone(cloud);
    Arc::new(move |call| answer(Arc::clone(&cloud), call).boxed())
}
