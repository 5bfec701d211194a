//! Registries behind HTTP proxies (CONNECT with a proxy credential) and SOCKS proxies.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use regpass::base::clock::WallClock;
use regpass::net::dial::Network;
use regpass::net::proxies::Proxies;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::credentials::password;
use crate::harness::Regpass;
use crate::sim::{Fault, Image, ImageFormat, Preset, Registry, Rule, Sim};
use crate::upstream_tls::start_untrusted_server;

/// The header of the proxy credential `me:open sesame`.
const PROXY_CREDENTIAL: &str = "proxy-authorization: Basic bWU6b3BlbiBzZXNhbWU=";

/// A running proxy. Of its requests only those to [`Kind::Connect`] and [`Kind::Socks`] are recorded.
struct Proxy {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

/// How a proxy handles a connection.
#[derive(Clone, Copy)]
enum Kind {
    Connect,
    Socks,
    /// Sends this response to every request and closes the connection.
    Replies(&'static str),
    /// Accepts the connection and sends nothing.
    Silent,
}

impl Proxy {
    /// Starts a proxy. `hosts` has the address to connect to for each `host:port` that a client may request.
    async fn start(kind: Kind, hosts: HashMap<String, String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (hosts, log) = (Arc::new(hosts), requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (hosts, log) = (hosts.clone(), log.clone());
                tokio::spawn(async move {
                    match kind {
                        Kind::Connect => connect(stream, &hosts, &log).await,
                        Kind::Socks => socks(stream, &hosts, &log).await,
                        Kind::Replies(response) => reply(stream, response).await,
                        Kind::Silent => stay_silent(stream).await,
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// The proxy's URL, with a credential for every kind; only [`Kind::Connect`] requires it.
    fn url(&self) -> String {
        url_of(self.address)
    }

    /// The requests since the last call: `CONNECT host:port HTTP/1.1 with` (the credential), or `without`, or
    /// `SOCKS host:port`.
    fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn url_of(proxy: SocketAddr) -> String {
    format!("http://me:open%20sesame@{proxy}")
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

async fn connect(mut stream: TcpStream, hosts: &HashMap<String, String>, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let head = String::from_utf8_lossy(&read_head(&mut stream).await?).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let has_credential = head.lines().any(|line| line.eq_ignore_ascii_case(PROXY_CREDENTIAL));
    log.lock().unwrap().push(format!(
        "{} {}",
        head.lines().next().unwrap_or_default(),
        if has_credential { "with" } else { "without" }
    ));
    let status = match hosts.get(&target) {
        _ if !has_credential => "407 Proxy Authentication Required",
        None => "403 Forbidden",
        Some(address) => {
            let mut upstream = TcpStream::connect(address).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            return copy_bidirectional(&mut stream, &mut upstream).await.map(drop);
        }
    };
    stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await
}

async fn reply(mut stream: TcpStream, response: &str) -> io::Result<()> {
    // The whole request is read, as closing the socket with unread bytes would reset the connection.
    read_head(&mut stream).await?;
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

async fn stay_silent(mut stream: TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Handles a connection as SOCKS5 (RFC 1928) without authentication, for host names only.
async fn socks(mut stream: TcpStream, hosts: &HashMap<String, String>, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut greeting = vec![0; 2];
    stream.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    stream.read_exact(&mut methods).await?;
    stream.write_all(&[5, 0]).await?;
    let mut head = [0; 5];
    stream.read_exact(&mut head).await?;
    assert_eq!(head[..4], [5, 1, 0, 3], "the SOCKS request is not a CONNECT to a host name");
    let mut name = vec![0; usize::from(head[4])];
    stream.read_exact(&mut name).await?;
    let target = format!("{}:{}", String::from_utf8_lossy(&name), stream.read_u16().await?);
    log.lock().unwrap().push(format!("SOCKS {target}"));
    let mut upstream = TcpStream::connect(&hosts[&target]).await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut stream, &mut upstream).await.map(drop)
}

/// A registry and its token service, both at hosts that regpass can reach only through the proxy.
struct ProxiedSetup {
    sim: Sim,
    registry: Registry,
    proxy: Proxy,
}

impl ProxiedSetup {
    async fn start(kind: Kind) -> Self {
        Self::start_at(kind, "registry.corp.example:80", "tokens.corp.example:80").await
    }

    /// The proxy reaches registry and token service by these hosts and ports.
    async fn start_at(kind: Kind, registry_host: &str, token_host: &str) -> Self {
        let sim = Sim::loopback();
        sim.allow(Rule::ForeignHost);
        let registry = sim.start(Preset::generic().realm(&format!("http://{token_host}/token"))).await;
        registry.add_user("alice", "secret");
        registry.publish_private("team/app", "1", &Image::single("app", ImageFormat::Oci));
        let hosts = HashMap::from([
            (registry_host.to_owned(), registry.authority().to_owned()),
            (token_host.to_owned(), registry.token_service().authority().to_owned()),
        ]);
        Self { proxy: Proxy::start(kind, hosts).await, sim, registry }
    }

    /// Asserts that a pull succeeds, and that the proxy received these requests.
    async fn assert_pull(&self, regpass: &Regpass, requests: &[&str]) {
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(self.proxy.take_requests(), requests);
    }
}

/// The configuration of a registry with URL and token service at these hosts and ports.
fn config(registry_host: &str, token_host: &str) -> String {
    format!(
        "default_registry = \"registry.corp.example\"\n[registry.\"registry.corp.example\"]\n\
         url = \"http://{registry_host}\"\nrealm_hosts = [\"http://{token_host}\"]\n{}",
        password("alice", "secret")
    )
}

/// regpass with these proxy variables.
fn start_regpass(variables: &[(&str, String)]) -> Regpass {
    start_with_config(variables, &config("registry.corp.example", "tokens.corp.example"))
}

fn start_with_config(variables: &[(&str, String)], config: &str) -> Regpass {
    let read = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    let proxies = Proxies::from_environment(read).unwrap().unwrap();
    Regpass::start_on_network(&Network::Proxied(Arc::new(proxies)), WallClock::System, config)
}

const APP: &str = "/v2/team/app/manifests/1";

#[tokio::test]
async fn registry_and_token_service_are_reached_by_connect_with_the_proxy_credential() {
    let setup = ProxiedSetup::start(Kind::Connect).await;
    let regpass = start_regpass(&[("HTTP_PROXY", setup.proxy.url())]);
    let requests = ["CONNECT registry.corp.example:80 HTTP/1.1 with", "CONNECT tokens.corp.example:80 HTTP/1.1 with"];
    setup.assert_pull(&regpass, &requests).await;
    assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
    assert_eq!(setup.proxy.take_requests(), [] as [&str; 0]);
    assert_eq!(setup.sim.ledger().count("registry", |entry| entry.headers.contains_key("proxy-authorization")), 0);
}

#[tokio::test]
async fn proxy_that_requires_a_credential_is_named_with_advice() {
    let setup = ProxiedSetup::start(Kind::Connect).await;
    let regpass = start_regpass(&[("ALL_PROXY", format!("http://{}", setup.proxy.address))]);
    let reply = regpass.get(APP).await;
    let (code, message) = reply.error();
    assert_eq!((reply.status.as_u16(), code.as_str()), (502, "UNAVAILABLE"));
    for word in [&*setup.proxy.address.to_string(), "407", "user:password@"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert_eq!(setup.sim.ledger().lines(), [] as [&str; 0]);
}

#[tokio::test]
async fn denial_of_the_proxy_is_reported_without_its_credential() {
    let setup = ProxiedSetup::start(Kind::Connect).await;
    let regpass = start_regpass(&[("ALL_PROXY", setup.proxy.url())]);
    setup.proxy.take_requests();
    let reply = regpass.get("/v2/docker.io/library/python/manifests/1").await;
    let (_, message) = reply.error();
    let expected = format!("the proxy {} denied the connection (403)", setup.proxy.address);
    assert!(message.contains(&expected), "{message}");
    assert!(!message.contains("sesame"), "{message}");
    let requests = setup.proxy.take_requests();
    assert!(requests.iter().all(|line| line == "CONNECT registry-1.docker.io:443 HTTP/1.1 with"), "{requests:?}");
}

#[tokio::test]
async fn socks_proxy_receives_host_names() {
    let setup = ProxiedSetup::start(Kind::Socks).await;
    let regpass = start_regpass(&[("ALL_PROXY", format!("socks5h://{}", setup.proxy.address))]);
    setup.assert_pull(&regpass, &["SOCKS registry.corp.example:80", "SOCKS tokens.corp.example:80"]).await;
}

/// regpass rejects an address in every notation that a resolver may accept, because the proxy's resolver may accept it.
#[tokio::test]
async fn proxy_receives_no_request_for_a_forbidden_address() {
    let setup = ProxiedSetup::start(Kind::Connect).await;
    let regpass = start_regpass(&[("ALL_PROXY", setup.proxy.url())]);
    assert_eq!(regpass.get(APP).await.status, 200);
    setup.proxy.take_requests();
    for host in ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "127.1", "10.1"]
    {
        let redirect = Fault::redirect(307, &format!("http://{host}/latest/meta-data/"));
        let fault = setup.registry.api().inject(redirect);
        let reply = regpass.get(APP).await;
        let requests = setup.proxy.take_requests();
        assert!(requests.is_empty(), "{host}: {requests:?}");
        assert!(reply.error().1.contains("its address is"), "{host}: {reply:?}");
        fault.remove();
    }
}

/// The private address in the configured URL counts as the registry's own, although the proxy dials it.
#[tokio::test]
async fn registry_at_a_private_address_may_use_that_address_behind_a_proxy() {
    let setup = ProxiedSetup::start_at(Kind::Connect, "10.9.8.7:80", "10.9.8.7:81").await;
    let regpass = start_with_config(&[("ALL_PROXY", setup.proxy.url())], &config("10.9.8.7", "10.9.8.7:81"));
    let requests = ["CONNECT 10.9.8.7:80 HTTP/1.1 with", "CONNECT 10.9.8.7:81 HTTP/1.1 with"];
    setup.assert_pull(&regpass, &requests).await;
}

#[tokio::test]
async fn host_in_no_proxy_is_reached_directly() {
    let setup = ProxiedSetup::start(Kind::Connect).await;
    let regpass = start_regpass(&[("ALL_PROXY", setup.proxy.url()), ("NO_PROXY", ".corp.example:80".to_owned())]);
    let reply = regpass.get(APP).await;
    assert!(reply.error().1.contains("cannot be resolved"), "only the proxy knows the host: {reply:?}");
    assert_eq!(setup.proxy.take_requests(), [] as [&str; 0]);
    drop(setup.registry);
}

/// The error for each failure names the proxy and blames the configuration or the registry, without the proxy credential.
#[tokio::test]
async fn failing_proxy_is_named_and_blamed() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let echo = "HTTP/1.1 407 You sent Basic bWU6b3BlbiBzZXNhbWU=\r\ncontent-length: 13\r\n\r\nopen sesame!\n";
    for (kind, status, blame, problem) in [
        (
            Some(Kind::Replies(echo)),
            502,
            "configuration",
            "rejected the credential in `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` (407)",
        ),
        (Some(Kind::Replies("HTTP/1.1 403 No\r\n\r\n")), 502, "configuration", "denied the connection (403)"),
        (Some(Kind::Replies("HTTP/1.1 502 No\r\n\r\n")), 502, "registry", "cannot connect to it (502)"),
        (Some(Kind::Replies("HTTP/1.1 504 No\r\n\r\n")), 504, "registry", "cannot connect to it (504)"),
        (Some(Kind::Replies("SSH-2.0-OpenSSH_9.2\r\n")), 502, "configuration", "did not respond in HTTP"),
        (Some(Kind::Replies("")), 502, "configuration", "closed the connection without a response"),
        (Some(Kind::Replies("HTTP/1.1 2")), 502, "configuration", "closed the connection without a response"),
        (Some(Kind::Silent), 504, "configuration", "did not connect within 1 s"),
        (None, 502, "configuration", "cannot be reached: connection refused"),
    ] {
        let address = match kind {
            Some(kind) => Proxy::start(kind, HashMap::new()).await.address,
            None => gone,
        };
        let config = config("registry.corp.example", "tokens.corp.example");
        let config = format!("{config}\n[timeouts]\nconnect = \"1s\"");
        let regpass = start_with_config(&[("ALL_PROXY", url_of(address))], &config);
        let reply = regpass.get(APP).await;
        let (code, message) = reply.error();
        assert_eq!((reply.status.as_u16(), code.as_str()), (status, "UNAVAILABLE"), "{message}");
        assert!(message.contains(&format!("the proxy {address} {problem}")), "{message}");
        let detail = &reply.json()["errors"][0]["detail"];
        assert_eq!((&detail["blame"], &detail["step"]), (&blame.into(), &"registry".into()), "{problem}");
        for page in ["/", "/status.json", "/readyz"] {
            let body = regpass.get_admin(page).await.body;
            let body = String::from_utf8_lossy(&body);
            assert!(page == "/readyz" || body.contains(problem), "{page}: {body}");
            for secret in ["sesame", "bWU6b3Blb"] {
                assert!(!message.contains(secret) && !body.contains(secret), "{page}: {body}");
            }
        }
    }
}

/// The keys of a registry do not apply to a proxy, so no advice names them.
#[tokio::test]
async fn tls_failure_of_a_proxy_has_advice_for_proxies() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    for (address, problem) in [
        (start_untrusted_server(false).await, "signed by an unknown authority; add the authority to the system's"),
        (start_untrusted_server(true).await, "give the proxy one that an authority has signed"),
        (plain, "it does not speak TLS on this port; for a proxy without TLS write http:// before its host"),
    ] {
        let regpass = start_regpass(&[("ALL_PROXY", format!("https://{address}"))]);
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
        let message = reply.error().1;
        assert!(message.contains(&format!("the proxy {address} failed: ")) && message.contains(problem), "{message}");
        assert!(!message.contains("`ca`") && !message.contains("`url`"), "{message}");
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "configuration");
    }
}

/// While the circuit is open, replies repeat the blame of the failures that opened it.
#[tokio::test]
async fn open_circuit_of_a_proxy_blames_the_proxy() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let regpass = start_regpass(&[("ALL_PROXY", format!("http://{gone}"))]);
    let mut replies = Vec::new();
    for _ in 0..8 {
        replies.push(regpass.get(APP).await);
    }
    let last = replies.pop().unwrap();
    assert!(last.error().1.contains("failures in a row"), "{last:?}");
    assert!(last.error().1.contains(&format!("the proxy {gone} cannot be reached")), "{last:?}");
    assert_eq!(last.json()["errors"][0]["detail"]["blame"], "configuration");
}
