//! Records the rate limits that registries report, by the identity that they apply to.

use http::HeaderMap;

use super::super::Proxy;
use super::super::classify::Call;
use crate::auth::grant::Grant;
use crate::observe::health;
use crate::oci::rate_limit::RateLimit;

/// Records the rate limit in the headers of a response, if there is one.
pub(super) fn record(proxy: &Proxy, call: &Call, grant: &Grant, headers: &HeaderMap) {
    let Some(RateLimit { limit, remaining, window, source }) = RateLimit::from_headers(headers) else { return };
    let rate_limit = health::IdentityRateLimit {
        identity: grant.identity().into(),
        credential: format!("{:?}", grant.credential_id()).into(),
        limit,
        remaining,
        window,
        source,
        at: proxy.activity.now(),
    };
    proxy.activity.health.record_rate_limit(call.registry(), rate_limit);
}
