//! Connections through a proxy, by CONNECT or by SOCKS 5. The proxy resolves the target's name.

use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tower_service::Service;

use super::cause::{BoxError, NameLookup, cause};
use super::direct_connector::DirectConnector;
use super::proxies::Proxies;
use super::stream::ByteStream;
use super::tls_error;
use super::uri::port_of;

/// A connection through a proxy that failed at the proxy or between the proxy and the target.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the proxy {proxy} {failure}")]
pub struct ProxyError {
    /// Host and port, without the credential.
    proxy: String,
    pub(super) failure: ProxyFailure,
}

/// How the proxy failed. Messages never quote the proxy's response, because it may repeat the credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProxyFailure {
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("closed the connection without a response")]
    Closed,
    #[error("cannot connect to it ({})", .0.as_u16())]
    TargetUnreachable(StatusCode),
    #[error("failed: {0}")]
    Failed(String),
    #[error("rejected the credential in `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` (407)")]
    CredentialRejected,
    #[error(
        "requires a credential (407); add user:password@ before its host in `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`"
    )]
    CredentialRequired,
    #[error("did not respond in HTTP; check its address")]
    NotHttp,
    #[error("denied the connection ({}); it may allow only other hosts or ports", .0.as_u16())]
    Denied(StatusCode),
    #[error("did not connect within {} s", .0.as_secs())]
    Timeout(Duration),
}

impl ProxyFailure {
    /// Whether a retry may succeed, so that the target's circuit breaker counts the failure.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Closed | Self::TargetUnreachable(_) | Self::Timeout(_))
    }

    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::TargetUnreachable(StatusCode::GATEWAY_TIMEOUT))
    }

    /// Whether the proxy, the connection to it or the variable has to be fixed, and not the target.
    pub(super) fn is_proxy_fault(&self) -> bool {
        !matches!(self, Self::TargetUnreachable(_))
    }
}

/// Opens a connection to `target` through `proxy`. The timeout starts with the call, not with the first poll.
pub(super) fn open(
    proxies: Arc<Proxies>,
    proxy: Intercept,
    target: Uri,
    limit: Duration,
) -> impl Future<Output = Result<Box<dyn ByteStream>, ProxyError>> + Send {
    let name = proxy.uri().authority().map_or("", |authority| authority.as_str());
    let name = name.rsplit_once('@').map_or(name, |(_, rest)| rest).to_owned();
    let tunnel = timeout(limit, async move { connect(&proxies, &proxy, target).await });
    async move {
        let outcome = tunnel.await.unwrap_or(Err(ProxyFailure::Timeout(limit)));
        outcome.map_err(|failure| ProxyError { proxy: name, failure })
    }
}

async fn connect(proxies: &Proxies, proxy: &Intercept, target: Uri) -> Result<Box<dyn ByteStream>, ProxyFailure> {
    let uri = proxy.uri().clone();
    match uri.scheme_str() {
        Some("http") => {
            let stream = DirectConnector::default().call(uri).await.map_err(|error| unreachable(&*error))?;
            Ok(Box::new(TokioIo::new(http_connect(stream, &target, proxy.basic_auth()).await?)))
        }
        Some("https") => {
            let mut connector = proxies.tls_connector().map_err(ProxyFailure::Failed)?;
            let stream = connector.call(uri).await.map_err(|error| unreachable(&*error))?;
            Ok(Box::new(TokioIo::new(http_connect(stream, &target, proxy.basic_auth()).await?)))
        }
        _ => {
            let mut socks = SocksV5::new(uri, DirectConnector::default()).local_dns(false);
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            let target = with_explicit_port(&target).unwrap_or(target);
            let stream = socks.call(target).await.map_err(|error| {
                let error: BoxError = error.into();
                error.source().map_or_else(|| ProxyFailure::Failed(error.to_string()), unreachable)
            })?;
            Ok(Box::new(stream.into_inner()))
        }
    }
}

/// Sends CONNECT (RFC 9110, section 9.3.6).
async fn http_connect<S>(stream: S, target: &Uri, credential: Option<&HeaderValue>) -> Result<Upgraded, ProxyFailure>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let authority = format!("{}:{}", target.host().unwrap_or_default(), port_of(target));
    let request = Request::connect(&authority).header(HOST, &authority);
    let request = credential.into_iter().fold(request, |request, value| request.header(PROXY_AUTHORIZATION, value));
    let request = request.body(Empty::<&[u8]>::new()).map_err(|error| ProxyFailure::Failed(error.to_string()))?;
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|error| no_response(&error))?;
    // This task ends when the tunnel closes, or when the caller stops waiting and drops `sender`.
    tokio::spawn(connection.with_upgrades());
    let response = sender.send_request(request).await.map_err(|error| no_response(&error))?;
    match response.status() {
        status if status.is_success() => hyper::upgrade::on(response).await.map_err(|error| no_response(&error)),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED if credential.is_some() => Err(ProxyFailure::CredentialRejected),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(ProxyFailure::CredentialRequired),
        status if status.is_server_error() => Err(ProxyFailure::TargetUnreachable(status)),
        status => Err(ProxyFailure::Denied(status)),
    }
}

/// Adds the default port of the scheme, because `SocksV5` assumes 443 for every URI without a port.
fn with_explicit_port(target: &Uri) -> Option<Uri> {
    let authority = format!("{}:{}", target.host()?, port_of(target));
    let mut parts = target.clone().into_parts();
    parts.authority = Some(authority.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The failure for an error in connecting to the proxy.
fn unreachable(error: &(dyn Error + 'static)) -> ProxyFailure {
    if let Some(lookup) = cause::<NameLookup>(error) {
        return ProxyFailure::Unreachable(lookup.to_string());
    }
    if let Some(error) = cause::<rustls::Error>(error) {
        return ProxyFailure::Failed(tls_error::describe_of_proxy(error));
    }
    match cause::<io::Error>(error) {
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => ProxyFailure::Closed,
        Some(error) => ProxyFailure::Unreachable(error.kind().to_string()),
        None => ProxyFailure::Unreachable(error.to_string()),
    }
}

/// The failure for an HTTP exchange with the proxy that ended without a valid response.
fn no_response(error: &hyper::Error) -> ProxyFailure {
    if error.is_parse() { ProxyFailure::NotHttp } else { ProxyFailure::Closed }
}
