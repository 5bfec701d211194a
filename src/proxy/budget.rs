//! What registries say about their rate limits, noted for the identity that was counted.

use http::HeaderMap;

use super::Proxy;
use super::call::Call;
use crate::auth::grant::Grant;
use crate::base::sent::Sent;
use crate::observe::health;
use crate::oci::rate::RateLimit;

/// Notes what an answer of the registry tells, if anything.
pub fn note(proxy: &Proxy, call: &Call, grant: &Grant, headers: &HeaderMap) {
    let Some(RateLimit { limit, remaining, window, counted }) = RateLimit::of(headers) else { return };
    let sent = grant.header().map(Sent::header).unwrap_or_default();
    let told = health::RateLimit {
        identity: grant.identity().into(),
        credential: format!("{:?}", grant.credential_id()).into(),
        limit,
        remaining,
        window,
        counted: counted.filter(|text| !sent.is_in(text)),
        at: proxy.seen.now(),
    };
    proxy.seen.health.limited(call.registry(), told);
}
