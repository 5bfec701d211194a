//! What the client hears of an upload: one form for all registries.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, response};

use super::super::failure::Failure;
use super::super::headers::{self, DOCKER_CONTENT_DIGEST};
use super::Upload;
use super::location;
use super::seal::{SealError, Stage};
use crate::net::body::{self, StreamBody};
use crate::observe::blame::{Blame, Step};
use crate::oci::chunk;
use crate::oci::error::ErrorCode;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Session;
use crate::oci::query::Query;
use crate::oci::reference::Digest;

impl Upload<'_> {
    /// The upload goes on at `stage`.
    pub(super) async fn goes_on(
        &self,
        status: StatusCode,
        head: &HeaderMap,
        stage: &Stage,
    ) -> Result<Response<StreamBody>, Failure> {
        let mut headers = of_registry(head);
        headers.insert(LOCATION, self.header(self.location(stage).await?)?);
        headers.insert(RANGE, self.header(chunk::progress(stage.received))?);
        Ok(empty(status, headers))
    }

    /// The blob is there.
    pub(super) fn created(&self, head: &response::Parts, digest: &Digest) -> Result<Response<StreamBody>, Failure> {
        let mut headers = of_registry(&head.headers);
        headers.remove(RANGE);
        let location = self.call.routed.outside.url(&format!("{}/blobs/{digest}", self.name()), Query::default());
        headers.insert(LOCATION, self.header(location)?);
        headers.insert(DOCKER_CONTENT_DIGEST, self.header(digest.to_string())?);
        Ok(empty(StatusCode::CREATED, headers))
    }

    pub(super) fn cancelled() -> Response<StreamBody> {
        empty(StatusCode::NO_CONTENT, HeaderMap::new())
    }

    /// Where the client goes on, as it names the registry.
    pub(super) async fn location(&self, stage: &Stage) -> Result<String, Failure> {
        let host = &self.call.routed.upstream.host;
        let sealed = self.proxy.uploads.seal.load_full().seal(host, self.repository()?, stage).await;
        let Session(session) = sealed.map_err(|why| self.broken(&why.to_string()))?;
        let path = format!("{}/blobs/uploads/{session}", self.name());
        Ok(self.call.routed.outside.url(&path, Query::default()))
    }

    /// Where the upload stands that the client names.
    pub(super) async fn open(&self, session: &Session) -> Result<Stage, Failure> {
        let upstream = &self.call.routed.upstream;
        let opened = self.proxy.uploads.seal.load_full().open(&upstream.host, self.repository()?, session).await;
        let stage = opened.map_err(|why| match why {
            SealError::Broken => unknown_upload(&why.to_string()),
            SealError::Key(_) | SealError::Unavailable => self.broken(&why.to_string()),
        })?;
        Ok(Stage { url: location::admit(upstream, stage.url)?, ..stage })
    }

    fn repository(&self) -> Result<&RepositoryName, Failure> {
        self.call.operation.repository().ok_or_else(|| self.broken("an upload without a repository"))
    }

    /// The repository as the client wrote it, behind a slash.
    fn name(&self) -> String {
        let segments = self.call.routed.path.segments();
        let blobs = segments.iter().rposition(|segment| &**segment == "blobs").unwrap_or(segments.len());
        format!("/{}", segments[..blobs].join("/"))
    }

    fn header(&self, text: String) -> Result<HeaderValue, Failure> {
        HeaderValue::try_from(text).map_err(|_| self.broken("an answer that no header can hold"))
    }
}

pub(super) fn unknown_upload(why: &str) -> Failure {
    let message = format!("{why}; start the upload anew");
    Failure::new(StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown, Blame::Client, Step::Classify, message)
}

/// What passes of the registry's own headers. Steps have no bodies worth passing.
fn of_registry(head: &HeaderMap) -> HeaderMap {
    let mut headers = headers::inbound(head);
    headers.remove(CONTENT_TYPE);
    headers
}

fn empty(status: StatusCode, mut headers: HeaderMap) -> Response<StreamBody> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    match status {
        // RFC 9110, section 8.6.
        StatusCode::NO_CONTENT => drop(headers.remove(CONTENT_LENGTH)),
        _ => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"))),
    }
    *response.headers_mut() = headers;
    response
}
