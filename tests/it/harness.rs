//! A running regpass, spoken to over an in-memory connection.

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
use regpass::clients::{Door, Rule};
use regpass::config::model::{Config, Listener};
use regpass::config::{self, Variables, overrides::Overrides};
use regpass::credential::{environment::Environment, sources::Sources};
use regpass::net::dial::Network;
use regpass::net::listen::{Handle, serve_stream};
use regpass::observe::process::Listening;
use regpass::proxy::admit::Front;
use regpass::proxy::{self, Proxy};
use regpass::serve::build::{self, Registries};

use crate::sim::{Image, Registry, Sim};

/// regpass with one listener, and the admin listener.
pub struct Regpass {
    handle: Handle,
    admin: Handle,
    pub proxy: Arc<Proxy>,
    registries: Arc<Registries>,
    sources: Arc<Sources>,
}

/// A response, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// All of it, or what came before it broke.
    pub body: Bytes,
    /// Whether the body ended as it should.
    pub whole: bool,
}

impl Regpass {
    /// Starts with a configuration file's text, reaching registries over the simulation's network.
    pub fn start(sim: &Sim, text: &str) -> Self {
        Self::start_in(sim, text, Environment::default())
    }

    /// As [`start`](Self::start), with these surroundings: a `PATH` with credential helpers, say.
    pub fn start_in(sim: &Sim, text: &str, surroundings: Environment) -> Self {
        Self::start_at(sim, text, surroundings, WallClock::tokio(sim.clock().since_1970()))
    }

    /// As [`start_in`](Self::start_in), with a clock of its own.
    pub fn start_at(sim: &Sim, text: &str, surroundings: Environment, clock: WallClock) -> Self {
        Self::assemble(&network_of(sim), clock, text, surroundings)
    }

    /// As [`start`](Self::start), over any network.
    pub fn over(network: &Network, clock: WallClock, text: &str) -> Self {
        Self::assemble(network, clock, text, Environment::default())
    }

    fn assemble(network: &Network, clock: WallClock, text: &str, surroundings: Environment) -> Self {
        let config = load(text);
        let sources = Arc::new(Sources::new(surroundings, network.clone(), clock));
        let registries = Registries::new(sources.clone(), network.clone());
        let routes = registries.routes(&config, build::read_tls(&config).unwrap());
        let uploads = build::uploads(&config, &sources).expect("upload keys");
        let proxy = Proxy::new(routes, clock, uploads);
        let front = Arc::new(Front::new(&config.listeners[0], door(&config.listeners[0])));
        let handle: Handle = {
            let proxy = proxy.clone();
            Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), front.clone(), request)))
        };
        let admin: Handle = {
            let unasked = || Listener { registry: None, clients: None, ..config.listeners[0].clone() };
            let listener = config.admin.as_ref().map_or_else(unasked, |admin| admin.listener.clone());
            let (proxy, front) = (proxy.clone(), Arc::new(Front::new(&listener, door(&listener))));
            Arc::new(move |request| {
                let (proxy, front) = (proxy.clone(), front.clone());
                Box::pin(async move { admin::handle(&proxy, &front, request).await })
            })
        };
        Self { handle, admin, proxy, registries, sources }
    }

    /// Puts another configuration in force, as a reload does.
    pub fn reconfigure(&self, text: &str) {
        let config = load(text);
        let routes = self.registries.routes(&config, build::read_tls(&config).unwrap());
        self.proxy.reconfigure(routes, build::upload_keys(&config, &self.sources), config.upload_spool);
    }

    /// Says that its listeners are open, as who opens them does.
    pub fn listens(&self) {
        let listening = |address: &str, admin| Listening { address: address.into(), admin, registry: None };
        self.proxy.process.listening(vec![listening("127.0.0.1:5050", false), listening("127.0.0.1:5051", true)]);
    }

    /// What answers a connection's requests, for tests that bring their own streams.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.send(request(Method::GET, target)).await
    }

    pub async fn head(&self, target: &str) -> Reply {
        self.send(request(Method::HEAD, target)).await
    }

    /// Asks the admin listener.
    pub async fn ask(&self, request: Request<Bytes>) -> Reply {
        exchange(&self.admin, request).await
    }

    /// What the admin listener has at `target`.
    pub async fn admin(&self, target: &str) -> Reply {
        self.ask(request(Method::GET, target)).await
    }

    /// `/status.json`.
    pub async fn status(&self) -> Value {
        let reply = self.admin("/status.json").await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/json")));
        reply.json()
    }

    pub async fn send(&self, request: Request<Bytes>) -> Reply {
        exchange(&self.handle, request).await
    }

    /// The metric lines that start with `name`.
    pub fn metric(&self, name: &str) -> Vec<String> {
        admin::gauges::metrics(&self.proxy)
            .lines()
            .filter(|line| line.starts_with(name))
            .map(ToOwned::to_owned)
            .collect()
    }
}

/// One request on a connection of its own.
async fn exchange(handle: &Handle, request: Request<Bytes>) -> Reply {
    let (ours, theirs) = tokio::io::duplex(256 * 1024);
    let serving = tokio::spawn(serve_stream(theirs, handle.clone()));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    let driving = tokio::spawn(connection);
    let response = sender.send_request(request.map(Full::new)).await.unwrap();
    let (head, mut body) = response.into_parts();
    let (mut read, mut whole) = (Vec::new(), true);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Err(_) => whole = false,
        }
    }
    drop((sender, body));
    let _ = driving.await;
    let _ = serving.await;
    Reply { status: head.status, headers: head.headers, body: read.into(), whole }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    /// The first error's code and message; fails when the body is no error envelope.
    pub fn error(&self) -> (String, String) {
        let json = self.json();
        let error = &json["errors"][0];
        let text = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}")).to_owned();
        for key in ["step", "blame"] {
            assert!(error["detail"][key].is_string(), "detail names the {key}: {json}");
        }
        (text("code"), text("message"))
    }

    /// How the authorization was had: `auth;desc` of `Server-Timing`.
    pub fn grant(&self) -> &str {
        let timing = self.header("server-timing").unwrap_or_else(|| panic!("no Server-Timing: {self:?}"));
        timing.split('"').nth(1).unwrap_or_else(|| panic!("no auth;desc in {timing}"))
    }

    /// Status and error code in one.
    pub fn verdict(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.error().0)
    }
}

/// As a listener has it, with a rule of its own.
pub fn door(listener: &Listener) -> Door {
    Door::new(listener, listener.clients.as_ref().map(|clients| Arc::new(Rule::new(clients))))
}

fn network_of(sim: &Sim) -> Network {
    if !sim.network().is_memory() {
        return Network::Tcp;
    }
    let network = sim.network().clone();
    Network::Memory(Arc::new(move |host, port| network.connect(host, port)))
}

pub fn request(method: Method, target: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(target).header("host", "localhost:5050").body(Bytes::new()).unwrap()
}

/// `request` with one more header.
pub fn with(mut request: Request<Bytes>, name: &'static str, value: &str) -> Request<Bytes> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

/// The push of an image's top manifest.
pub fn put(target: &str, image: &Image) -> Request<Bytes> {
    let manifest = image.manifests.last().unwrap();
    let mut put = with(request(Method::PUT, target), "content-type", &manifest.media_type);
    *put.body_mut() = manifest.bytes.clone();
    put
}

/// A registry table that points `host` at a simulated registry and trusts its token service.
pub fn table(host: &str, registry: &Registry, more: &str) -> String {
    let (url, realm) = (registry.origin(), registry.token().authority());
    format!("[registry.\"{host}\"]\nurl = \"{url}\"\nrealm_hosts = [\"{realm}\"]\n{more}\n")
}

/// A configuration whose one and default registry is a simulated one, so that paths need not name it.
pub fn only(registry: &Registry, more: &str) -> String {
    let host = registry.authority();
    format!("default_registry = \"{host}\"\n{}", table(host, registry, more))
}

pub fn load(text: &str) -> Config {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
    let nothing = |_: &str| -> Option<OsString> { None };
    config::load(&overrides, Variables::new(&nothing)).unwrap_or_else(|problems| panic!("{problems}"))
}
