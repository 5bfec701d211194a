//! Following a registry's redirects, with its credentials left behind: where they lead carries its own authority.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;

use super::call::Call;
use super::exchange::Timing;
use super::failure::Failure;
use super::leg;
use super::outbound::Outbound;
use super::{referrers, refusal, trace};
use crate::base::origin::{Scheme, Url};
use crate::config::model::Redirects;
use crate::net::body::drain;
use crate::net::request;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;

/// Where a chain of redirects ended.
#[derive(Debug)]
pub enum Landing {
    /// Where it was asked.
    Registry(Response<Incoming>),
    /// At the end of a chain.
    Elsewhere(Response<Incoming>),
    /// Nowhere: the client is to follow by itself.
    HandedOn(Url),
}

/// Why a chain of redirects led nowhere.
#[derive(Debug)]
pub enum DeadEnd {
    /// A signed URL that is over, or does not take this request: the registry may have a better one.
    Expired(Failure),
    Failed(Failure),
}

impl From<Failure> for DeadEnd {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Follows 301, 302, 303, 307 and 308 of blob, manifest and tag list reads, and of referrers as far as they lead to an API.
pub async fn follow(
    call: &Call,
    outbound: &Outbound,
    mut response: Response<Incoming>,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Landing, DeadEnd> {
    let may_lead_on = |headers: &HeaderMap| match &call.operation {
        Operation::ReadBlob(..) | Operation::ReadManifest(..) | Operation::ListTags(_) => true,
        Operation::ListReferrers(_, digest) => referrers::are_asked_for_at(headers, digest),
        _ => false,
    };
    let mut hop = Hop { url: outbound.url.clone(), crossed: false, count: 0 };
    while is_redirect(response.status()) && may_lead_on(response.headers()) {
        hop = hop.next(call, response.headers())?;
        // Within the registry's origin the client is not sent on: it may know the registry by regpass alone.
        let hands_on = hop.crossed
            && call.routed.terms.redirects == Redirects::Pass
            && matches!(call.operation, Operation::ReadBlob(..))
            && !call.is_head();
        if hands_on {
            return Ok(Landing::HandedOn(hop.url));
        }
        drain(response.into_body()).await;
        record.hops += 1;
        response = hop.fetch(call, outbound, record, timing).await?;
    }
    if hop.count == 0 {
        return Ok(Landing::Registry(if outbound.asks_by_get { as_head(response) } else { response }));
    }
    let reads_blob = matches!(call.operation, Operation::ReadBlob(..));
    match response.status() {
        // S3, GCS and Azure answer an old signature with 403 or 400; a challenge is met by nobody.
        StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST | StatusCode::GONE => {
            let (head, body) = response.into_parts();
            let told = refusal::normalized(call, &head, body, Step::Redirect).await;
            let why = format!("it answered {}: {}", head.status, told.message);
            let is_refused = head.status == StatusCode::FORBIDDEN && !reads_blob;
            Err(DeadEnd::Expired(if is_refused { hop.refused(call, &why) } else { hop.failure(call, &why) }))
        }
        StatusCode::UNAUTHORIZED => {
            let why = "it asks for a login, and credentials are not sent to redirect targets";
            Err(if reads_blob { hop.failure(call, why) } else { hop.refused(call, why) }.into())
        }
        _ => Ok(Landing::Elsewhere(response)),
    }
}

pub fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// One request of a redirect chain.
#[derive(Debug)]
struct Hop {
    url: Url,
    /// Whether a hop was at another origin than the registry's.
    crossed: bool,
    count: u32,
}

impl Hop {
    /// Where `Location` leads. What has left the registry's origin stays abroad, also when the chain comes back.
    fn next(self, call: &Call, headers: &HeaderMap) -> Result<Self, Failure> {
        let location = headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let Some(location) = location else { return Err(self.failure(call, "it redirects without saying where")) };
        let url = match self.url.join(&location) {
            Ok(url) => url,
            Err(why) => return Err(self.failure(call, &format!("it redirects to no usable URL: {why}"))),
        };
        if self.url.origin.scheme == Scheme::Https && url.origin.scheme == Scheme::Http {
            return Err(self.failure(call, &format!("it redirects from https to plain http ({url})")));
        }
        if self.count == MOST_HOPS {
            return Err(self.failure(call, &format!("it redirects more than {MOST_HOPS} times")));
        }
        let crossed = self.crossed || url.origin != self.url.origin;
        Ok(Self { url, crossed, count: self.count + 1 })
    }

    async fn fetch(
        &self,
        call: &Call,
        outbound: &Outbound,
        record: &mut Record,
        timing: &mut Timing,
    ) -> Result<Response<Incoming>, Failure> {
        let reads_blob = matches!(call.operation, Operation::ReadBlob(..));
        // A signed URL is signed for GET: a HEAD asks for the first byte instead and learns the size from it.
        let sized_by_get = call.is_head() && reads_blob;
        let method = if sized_by_get { Method::GET } else { call.method.clone() };
        let mut headers = outbound.headers().clone();
        if sized_by_get {
            headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        }
        // `Via` stays: the way back to regpass may lead over a redirect.
        if self.crossed {
            trace::forget(&mut headers);
        }
        if reads_blob {
            headers.remove(ACCEPT);
        }
        let request = request::to(&self.url, method, headers, Bytes::new());
        let request = request.map_err(|why| self.failure(call, &why.to_string()))?;
        let who = format!("{}, where {} redirects to,", self.url.origin, call.registry());
        let response =
            leg::send(call, &request, (&self.url, Duration::ZERO), (Step::Redirect, &who), record, timing).await?;
        Ok(if sized_by_get { as_head(response) } else { response })
    }

    /// A place that has documents of its own, as a registry has, does not show this one to everybody.
    fn refused(&self, call: &Call, why: &str) -> Failure {
        let message = format!(
            "{} sends reads on to {}, where the repository does not exist or is not public: {why}",
            call.registry(),
            self.url.origin
        );
        Failure::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Registry, Step::Redirect, message)
    }

    fn failure(&self, call: &Call, why: &str) -> Failure {
        let message = format!(
            "{} redirects a read to a place that cannot be used: at {}, {why}",
            call.registry(),
            self.url.origin
        );
        Failure::new(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, Blame::Storage, Step::Redirect, message)
    }
}

/// Turns the answer to `bytes=0-0` into the one a HEAD would have got. The byte itself is left unread, and with it
/// the connection, unless it is the only one.
fn as_head(mut response: Response<Incoming>) -> Response<Incoming> {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let size = range.and_then(|range| range.rsplit_once('/')).and_then(|(_, size)| size.parse::<u64>().ok());
    let ranged = response.status() == StatusCode::PARTIAL_CONTENT;
    // An empty blob has no first byte.
    let empty = response.status() == StatusCode::RANGE_NOT_SATISFIABLE && size == Some(0);
    if ranged || empty {
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.remove(CONTENT_RANGE);
        match size {
            Some(size) => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(size))),
            None => drop(headers.remove(CONTENT_LENGTH)),
        }
    }
    response
}

const MOST_HOPS: u32 = 5;
