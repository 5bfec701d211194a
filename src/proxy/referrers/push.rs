//! Records pushes of referrers.

use http::HeaderMap;
use http::header::HeaderName;

use super::super::classify::Call;
use super::super::upstream_request::UpstreamRequest;
use crate::net::spool::Payload;
use crate::oci::operation::Operation;
use crate::oci::reference::Digest;
use crate::oci::referrers::subject_of;
use crate::upstream::referrers_support::PushedReferrer;

/// Records a manifest that the registry accepted; `digest` and `headers` are those of the response. `OCI-Subject` shows
/// that the registry has the referrers API. Without it, the client has to list the manifest under the referrers tag.
pub fn note_push(call: &Call, request: &UpstreamRequest, digest: &str, headers: &HeaderMap) {
    let (Operation::WriteManifest(repository, reference), Payload::Buffered(body)) =
        (&call.operation, request.payload())
    else {
        return;
    };
    let support = &call.routed.upstream.referrers;
    if headers.contains_key(OCI_SUBJECT) {
        support.learn(true);
    } else if let Some(subject) = subject_of(body) {
        let digest = reference.digest().map_or(digest, Digest::as_str);
        let referrer =
            PushedReferrer { repository: repository.clone(), subject: subject.into(), digest: digest.into() };
        support.note_push(referrer);
    }
}

/// The subject of a pushed manifest, in the response of a registry that has the API.
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
