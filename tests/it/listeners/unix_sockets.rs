//! Unix sockets: allowed users, `Host` and `Origin`, and the life of the socket file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use regpass::listen::{accept::serve, connections::Connections, shutdown::ShutdownTrigger};
use regpass::listen::{address::ListenAddress, socket::Socket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::connections::{Served, exchange, send_to_socket};
use super::{Files, PASSWORD, TAGS, TAGS_REQUEST, assert_challenged, basic, get};
use crate::harness::with_header;
use crate::log::Log;

fn listener(path: &Path, keys: &str) -> String {
    format!("[[listener]]\naddress = \"unix:{}\"\n{keys}\n", path.display())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

/// The uid of a file's owner.
fn uid(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

#[tokio::test]
async fn socket_file_has_the_configured_mode_and_is_removed_with_the_listener() {
    let files = Files::new();
    let (path, other) = (files.path("r.sock"), files.path("other.sock"));
    let mut served = Served::start(&listener(&path, "")).await;
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(send_to_socket(&path, get(TAGS, None)).await.status, 200);
    served.sim.ledger().expect(&[TAGS_REQUEST]);

    let inode = fs::metadata(&path).unwrap().ino();
    served.listen(&listener(&path, "mode = \"0660\"")).await.unwrap();
    assert_eq!((mode(&path), fs::metadata(&path).unwrap().ino()), (0o660, inode), "the same socket");
    assert_eq!(send_to_socket(&path, get(TAGS, None)).await.status, 200);

    served.listen(&listener(&other, "")).await.unwrap();
    while path.exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(send_to_socket(&other, get(TAGS, None)).await.status, 200);
    served.stop().await;
    assert!(!other.exists());
}

#[tokio::test]
async fn stale_socket_file_is_replaced_but_no_other_file() {
    let files = Files::new();
    let path = files.path("r.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "dropping the listener leaves the file");
    let served = Served::start(&listener(&path, "")).await;
    assert_eq!(send_to_socket(&path, get(TAGS, None)).await.status, 200);

    let mut second = Served::start(&listener(&files.path("second.sock"), "")).await;
    let rejected = second.listen(&listener(&path, "")).await.unwrap_err();
    let named = format!("unix:{}: another process is listening on this socket", path.display());
    assert!(rejected.contains(&named), "{rejected}");
    assert_eq!(send_to_socket(&path, get(TAGS, None)).await.status, 200, "the first listener stays open");
    assert_eq!(
        send_to_socket(&files.path("second.sock"), get(TAGS, None)).await.status,
        200,
        "the second listener keeps its address"
    );

    let file = files.path("file");
    files.write("file", "precious");
    let rejected = second.listen(&listener(&file, "")).await.unwrap_err();
    assert!(rejected.contains("is not a socket"), "{rejected}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    let rejected = second.listen(&listener(Path::new("/nowhere/r.sock"), "")).await.unwrap_err();
    assert!(rejected.contains("unix:/nowhere/r.sock: "), "{rejected}");

    // A file that another process created meanwhile is not removed.
    fs::remove_file(&path).unwrap();
    let theirs = UnixListener::bind(&path).unwrap();
    served.stop().await;
    assert!(path.exists());
    drop(theirs);
}

#[tokio::test]
async fn only_listed_uids_are_accepted() {
    let (files, log) = (Files::new(), Log::capture());
    let path = files.path("r.sock");
    let own = uid(files.0.path());
    let served = Served::start(&listener(&path, &format!("uids = [{own}]"))).await;
    assert_eq!(send_to_socket(&path, get(TAGS, None)).await.status, 200);
    served.sim.ledger().expect(&[TAGS_REQUEST]);
    assert!(log.text().contains(&format!("client=uid:{own} ")), "{}", log.text());

    let others = Served::start(&listener(&files.path("others.sock"), &format!("uids = [{}]", own + 1))).await;
    for target in ["/", "/v2/", TAGS] {
        let reply = send_to_socket(&files.path("others.sock"), get(target, None)).await;
        assert_eq!(reply.status_and_code(), "403 DENIED", "{target}");
        assert!(reply.error().1.contains(&own.to_string()) && reply.error().1.contains("`uids`"), "{reply:?}");
    }
    others.sim.ledger().expect(&[]);
}

#[tokio::test]
async fn every_host_is_accepted_but_no_foreign_origin() {
    let files = Files::new();
    let path = files.path("r.sock");
    let served = Served::start(&listener(&path, "")).await;
    let status = async |host: &str, origin: Option<&str>| {
        let request: Request<Bytes> = Request::get(TAGS).header("host", host).body(Bytes::new()).unwrap();
        let request = origin.into_iter().fold(request, |request, origin| with_header(request, "origin", origin));
        send_to_socket(&path, request).await.status.as_u16()
    };
    for host in ["localhost", "docker", "anything.example:80", "evil.example", ""] {
        assert_eq!(status(host, None).await, 200, "{host}");
        served.sim.ledger().expect(&[TAGS_REQUEST]);
    }
    for host in ["localhost", "", "docker"] {
        assert_eq!(status(host, Some("http://evil.example")).await, 403, "{host}");
        assert_eq!(status(host, Some("null")).await, 403, "{host}");
    }
    served.sim.ledger().expect(&[]);
}

#[tokio::test]
async fn client_credentials_are_required_at_unix_sockets_too() {
    let files = Files::new();
    let path = files.path("r.sock");
    let served = Served::start(&listener(&path, &files.htpasswd(&[("alice", PASSWORD)]))).await;
    assert_challenged(&send_to_socket(&path, get(TAGS, None)).await, "no credential");
    assert_eq!(send_to_socket(&path, get(TAGS, Some(&basic("alice", PASSWORD)))).await.status, 200);
    served.sim.ledger().expect(&[TAGS_REQUEST]);
}

#[tokio::test]
async fn open_connection_is_served_after_the_mode_changed() {
    let files = Files::new();
    let path = files.path("r.sock");
    let mut served = Served::start(&listener(&path, "mode = \"0666\"")).await;
    let open = UnixStream::connect(&path).await.unwrap();
    served.listen(&listener(&path, "mode = \"0600\"\nhosts = [\"other\"]")).await.unwrap();
    let last = exchange(open, get(TAGS, None), false).await;
    assert_eq!((last.status.as_u16(), mode(&path)), (200, 0o600));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

/// For their clients these connections are already established, so most clients would report a close as an error.
#[tokio::test]
async fn connections_in_the_backlog_of_a_closed_socket_are_served() {
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
        let (trigger, shutdown) = ShutdownTrigger::new();
        trigger.start();
        serve(socket, regpass.handle(), Connections::new(32), shutdown).await;
        for mut stream in waiting {
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            assert!(
                response.starts_with("HTTP/1.1 200") && response.contains("\r\nConnection: close\r\n"),
                "{response}"
            );
        }
    }
    assert!(!path.exists());
}

trait AsyncReadWrite: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncReadWrite for S {}
