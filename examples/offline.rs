//! regpass without internet: regpass in front of a simulated Docker Hub and GHCR on loopback, with commands to try.
//!
//! `cargo run --example offline` sends the first request of each command itself, prints the response and the upstream
//! requests it caused, and then serves until Ctrl-C. With `-- --once` it exits instead, with status 1 after an
//! unexpected response or a request that broke a rule of the simulation.

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
use regpass::clients::ClientAuth;
use regpass::config::overrides::Overrides;
use regpass::config::{self, Variables, model::Config};
use regpass::credential::{environment, sources::Sources};
use regpass::listen::socket::Socket;
use regpass::listen::{
    accept,
    connection::RequestHandler,
    connections::Connections,
    shutdown::{ShutdownSignal, ShutdownTrigger},
};
use regpass::net::dial::Network;
use regpass::proxy::{self, Proxy, listener::ListenerContext};
use regpass::serve::build::{self, Registries};
use tokio::net::TcpStream;

#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::{Image, ImageFormat, Preset, Registry, Sim};

/// What a command shows, the command, and the expected status. `{at}` is the address of regpass, `{layer}` a layer of
/// `library/python:3.10`.
const COMMANDS: &[(&str, &str, u16)] = &[
    ("regpass answers /v2/ itself, without a request to a registry", "curl http://{at}/v2/", 200),
    ("The first pull from Docker Hub: challenge, token, request", "curl http://{at}/v2/python/manifests/3.10", 200),
    ("The next pull: one request", "curl -I http://{at}/v2/python/manifests/3.10", 200),
    ("Docker Hub by the name of its website", "curl http://{at}/v2/hub.docker.com/library/python/tags/list", 200),
    (
        "A blob: regpass follows the redirect without sending the token to the blob store",
        "curl -o layer http://{at}/v2/library/python/blobs/{layer}",
        200,
    ),
    ("Docker Hub has no catalog, so regpass answers without a request to it", "curl http://{at}/v2/_catalog", 405),
    (
        "A repository that does not exist: 403 instead of 401, which would make clients ask for a password",
        "curl http://{at}/v2/library/nonesuch/manifests/latest",
        403,
    ),
    (
        "A private repository at GHCR, with the credential in the configuration",
        "curl http://{at}/v2/ghcr.io/toddysm/private/manifests/1",
        200,
    ),
    ("GHCR shows its catalog to authenticated users", "curl http://{at}/v2/ghcr.io/_catalog", 200),
    (
        "A delete, which needs `allow`: regpass rejects it without a request to GHCR",
        "curl -X DELETE http://{at}/v2/ghcr.io/toddysm/python/manifests/3.10",
        403,
    ),
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
    let python = Image::multi_arch("python", ImageFormat::Oci);
    hub.publish("library/python", "3.10", &python);
    hub.publish("library/alpine", "3", &Image::multi_arch("alpine", ImageFormat::Docker));
    ghcr.publish("toddysm/python", "3.10", &Image::single("python", ImageFormat::Docker));
    ghcr.publish_private("toddysm/private", "1", &Image::single("private", ImageFormat::Oci));
    ghcr.add_user("toddysm", "a password");

    let socket = bind()?;
    let address = socket.local_addr()?;
    let at = format!("localhost:{}", address.port());
    let (_close, closing) = ShutdownTrigger::new();
    tokio::spawn(serve(Socket::from_inherited_tcp(socket)?, &configuration(&hub, &ghcr)?, closing)?);
    print(&format!(
        "regpass at http://{at}, in front of a simulated Docker Hub ({}) and GHCR ({})",
        hub.origin(),
        ghcr.origin()
    ))?;

    let mut as_expected = true;
    for (title, command, status) in COMMANDS {
        let command = command.replace("{at}", &at).replace("{layer}", &python.blobs[0].digest);
        let (method, path) = request_of(&command, &at);
        let response = send(address, method, &path).await?;
        print(&format!("\n# {title}\n$ {command}\n{} {}", response.status().as_u16(), summary(&response)))?;
        print_upstream(&sim)?;
        as_expected &= response.status() == *status;
    }
    if once {
        for violation in sim.take_violations() {
            as_expected = false;
            print(&format!("\nbroken rule: {violation}"))?;
        }
        return Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    print("\nServing until Ctrl-C. Requests to the registries:")?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            () = tokio::time::sleep(Duration::from_millis(200)) => print_upstream(&sim)?,
        }
    }
    sim.take_violations();
    Ok(ExitCode::SUCCESS)
}

/// Binds port 5050, or the next free port.
fn bind() -> Result<TcpListener, Box<dyn Error>> {
    for port in 5050..5150 {
        if let Ok(socket) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(socket);
        }
    }
    Err("no port from 5050 to 5149 is free".into())
}

/// A configuration with the simulated addresses: anonymous at Docker Hub, a password for GHCR.
fn configuration(hub: &Registry, ghcr: &Registry) -> Result<Config, Box<dyn Error>> {
    let text = format!(
        "[registry.\"docker.io\"]\nurl = \"{}\"\nrealm_hosts = [\"{}\"]\n\
         [registry.\"ghcr.io\"]\nurl = \"{}\"\n\
         credential = {{ source = \"password\", username = \"toddysm\", password = \"a password\" }}\n",
        hub.origin(),
        hub.token_service().authority(),
        ghcr.origin(),
    );
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
    config::load(&overrides, Variables::new(&|_| None)).map_err(|problems| problems.to_string().into())
}

/// Builds regpass from the parts that `regpass serve` uses, without reloads, and returns the future that serves.
fn serve(
    socket: Socket,
    config: &Config,
    closing: ShutdownSignal,
) -> Result<impl Future<Output = ()> + use<>, Box<dyn Error>> {
    let sources = Arc::new(Sources::new(environment::Environment::default(), Network::Tcp, WallClock::System));
    let tls = build::read_tls(config).map_err(|_| "cannot read a TLS file")?;
    let routes = Registries::new(sources.clone(), Network::Tcp).routes(config, tls);
    let uploads = build::uploads(config, &sources)?;
    let proxy = Proxy::new(routes, WallClock::System, uploads);
    let listener = Arc::new(ListenerContext::new(&config.listeners[0], ClientAuth::default()));
    let handle: RequestHandler =
        Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), listener.clone(), request)));
    Ok(accept::serve(Arc::new(socket), handle, Connections::new(64), closing))
}

async fn send(address: SocketAddr, method: &str, path: &str) -> Result<Response<Bytes>, Box<dyn Error>> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", address.to_string());
    let (head, body) = sender.send_request(request.body(Empty::<Bytes>::new())?).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// The method and path of a command's first request: for curl its only one, for other clients that for the manifest.
fn request_of(command: &str, at: &str) -> (&'static str, String) {
    let path = command.split_once(at).map(|(_, path)| path).unwrap_or_default();
    match path.rsplit_once(':').filter(|_| !command.starts_with("curl")) {
        Some((image, tag)) if command.starts_with("docker") => ("HEAD", format!("/v2{image}/manifests/{tag}")),
        Some((image, tag)) => ("GET", format!("/v2{image}/manifests/{tag}")),
        None if command.contains(" -I ") => ("HEAD", path.to_owned()),
        None if command.contains(" -X DELETE ") => ("DELETE", path.to_owned()),
        None => ("GET", path.to_owned()),
    }
}

/// A response in one line: an error in full, the start of other text, the digest if there is no body, the size of
/// binary content.
fn summary(response: &Response<Bytes>) -> String {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match std::str::from_utf8(response.body()) {
        Ok("") => header("docker-content-digest").to_owned(),
        Ok(text) if text.len() <= 160 || !response.status().is_success() => text.trim_end().to_owned(),
        Ok(text) => format!("{}…", text.chars().take(160).collect::<String>()),
        Err(_) => format!("{} bytes, {}", response.body().len(), header("docker-content-digest")),
    }
}

/// Prints the requests that reached the simulated servers since the last call, with digests shortened.
fn print_upstream(sim: &Sim) -> std::io::Result<()> {
    for entry in sim.ledger().take() {
        let mut line = entry.to_string();
        if let Some(start) = line.find("sha256:").filter(|start| line.len() >= start + 71) {
            line.replace_range(start + 19..start + 71, "…");
        }
        print(&format!("    → {line}"))?;
    }
    Ok(())
}

/// Prints a line. Unlike `println!`, it does not panic when the reader has closed the pipe.
fn print(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}
