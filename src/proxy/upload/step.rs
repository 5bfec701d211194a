//! One request of an upload to the registry: settled first, sent once, its answer judged.

use std::time::Duration;

use http::header::{LOCATION, RANGE};
use http::{HeaderValue, Method, StatusCode, response};
use tokio::time::Instant;

use super::super::exchange::exchange;
use super::super::failure::Failure;
use super::super::leg;
use super::super::outbound::Outbound;
use super::super::redirect::is_redirect;
use super::super::refusal;
use super::Upload;
use super::chunk::told;
use super::location;
use super::seal::Stage;
use crate::net::body::drain;
use crate::net::payload::Payload;
use crate::observe::blame::{Blame, Step};
use crate::oci::chunk::{self, ContentRange};
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;

/// Whether an answer that comes before the whole body was sent can be a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Early {
    /// It can, unless it says that the blob is there: the registry has no use for the body.
    Fine,
    /// It cannot: who says that everything was taken has not seen it.
    Wrong,
}

impl Upload<'_> {
    /// Sends a step to `url` and returns the head of an answer that is good.
    pub(super) async fn send(
        &mut self,
        method: Method,
        stage: &Stage,
        payload: Payload,
        range: Option<ContentRange>,
        early: Early,
    ) -> Result<response::Parts, Failure> {
        let upstream = self.call.routed.upstream.clone();
        let length = payload.length();
        self.call.ask.lasting = upstream.pace.expect(length);
        let ends = method == Method::PUT;
        let to = (method, &stage.url);
        let mut outbound = Outbound::step(self.proxy, &self.call, &self.head.headers, to, payload.clone(), range)?;
        if ends {
            // A registry reads the whole blob again to see whether its digest is right.
            let whole = stage.received.saturating_add(length.unwrap_or(0));
            outbound.allowance = Duration::from_secs(whole / CHECKED_PER_SECOND).min(LONGEST_CHECK);
            self.progress.allow(outbound.allowance);
        }
        let begun = Instant::now();
        let outcome = self.exchange(&outbound).await;
        // Whatever the body waited for, it waits no more.
        self.progress.note();
        if let Payload::Streamed(spool) = &payload {
            self.record.sent += spool.passed();
            if spool.is_delivered() {
                upstream.pace.note(spool.passed(), begun.elapsed());
            }
        }
        let (head, body) = outcome?.into_parts();
        if is_redirect(head.status) || head.status.is_informational() {
            return Err(self.unusable(&format!("it answered {} to a step of an upload", head.status)));
        }
        if !head.status.is_success() {
            let mut failure = refusal::normalized(&self.call, &head, body, Step::Registry).await;
            self.point_back(&head, stage, &mut failure).await;
            if failure.status == StatusCode::FORBIDDEN && outbound.url.origin != upstream.origin {
                let origin = &outbound.url.origin;
                let why = format!("uploads to {origin}, which 'upload_hosts' lists, get no credential");
                failure.message = format!("{} ({why})", failure.message);
            }
            return Err(failure);
        }
        drain(body).await;
        if let Payload::Streamed(spool) = &payload
            && (early == Early::Wrong || head.status == StatusCode::CREATED)
            && !spool.is_delivered()
        {
            return Err(self.unusable(&format!("it answered {} before it had the whole body", head.status)));
        }
        Ok(head)
    }

    /// With authorization at the registry's own origin, and without any elsewhere.
    async fn exchange(&mut self, outbound: &Outbound) -> Result<http::Response<hyper::body::Incoming>, Failure> {
        if outbound.url.origin == self.call.routed.upstream.origin {
            return exchange(self.proxy, &self.call, outbound, self.record, self.timing).await;
        }
        let who = format!("{}, where {} takes uploads,", outbound.url.origin, self.call.registry());
        let to = (&outbound.url, outbound.allowance);
        leg::send(&self.call, outbound.bare(), to, (Step::Registry, &who), self.record, self.timing).await
    }

    /// Where the upload stands after a good answer to a step, with `received` bytes. Who starts an upload says where
    /// it goes on; later on it goes on at the same place unless the registry says otherwise.
    pub(super) fn next_stage(&self, head: &response::Parts, stage: &Stage, received: u64) -> Result<Stage, Failure> {
        let upstream = &self.call.routed.upstream;
        let begins = matches!(self.call.operation, Operation::StartUpload(..));
        let url = match location::next(upstream, &stage.url, &head.headers)? {
            Some(url) => url,
            None if begins => return Err(self.unusable("it starts an upload without saying where it goes on")),
            None => stage.url.clone(),
        };
        Ok(Stage { url, received, kept: stage.kept })
    }

    /// A chunk out of order is answered with the place to go on from (distribution specification, 416).
    async fn point_back(&self, head: &response::Parts, stage: &Stage, failure: &mut Failure) {
        if head.status != StatusCode::RANGE_NOT_SATISFIABLE {
            return;
        }
        let received = told(&head.headers).unwrap_or(stage.received);
        if let Ok(next) = self.next_stage(head, stage, received) {
            self.point_to(&next, failure).await;
        }
    }

    pub(super) async fn point_to(&self, stage: &Stage, failure: &mut Failure) {
        let location = self.location(stage).await.ok().and_then(|location| HeaderValue::try_from(location).ok());
        failure.headers.extend(location.map(|location| (LOCATION, location)));
        failure.headers.extend(HeaderValue::try_from(chunk::progress(stage.received)).map(|range| (RANGE, range)));
    }

    pub(super) fn unusable(&self, why: &str) -> Failure {
        let message = format!("the upload failed: {}: {why}", self.call.registry());
        Failure::new(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, Blame::Registry, Step::Registry, message)
    }
}

/// Slower than any storage that registries keep blobs in.
const CHECKED_PER_SECOND: u64 = 16 * 1024 * 1024;
/// How much was sent is told by clients and registries, and neither may be waited for without end.
const LONGEST_CHECK: Duration = Duration::from_secs(60 * 60);
