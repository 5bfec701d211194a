//! The request path, in order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response, StatusCode, request, response};
use http_body::Body as _;
use hyper::body::Incoming;

use super::Proxy;
use super::admit::{Front, admit, identify};
use super::answer;
use super::call::{Call, classify};
use super::document;
use super::exchange::{Timing, exchange};
use super::failure::Failure;
use super::headers::{self, SERVER_TIMING};
use super::outbound::{self, Outbound};
use super::page;
use super::redirect::{DeadEnd, Landing, follow};
use super::refusal;
use super::reply::{self, Reply};
use super::route::Routed;
use super::trace::Trace;
use super::transfer::{self, Resumption};
use super::{untag, upload};
use crate::net::body::StreamBody;
use crate::net::progress::Progress;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::{Access, Operation};

/// Answers one request. Every failure has become a response.
pub async fn handle(proxy: Arc<Proxy>, front: Arc<Front>, request: Request<Incoming>) -> Response<StreamBody> {
    let (head, body) = request.into_parts();
    let mut record = Record::begin(proxy.metrics.clone(), proxy.seen.clone(), head.method.clone());
    record.trace_id = Trace::of(&head.headers).map(|trace| trace.id().into());
    let mut timing = Timing::default();
    let progress = Progress::begin();
    let outcome = tokio::select! {
        outcome = serve(&proxy, &front, &head, (body, &progress), &mut record, &mut timing) => Some(outcome),
        () = progress.stalled(OVERALL_LIMIT) => None,
    };
    let outcome = outcome.unwrap_or_else(|| Err(too_slow(record.registry.as_deref())));
    let grant = record.grant;
    (record.auth, record.upstream) = (timing.auth, timing.upstream);
    let mut response = match outcome {
        Ok(reply) => {
            record.status = Some(reply.status());
            record.digest = reply.digest().map(Into::into);
            send(reply, record)
        }
        Err(failure) => {
            record.status = Some(failure.status);
            record.finished = true;
            if !(record.is_probe && failure.is_absence()) {
                record.blame = Some(failure.blame);
                record.step = Some(failure.step);
                record.error = Some(failure.message.as_str().into());
            }
            failure.response(record.registry.as_deref())
        }
    };
    headers::sign(response.headers_mut());
    let auth = timing.auth.as_secs_f64() * 1e3;
    let upstream = timing.upstream.as_secs_f64() * 1e3;
    if let Ok(value) =
        HeaderValue::from_str(&format!("auth;desc=\"{grant}\";dur={auth:.1}, upstream;dur={upstream:.1}"))
    {
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    response
}

async fn serve(
    proxy: &Arc<Proxy>,
    front: &Front,
    head: &request::Parts,
    (body, progress): (Incoming, &Progress),
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Reply, Failure> {
    let routes = proxy.routes.load_full();
    let addressed = admit(front, head, |name| routes.is_virtual_host(name))?;
    let client = identify(front, head).await?;
    record.client = client.as_ref().map(|client| client.to_string().into());
    if head.uri.path() == "/" {
        return answer::root(head, routes.status_page.as_deref()).map(Reply::Ready);
    }
    let place = routes.place(front, addressed.as_ref(), head)?;
    let found = routes.find(&place).inspect_err(|_| place.tell(&head.method, record))?;
    record.is_for(found.upstream.host.as_str(), &found.upstream.label);
    let call = known(proxy, place.at(found, client), &head.method, record).await?;
    record.does(&call.operation);
    if call.operation == Operation::Ping {
        return Ok(Reply::Ready(answer::ping()));
    }
    if outbound::is_loop(proxy, head) {
        let message = format!("the request came back to regpass: the address of {} leads here", call.registry());
        return Err(Failure::new(
            StatusCode::LOOP_DETECTED,
            ErrorCode::Unknown,
            Blame::Configuration,
            Step::Route,
            message,
        ));
    }
    upload::check_length(&call.operation, head)?;
    if matches!(call.operation, Operation::StartUpload(..) | Operation::ContinueUpload(..)) {
        return upload::serve(proxy, call, head, body, progress, record, timing).await;
    }
    let mut call = untag::resolve(proxy, call, head, record, timing).await?;
    let mut outbound = Outbound::prepare(proxy, &call, head, body).await?;
    let mut landing = fetch(proxy, &call, &outbound, record, timing).await?;
    record.sent = outbound.payload().length().unwrap_or(0);
    if let Some(query) = page::without_size(&call, &landing) {
        call.query = query;
        outbound = Outbound::of(proxy, &call, &head.headers, Bytes::new())?;
        landing = fetch(proxy, &call, &outbound, record, timing).await?;
    }
    reply::complete(proxy, call, outbound, landing, record, timing).await
}

/// The call, understood as the kind of registry wants it: who deletes at one whose kind is not known, or lists its
/// repositories, asks it first.
async fn known(proxy: &Proxy, routed: Routed, method: &Method, record: &mut Record) -> Result<Call, Failure> {
    let call = classify(routed.clone(), method, record)?;
    let depends = call.operation.access() == Access::Delete || call.operation == Operation::ListRepositories;
    if !depends || !routed.upstream.is_strange() {
        return Ok(call);
    }
    proxy.authorizer.greet(&call.ask).await.map_err(|error| Failure::auth(&error, call.registry()))?;
    classify(routed, method, record)
}

/// Asks the registry and follows where it leads. A signed URL that turns out to be over sends us back to the registry
/// for a new one, once.
pub async fn fetch(
    proxy: &Proxy,
    call: &Call,
    outbound: &Outbound,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<Landing, Failure> {
    let response = exchange(proxy, call, outbound, record, timing).await?;
    match follow(call, outbound, response, record, timing).await {
        Ok(landing) => return Ok(landing),
        Err(DeadEnd::Failed(failure)) => return Err(failure),
        Err(DeadEnd::Expired(_)) => {}
    }
    let response = exchange(proxy, call, outbound, record, timing).await?;
    follow(call, outbound, response, record, timing)
        .await
        .map_err(|(DeadEnd::Expired(failure) | DeadEnd::Failed(failure))| failure)
}

/// The answer to a further question that a request depends on: a manifest's, or a clear failure.
pub async fn look(
    proxy: &Proxy,
    call: &Call,
    outbound: &Outbound,
    record: &mut Record,
    timing: &mut Timing,
) -> Result<(response::Parts, Incoming), Failure> {
    let (Landing::Registry(response) | Landing::Elsewhere(response)) =
        fetch(proxy, call, outbound, record, timing).await?
    else {
        return Err(document::unusable(call, "it redirects where a manifest should be"));
    };
    let (head, body) = response.into_parts();
    match head.status {
        StatusCode::OK => Ok((head, body)),
        _ => Err(refusal::normalized(call, &head, body, Step::Registry).await),
    }
}

fn send(reply: Reply, mut record: Record) -> Response<StreamBody> {
    match reply {
        Reply::Ready(response) => {
            record.bytes = response.body().size_hint().exact().unwrap_or(0);
            record.finished = true;
            response
        }
        Reply::Stream { head, body, proxy, call, outbound } => {
            let idle = call.routed.upstream.timeouts.body_idle;
            let resumable =
                matches!(call.operation, Operation::ReadBlob(..)) && head.headers.contains_key(CONTENT_LENGTH);
            let resumption = resumable.then(|| Resumption { proxy, call: *call, outbound: *outbound });
            let body = transfer::stream(record, &head.headers, head.status, body, idle, resumption);
            Response::from_parts(head, body)
        }
    }
}

fn too_slow(registry: Option<&str>) -> Failure {
    let who = registry.unwrap_or("the registry");
    let message = format!("{who} gave no answer within {} s, retries included", OVERALL_LIMIT.as_secs());
    Failure::new(StatusCode::GATEWAY_TIMEOUT, ErrorCode::Unavailable, Blame::Registry, Step::Registry, message)
}

/// After this long a client has heard something, whatever happens behind; unless it is being listened to itself.
const OVERALL_LIMIT: Duration = Duration::from_secs(40);
