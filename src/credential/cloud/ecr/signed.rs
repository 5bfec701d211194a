//! A signed question, asked again where the server was busy, or with its time where the clocks differ.

use std::time::Duration;

use bytes::Bytes;
use http::header::DATE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use reqsign_aws_core::Credential as Key;
use reqsign_core::time::Timestamp;
use tokio::time::sleep;

use super::super::client::{PAUSES, is_busy};
use super::super::failure::{Failure, Step};
use super::outside::Outside;
use super::signature::{Scope, sign};
use super::told::{is_refusal, said};
use crate::base::origin::{Origin, Url};
use crate::base::secret::Secret;
use crate::base::sent::Sent;

/// A question to a service.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) step: &'static Step,
    /// The name of the service in variables.
    pub(super) variable: &'static str,
    pub(super) host: String,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// What came with 200.
#[derive(Debug)]
pub(super) struct Answer {
    step: &'static Step,
    host: String,
    pub(super) body: Bytes,
    /// The server's time, since 1970.
    time: Duration,
}

impl Question<'_> {
    pub(super) async fn ask(self, outside: &Outside, key: &Key) -> Result<Answer, Failure> {
        let endpoint = outside.endpoint(self.variable, &self.host);
        let origin = endpoint.map_err(|why| self.step.failed(&self.host, why))?;
        let host = origin.authority();
        let ours = outside.surroundings.clock.unix_time();
        let mut response = self.send(outside, &origin, key, ours).await?;
        for pause in PAUSES {
            if !is_busy(response.status()) {
                break;
            }
            sleep(pause).await;
            response = self.send(outside, &origin, key, ours).await?;
        }
        // A signature is good for a quarter of an hour around the server's time.
        if let Some(theirs) = date(&response)
            && is_refusal(response.status())
            && theirs.abs_diff(ours) > TOLERATED
        {
            response = self.send(outside, &origin, key, theirs).await?;
        }
        let time = date(&response).unwrap_or(ours);
        let (status, body) = (response.status(), response.into_body());
        if status == StatusCode::OK {
            return Ok(Answer { step: self.step, host, body, time });
        }
        let secrets = [Some(&key.secret_access_key), key.session_token.as_ref()];
        let sent = secrets
            .into_iter()
            .flatten()
            .fold(Sent::default(), |sent, secret| sent.and(Sent::secret(&Secret::new(secret))));
        let why = format!("it answered {status}{}", said(&body, &sent));
        Err(if is_refusal(status) { self.step.refused(&host, why) } else { self.step.failed(&host, why) })
    }

    async fn send(
        &self,
        outside: &Outside,
        origin: &Origin,
        key: &Key,
        time: Duration,
    ) -> Result<Response<Bytes>, Failure> {
        let host = origin.authority();
        let mut headers = self.headers.clone();
        let scope = Scope { region: self.region, service: self.service, time };
        sign(&mut headers, &host, self.body.as_bytes(), key, scope)
            .map_err(|_| self.step.failed(&host, "the key has characters that no header may have"))?;
        let url = Url { origin: origin.clone(), path: "/".into(), query: None };
        let mut request = Request::new(Bytes::from(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        outside.surroundings.clouds.send(&url, request).await.map_err(|why| self.step.failed(&host, why))
    }
}

impl Answer {
    pub(super) fn malformed(&self, why: &str) -> Failure {
        self.step.failed(&self.host, why)
    }

    /// From now, by the server's own time, to a moment since 1970.
    pub(super) fn until(&self, end: Duration) -> Duration {
        end.saturating_sub(self.time)
    }
}

fn date(response: &Response<Bytes>) -> Option<Duration> {
    let date = Timestamp::parse_rfc2822(response.headers().get(DATE)?.to_str().ok()?).ok()?;
    u64::try_from(date.as_second()).ok().map(Duration::from_secs)
}

const TOLERATED: Duration = Duration::from_secs(4 * 60);
