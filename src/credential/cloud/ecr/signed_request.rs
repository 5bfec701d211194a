//! Signed requests to AWS services. A request is retried while the service is busy, and once with the service's time if
//! this machine's clock is wrong.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use reqsign_aws_core::Credential as AccessKey;
use tokio::time::sleep;

use super::super::answer::{aws_error_text, date, is_denial};
use super::super::client::{RETRY_DELAYS, is_busy};
use super::super::failure::{Failure, Step};
use super::reqsign_context::ReqsignContext;
use super::sigv4::{SigningScope, sign};
use crate::base::origin::{Origin, Url};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;

/// A POST to the root of a service's API.
#[derive(Debug)]
pub(super) struct SignedRequest<'a> {
    pub(super) step: &'static Step,
    /// The service's suffix of `AWS_ENDPOINT_URL_…` variables.
    pub(super) variable_suffix: &'static str,
    pub(super) host: String,
    pub(super) region: &'a str,
    /// The service's name in signatures.
    pub(super) service: &'a str,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// The body of an AWS service's 200 response.
#[derive(Debug)]
pub(super) struct SignedResponse {
    step: &'static Step,
    host: String,
    pub(super) body: Bytes,
    /// The service's time when it responded, since 1970; this machine's if the response has no `Date`.
    server_time: Duration,
}

impl SignedRequest<'_> {
    pub(super) async fn send(self, reqsign: &ReqsignContext, key: &AccessKey) -> Result<SignedResponse, Failure> {
        let origin = reqsign.service_origin(self.variable_suffix, &self.host);
        let origin = origin.map_err(|why| self.step.failed(&self.host, why))?;
        let host = origin.authority();
        let local_time = reqsign.cloud.clock.unix_time();
        let mut response = self.send_once(reqsign, &origin, key, local_time).await?;
        for delay in RETRY_DELAYS {
            if !is_busy(response.status()) {
                break;
            }
            sleep(delay).await;
            response = self.send_once(reqsign, &origin, key, local_time).await?;
        }
        // AWS accepts a signature up to 15 minutes away from its own time.
        if let Some(server_time) = date(response.headers())
            && is_denial(response.status())
            && server_time.abs_diff(local_time) > TOLERATED_SKEW
        {
            response = self.send_once(reqsign, &origin, key, server_time).await?;
        }
        let server_time = date(response.headers()).unwrap_or(local_time);
        let (status, body) = (response.status(), response.into_body());
        if status == StatusCode::OK {
            return Ok(SignedResponse { step: self.step, host, body, server_time });
        }
        let secrets = [Some(&key.secret_access_key), key.session_token.as_ref()];
        let redaction = secrets
            .into_iter()
            .flatten()
            .fold(Redaction::default(), |redaction, secret| redaction.with(Redaction::of_secret(&Secret::new(secret))));
        let why = format!("it answered {status}{}", aws_error_text(&body, &redaction));
        Err(if is_denial(status) { self.step.denied(&host, why) } else { self.step.failed(&host, why) })
    }

    async fn send_once(
        &self,
        reqsign: &ReqsignContext,
        origin: &Origin,
        key: &AccessKey,
        time: Duration,
    ) -> Result<Response<Bytes>, Failure> {
        let host = origin.authority();
        let mut headers = self.headers.clone();
        let scope = SigningScope { region: self.region, service: self.service, time };
        sign(&mut headers, &host, self.body.as_bytes(), key, scope)
            .map_err(|_| self.step.failed(&host, "the access key has characters that are not allowed in headers"))?;
        let url = Url { origin: origin.clone(), path: "/".into(), query: None };
        let mut request = Request::new(Bytes::from(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        reqsign.cloud.client.send_once(&url, request).await.map_err(|why| self.step.failed(&host, why))
    }
}

impl SignedResponse {
    /// The failure for a 200 response with unusable content.
    pub(super) fn malformed(&self, why: &str) -> Failure {
        self.step.failed(&self.host, why)
    }

    /// The time from the response until `end` (since 1970), by the service's clock.
    pub(super) fn time_until(&self, end: Duration) -> Duration {
        end.saturating_sub(self.server_time)
    }
}

/// The clock difference above which a denied request is signed again with the service's time.
const TOLERATED_SKEW: Duration = Duration::from_secs(4 * 60);
