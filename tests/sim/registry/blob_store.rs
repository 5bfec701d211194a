//! Blob delivery: redirects and signed URLs.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header;

use super::super::content::sha256;
use super::super::ledger::Entry;
use super::super::preset::{Delivery, Hop, HopTarget, SignedUrl};
use super::super::query;
use super::super::reply::Reply;
use super::ranges::content_reply;
use super::{Engine, Preset};

const SIGNED: &str = "/signed/";
const DOWNLOADS: &str = "/artifacts-downloads/";
const HOP: &str = "/hop/";

/// Whether a path is a signed location or a redirect to one. The signature in the URL replaces authorization by the
/// API.
pub(super) fn is_presigned(path: &str) -> bool {
    path.starts_with(SIGNED) || path.starts_with(DOWNLOADS) || path.starts_with(HOP)
}

impl Engine {
    /// A signed path and query for a blob, valid for the time that the preset sets.
    pub(super) fn signed_location(&self, preset: &Preset, name: &str, digest: &str) -> String {
        let Delivery::Redirect { valid_for, .. } = &preset.pull.blobs else { return String::new() };
        let expires = (self.world.clock.since_1970() + *valid_for).as_secs();
        let query = format!("expires={expires}&signature={}", signature(digest, expires));
        match preset.pull.signed_url {
            SignedUrl::InQuery => format!("{SIGNED}{digest}?{query}"),
            SignedUrl::InPath => {
                let mut parts = name.splitn(3, '/');
                let (project, repository) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let encoded = BASE64_URL_SAFE_NO_PAD.encode(format!("{digest}?{query}"));
                format!("{DOWNLOADS}namespaces/{project}/repositories/{repository}/downloads/{encoded}")
            }
        }
    }

    /// The redirect number `number`, from 0, of the chain that ends at a signed location.
    pub(super) fn redirect(&self, hops: &[Hop], number: usize, location: &str) -> Reply {
        let next = number + 1;
        let last = next == hops.len();
        let path = if last { location.to_owned() } else { format!("{HOP}{next}{location}") };
        let hop = &hops[number];
        let origins = self.origins();
        match hop.to {
            HopTarget::SameOrigin => Reply::redirect(hop.status, &path),
            HopTarget::Registry => Reply::redirect(hop.status, &format!("{}{path}", origins.registry)),
            HopTarget::BlobStore => Reply::redirect(hop.status, &format!("{}{path}", origins.blobs)),
        }
    }

    /// Replies to a request for a signed location or for a redirect on the way there.
    pub(super) fn presigned_reply(&self, preset: &Preset, entry: &Entry) -> Reply {
        let Delivery::Redirect { hops, head_allowed, .. } = &preset.pull.blobs else {
            return access_denied("NotSigned");
        };
        if let (Some(rejection), true) =
            (&preset.pull.second_authorization_reply, entry.headers.contains_key(header::AUTHORIZATION))
        {
            return rejection.clone();
        }
        if let Some((number, location)) = hop_of(&entry.path) {
            let joint = if entry.query.is_empty() { "" } else { "?" };
            return self.redirect(hops, number, &format!("{location}{joint}{}", entry.query));
        }
        let (digest, parameters) = signed_parts(entry);
        let expires = query::value(&parameters, "expires").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        if query::value(&parameters, "signature") != Some(signature(&digest, expires)) {
            return access_denied("SignatureDoesNotMatch");
        }
        if expires <= self.world.clock.unix() {
            return access_denied("AccessDenied");
        }
        // An S3 signature is valid for one method only.
        if entry.method == http::Method::HEAD && !head_allowed {
            return access_denied("SignatureDoesNotMatch");
        }
        match self.store.find_blob(&digest) {
            Some(blob) => content_reply(entry, &blob, preset.pull.store_ranges),
            None => Reply::new(404).xml("<Error><Code>NoSuchKey</Code></Error>"),
        }
    }
}

/// The digest and the signed query of a signed location, in either form of `SignedUrl`.
fn signed_parts(entry: &Entry) -> (String, String) {
    let encoded = entry.path.strip_prefix(DOWNLOADS).and_then(|path| path.rsplit('/').next());
    let decoded = encoded.and_then(|encoded| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?).ok());
    match decoded.as_deref().and_then(|decoded| decoded.split_once('?')) {
        Some((digest, query)) => (digest.to_owned(), query.to_owned()),
        None => (entry.path.strip_prefix(SIGNED).unwrap_or_default().to_owned(), entry.query.clone()),
    }
}

fn hop_of(path: &str) -> Option<(usize, &str)> {
    let rest = path.strip_prefix(HOP)?;
    let slash = rest.find('/')?;
    Some((rest[..slash].parse().ok()?, &rest[slash..]))
}

fn signature(digest: &str, expires: u64) -> String {
    sha256(format!("the store's key {digest} {expires}").as_bytes())["sha256:".len()..][..32].to_owned()
}

fn access_denied(code: &str) -> Reply {
    Reply::new(403).xml(&format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code></Error>"))
}
