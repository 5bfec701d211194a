//! Connections through a proxy: by CONNECT, or by SOCKS where the proxy looks names up.

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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tower_service::Service;

use super::dial::port_of;
use super::direct::{Direct, NameLookup};
use super::error::{BoxError, cause};
use super::proxies::Proxies;
use super::tls;

pub(super) trait Tunnelled: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Tunnelled for T {}

/// A proxy that did not connect.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the proxy {proxy} {why}")]
pub struct ProxyFailed {
    /// Host and port, without the login.
    proxy: String,
    pub(super) why: Why,
}

/// What a proxy did instead of connecting. Never anything it said: it may repeat what it was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    #[error("cannot be reached: {0}")]
    Away(String),
    #[error("closed the connection without an answer")]
    Closed,
    #[error("could not connect to it either ({})", .0.as_u16())]
    CouldNot(StatusCode),
    #[error("did not connect: {0}")]
    Failed(String),
    #[error("does not take the login that the variable holds (407)")]
    LoginRefused,
    #[error("wants a login (407); write user:password@ in front of its host in the variable")]
    LoginWanted,
    #[error("did not answer in HTTP; is its address right?")]
    NoHttp,
    #[error("refused to connect to it ({}); it may allow other hosts or ports only", .0.as_u16())]
    Refused(StatusCode),
    #[error("did not connect within {} s", .0.as_secs())]
    Silent(Duration),
}

impl Why {
    /// Whether another try may go better, so that the present ones had better wait.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Closed | Self::CouldNot(_) | Self::Silent(_))
    }

    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::CouldNot(StatusCode::GATEWAY_TIMEOUT))
    }

    /// Whether it is the proxy, or the way to it, that somebody has to do something about.
    pub(super) fn is_its_own(&self) -> bool {
        !matches!(self, Self::CouldNot(_))
    }
}

/// A connection to `target` through `proxy`. The limit begins with the call.
pub(super) fn through(
    proxies: Arc<Proxies>,
    proxy: Intercept,
    target: Uri,
    limit: Duration,
) -> impl Future<Output = Result<Box<dyn Tunnelled>, ProxyFailed>> + Send {
    let name = proxy.uri().authority().map_or("", |authority| authority.as_str());
    let name = name.rsplit_once('@').map_or(name, |(_, rest)| rest).to_owned();
    let tunnel = timeout(limit, async move { open(&proxies, &proxy, target).await });
    async move {
        let outcome = tunnel.await.unwrap_or(Err(Why::Silent(limit)));
        outcome.map_err(|why| ProxyFailed { proxy: name, why })
    }
}

async fn open(proxies: &Proxies, proxy: &Intercept, target: Uri) -> Result<Box<dyn Tunnelled>, Why> {
    let uri = proxy.uri().clone();
    match uri.scheme_str() {
        Some("http") => {
            let stream = Direct::default().call(uri).await.map_err(|error| away(&*error))?;
            Ok(Box::new(TokioIo::new(connect(stream, &target, proxy.basic_auth()).await?)))
        }
        Some("https") => {
            let mut over_tls = proxies.over_tls().map_err(Why::Failed)?;
            let stream = over_tls.call(uri).await.map_err(|error| away(&*error))?;
            Ok(Box::new(TokioIo::new(connect(stream, &target, proxy.basic_auth()).await?)))
        }
        _ => {
            let mut socks = SocksV5::new(uri, Direct::default()).local_dns(false);
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            let target = with_written_port(&target).unwrap_or(target);
            let stream = socks.call(target).await.map_err(|error| {
                let error: BoxError = error.into();
                error.source().map_or_else(|| Why::Failed(error.to_string()), away)
            })?;
            Ok(Box::new(stream.into_inner()))
        }
    }
}

/// RFC 9110, section 9.3.6.
async fn connect<S>(stream: S, target: &Uri, login: Option<&HeaderValue>) -> Result<Upgraded, Why>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let authority = format!("{}:{}", target.host().unwrap_or_default(), port_of(target));
    let request = Request::connect(&authority).header(HOST, &authority);
    let request = login.into_iter().fold(request, |request, login| request.header(PROXY_AUTHORIZATION, login));
    let request = request.body(Empty::<&[u8]>::new()).map_err(|error| Why::Failed(error.to_string()))?;
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|error| broken(&error))?;
    // Ends with the tunnel, or with its sender when nobody waits for one any more.
    tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
    match answer.status() {
        status if status.is_success() => hyper::upgrade::on(answer).await.map_err(|error| broken(&error)),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED if login.is_some() => Err(Why::LoginRefused),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(Why::LoginWanted),
        status if status.is_server_error() => Err(Why::CouldNot(status)),
        status => Err(Why::Refused(status)),
    }
}

/// The library takes 443 for every port that is not written.
fn with_written_port(target: &Uri) -> Option<Uri> {
    let authority = format!("{}:{}", target.host()?, port_of(target));
    let mut parts = target.clone().into_parts();
    parts.authority = Some(authority.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// No connection to the proxy.
fn away(error: &(dyn Error + 'static)) -> Why {
    if let Some(lookup) = cause::<NameLookup>(error) {
        return Why::Away(lookup.to_string());
    }
    if let Some(error) = cause::<rustls::Error>(error) {
        return Why::Failed(tls::describe(error));
    }
    match cause::<io::Error>(error) {
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => Why::Closed,
        Some(error) => Why::Away(error.kind().to_string()),
        None => Why::Away(error.to_string()),
    }
}

/// A connection on which no answer came.
fn broken(error: &hyper::Error) -> Why {
    if error.is_parse() { Why::NoHttp } else { Why::Closed }
}
