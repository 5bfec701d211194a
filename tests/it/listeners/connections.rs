//! Listeners on real sockets, opened and served by the code of `regpass serve`, and clients for them with TLS, HTTP/2 and unix
//! sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use regpass::listen::address::ListenAddress;
use regpass::serve::listener_files::read_listeners;
use regpass::serve::listeners::Listeners;
use regpass::serve::sockets::InheritedSockets;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::configuration;
use crate::harness::{Regpass, Reply, parse_config};
use crate::sim::{AuthMode, Image, ImageFormat, Preset, Registry, Sim};

/// A public registry, and regpass in front of it with these listeners on real sockets.
pub(super) struct Served {
    pub(super) sim: Sim,
    registry: Registry,
    regpass: Regpass,
    listeners: Listeners,
}

impl Served {
    pub(super) async fn start(listeners: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::distribution(AuthMode::Open)).await;
        registry.publish("acme/app", "1", &Image::single("app", ImageFormat::Docker));
        let regpass = Regpass::start(&sim, &configuration(&registry, listeners));
        let mut served = Self { sim, registry, regpass, listeners: Listeners::default() };
        served.listen(listeners).await.unwrap_or_else(|why| panic!("{why}"));
        served
    }

    /// Replaces the listeners, as a reload does, or returns the reload's error message.
    pub(super) async fn listen(&mut self, listeners: &str) -> Result<(), String> {
        let config = parse_config(&configuration(&self.registry, listeners));
        let tls = read_listeners(&config).map_err(|problems| problems.to_string())?;
        let prepared = self.listeners.prepare(&config, tls, &mut InheritedSockets::default()).await;
        self.listeners.apply(prepared.map_err(|error| error.to_string())?, &self.regpass.proxy);
        Ok(())
    }

    /// The address of the first TCP listener.
    pub(super) fn address(&self) -> SocketAddr {
        *self.addresses().first().expect("a listener on TCP")
    }

    /// The addresses of all TCP listeners.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let tcp = |address: &ListenAddress| match address {
            ListenAddress::Tcp(address) => Some(*address),
            ListenAddress::Unix(_) => None,
        };
        self.listeners.addresses().filter_map(tcp).collect()
    }

    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    /// Closes all listeners and waits until their last connection has ended, as regpass does when it stops.
    pub(super) async fn stop(self) {
        self.listeners.close().await;
    }
}

/// A client of a TLS listener: the authorities it trusts, its certificate, and the protocols that it offers by ALPN.
pub(super) struct TlsClient {
    roots: RootCertStore,
    certificate: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    protocols: Vec<Vec<u8>>,
}

impl TlsClient {
    pub(super) fn trusting(authority: &CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).unwrap();
        Self { roots, certificate: None, protocols: Vec::new() }
    }

    pub(super) fn with_certificate(mut self, certificate: &CertificateDer<'static>, key: &rcgen::KeyPair) -> Self {
        self.certificate = Some((vec![certificate.clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap()));
        self
    }

    pub(super) fn offering(mut self, protocols: &[&str]) -> Self {
        self.protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    pub(super) fn connector(&self) -> TlsConnector {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.certificate {
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.protocols);
        TlsConnector::from(Arc::new(config))
    }

    pub(super) async fn connect<S>(&self, stream: S) -> std::io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connector().connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// Sends a request over a new connection, in the negotiated protocol. A TLS alert is an error.
    pub(super) async fn send(&self, stream: TcpStream, request: Request<Bytes>) -> Result<Reply, String> {
        let stream = self.connect(stream).await.map_err(|error| error.to_string())?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        try_exchange(stream, request, is_http2).await
    }
}

/// A client's end of a connection with HTTP/2.
pub(super) type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

/// Starts HTTP/2 over this connection.
pub(super) async fn http2<S>(stream: S) -> Http2
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The request for HTTP/2, which has scheme and authority instead of `Host`.
pub(super) fn to_http2(request: Request<Bytes>) -> Request<Bytes> {
    let (mut head, body) = request.into_parts();
    let host = head.headers.remove("host").unwrap();
    head.uri = format!("https://{}{}", host.to_str().unwrap(), head.uri).parse().unwrap();
    Request::from_parts(head, body)
}

/// Sends one request over this connection; panics if it fails.
pub(super) async fn exchange<S>(stream: S, request: Request<Bytes>, is_http2: bool) -> Reply
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    try_exchange(stream, request, is_http2).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn try_exchange<S>(stream: S, request: Request<Bytes>, is_http2: bool) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let describe = |error: hyper::Error| format!("{error:?}");
    if is_http2 {
        let response = http2(stream).await.send_request(to_http2(request).map(Full::new)).await;
        return Ok(read_reply(response.map_err(describe)?).await);
    }
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(describe)?;
    tokio::spawn(connection);
    Ok(read_reply(sender.send_request(request.map(Full::new)).await.map_err(describe)?).await)
}

/// Reads the whole body of a response; panics if it breaks off.
pub(super) async fn read_reply(response: http::Response<Incoming>) -> Reply {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: head.status, headers: head.headers, body, complete: true }
}

/// Sends one request through a unix socket.
pub(super) async fn send_to_socket(socket: &Path, request: Request<Bytes>) -> Reply {
    exchange(UnixStream::connect(socket).await.unwrap(), request, false).await
}
