//! Listening sockets: opened here, or handed over by whoever started the process.

use std::fmt;
use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};
use tracing::{debug, warn};

use super::peer::Peer;
use super::stream::Stream;

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenAddress {
    Tcp(SocketAddr),
    /// An absolute path.
    Unix(PathBuf),
}

/// A socket that connections come in by.
#[derive(Debug)]
pub struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        path: PathBuf,
        /// The file, if it was made here.
        file: Option<SocketFile>,
    },
}

/// The file of a unix socket, taken away with the socket: what nobody listens on would only keep clients guessing.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: somebody else may have put another file there.
    own: (u64, u64),
}

impl ListenAddress {
    /// Whether only this machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Whether the system chooses the port.
    pub fn is_any_port(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.port() == 0)
    }

    /// Whether a socket here would take what is meant for `other`, too, and stands in its way therefore: `0.0.0.0` and
    /// `[::]` take what is meant for any address.
    pub fn covers(&self, other: &Self) -> bool {
        let (Self::Tcp(own), Self::Tcp(other)) = (self, other) else { return false };
        let is_wider = own.ip().is_unspecified() && own.ip() != other.ip();
        is_wider && own.port() == other.port() && (own.is_ipv6() || other.is_ipv4())
    }

    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Socket {
    /// Opens an address; errors name it. The file of a unix socket gets `mode` before anybody can connect. One that
    /// nobody listens on any more is replaced.
    pub async fn bind(address: &ListenAddress, mode: u32) -> io::Result<Self> {
        let bound = match address {
            ListenAddress::Tcp(address) => TcpListener::bind(address).await.map(Kind::Tcp),
            ListenAddress::Unix(path) => bind_unix(path, mode).await,
        };
        bound.map(Self).map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
    }

    /// Opens an address that is taken by sockets of this process alone. They may be closed afterwards: at no moment does
    /// nobody listen, and where this fails nothing has changed.
    ///
    /// The kernel lets sockets share a port whose owner is one user and that all say so (`SO_REUSEPORT`, socket(7)). They
    /// say so only while this one is opened.
    pub fn bind_beside(address: SocketAddr, others: &[&Self]) -> io::Result<Self> {
        let new = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        new.set_reuseaddr(true)?;
        let share = |shared| {
            let mut others = others.iter().filter_map(|other| match &other.0 {
                Kind::Tcp(listener) => Some(SockRef::from(listener)),
                Kind::Unix { .. } => None,
            });
            others.try_for_each(|other| other.set_reuse_port(shared))
        };
        new.set_reuseport(true)?;
        let listener = share(true).and_then(|()| new.bind(address)).and_then(|()| new.listen(BACKLOG));
        let listener = listener.and_then(|listener| SockRef::from(&listener).set_reuse_port(false).map(|()| listener));
        share(false)?;
        let listener = listener.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        Ok(Self(Kind::Tcp(listener)))
    }

    /// A TCP socket that listens already.
    pub fn inherited(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Kind::Tcp).map(Self)
    }

    /// A unix socket that listens already at `path`. Its file, mode and all, belongs to whoever made it.
    pub fn inherited_unix(listener: std::os::unix::net::UnixListener, path: PathBuf) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self(Kind::Unix { listener, path, file: None }))
    }

    pub fn address(&self) -> io::Result<ListenAddress> {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr().map(ListenAddress::Tcp),
            Kind::Unix { path, .. } => Ok(ListenAddress::Unix(path.clone())),
        }
    }

    /// Who may connect to a unix socket that was made here.
    pub fn set_mode(&self, mode: u32) {
        let Kind::Unix { path, file: Some(_), .. } = &self.0 else { return };
        if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode)) {
            warn!(file = %path.display(), %error, "cannot change the mode of the socket");
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.0 {
            Kind::Tcp(listener) => listener.accept().await.map(|(stream, _address)| by_tcp(stream)),
            Kind::Unix { listener, .. } => listener.accept().await.map(|(stream, _address)| by_unix(stream)),
        }
    }

    /// A connection that waits to be accepted, if there is one: it would end with the socket.
    pub(super) fn accept_waiting(&self) -> io::Result<(Stream, Peer)> {
        let listener = match &self.0 {
            Kind::Tcp(listener) => SockRef::from(listener),
            Kind::Unix { listener, .. } => SockRef::from(listener),
        };
        let (stream, _address) = listener.accept()?;
        stream.set_nonblocking(true)?;
        match &self.0 {
            Kind::Tcp(_) => TcpStream::from_std(stream.into()).map(by_tcp),
            Kind::Unix { .. } => UnixStream::from_std(stream.into()).map(by_unix),
        }
    }
}

fn by_tcp(stream: TcpStream) -> (Stream, Peer) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let peer = Peer { address: stream.peer_addr().ok(), ..Peer::default() };
    (Stream::Tcp(stream), peer)
}

fn by_unix(stream: UnixStream) -> (Stream, Peer) {
    let uid = stream.peer_cred().map(|peer| peer.uid());
    let uid = uid.inspect_err(|error| debug!(%error, "the kernel does not tell who connected")).ok();
    (Stream::Unix(stream), Peer { uid, ..Peer::default() })
}

async fn bind_unix(path: &Path, mode: u32) -> io::Result<Kind> {
    make_way(path).await?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = SocketFile { path: path.to_owned(), own: identity(&fs::symlink_metadata(path)?) };
    // Before it listens nobody can connect, so there is no moment at which the umask decides who may.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(Kind::Unix { listener: socket.listen(BACKLOG)?, path: path.to_owned(), file: Some(file) })
}

/// Takes away a socket file that a process left behind when it died.
async fn make_way(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let taken = |what: &str| io::Error::new(ErrorKind::AddrInUse, what.to_owned());
    if !found.file_type().is_socket() {
        return Err(taken("there is a file that is no socket; take it away, or name another path"));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            debug!(file = %path.display(), "taking away a socket that nobody listens on");
            fs::remove_file(path)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        Ok(_) | Err(_) => Err(taken("another process listens there")),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.own)
            && let Err(error) = fs::remove_file(&self.path)
        {
            warn!(file = %self.path.display(), %error, "cannot take the socket's file away");
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// As many as the kernel lets wait by default (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_all_stands_in_the_way_of_each() {
        let at = |text: &str| ListenAddress::Tcp(text.parse().unwrap());
        for (wide, narrow, covers) in [
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "127.0.0.1:2", false),
            ("0.0.0.0:1", "[::1]:1", false),
            ("0.0.0.0:1", "0.0.0.0:1", false),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "[::1]:1", true),
            ("[::]:1", "0.0.0.0:1", true),
            ("0.0.0.0:1", "[::]:1", false),
            ("127.0.0.1:1", "0.0.0.0:1", false),
        ] {
            assert_eq!(at(wide).covers(&at(narrow)), covers, "{wide} {narrow}");
        }
        assert!(!at("0.0.0.0:1").covers(&ListenAddress::Unix("/s".into())));
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_from_the_first_moment() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o660, 0o666] {
            let path = folder.path().join(format!("{mode:o}.sock"));
            let socket = Socket::bind(&ListenAddress::Unix(path.clone()), mode).await.unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            drop(socket);
            assert!(!path.exists());
        }
    }
}
