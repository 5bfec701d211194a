//! Registries behind the proxies of a corporate network: by CONNECT with a login, and by SOCKS.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use regpass::base::clock::WallClock;
use regpass::net::dial::Network;
use regpass::net::proxies::Proxies;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::Regpass;
use crate::sim::{Family, Fault, Image, Preset, Registry, Rule, Sim};

const LOGIN: &str = "proxy-authorization: Basic bWU6b3BlbiBzZXNhbWU=";

/// A proxy: where it is, what it was asked for, line by line.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What a proxy does with a connection: returns the host and port it is to be connected to, or nothing after a refusal.
#[derive(Clone, Copy)]
enum Kind {
    Connect,
    Socks,
    /// Says the same to everybody, and closes.
    Says(&'static str),
    /// Takes the connection and says nothing.
    Silent,
}

impl Proxy {
    /// Leads to `hosts`, and to nowhere else.
    async fn start(kind: Kind, hosts: HashMap<String, String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (hosts, log) = (Arc::new(hosts), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (hosts, log) = (hosts.clone(), log.clone());
                tokio::spawn(async move {
                    match kind {
                        Kind::Connect => connect(stream, &hosts, &log).await,
                        Kind::Socks => socks(stream, &hosts, &log).await,
                        Kind::Says(words) => says(stream, words).await,
                        Kind::Silent => silence(stream).await,
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn connect(mut stream: TcpStream, hosts: &HashMap<String, String>, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let has_login = head.lines().any(|line| line.eq_ignore_ascii_case(LOGIN));
    log.lock().unwrap().push(format!(
        "{} {}",
        head.lines().next().unwrap_or_default(),
        if has_login { "with" } else { "without" }
    ));
    let answer = match hosts.get(&target) {
        _ if !has_login => "407 Proxy Authentication Required",
        None => "403 Forbidden",
        Some(at) => {
            let mut onward = TcpStream::connect(at).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            return copy_bidirectional(&mut stream, &mut onward).await.map(drop);
        }
    };
    stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await
}

async fn says(mut stream: TcpStream, words: &str) -> io::Result<()> {
    // All of the request is read: a reset would be another answer.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    stream.write_all(words.as_bytes()).await?;
    stream.shutdown().await
}

async fn silence(mut stream: TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// RFC 1928 without a login, names only.
async fn socks(mut stream: TcpStream, hosts: &HashMap<String, String>, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut greeting = vec![0; 2];
    stream.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    stream.read_exact(&mut methods).await?;
    stream.write_all(&[5, 0]).await?;
    let mut head = [0; 5];
    stream.read_exact(&mut head).await?;
    assert_eq!(head[..4], [5, 1, 0, 3], "a CONNECT to a name");
    let mut name = vec![0; usize::from(head[4])];
    stream.read_exact(&mut name).await?;
    let target = format!("{}:{}", String::from_utf8_lossy(&name), stream.read_u16().await?);
    log.lock().unwrap().push(format!("SOCKS {target}"));
    let mut onward = TcpStream::connect(&hosts[&target]).await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut stream, &mut onward).await.map(drop)
}

struct World {
    sim: Sim,
    registry: Registry,
    proxy: Proxy,
}

impl World {
    /// A registry that is known to the proxy only, as is its token service.
    async fn of(kind: Kind) -> Self {
        let sim = Sim::loopback();
        sim.allow(Rule::ForeignHost);
        let registry = sim.start(Preset::generic().realm("http://tokens.corp.example/token")).await;
        registry.user("alice", "secret");
        registry.keep("team/app", "1", &Image::single("app", Family::Oci));
        let hosts = HashMap::from([
            ("registry.corp.example:80".to_owned(), registry.authority().to_owned()),
            ("tokens.corp.example:80".to_owned(), registry.token().authority().to_owned()),
        ]);
        Self { proxy: Proxy::start(kind, hosts).await, sim, registry }
    }

    fn regpass(variables: &[(&str, String)]) -> Regpass {
        Self::regpass_with(variables, "")
    }

    /// The configuration begins with `head`.
    fn regpass_with(variables: &[(&str, String)], head: &str) -> Regpass {
        let read = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let proxies = Proxies::read(read).unwrap().unwrap();
        let text = "[registry.\"registry.corp.example\"]\n\
            url = \"http://registry.corp.example\"\nrealm_hosts = [\"http://tokens.corp.example\"]\n\
            credential = { source = \"password\", username = \"alice\", password = \"secret\" }";
        let text = format!("default_registry = \"registry.corp.example\"\n{head}\n{text}");
        Regpass::over(&Network::Proxied(Arc::new(proxies)), WallClock::System, &text)
    }
}

const APP: &str = "/v2/team/app/manifests/1";

#[tokio::test]
async fn registry_and_token_service_are_reached_by_connect_with_the_proxys_login() {
    let world = World::of(Kind::Connect).await;
    let proxy = format!("http://me:open%20sesame@{}", world.proxy.address);
    let regpass = World::regpass(&[("HTTP_PROXY", proxy)]);
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        world.proxy.asked(),
        ["CONNECT registry.corp.example:80 HTTP/1.1 with", "CONNECT tokens.corp.example:80 HTTP/1.1 with"],
        "and both connections are kept"
    );
    assert_eq!(regpass.get(APP).await.grant(), "cached");
    assert_eq!(world.proxy.asked(), [] as [&str; 0]);
    assert_eq!(world.sim.ledger().count("registry", |entry| entry.headers.contains_key("proxy-authorization")), 0);
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_named_with_what_to_do() {
    let world = World::of(Kind::Connect).await;
    let regpass = World::regpass(&[("ALL_PROXY", format!("http://{}", world.proxy.address))]);
    let reply = regpass.get(APP).await;
    let (code, message) = reply.error();
    assert_eq!((reply.status.as_u16(), code.as_str()), (502, "UNAVAILABLE"));
    for word in [&*world.proxy.address.to_string(), "407", "user:password@"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert_eq!(world.sim.ledger().lines(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_refusal_of_the_proxy_names_it_without_its_login() {
    let world = World::of(Kind::Connect).await;
    let proxy = format!("http://me:open%20sesame@{}", world.proxy.address);
    let regpass = World::regpass(&[("ALL_PROXY", proxy)]);
    world.proxy.asked();
    let reply = regpass.get("/v2/docker.io/library/python/manifests/1").await;
    let (_, message) = reply.error();
    let told = format!("the proxy {} refused to connect to it (403)", world.proxy.address);
    assert!(message.contains(&told), "{message}");
    assert!(!message.contains("sesame"), "{message}");
    let asked = world.proxy.asked();
    assert!(asked.iter().all(|line| line == "CONNECT registry-1.docker.io:443 HTTP/1.1 with"), "{asked:?}");
}

#[tokio::test]
async fn socks_is_asked_for_names() {
    let world = World::of(Kind::Socks).await;
    let regpass = World::regpass(&[("ALL_PROXY", format!("socks5h://{}", world.proxy.address))]);
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(world.proxy.asked(), ["SOCKS registry.corp.example:80", "SOCKS tokens.corp.example:80"]);
}

/// An address is no name, however it is written: the proxy would read it as this machine's resolver does.
#[tokio::test]
async fn no_proxy_is_asked_for_an_address_that_may_not_be_dialled() {
    let world = World::of(Kind::Connect).await;
    let proxy = format!("http://me:open%20sesame@{}", world.proxy.address);
    let regpass = World::regpass(&[("ALL_PROXY", proxy)]);
    assert_eq!(regpass.get(APP).await.status, 200);
    world.proxy.asked();
    for host in ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "127.1", "10.1"]
    {
        let to = Fault::redirect(307, &format!("http://{host}/latest/meta-data/"));
        let fault = world.registry.registry().inject(to);
        let reply = regpass.get(APP).await;
        let asked = world.proxy.asked();
        assert!(asked.is_empty(), "{host}: {asked:?}");
        assert!(reply.error().1.contains("its address is"), "{host}: {reply:?}");
        fault.lift();
    }
}

/// A registry whose private address is written out is there itself, whoever connects to it.
#[tokio::test]
async fn a_registry_at_a_private_address_has_neighbours_behind_a_proxy_too() {
    let sim = Sim::loopback();
    sim.allow(Rule::ForeignHost);
    let registry = sim.start(Preset::generic().realm("http://10.9.8.7:81/token")).await;
    registry.user("alice", "secret");
    registry.keep("team/app", "1", &Image::single("app", Family::Oci));
    let hosts = HashMap::from([
        ("10.9.8.7:80".to_owned(), registry.authority().to_owned()),
        ("10.9.8.7:81".to_owned(), registry.token().authority().to_owned()),
    ]);
    let proxy = Proxy::start(Kind::Connect, hosts).await;
    let url = format!("http://me:open%20sesame@{}", proxy.address);
    let proxies = Proxies::read(|name| (name == "ALL_PROXY").then(|| url.clone())).unwrap().unwrap();
    let text = "default_registry = \"registry.corp.example\"\n[registry.\"registry.corp.example\"]\n\
        url = \"http://10.9.8.7\"\nrealm_hosts = [\"http://10.9.8.7:81\"]\n\
        credential = { source = \"password\", username = \"alice\", password = \"secret\" }";
    let regpass = Regpass::over(&Network::Proxied(Arc::new(proxies)), WallClock::System, text);
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(proxy.asked(), ["CONNECT 10.9.8.7:80 HTTP/1.1 with", "CONNECT 10.9.8.7:81 HTTP/1.1 with"]);
}

#[tokio::test]
async fn what_no_proxy_lists_is_reached_directly() {
    let world = World::of(Kind::Connect).await;
    let proxy = format!("http://me:open%20sesame@{}", world.proxy.address);
    let regpass = World::regpass(&[("ALL_PROXY", proxy), ("NO_PROXY", ".corp.example:80".to_owned())]);
    let reply = regpass.get(APP).await;
    assert!(reply.error().1.contains("cannot be resolved"), "nobody but the proxy knows it: {reply:?}");
    assert_eq!(world.proxy.asked(), [] as [&str; 0]);
    drop(world.registry);
}

/// Who has to do something, and what, for everything a proxy may do instead of connecting. What it was sent stays here,
/// whatever it says.
#[tokio::test]
async fn whatever_a_proxy_does_instead_names_it_and_says_whose_fault_it_is() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let chatty = "HTTP/1.1 407 You sent Basic bWU6b3BlbiBzZXNhbWU=\r\ncontent-length: 13\r\n\r\nopen sesame!\n";
    for (kind, status, blame, words) in [
        (Some(Kind::Says(chatty)), 502, "configuration", "does not take the login that the variable holds (407)"),
        (Some(Kind::Says("HTTP/1.1 403 No\r\n\r\n")), 502, "configuration", "refused to connect to it (403)"),
        (Some(Kind::Says("HTTP/1.1 502 No\r\n\r\n")), 502, "registry", "could not connect to it either (502)"),
        (Some(Kind::Says("HTTP/1.1 504 No\r\n\r\n")), 504, "registry", "could not connect to it either (504)"),
        (Some(Kind::Says("SSH-2.0-OpenSSH_9.2\r\n")), 502, "configuration", "did not answer in HTTP"),
        (Some(Kind::Says("")), 502, "configuration", "closed the connection without an answer"),
        (Some(Kind::Says("HTTP/1.1 2")), 502, "configuration", "closed the connection without an answer"),
        (Some(Kind::Silent), 504, "configuration", "did not connect within 1 s"),
        (None, 502, "configuration", "cannot be reached: connection refused"),
    ] {
        let address = match kind {
            Some(kind) => Proxy::start(kind, HashMap::new()).await.address,
            None => gone,
        };
        let proxy = format!("http://me:open%20sesame@{address}");
        let regpass = World::regpass_with(&[("ALL_PROXY", proxy)], "[timeouts]\nconnect = \"1s\"");
        let reply = regpass.get(APP).await;
        let (code, message) = reply.error();
        assert_eq!((reply.status.as_u16(), code.as_str()), (status, "UNAVAILABLE"), "{message}");
        assert!(message.contains(&format!("the proxy {address} {words}")), "{message}");
        let detail = &reply.json()["errors"][0]["detail"];
        assert_eq!((&detail["blame"], &detail["step"]), (&blame.into(), &"registry".into()), "{words}");
        for page in ["/", "/status.json", "/readyz"] {
            let told = regpass.admin(page).await.body;
            let told = String::from_utf8_lossy(&told);
            assert!(page == "/readyz" || told.contains(words), "{page}: {told}");
            for secret in ["sesame", "bWU6b3Blb"] {
                assert!(!message.contains(secret) && !told.contains(secret), "{page}: {told}");
            }
        }
    }
}

/// What is known of a proxy that is away is remembered with whose fault it is.
#[tokio::test]
async fn a_circuit_that_a_proxy_opened_blames_the_proxy() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let regpass = World::regpass(&[("ALL_PROXY", format!("http://{gone}"))]);
    let mut replies = Vec::new();
    for _ in 0..8 {
        replies.push(regpass.get(APP).await);
    }
    let last = replies.pop().unwrap();
    assert!(last.error().1.contains("times in a row"), "{last:?}");
    assert!(last.error().1.contains(&format!("the proxy {gone} cannot be reached")), "{last:?}");
    assert_eq!(last.json()["errors"][0]["detail"]["blame"], "configuration");
}
