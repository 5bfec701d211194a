//! Unix sockets: who may connect, which names are asked for, and what becomes of the file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use regpass::net::listen::{Close, serve};
use regpass::net::socket::{ListenAddress, Socket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::network::{Served, exchange, through};
use super::{Files, PASSWORD, SEEN, TAGS, assert_wants_login, basic, get};
use crate::harness::with;
use crate::log::Log;

fn listener(path: &Path, keys: &str) -> String {
    format!("[[listener]]\naddress = \"unix:{}\"\n{keys}\n", path.display())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

/// Of this process.
fn uid(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

#[tokio::test]
async fn the_file_has_its_mode_and_goes_with_the_listener() {
    let files = Files::new();
    let (path, other) = (files.path("r.sock"), files.path("other.sock"));
    let mut served = Served::start(&listener(&path, "")).await;
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(through(&path, get(TAGS, None)).await.status, 200);
    served.sim.ledger().expect(&[SEEN]);

    let inode = fs::metadata(&path).unwrap().ino();
    served.listen(&listener(&path, "mode = \"0660\"")).await.unwrap();
    assert_eq!((mode(&path), fs::metadata(&path).unwrap().ino()), (0o660, inode), "the same socket");
    assert_eq!(through(&path, get(TAGS, None)).await.status, 200);

    served.listen(&listener(&other, "")).await.unwrap();
    while path.exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(through(&other, get(TAGS, None)).await.status, 200);
    served.stop().await;
    assert!(!other.exists());
}

#[tokio::test]
async fn a_file_that_a_dead_process_left_is_replaced_and_nothing_else_is() {
    let files = Files::new();
    let path = files.path("r.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let served = Served::start(&listener(&path, "")).await;
    assert_eq!(through(&path, get(TAGS, None)).await.status, 200);

    let mut second = Served::start(&listener(&files.path("second.sock"), "")).await;
    let refused = second.listen(&listener(&path, "")).await.unwrap_err();
    let named = format!("unix:{}: another process listens there", path.display());
    assert!(refused.contains(&named), "{refused}");
    assert_eq!(through(&path, get(TAGS, None)).await.status, 200, "it goes on");
    assert_eq!(through(&files.path("second.sock"), get(TAGS, None)).await.status, 200, "and so does the other");

    let file = files.path("file");
    files.write("file", "precious");
    let refused = second.listen(&listener(&file, "")).await.unwrap_err();
    assert!(refused.contains("no socket"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    let refused = second.listen(&listener(Path::new("/nowhere/r.sock"), "")).await.unwrap_err();
    assert!(refused.contains("unix:/nowhere/r.sock: "), "{refused}");

    // Who put another file there may keep it.
    fs::remove_file(&path).unwrap();
    let theirs = UnixListener::bind(&path).unwrap();
    served.stop().await;
    assert!(path.exists());
    drop(theirs);
}

#[tokio::test]
async fn the_kernel_says_who_connects() {
    let (files, log) = (Files::new(), Log::listen());
    let path = files.path("r.sock");
    let own = uid(files.0.path());
    let served = Served::start(&listener(&path, &format!("uids = [{own}]"))).await;
    assert_eq!(through(&path, get(TAGS, None)).await.status, 200);
    served.sim.ledger().expect(&[SEEN]);
    assert!(log.text().contains(&format!("client=uid:{own} ")), "{}", log.text());

    let others = Served::start(&listener(&files.path("others.sock"), &format!("uids = [{}]", own + 1))).await;
    for target in ["/", "/v2/", TAGS] {
        let reply = through(&files.path("others.sock"), get(target, None)).await;
        assert_eq!(reply.verdict(), "403 DENIED", "{target}");
        assert!(reply.error().1.contains(&own.to_string()) && reply.error().1.contains("'uids'"), "{reply:?}");
    }
    others.sim.ledger().expect(&[]);
}

#[tokio::test]
async fn no_name_is_foreign_and_every_foreign_page_is() {
    let files = Files::new();
    let path = files.path("r.sock");
    let served = Served::start(&listener(&path, "")).await;
    let ask = async |host: &str, origin: Option<&str>| {
        let request: Request<Bytes> = Request::get(TAGS).header("host", host).body(Bytes::new()).unwrap();
        let request = origin.into_iter().fold(request, |request, origin| with(request, "origin", origin));
        through(&path, request).await.status.as_u16()
    };
    for host in ["localhost", "docker", "anything.example:80", "evil.example", ""] {
        assert_eq!(ask(host, None).await, 200, "{host}");
        served.sim.ledger().expect(&[SEEN]);
    }
    for host in ["localhost", "", "docker"] {
        assert_eq!(ask(host, Some("http://evil.example")).await, 403, "{host}");
        assert_eq!(ask(host, Some("null")).await, 403, "{host}");
    }
    served.sim.ledger().expect(&[]);
}

#[tokio::test]
async fn a_login_can_be_asked_for_there_too() {
    let files = Files::new();
    let path = files.path("r.sock");
    let served = Served::start(&listener(&path, &files.htpasswd(&[("alice", PASSWORD)]))).await;
    assert_wants_login(&through(&path, get(TAGS, None)).await, "none");
    assert_eq!(through(&path, get(TAGS, Some(&basic("alice", PASSWORD)))).await.status, 200);
    served.sim.ledger().expect(&[SEEN]);
}

#[tokio::test]
async fn an_open_connection_outlives_a_mode_that_shuts_others_out() {
    let files = Files::new();
    let path = files.path("r.sock");
    let mut served = Served::start(&listener(&path, "mode = \"0666\"")).await;
    let open = UnixStream::connect(&path).await.unwrap();
    served.listen(&listener(&path, "mode = \"0600\"\nhosts = [\"other\"]")).await.unwrap();
    let last = exchange(open, get(TAGS, None), false).await;
    assert_eq!((last.status.as_u16(), mode(&path)), (200, 0o600));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

/// The kernel let them in already: to close the socket on them would be an error to most clients.
#[tokio::test]
async fn who_waits_at_a_socket_that_is_closed_is_still_served() {
    let (_sim, _registry, regpass) = super::start("").await;
    let files = Files::new();
    let path = files.path("r.sock");
    for address in [ListenAddress::Unix(path.clone()), ListenAddress::Tcp(([127, 0, 0, 1], 0).into())] {
        let socket = Arc::new(Socket::bind(&address, 0o600).await.unwrap());
        let mut waiting: Vec<Box<dyn AsyncReadWrite>> = Vec::new();
        for _ in 0..20 {
            let mut stream: Box<dyn AsyncReadWrite> = match socket.address().unwrap() {
                ListenAddress::Unix(path) => Box::new(UnixStream::connect(path).await.unwrap()),
                ListenAddress::Tcp(address) => Box::new(TcpStream::connect(address).await.unwrap()),
            };
            stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            waiting.push(stream);
        }
        let (close, closing) = Close::new();
        close.close();
        serve(socket, regpass.handle(), closing).await;
        for mut stream in waiting {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
        }
    }
    assert!(!path.exists());
}

trait AsyncReadWrite: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncReadWrite for S {}
