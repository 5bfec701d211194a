//! Where a registry sends the next step of an upload, and whether the blob may go there.

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};

use super::super::failure::Failure;
use crate::base::origin::{Origin, Scheme, Url};
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::upstream::Upstream;

/// The URL in `headers`' `Location`, if there is one; it may be absolute or relative to `base`. It leads to the
/// registry's own origin or to one the operator listed: whoever gets a blob could keep it (GHSA-jxpm-75mh-9fp7).
pub(super) fn next(upstream: &Upstream, base: &Url, headers: &HeaderMap) -> Result<Option<Url>, Failure> {
    let location = headers.get(LOCATION).map(|value| value.as_bytes().trim_ascii());
    let Some(location) = location.filter(|location| !location.is_empty()) else { return Ok(None) };
    if location.len() > LONGEST {
        return Err(unusable(upstream, &format!("its Location is longer than {LONGEST} bytes")));
    }
    let location = str::from_utf8(location).map_err(|_| unusable(upstream, "its Location is no text"))?;
    let url = base.join(location).map_err(|why| unusable(upstream, &format!("its Location is no URL: {why}")))?;
    admit(upstream, url).map(Some)
}

/// Judged at every step: what is trusted may have changed since the upload began.
pub(super) fn admit(upstream: &Upstream, url: Url) -> Result<Url, Failure> {
    if url.origin == upstream.origin {
        return Ok(url);
    }
    let (host, origin) = (&upstream.host, &url.origin);
    let downgrades = upstream.origin.scheme == Scheme::Https && origin.scheme == Scheme::Http;
    if !downgrades && upstream.upload_hosts.iter().any(|trusted| trusted.matches(origin)) {
        return Ok(url);
    }
    if names_registry(upstream, origin) {
        return Ok(Url { origin: upstream.origin.clone(), ..url });
    }
    if downgrades {
        return Err(unusable(upstream, &format!("it sends an upload from https to plain http, to {origin}")));
    }
    let message = format!(
        "it sends the upload to {origin}; add \"{}\" to 'upload_hosts' of [registry.\"{host}\"] if blobs may go there",
        origin.authority()
    );
    Err(unusable(upstream, &message))
}

/// Whether a URL means the registry by its name, with the wrong scheme or without its port: registries behind a proxy
/// of their own write what they believe to be called (distribution/distribution#970). The blob goes to the registry's
/// own origin all the same.
fn names_registry(upstream: &Upstream, origin: &Origin) -> bool {
    let own = &upstream.origin;
    let by_own_host = origin.host == own.host && (origin.has_default_port() || origin.port == own.port);
    let by_name = origin.authority() == upstream.host.as_str();
    by_own_host || by_name
}

fn unusable(upstream: &Upstream, why: &str) -> Failure {
    let message = format!("the upload cannot go on: {}: {why}", upstream.host);
    Failure::new(StatusCode::BAD_GATEWAY, ErrorCode::BlobUploadInvalid, Blame::Registry, Step::Registry, message)
}

/// Sealed it is a third longer, and goes into the path of the client's next request.
const LONGEST: usize = 16 * 1024;
