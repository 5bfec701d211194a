//! Listening sockets, bound by this process or inherited from the process that started it.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};
use tracing::{debug, warn};

use super::address::ListenAddress;
use super::peer::Peer;
use crate::net::stream::Stream;

/// A listening TCP or unix socket.
#[derive(Debug)]
pub struct Socket(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        path: PathBuf,
        /// The socket file, if this process created it.
        file: Option<SocketFile>,
    },
}

/// The file of a unix socket, removed when the socket is closed.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode, because another process may have replaced the file since.
    identity: (u64, u64),
}

impl Socket {
    /// Binds `address` and listens. Errors name the address. The file of a unix socket has `mode` before a client can
    /// connect. A socket file left behind by a process that has ended is replaced.
    pub async fn bind(address: &ListenAddress, mode: u32) -> io::Result<Self> {
        let bound = match address {
            ListenAddress::Tcp(address) => TcpListener::bind(address).await.map(Kind::Tcp),
            ListenAddress::Unix(path) => bind_unix(path, mode).await,
        };
        bound.map(Self).map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
    }

    /// Binds an address that overlaps with the `others`, sockets of this process. The caller can close those
    /// afterwards, so that a socket listens at every moment. On failure the `others` keep listening alone.
    ///
    /// Sockets of one user can share a port if all of them have `SO_REUSEPORT` set (socket(7)). It is set only during
    /// this call, so that no other process can share the port later.
    pub fn bind_sharing_port(address: SocketAddr, others: &[&Self]) -> io::Result<Self> {
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

    /// Wraps a TCP socket that is already listening.
    pub fn from_inherited_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Kind::Tcp).map(Self)
    }

    /// Wraps a unix socket that is already listening at `path`. The process that created its file manages its mode and
    /// removal.
    pub fn from_inherited_unix(listener: std::os::unix::net::UnixListener, path: PathBuf) -> io::Result<Self> {
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

    /// Changes the mode of the file of a unix socket that this process bound. Does nothing for other sockets. A failure
    /// is only logged.
    pub fn set_mode(&self, mode: u32) {
        let Kind::Unix { path, file: Some(_), .. } = &self.0 else { return };
        if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode)) {
            warn!(file = %path.display(), %error, "cannot change the mode of the socket file; it keeps its old mode");
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.0 {
            Kind::Tcp(listener) => listener.accept().await.map(|(stream, _address)| from_tcp(stream)),
            Kind::Unix { listener, .. } => listener.accept().await.map(|(stream, _address)| from_unix(stream)),
        }
    }

    /// Accepts a connection from the backlog without waiting. Fails with `WouldBlock` if there is none.
    pub(super) fn try_accept(&self) -> io::Result<(Stream, Peer)> {
        let listener = match &self.0 {
            Kind::Tcp(listener) => SockRef::from(listener),
            Kind::Unix { listener, .. } => SockRef::from(listener),
        };
        let (stream, _address) = listener.accept()?;
        stream.set_nonblocking(true)?;
        match &self.0 {
            Kind::Tcp(_) => TcpStream::from_std(stream.into()).map(from_tcp),
            Kind::Unix { .. } => UnixStream::from_std(stream.into()).map(from_unix),
        }
    }
}

fn from_tcp(stream: TcpStream) -> (Stream, Peer) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let peer = Peer { address: stream.peer_addr().ok(), ..Peer::default() };
    (Stream::Tcp(stream), peer)
}

fn from_unix(stream: UnixStream) -> (Stream, Peer) {
    let uid = stream.peer_cred().map(|peer| peer.uid());
    let uid = uid.inspect_err(|error| debug!(%error, "cannot read the user of a unix socket's client")).ok();
    (Stream::Unix(stream), Peer { uid, ..Peer::default() })
}

async fn bind_unix(path: &Path, mode: u32) -> io::Result<Kind> {
    remove_stale_file(path).await?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = SocketFile { path: path.to_owned(), identity: identity(&fs::symlink_metadata(path)?) };
    // Before `listen` no client can connect, so the umask never decides which users can.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(Kind::Unix { listener: socket.listen(BACKLOG)?, path: path.to_owned(), file: Some(file) })
}

/// Removes a socket file on which no process listens any more. Any other file at `path` is an error.
async fn remove_stale_file(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let in_use = |what: &str| io::Error::new(ErrorKind::AddrInUse, what.to_owned());
    if !found.file_type().is_socket() {
        return Err(in_use("this file exists and is not a socket; remove it or configure another path"));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            debug!(file = %path.display(), "removing a stale socket file");
            fs::remove_file(path)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        Ok(_) | Err(_) => Err(in_use("another process is listening on this socket")),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            warn!(file = %self.path.display(), %error, "cannot remove the socket file");
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Connections waiting to be accepted: the kernel's default limit (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bound_unix_socket_has_its_mode_and_its_file_is_removed_on_drop() {
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
