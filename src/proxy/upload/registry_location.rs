//! The `Location` of an upload session at the registry, and whether blobs may be sent there.

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};

use super::super::error_response::ErrorResponse;
use crate::base::origin::{Origin, Scheme, Url};
use crate::base::url_escape::escape_reference;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::upstream::Upstream;

/// The URL in `Location`, if there is one; it may be relative to `base`. It must be at the registry's own origin, under
/// whatever name, or at one in `upload_hosts`: any other server could keep a copy of the blob (GHSA-jxpm-75mh-9fp7).
pub(super) fn next(upstream: &Upstream, base: &Url, headers: &HeaderMap) -> Result<Option<Url>, ErrorResponse> {
    let location = headers.get(LOCATION).map(|value| value.as_bytes().trim_ascii());
    let Some(location) = location.filter(|location| !location.is_empty()) else { return Ok(None) };
    if location.len() > MAX_LOCATION_SIZE {
        return Err(unusable(upstream, &format!("its Location is longer than {MAX_LOCATION_SIZE} bytes")));
    }
    let url = base.join(&escape_reference(location));
    let url = url.map_err(|why| unusable(upstream, &format!("its Location is not a valid URL: {why}")))?;
    check_upload_host(upstream, url).map(Some)
}

/// Checks that blobs may be sent to `url`, and returns the URL to use. Also called when a client continues an upload,
/// because `upload_hosts` may have changed.
pub(super) fn check_upload_host(upstream: &Upstream, url: Url) -> Result<Url, ErrorResponse> {
    if url.origin == upstream.origin {
        return Ok(url);
    }
    let (host, origin) = (&upstream.host, &url.origin);
    let is_downgrade = upstream.origin.scheme == Scheme::Https && origin.scheme == Scheme::Http;
    if !is_downgrade && upstream.upload_hosts.iter().any(|trusted| trusted.matches(origin)) {
        return Ok(url);
    }
    if names_registry(upstream, origin) {
        return Ok(Url { origin: upstream.origin.clone(), ..url });
    }
    if is_downgrade {
        return Err(unusable(upstream, &format!("its Location changes from https to plain http, at {origin}")));
    }
    let message = format!(
        "its Location is at {origin}; if blobs may be sent there, add \"{}\" to `upload_hosts` in [registry.\"{host}\"]",
        origin.authority()
    );
    Err(unusable(upstream, &message))
}

/// Whether an origin is the registry's under another name: with the wrong scheme, without its port, or with its name in
/// the configuration. Registries behind a reverse proxy send such a `Location` (distribution/distribution#970). regpass
/// sends the blob to the registry's own origin instead.
fn names_registry(upstream: &Upstream, origin: &Origin) -> bool {
    let own = &upstream.origin;
    let by_own_host = origin.host == own.host && (origin.has_default_port() || origin.port == own.port);
    let by_name = origin.authority() == upstream.host.as_str();
    by_own_host || by_name
}

fn unusable(upstream: &Upstream, why: &str) -> ErrorResponse {
    let message = format!("cannot continue the upload to {}: {why}", upstream.host);
    ErrorResponse::new(StatusCode::BAD_GATEWAY, ErrorCode::BlobUploadInvalid, Blame::Registry, Step::Registry, message)
}

/// Maximum length of a `Location`. Encrypted and encoded it is a third longer, and part of the path of the client's
/// next request.
const MAX_LOCATION_SIZE: usize = 16 * 1024;
