//! The listeners that are open, and the step from one set of them to the next.
//!
//! A listener that stays as it is configured is not touched. One that changes goes on accepting on the same socket:
//! its connections finish the request they are at, and new ones meet the new rules.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{info, warn};

use super::sockets::Inherited;
use crate::admin;
use crate::config::model::{Config, Listener};
use crate::net::listen::{self, Close, Handle};
use crate::net::socket::Socket;
use crate::proxy::admit::Front;
use crate::proxy::{self, Proxy};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Proxy,
    Admin,
}

/// A listener that accepts.
#[derive(Debug)]
struct Open {
    role: Role,
    listener: Listener,
    socket: Arc<Socket>,
    address: SocketAddr,
    close: Close,
}

/// A listener that will accept.
#[derive(Debug)]
struct Ready {
    role: Role,
    listener: Listener,
    socket: Arc<Socket>,
    address: SocketAddr,
}

/// Every socket a configuration needs, open and not yet used.
#[derive(Debug)]
pub(super) struct Prepared {
    stay: Vec<(Role, Listener)>,
    begin: Vec<Ready>,
}

#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: Vec<Open>,
    /// The accept loops with their connections, also of listeners that are closed.
    serving: JoinSet<()>,
}

impl Listeners {
    /// Opens what a configuration names and is not open yet. Changes nothing that clients could notice.
    pub(super) async fn prepare(&self, config: &Config, inherited: &mut Inherited) -> io::Result<Prepared> {
        let proxies = config.listeners.iter().map(|listener| (Role::Proxy, listener));
        let admin = config.admin.iter().map(|admin| (Role::Admin, &admin.listener));
        let mut prepared = Prepared { stay: Vec::new(), begin: Vec::new() };
        for (role, listener) in proxies.chain(admin) {
            let open = self.open.iter().find(|open| open.listener.address == listener.address);
            if open.is_some_and(|open| (open.role, &open.listener) == (role, listener)) {
                prepared.stay.push((role, listener.clone()));
                continue;
            }
            let socket = match open {
                Some(open) => Ok(open.socket.clone()),
                None => inherited.or_bind(listener.address).await,
            };
            match socket {
                Ok(socket) => {
                    let address = socket.address()?;
                    prepared.begin.push(Ready { role, listener: listener.clone(), socket, address });
                }
                Err(error) if listener.optional => warn!(%error, "an optional listener is not open"),
                Err(error) => return Err(error),
            }
        }
        Ok(prepared)
    }

    /// Serves what was prepared, and closes what the configuration no longer has.
    pub(super) fn apply(&mut self, prepared: Prepared, proxy: &Arc<Proxy>) {
        while self.serving.try_join_next().is_some() {}
        for open in std::mem::take(&mut self.open) {
            if prepared.stay.iter().any(|(role, listener)| (open.role, &open.listener) == (*role, listener)) {
                self.open.push(open);
            } else if !prepared.begin.iter().any(|ready| Arc::ptr_eq(&ready.socket, &open.socket)) {
                info!(address = %open.address, "closed: the configuration no longer has this listener");
            }
            // Dropping its end of the channel ends the accept loop.
        }
        for Ready { role, listener, socket, address } in prepared.begin {
            let message = if role == Role::Admin { "admin listening" } else { "listening" };
            info!(%address, registry = listener.registry.as_ref().map(tracing::field::display), "{message}");
            let (close, closing) = Close::new();
            self.serving.spawn(listen::serve(socket.clone(), handler(role, proxy, &listener), closing));
            self.open.push(Open { role, listener, socket, address, close });
        }
    }

    /// Where the status page is once `prepared` is served.
    pub(super) fn status_page(&self, prepared: &Prepared) -> Option<Box<str>> {
        let stays =
            |open: &&Open| open.role == Role::Admin && prepared.stay.iter().any(|(role, _)| *role == Role::Admin);
        let begins = prepared.begin.iter().find(|ready| ready.role == Role::Admin).map(|ready| ready.address);
        let address = begins.or_else(|| self.open.iter().find(stays).map(|open| open.address));
        address.map(|address| format!("http://{address}/").into())
    }

    /// Accepts nothing more, and returns when the last connection is over.
    pub(super) async fn close(mut self) {
        for open in self.open.drain(..) {
            open.close.close();
        }
        while self.serving.join_next().await.is_some() {}
    }
}

fn handler(role: Role, proxy: &Arc<Proxy>, listener: &Listener) -> Handle {
    let front = Arc::new(Front { pinned: listener.registry.clone(), hosts: listener.hosts.clone() });
    let proxy = proxy.clone();
    match role {
        Role::Proxy => Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), front.clone(), request))),
        Role::Admin => Arc::new(move |request| Box::pin(std::future::ready(admin::handle(&proxy, &front, request)))),
    }
}
