//! The POST: a new upload, a mount, or a whole blob at once.

use http::{Method, Response, StatusCode, response};
use hyper::body::Incoming;

use super::super::call::requirements;
use super::super::failure::Failure;
use super::Upload;
use super::seal::Stage;
use super::step::Early;
use crate::net::body::StreamBody;
use crate::net::payload::Payload;
use crate::observe::blame::Step as BlamedStep;
use crate::oci::operation::{Operation, Start};
use crate::oci::query::Query;
use crate::oci::reference::Digest;
use crate::profile::Mounts;

impl Upload<'_> {
    pub(super) async fn start(&mut self, start: Start, body: Incoming) -> Result<Response<StreamBody>, Failure> {
        match start {
            Start::Session => self.session().await,
            Start::Mount { digest, from } => self.mount(&digest, from.is_some()).await,
            Start::Whole(digest) => self.whole(&digest, body).await,
        }
    }

    async fn session(&mut self) -> Result<Response<StreamBody>, Failure> {
        let query = self.call.query.clone();
        let (head, stage) = self.begin(&query).await?;
        self.goes_on(StatusCode::ACCEPTED, &head.headers, &stage).await
    }

    /// A mount that is refused, by the token service or by the registry, becomes a plain upload: the source may be
    /// out of reach, which is no reason not to push.
    async fn mount(&mut self, digest: &Digest, has_source: bool) -> Result<Response<StreamBody>, Failure> {
        let may_try = match self.call.routed.upstream.profile().uploads.mounts {
            Mounts::Any => true,
            Mounts::FromSource => has_source,
            Mounts::Never => false,
        };
        if may_try {
            let first = self.nothing_yet(&self.call.query);
            match self.send(Method::POST, &first, Payload::none(), None, Early::Fine).await {
                Ok(head) if head.status == StatusCode::CREATED => return self.created(&head, digest),
                Ok(head) => {
                    let stage = self.next_stage(&head, &first, 0)?;
                    return self.goes_on(StatusCode::ACCEPTED, &head.headers, &stage).await;
                }
                Err(failure) if !is_about_the_source(&failure) => return Err(failure),
                Err(_) => {}
            }
        }
        self.forget_source()?;
        self.session().await
    }

    /// A whole blob in one request. Where the registry does not take it like that (it answers 202, or is known not
    /// to), it goes by PUT.
    async fn whole(&mut self, digest: &Digest, body: Incoming) -> Result<Response<StreamBody>, Failure> {
        let mut query = self.call.query.clone();
        if !self.call.routed.upstream.profile().uploads.whole_by_post {
            query.remove("digest");
            let (_, stage) = self.begin(&query).await?;
            return self.finish(stage, digest, body).await;
        }
        let payload = self.payload(body);
        let first = self.nothing_yet(&query);
        let head = self.send(Method::POST, &first, payload.clone(), None, Early::Fine).await?;
        if head.status == StatusCode::CREATED {
            return self.created(&head, digest);
        }
        let stage = self.next_stage(&head, &first, 0)?;
        if let Payload::Streamed(spool) = &payload
            && spool.rewind().await.is_err()
        {
            // What the registry threw away was too much to be kept: the client has to send it again.
            return self.goes_on(StatusCode::ACCEPTED, &head.headers, &stage).await;
        }
        self.put(stage, digest, &query, payload).await
    }

    /// Starts an upload that is sent in further requests.
    async fn begin(&mut self, query: &Query) -> Result<(response::Parts, Stage), Failure> {
        let first = self.nothing_yet(query);
        let head = self.send(Method::POST, &first, Payload::none(), None, Early::Fine).await?;
        let stage = self.next_stage(&head, &first, 0)?;
        Ok((head, stage))
    }

    fn nothing_yet(&self, query: &Query) -> Stage {
        let query = (!query.is_empty()).then(|| query.to_string());
        Stage { url: self.call.routed.upstream.url(&self.call.operation.path(), query), received: 0, kept: None }
    }

    /// From here on it is an upload like any other.
    fn forget_source(&mut self) -> Result<(), Failure> {
        let Operation::StartUpload(name, _) = &self.call.operation else { return Ok(()) };
        let operation = Operation::StartUpload(name.clone(), Start::Session);
        for key in ["mount", "from"] {
            self.call.query.remove(key);
        }
        self.call.ask.scopes = requirements(&self.call.routed.upstream, &operation)?.scopes;
        self.call.operation = operation;
        Ok(())
    }
}

/// Whether a refused mount may be worth repeating without its source. A token service that answers anything odd may do
/// so because of the second repository (404 and 405 are such answers).
fn is_about_the_source(failure: &Failure) -> bool {
    let is_odd_token = failure.step == BlamedStep::Token && failure.status == StatusCode::BAD_GATEWAY;
    is_odd_token || (failure.status.is_client_error() && failure.status != StatusCode::TOO_MANY_REQUESTS)
}
