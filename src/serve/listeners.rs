//! The listeners that are open, and the step from one set of them to the next.
//!
//! A listener that stays as it is configured is not touched. One that changes goes on accepting on the same socket:
//! its connections finish the request they are at, and new ones meet the new rules.

use std::collections::HashSet;
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
use crate::observe::process::Listening;
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

impl Open {
    fn told(&self) -> Listening {
        let registry = self.listener.registry.as_ref().map(|registry| registry.as_str().into());
        Listening { address: self.address.to_string().into(), admin: self.role == Role::Admin, registry }
    }
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
    /// The ones that stay, as they were opened.
    stay: HashSet<usize>,
    begin: Vec<Ready>,
}

#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: Vec<Open>,
    /// The accept loops with their connections, also of listeners that are closed.
    serving: JoinSet<()>,
    /// The same of admin listeners, which go on telling of the end until it has come.
    telling: JoinSet<()>,
}

impl Listeners {
    /// Opens what a configuration names and is not open yet. Changes nothing that clients could notice.
    pub(super) async fn prepare(&self, config: &Config, inherited: &mut Inherited) -> io::Result<Prepared> {
        let proxies = config.listeners.iter().map(|listener| (Role::Proxy, listener));
        let admin = config.admin.iter().map(|admin| (Role::Admin, &admin.listener));
        let named: Vec<(Role, &Listener)> = proxies.chain(admin).collect();
        let mut prepared = Prepared { stay: HashSet::new(), begin: Vec::new() };
        // Several may have port 0, each with a socket of its own: who stays is served first.
        let mut left: Vec<usize> = (0..self.open.len()).collect();
        let mut take = |is_it: &dyn Fn(&Open) -> bool| {
            let at = left.iter().position(|index| is_it(&self.open[*index]))?;
            Some(left.remove(at))
        };
        let stay: Vec<Option<usize>> = named
            .iter()
            .map(|(role, listener)| take(&|open| (open.role, &open.listener) == (*role, *listener)))
            .collect();
        for ((role, listener), stay) in named.into_iter().zip(stay) {
            if let Some(index) = stay {
                prepared.stay.insert(index);
                continue;
            }
            // One that goes from one role to the other brings its socket along. Port 0 is another one each time.
            let is_there = |open: &Open| {
                open.listener.address == listener.address && (open.role == role || listener.address.port() != 0)
            };
            let socket = match take(&is_there) {
                Some(index) => Ok(self.open[index].socket.clone()),
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
        for loops in [&mut self.serving, &mut self.telling] {
            while loops.try_join_next().is_some() {}
        }
        for (index, open) in std::mem::take(&mut self.open).into_iter().enumerate() {
            if prepared.stay.contains(&index) {
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
            let loops = if role == Role::Admin { &mut self.telling } else { &mut self.serving };
            loops.spawn(listen::serve(socket.clone(), handler(role, proxy, &listener), closing));
            self.open.push(Open { role, listener, socket, address, close });
        }
        proxy.process.listening(self.open.iter().map(Open::told).collect());
    }

    /// Where the status page is once `prepared` is served.
    pub(super) fn status_page(&self, prepared: &Prepared) -> Option<Box<str>> {
        let stay = prepared.stay.iter().map(|index| &self.open[*index]).map(|open| (open.role, open.address));
        let begin = prepared.begin.iter().map(|ready| (ready.role, ready.address));
        let address = stay.chain(begin).find_map(|(role, address)| (role == Role::Admin).then_some(address));
        address.map(|address| format!("http://{address}/").into())
    }

    /// Accepts nothing more, and returns when the last connection is over.
    pub(super) async fn close(mut self) {
        let (admin, proxies): (Vec<Open>, Vec<Open>) = self.open.into_iter().partition(|open| open.role == Role::Admin);
        for open in &proxies {
            open.close.close();
        }
        while self.serving.join_next().await.is_some() {}
        for open in &admin {
            open.close.close();
        }
        while self.telling.join_next().await.is_some() {}
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
