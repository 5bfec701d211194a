//! Responses to the client about an upload, in one form for all registries.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, response};

use super::super::error_response::ErrorResponse;
use super::super::response_headers::{self, DOCKER_CONTENT_DIGEST};
use super::Upload;
use super::encrypted_session::{SessionError, UploadSession};
use super::registry_location;
use crate::net::body::{self, StreamBody};
use crate::observe::blame::{Blame, Step};
use crate::oci::content_range;
use crate::oci::error::ErrorCode;
use crate::oci::name::RepositoryName;
use crate::oci::operation::SessionId;
use crate::oci::query::Query;
use crate::oci::reference::Digest;

impl Upload<'_> {
    /// The response while the upload is in progress: `Location` and `Range` of `session`.
    pub(super) async fn in_progress(
        &self,
        status: StatusCode,
        head: &HeaderMap,
        session: &UploadSession,
    ) -> Result<Response<StreamBody>, ErrorResponse> {
        let mut headers = forwarded_headers(head);
        headers.insert(LOCATION, self.header_value(self.session_location(session).await?)?);
        headers.insert(RANGE, self.header_value(content_range::upload_progress(session.received))?);
        Ok(empty_response(status, headers))
    }

    /// The response after the blob was stored.
    pub(super) fn created(
        &self,
        head: &response::Parts,
        digest: &Digest,
    ) -> Result<Response<StreamBody>, ErrorResponse> {
        let mut headers = forwarded_headers(&head.headers);
        headers.remove(RANGE);
        let location =
            self.call.routed.client_urls.url(&format!("{}/blobs/{digest}", self.repository_path()), Query::default());
        headers.insert(LOCATION, self.header_value(location)?);
        headers.insert(DOCKER_CONTENT_DIGEST, self.header_value(digest.to_string())?);
        Ok(empty_response(StatusCode::CREATED, headers))
    }

    /// The response after a cancellation.
    pub(super) fn cancelled() -> Response<StreamBody> {
        empty_response(StatusCode::NO_CONTENT, HeaderMap::new())
    }

    /// The URL of the session for the client, with the session encrypted in it.
    pub(super) async fn session_location(&self, session: &UploadSession) -> Result<String, ErrorResponse> {
        let host = &self.call.routed.upstream.host;
        let encrypted = self.proxy.uploads.session_keys.load_full().encrypt(host, self.repository()?, session).await;
        let SessionId(session) = encrypted.map_err(|why| self.internal_error(&why.to_string()))?;
        let path = format!("{}/blobs/uploads/{session}", self.repository_path());
        Ok(self.call.routed.client_urls.url(&path, Query::default()))
    }

    /// Decrypts the session in the client's URL.
    pub(super) async fn open_session(&self, session: &SessionId) -> Result<UploadSession, ErrorResponse> {
        let upstream = &self.call.routed.upstream;
        let decrypted =
            self.proxy.uploads.session_keys.load_full().decrypt(&upstream.host, self.repository()?, session).await;
        let session = decrypted.map_err(|why| match why {
            SessionError::Unknown => unknown_upload(&why.to_string()),
            SessionError::Key(_) | SessionError::Unavailable => self.internal_error(&why.to_string()),
        })?;
        Ok(UploadSession { url: registry_location::check_upload_host(upstream, session.url)?, ..session })
    }

    fn repository(&self) -> Result<&RepositoryName, ErrorResponse> {
        self.call.operation.repository().ok_or_else(|| self.internal_error("the upload has no repository"))
    }

    /// The repository as the client wrote it, without the component that names the registry, after a slash.
    fn repository_path(&self) -> String {
        let segments = self.call.routed.path.segments();
        let blobs = segments.iter().rposition(|segment| &**segment == "blobs").unwrap_or(segments.len());
        format!("/{}", segments[..blobs].join("/"))
    }

    fn header_value(&self, text: String) -> Result<HeaderValue, ErrorResponse> {
        HeaderValue::try_from(text).map_err(|_| self.internal_error("a response header has an invalid value"))
    }
}

/// The error for an upload that regpass cannot continue.
pub(super) fn unknown_upload(why: &str) -> ErrorResponse {
    let message = format!("{why}; start a new upload");
    ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown, Blame::Client, Step::Classify, message)
}

/// The registry's headers for the client. `Content-Type` is removed, because the response body is dropped.
fn forwarded_headers(head: &HeaderMap) -> HeaderMap {
    let mut headers = response_headers::forwarded(head);
    headers.remove(CONTENT_TYPE);
    headers
}

fn empty_response(status: StatusCode, mut headers: HeaderMap) -> Response<StreamBody> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    match status {
        // A 204 must not have a `Content-Length` (RFC 9110, section 8.6).
        StatusCode::NO_CONTENT => drop(headers.remove(CONTENT_LENGTH)),
        _ => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"))),
    }
    *response.headers_mut() = headers;
    response
}
