//! Handles one client request: calls the stages of the request path in order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use http_body::Body as _;
use hyper::body::Incoming;

use super::Proxy;
use super::blob_check::BlobCheck;
use super::classify::{Call, classify};
use super::client_urls::ClientUrls;
use super::error_response::ErrorResponse;
use super::exchange::settle;
use super::fetch::{fetch, fetch_settled};
use super::foreign_page;
use super::host_check::check_host;
use super::listener::{ListenerContext, authenticate};
use super::local_response;
use super::paging;
use super::request_url::RequestUrl;
use super::response::{ClientResponse, normalize};
use super::response_headers::{self, SERVER_TIMING};
use super::resumable_body::{self, Resumption};
use super::routing::RoutedRequest;
use super::trace_context::TraceContext;
use super::upstream_request::UpstreamRequest;
use super::{referrers, tag_deletion, upload, vendor_api, via};
use crate::net::body::StreamBody;
use crate::net::progress::Progress;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::{Access, BodyKind, Operation};

/// Handles one client request. Every error becomes an error response.
pub async fn handle(
    proxy: Arc<Proxy>,
    listener: Arc<ListenerContext>,
    request: Request<Incoming>,
) -> Response<StreamBody> {
    let (head, body) = request.into_parts();
    let mut record = Record::begin(proxy.metrics.clone(), proxy.activity.clone(), head.method.clone());
    record.trace_id = TraceContext::of(&head.headers).map(|trace| trace.id().into());
    let progress = Progress::start();
    let outcome = tokio::select! {
        outcome = serve(&proxy, &listener, &head, (body, &progress), &mut record) => Some(outcome),
        () = progress.stalled(OVERALL_LIMIT) => None,
    };
    let outcome = outcome.unwrap_or_else(|| Err(overall_timeout(record.registry.as_deref())));
    let (grant, namespace) = (record.grant, record.namespace.take());
    let (auth, upstream) = (record.auth.as_secs_f64() * 1e3, record.upstream.as_secs_f64() * 1e3);
    let mut response = match outcome {
        Ok(response) => {
            record.status = Some(response.status());
            record.digest = response.digest().map(Into::into);
            into_http(response, record)
        }
        Err(error) => {
            record.status = Some(error.status);
            record.is_complete = true;
            if !(record.is_probe && error.is_not_found()) {
                record.blame = Some(error.blame);
                record.step = Some(error.step);
                record.error = Some(error.message.as_str().into());
            }
            error.to_response(record.registry.as_deref())
        }
    };
    response_headers::add_own(response.headers_mut());
    response_headers::set_namespace(response.headers_mut(), namespace.as_deref());
    if let Ok(value) =
        HeaderValue::from_str(&format!("auth;desc=\"{grant}\";dur={auth:.1}, upstream;dur={upstream:.1}"))
    {
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    response
}

async fn serve(
    proxy: &Arc<Proxy>,
    listener: &ListenerContext,
    head: &request::Parts,
    (body, progress): (Incoming, &Progress),
    record: &mut Record,
) -> Result<ClientResponse, ErrorResponse> {
    let routes = proxy.routes.load_full();
    let host = check_host(listener, head, |name| routes.is_virtual_host(name))?;
    foreign_page::check(head, host.as_ref())?;
    let client = authenticate(listener, head).await?;
    record.client = client.as_ref().map(|client| client.to_string().into());
    if head.uri.path() == "/" {
        return local_response::root(head, routes.status_page.as_deref()).map(ClientResponse::Ready);
    }
    let url = RequestUrl::parse(&head.uri)?;
    let moved = url.cleaned(&head.method);
    let target = routes.target(listener, host.as_ref(), url);
    record.namespace.clone_from(&target.namespace);
    if let Some((status, location)) = moved {
        target.record_operation(&head.method, record);
        let location = ClientUrls::new(listener, host.as_ref()).at(&location);
        return local_response::moved(status, location).map(ClientResponse::Ready);
    }
    let registry = routes.registry_for(&target).inspect_err(|_| target.record_operation(&head.method, record))?;
    record.set_registry(registry.upstream.host.as_str(), &registry.upstream.label);
    let call = classify_for_registry(proxy, target.with_registry(registry, client), &head.method, record).await?;
    record.operation_allowed(&call.operation);
    if call.operation == Operation::Ping {
        return Ok(ClientResponse::Ready(local_response::ping()));
    }
    if via::is_loop(proxy, head) {
        let message = format!(
            "request loop: the address of {0} leads back to this regpass; see `url` in [registry.\"{0}\"]",
            call.registry()
        );
        return Err(ErrorResponse::new(
            StatusCode::LOOP_DETECTED,
            ErrorCode::Unknown,
            Blame::Configuration,
            Step::Route,
            message,
        ));
    }
    upload::check_length(&call.operation, head)?;
    if matches!(call.operation, Operation::StartUpload(..) | Operation::ContinueUpload(..)) {
        return upload::serve(proxy, call, head, body, progress, record).await.map(ClientResponse::Ready);
    }
    if let Operation::ListReferrers(_, subject) = &call.operation {
        let subject = subject.clone();
        return referrers::serve(proxy, call, &subject, head, record).await;
    }
    if let Some(outcome) = vendor_api::serve(proxy, &call, record).await {
        return outcome.map(ClientResponse::Ready);
    }
    let mut call = tag_deletion::resolve(proxy, call, head, record).await?;
    UpstreamRequest::check_manifest_size(&call, &body)?;
    let settled = match call.operation.body_kind() {
        BodyKind::Empty => None,
        _ => Some(settle(proxy, &call, record).await?),
    };
    let mut request = UpstreamRequest::from_client(proxy, &call, head, body).await?;
    let mut outcome = fetch_settled(proxy, &call, &request, settled, record).await?;
    record.sent = request.payload().length().unwrap_or(0);
    if let Some(query) = paging::query_without_page_size(&call, &outcome) {
        call.query = query;
        request = UpstreamRequest::new(proxy, &call, &head.headers, Bytes::new())?;
        outcome = fetch(proxy, &call, &request, record).await?;
    }
    normalize(proxy, call, request, outcome, record).await
}

/// Classifies the request, and first detects the registry's profile where the classification depends on it: for
/// deletions and for the catalog.
async fn classify_for_registry(
    proxy: &Proxy,
    routed: RoutedRequest,
    method: &Method,
    record: &mut Record,
) -> Result<Call, ErrorResponse> {
    let call = classify(routed.clone(), method, record)?;
    let depends_on_profile = call.operation.access() == Access::Delete || call.operation == Operation::ListRepositories;
    if !depends_on_profile || !routed.upstream.profile_choice.is_undetected() {
        return Ok(call);
    }
    proxy
        .authorizer
        .identify_registry(&call.ask)
        .await
        .map_err(|error| ErrorResponse::from_auth(&error, call.registry()))?;
    classify(routed, method, record)
}

/// Converts to the HTTP response. A ready response completes `record` here; otherwise `record` moves into the streamed
/// body, which completes it.
fn into_http(response: ClientResponse, mut record: Record) -> Response<StreamBody> {
    match response {
        ClientResponse::Ready(response) => {
            record.bytes = response.body().size_hint().exact().unwrap_or(0);
            record.is_complete = true;
            response
        }
        ClientResponse::Stream { head, body, proxy, call, request } => {
            let idle = call.routed.upstream.timeouts.body_idle;
            let resumable =
                matches!(call.operation, Operation::ReadBlob(..)) && head.headers.contains_key(CONTENT_LENGTH);
            let check = BlobCheck::of(&call, &head);
            let resumption = resumable.then(|| Resumption { proxy, call: *call, request: *request });
            let body = resumable_body::stream(record, &head, body, idle, resumption, check);
            Response::from_parts(head, body)
        }
    }
}

fn overall_timeout(registry: Option<&str>) -> ErrorResponse {
    let registry = registry.unwrap_or("the registry");
    let message = format!("no response from {registry} within {} s, including retries", OVERALL_LIMIT.as_secs());
    ErrorResponse::new(StatusCode::GATEWAY_TIMEOUT, ErrorCode::Unavailable, Blame::Registry, Step::Registry, message)
}

/// Maximum time until the head of the response. For an upload it restarts with each part of the body that is sent,
/// pauses while regpass waits for the client, and is longer for the PUT of a large blob.
const OVERALL_LIMIT: Duration = Duration::from_secs(40);
