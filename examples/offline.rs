//! regpass without internet: a simulated Docker Hub and GHCR on loopback, regpass in front, and the lines to try.
//!
//! `cargo run --example offline` asks every line itself, prints what it answers and what it cost upstream, and serves
//! until Ctrl-C. With `-- --once` it ends after the printing, with status 1 when an answer is not the expected one.

use std::error::Error;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use regpass::base::clock::WallClock;
use regpass::clients::Door;
use regpass::config::overrides::Overrides;
use regpass::config::{self, Variables, model::Config};
use regpass::credential::{environment, sources::Sources};
use regpass::net::listen::{self, Close, Closing};
use regpass::net::{dial::Network, socket::Socket};
use regpass::proxy::{self, Proxy, admit::Front};
use regpass::serve::build::{self, Registries};
use tokio::net::TcpStream;

#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::{Family, Image, Preset, Registry, Sim};

/// What there is to see, the line to type, and the status it answers. `{at}` is regpass, `{layer}` a layer of
/// `library/python:3.10`.
const LINES: &[(&str, &str, u16)] = &[
    ("/v2/ is answered by regpass itself, for every registry", "curl http://{at}/v2/", 200),
    ("A cold pull from Docker Hub: challenge, token, request", "curl http://{at}/v2/python/manifests/3.10", 200),
    ("A warm one: one request", "curl -I http://{at}/v2/python/manifests/3.10", 200),
    ("By a name that people mistake for it", "curl http://{at}/v2/hub.docker.com/library/python/tags/list", 200),
    (
        "A blob comes through its redirect, and the token stays behind",
        "curl -o layer http://{at}/v2/library/python/blobs/{layer}",
        200,
    ),
    ("Docker Hub has no catalog, and is not asked for one", "curl http://{at}/v2/_catalog", 405),
    (
        "A repository that does not exist: never a 401, which would start a login",
        "curl http://{at}/v2/library/nonesuch/manifests/latest",
        403,
    ),
    (
        "A private repository at GHCR, with the login that regpass keeps",
        "curl http://{at}/v2/ghcr.io/toddysm/private/manifests/1",
        200,
    ),
    ("GHCR shows its catalog to logins", "curl http://{at}/v2/ghcr.io/_catalog", 200),
    ("GHCR deletes nothing", "curl -X DELETE http://{at}/v2/ghcr.io/toddysm/python/manifests/3.10", 405),
    ("docker, from Docker Hub (its first request)", "docker pull {at}/library/python:3.10", 200),
    ("docker, from GHCR (its first request)", "docker pull {at}/ghcr.io/toddysm/python:3.10", 200),
    ("skopeo", "skopeo inspect --tls-verify=false docker://{at}/ghcr.io/toddysm/python:3.10", 200),
];

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let once = std::env::args().any(|argument| argument == "--once");
    let sim = Sim::loopback();
    let hub = sim.start(Preset::docker_hub().named("docker-hub")).await;
    let ghcr = sim.start(Preset::ghcr().named("ghcr")).await;
    let python = Image::multi_arch("python", Family::Oci);
    hub.publish("library/python", "3.10", &python);
    hub.publish("library/alpine", "3", &Image::multi_arch("alpine", Family::Docker));
    ghcr.publish("toddysm/python", "3.10", &Image::single("python", Family::Docker));
    ghcr.keep("toddysm/private", "1", &Image::single("private", Family::Oci));
    ghcr.user("toddysm", "a password");

    let socket = bind()?;
    let address = socket.local_addr()?;
    let at = format!("localhost:{}", address.port());
    let (_close, closing) = Close::new();
    tokio::spawn(serve(Socket::inherited(socket)?, &configuration(&hub, &ghcr)?, closing)?);
    say(&format!(
        "regpass at http://{at}, before a simulated Docker Hub ({}) and GHCR ({})",
        hub.origin(),
        ghcr.origin()
    ))?;

    let mut as_expected = true;
    for (about, line, status) in LINES {
        let line = line.replace("{at}", &at).replace("{layer}", &python.blobs[0].digest);
        let (method, path) = asks(&line, &at);
        let response = ask(address, method, &path).await?;
        say(&format!("\n# {about}\n$ {line}\n{} {}", response.status().as_u16(), first_bytes(&response)))?;
        print_upstream(&sim)?;
        as_expected &= response.status() == *status;
    }
    if once {
        for broken in sim.take_violations() {
            as_expected = false;
            say(&format!("\nbroken rule: {broken}"))?;
        }
        return Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    say("\nServing until Ctrl-C. What reaches the registries:")?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            () = tokio::time::sleep(Duration::from_millis(200)) => print_upstream(&sim)?,
        }
    }
    sim.take_violations();
    Ok(ExitCode::SUCCESS)
}

/// Port 5050, or the next one that is free.
fn bind() -> Result<TcpListener, Box<dyn Error>> {
    for port in 5050..5150 {
        if let Ok(socket) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(socket);
        }
    }
    Err("no port from 5050 to 5149 is free".into())
}

/// What the operator would write, but for the addresses: anonymous at Docker Hub, a login at GHCR.
fn configuration(hub: &Registry, ghcr: &Registry) -> Result<Config, Box<dyn Error>> {
    let text = format!(
        "[registry.\"docker.io\"]\nurl = \"{}\"\nrealm_hosts = [\"{}\"]\n\
         [registry.\"ghcr.io\"]\nurl = \"{}\"\n\
         credential = {{ source = \"password\", username = \"toddysm\", password = \"a password\" }}\n",
        hub.origin(),
        hub.token().authority(),
        ghcr.origin(),
    );
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
    config::load(&overrides, Variables::new(&|_| None)).map_err(|problems| problems.to_string().into())
}

/// regpass itself, as `regpass serve` wires it.
fn serve(
    socket: Socket,
    config: &Config,
    closing: Closing,
) -> Result<impl Future<Output = ()> + use<>, Box<dyn Error>> {
    let sources = Arc::new(Sources::new(environment::Environment::default(), Network::Tcp, WallClock::System));
    let tls = build::read_tls(config).map_err(|_| "a TLS file cannot be used")?;
    let routes = Registries::new(sources.clone(), Network::Tcp).routes(config, tls);
    let uploads = build::uploads(config, &sources)?;
    let proxy = Proxy::new(routes, WallClock::System, uploads);
    let front = Arc::new(Front::new(&config.listeners[0], Door::default()));
    let handle: listen::Handle =
        Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), front.clone(), request)));
    Ok(listen::serve(Arc::new(socket), handle, closing))
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> Result<Response<Bytes>, Box<dyn Error>> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", address.to_string());
    let (head, body) = sender.send_request(request.body(Empty::<Bytes>::new())?).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// The request behind a line: curl's own, or the manifest of the image that an engine is told to fetch.
fn asks(line: &str, at: &str) -> (&'static str, String) {
    let path = line.split_once(at).map(|(_, path)| path).unwrap_or_default();
    match path.rsplit_once(':').filter(|_| !line.starts_with("curl")) {
        Some((image, tag)) if line.starts_with("docker") => ("HEAD", format!("/v2{image}/manifests/{tag}")),
        Some((image, tag)) => ("GET", format!("/v2{image}/manifests/{tag}")),
        None if line.contains(" -I ") => ("HEAD", path.to_owned()),
        None if line.contains(" -X DELETE ") => ("DELETE", path.to_owned()),
        None => ("GET", path.to_owned()),
    }
}

/// An error in full, the start of another text, the digest of what has no body, the size of what is no text.
fn first_bytes(response: &Response<Bytes>) -> String {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match std::str::from_utf8(response.body()) {
        Ok("") => header("docker-content-digest").to_owned(),
        Ok(text) if text.len() <= 160 || !response.status().is_success() => text.trim_end().to_owned(),
        Ok(text) => format!("{}…", text.chars().take(160).collect::<String>()),
        Err(_) => format!("{} bytes, {}", response.body().len(), header("docker-content-digest")),
    }
}

/// What reached the registries since the last time, digests cut.
fn print_upstream(sim: &Sim) -> std::io::Result<()> {
    for entry in sim.ledger().take() {
        let mut line = entry.to_string();
        if let Some(at) = line.find("sha256:").filter(|at| line.len() >= at + 71) {
            line.replace_range(at + 19..at + 71, "…");
        }
        say(&format!("    → {line}"))?;
    }
    Ok(())
}

/// Not `println!`, which panics when a reader has seen enough.
fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}
