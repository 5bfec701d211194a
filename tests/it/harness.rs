//! A running regpass that tests send requests to over in-memory connections.

use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use regpass::admin;
use regpass::base::clock::WallClock;
use regpass::clients::{AuthMethod, ClientAuth};
use regpass::config::model::{Config, Listener};
use regpass::config::{self, Variables, overrides::Overrides};
use regpass::credential::{environment::Environment, sources::Sources};
use regpass::listen::connection::{RequestHandler, serve_stream};
use regpass::net::dial::Network;
use regpass::observe::process::OpenListener;
use regpass::proxy::listener::ListenerContext;
use regpass::proxy::{self, Proxy};
use regpass::serve::build::{self, Registries};

use crate::sim::{Image, Registry, Sim};

/// regpass with the first listener of its configuration and the admin listener.
pub struct Regpass {
    handle: RequestHandler,
    admin: RequestHandler,
    pub proxy: Arc<Proxy>,
    registries: Arc<Registries>,
    sources: Arc<Sources>,
}

/// A response and its body.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The whole body, or the bytes that arrived before the transfer broke off.
    pub body: Bytes,
    /// False if the transfer of the body broke off.
    pub complete: bool,
}

impl Regpass {
    /// Starts regpass with the text of a configuration file on the network and the clock of the simulation.
    pub fn start(sim: &Sim, text: &str) -> Self {
        Self::start_with_environment(sim, text, Environment::default())
    }

    /// As [`start`](Self::start), with an environment: for example a `PATH` with credential helpers.
    pub fn start_with_environment(sim: &Sim, text: &str, environment: Environment) -> Self {
        Self::start_with_clock(sim, text, environment, WallClock::tokio(sim.clock().since_1970()))
    }

    /// As [`start_with_environment`](Self::start_with_environment), with this clock instead of the simulation's.
    pub fn start_with_clock(sim: &Sim, text: &str, environment: Environment, clock: WallClock) -> Self {
        Self::assemble(&network_of(sim), clock, text, environment)
    }

    /// As [`start`](Self::start), with this network and clock instead of the simulation's.
    pub fn start_on_network(network: &Network, clock: WallClock, text: &str) -> Self {
        Self::assemble(network, clock, text, Environment::default())
    }

    fn assemble(network: &Network, clock: WallClock, text: &str, environment: Environment) -> Self {
        let config = parse_config(text);
        let sources = Arc::new(Sources::new(environment, network.clone(), clock));
        let registries = Registries::new(sources.clone(), network.clone());
        let routes = registries.routes(&config, build::read_tls(&config).unwrap());
        let uploads = build::uploads(&config, &sources).expect("upload keys");
        let proxy = Proxy::new(routes, clock, uploads);
        let front = Arc::new(ListenerContext::new(&config.listeners[0], client_auth(&config.listeners[0])));
        let handle: RequestHandler = {
            let proxy = proxy.clone();
            Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), front.clone(), request)))
        };
        let admin: RequestHandler = {
            let default_admin = || Listener { registry: None, clients: None, ..config.listeners[0].clone() };
            let listener = config.admin.as_ref().map_or_else(default_admin, |admin| admin.listener.clone());
            let (proxy, front) = (proxy.clone(), Arc::new(ListenerContext::new(&listener, client_auth(&listener))));
            Arc::new(move |request| {
                let (proxy, front) = (proxy.clone(), front.clone());
                Box::pin(async move { admin::handle(&proxy, &front, request).await })
            })
        };
        Self { handle, admin, proxy, registries, sources }
    }

    /// Applies another configuration to registries and uploads, as a reload does. The listeners do not change.
    pub fn reconfigure(&self, text: &str) {
        let config = parse_config(text);
        let routes = self.registries.routes(&config, build::read_tls(&config).unwrap());
        self.proxy.reconfigure(routes, build::upload_keys(&config, &self.sources), config.upload_spool);
    }

    /// Reports the listeners as open, as `serve` does once it has opened them.
    pub fn report_listening(&self) {
        let listening = |address: &str, admin| OpenListener { address: address.into(), admin, registry: None };
        self.proxy.process.set_listeners(vec![listening("127.0.0.1:5050", false), listening("127.0.0.1:5051", true)]);
    }

    /// The request handler of the first listener, for tests that serve their own streams.
    pub fn handle(&self) -> RequestHandler {
        self.handle.clone()
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.send(request(Method::GET, target)).await
    }

    pub async fn head(&self, target: &str) -> Reply {
        self.send(request(Method::HEAD, target)).await
    }

    /// Sends a request to the admin listener.
    pub async fn send_to_admin(&self, request: Request<Bytes>) -> Reply {
        exchange(&self.admin, request).await
    }

    /// GET at the admin listener.
    pub async fn get_admin(&self, target: &str) -> Reply {
        self.send_to_admin(request(Method::GET, target)).await
    }

    /// The document at `/status.json` of the admin listener.
    pub async fn status(&self) -> Value {
        let reply = self.get_admin("/status.json").await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/json")));
        reply.json()
    }

    pub async fn send(&self, request: Request<Bytes>) -> Reply {
        exchange(&self.handle, request).await
    }

    /// As [`send`](Self::send); an error if the connection closes without a response.
    pub async fn try_send(&self, request: Request<Bytes>) -> Result<Reply, hyper::Error> {
        try_exchange(&self.handle, request).await
    }

    /// The lines of the metrics that start with `name`.
    pub fn metric(&self, name: &str) -> Vec<String> {
        admin::gauges::metrics(&self.proxy)
            .lines()
            .filter(|line| line.starts_with(name))
            .map(ToOwned::to_owned)
            .collect()
    }
}

/// Sends one request to the handler over a new in-memory connection.
async fn exchange(handle: &RequestHandler, request: Request<Bytes>) -> Reply {
    try_exchange(handle, request).await.unwrap()
}

async fn try_exchange(handle: &RequestHandler, request: Request<Bytes>) -> Result<Reply, hyper::Error> {
    let (ours, theirs) = tokio::io::duplex(256 * 1024);
    let serving = tokio::spawn(serve_stream(theirs, handle.clone()));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    let driving = tokio::spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await?;
    let (head, mut body) = response.into_parts();
    let (mut read, mut complete) = (Vec::new(), true);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Err(_) => complete = false,
        }
    }
    drop((sender, body));
    let _ = driving.await;
    let _ = serving.await;
    Ok(Reply { status: head.status, headers: head.headers, body: read.into(), complete })
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    /// The code and message of the first error; panics unless the body is an error document whose detail has `step` and
    /// `blame`.
    pub fn error(&self) -> (String, String) {
        let json = self.json();
        let error = &json["errors"][0];
        let text = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}")).to_owned();
        for key in ["step", "blame"] {
            assert!(error["detail"][key].is_string(), "detail names the {key}: {json}");
        }
        (text("code"), text("message"))
    }

    /// Where the authorization of the request came from: `auth;desc` of `Server-Timing`, for example `cached`.
    pub fn authorization_source(&self) -> &str {
        let timing = self.header("server-timing").unwrap_or_else(|| panic!("no Server-Timing: {self:?}"));
        timing.split('"').nth(1).unwrap_or_else(|| panic!("no auth;desc in {timing}"))
    }

    /// The status and the error code: `403 DENIED`.
    pub fn status_and_code(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.error().0)
    }
}

/// The client authentication that a listener's configuration requires, with an [`AuthMethod`] that is shared with no other
/// listener.
pub fn client_auth(listener: &Listener) -> ClientAuth {
    ClientAuth::new(listener, listener.clients.as_ref().map(|clients| Arc::new(AuthMethod::new(clients))))
}

fn network_of(sim: &Sim) -> Network {
    if !sim.network().is_memory() {
        return Network::Tcp;
    }
    let network = sim.network().clone();
    Network::Memory(Arc::new(move |host, port| network.connect(host, port)))
}

/// A request without a body, for the host `localhost:5050`.
pub fn request(method: Method, target: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(target).header("host", "localhost:5050").body(Bytes::new()).unwrap()
}

/// The request with a further header.
pub fn with_header(mut request: Request<Bytes>, name: &'static str, value: &str) -> Request<Bytes> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

/// A PUT of an image's top manifest.
pub fn manifest_put(target: &str, image: &Image) -> Request<Bytes> {
    let manifest = image.manifests.last().unwrap();
    let mut put = with_header(request(Method::PUT, target), "content-type", &manifest.media_type);
    *put.body_mut() = manifest.bytes.clone();
    put
}

/// The configuration table of `host` for a simulated registry, with `more` added to it.
pub fn registry_table(host: &str, registry: &Registry, more: &str) -> String {
    let (url, realm) = (registry.origin(), registry.token_service().authority());
    format!("[registry.\"{host}\"]\nurl = \"{url}\"\nrealm_hosts = [\"{realm}\"]\n{more}\n")
}

/// A configuration with one registry as the default, so that paths need not name it. `more` is added to its table.
pub fn single_registry_config(registry: &Registry, more: &str) -> String {
    let host = registry.authority();
    format!("default_registry = \"{host}\"\n{}", registry_table(host, registry, more))
}

/// Loads the text of a configuration file; panics with its problems.
pub fn parse_config(text: &str) -> Config {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
    let nothing = |_: &str| -> Option<OsString> { None };
    config::load(&overrides, Variables::new(&nothing)).unwrap_or_else(|problems| panic!("{problems}"))
}
