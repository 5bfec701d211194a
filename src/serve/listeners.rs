//! The listeners that are open, and the step from one set of them to the next.
//!
//! A listener that stays as it is configured, with files that hold what they held, is not touched. One that changes goes
//! on accepting on the same socket: its connections finish the request they are at, and new ones meet the new rules.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::doors::ListenerTls;
use super::followed;
use super::sockets::{self, Inherited};
use crate::admin;
use crate::clients::{Door, Rule};
use crate::config::model::{Config, Listener};
use crate::net::listen::{self, Close, Handle, Service};
use crate::net::server_tls::ServerTls;
use crate::net::socket::{ListenAddress, Socket};
use crate::observe::process::Listening;
use crate::proxy::admit::Front;
use crate::proxy::{self, Proxy};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Proxy,
    Admin,
}

/// All that makes a listener what it is.
#[derive(Clone, Debug, PartialEq)]
struct Kind {
    role: Role,
    listener: Listener,
    tls: Option<Arc<ServerTls>>,
}

/// A listener that accepts.
#[derive(Debug)]
struct Open {
    ready: Ready,
    close: Close,
}

impl Open {
    fn told(&self) -> Listening {
        let Kind { role, listener, .. } = &self.ready.kind;
        let registry = listener.registry.as_ref().map(|registry| registry.as_str().into());
        Listening { address: self.ready.address.to_string().into(), admin: *role == Role::Admin, registry }
    }
}

/// A listener that will accept.
#[derive(Debug)]
struct Ready {
    kind: Kind,
    rule: Option<Arc<Rule>>,
    /// Its own, and narrower ones of a listener before it: to close those would cut off who is connecting.
    sockets: Vec<Arc<Socket>>,
    address: ListenAddress,
}

impl Ready {
    fn has(&self, socket: &Arc<Socket>) -> bool {
        self.sockets.iter().any(|own| Arc::ptr_eq(own, socket))
    }
}

/// Every socket a configuration needs, open and not yet used.
#[derive(Debug)]
pub struct Prepared {
    stay: Vec<Kind>,
    begin: Vec<Ready>,
    /// Why optional ones will not be open.
    lacking: Vec<io::Error>,
}

#[derive(Debug, Default)]
pub struct Listeners {
    open: Vec<Open>,
    /// The accept loops with their connections, also of listeners that are closed.
    serving: JoinSet<()>,
    /// The same of admin listeners, which go on telling of the end until it has come.
    telling: JoinSet<()>,
}

impl Listeners {
    /// Opens what a configuration names and is not open yet. Changes nothing that clients could notice.
    pub async fn prepare(&self, config: &Config, tls: ListenerTls, inherited: &mut Inherited) -> io::Result<Prepared> {
        let mut prepared = Prepared { stay: Vec::new(), begin: Vec::new(), lacking: Vec::new() };
        let mut open: Vec<&Ready> = self.open.iter().map(|open| &open.ready).collect();
        let mut changed = Vec::new();
        for (at, (listener, tls)) in config.all_listeners().zip(tls).enumerate() {
            let role = if at < config.listeners.len() { Role::Proxy } else { Role::Admin };
            let kind = Kind { role, listener: listener.clone(), tls };
            match open.iter().position(|open| open.kind == kind) {
                Some(at) => {
                    open.remove(at);
                    prepared.stay.push(kind);
                }
                None => changed.push(kind),
            }
        }
        let mut with_sockets = Vec::new();
        for kind in changed {
            // One that goes from one role to the other brings its sockets along. Port 0 is another one each time, and
            // each of several with it has a socket of its own.
            let is_there = |open: &&Ready| {
                open.kind.listener.address == kind.listener.address
                    && (open.kind.role == kind.role || !kind.listener.address.is_any_port())
            };
            let sockets = open.iter().position(is_there).map(|at| open.remove(at).sockets.clone());
            with_sockets.push((kind, sockets));
        }
        for (kind, sockets) in with_sockets {
            let sockets = if let Some(sockets) = sockets {
                Ok(sockets)
            } else {
                let is_free = |socket: &&Arc<Socket>| !prepared.begin.iter().any(|ready| ready.has(socket));
                let leaving = open.iter().flat_map(|open| &open.sockets).filter(is_free);
                sockets::open(&kind.listener, leaving, inherited).await
            };
            match sockets {
                Ok(sockets) => {
                    let Some(own) = sockets.first() else { continue };
                    let (address, rule) = (own.address()?, self.rule(&kind.listener, &prepared));
                    prepared.begin.push(Ready { kind, rule, sockets, address });
                }
                Err(error) if kind.listener.optional && error.kind() == ErrorKind::AddrInUse => {
                    prepared.lacking.push(error);
                }
                // A machine without IPv6 is no news.
                Err(error) if kind.listener.optional => debug!(%error, "an optional listener is not open"),
                Err(error) => return Err(error),
            }
        }
        Ok(prepared)
    }

    /// Serves what was prepared, and closes what the configuration no longer has.
    pub fn apply(&mut self, prepared: Prepared, proxy: &Arc<Proxy>) {
        for loops in [&mut self.serving, &mut self.telling] {
            while loops.try_join_next().is_some() {}
        }
        for open in std::mem::take(&mut self.open) {
            if prepared.stay.contains(&open.ready.kind) {
                self.open.push(open);
            } else if !open.ready.sockets.first().is_some_and(|own| prepared.begin.iter().any(|ready| ready.has(own))) {
                info!(address = %open.ready.address, "closed: the configuration no longer has this listener");
            }
            // Dropping its end of the channel ends the accept loop.
        }
        // Not before: what cannot be put in force is tried again and again.
        for error in prepared.lacking {
            warn!(%error, "an optional listener is not open");
        }
        for ready in prepared.begin {
            let Ready { kind: Kind { role, listener, tls }, rule, sockets, address } = &ready;
            let message = if *role == Role::Admin { "admin listening" } else { "listening" };
            let tls_shown = tls.is_some().then_some(true);
            info!(%address, tls = tls_shown, registry = listener.registry.as_ref().map(tracing::field::display), "{message}");
            let front = Arc::new(Front::new(listener, Door::new(listener, rule.clone())));
            let service = Service { handle: handler(*role, proxy, front), tls: tls.clone() };
            let (close, closing) = Close::new();
            let loops = if *role == Role::Admin { &mut self.telling } else { &mut self.serving };
            for socket in sockets {
                socket.set_mode(listener.mode);
                loops.spawn(listen::serve(socket.clone(), service.clone(), closing.clone()));
            }
            self.open.push(Open { ready, close });
        }
        proxy.process.listening(self.open.iter().map(Open::told).collect());
    }

    /// Where the status page is once `prepared` is served, if a browser can get there.
    pub fn status_page(&self, prepared: &Prepared) -> Option<Box<str>> {
        let stays = |open: &&Ready| open.kind.role == Role::Admin && prepared.stay.contains(&open.kind);
        let begins = prepared.begin.iter().find(|ready| ready.kind.role == Role::Admin);
        let admin = begins.or_else(|| self.open.iter().map(|open| &open.ready).find(stays))?;
        let scheme = if admin.kind.tls.is_some() { "https" } else { "http" };
        match &admin.address {
            ListenAddress::Tcp(address) => Some(format!("{scheme}://{address}/").into()),
            ListenAddress::Unix(_) => None,
        }
    }

    /// The rules that follow files, each with the key that names them.
    pub fn rules(&self) -> impl Iterator<Item = (String, Arc<Rule>)> {
        self.open.iter().filter_map(|Open { ready, .. }| {
            let key = followed::key(ready.kind.listener.clients.as_ref()?, ready.kind.role == Role::Admin)?;
            Some((key, ready.rule.clone()?))
        })
    }

    /// Where connections come in.
    pub fn addresses(&self) -> impl Iterator<Item = &ListenAddress> {
        self.open.iter().map(|open| &open.ready.address)
    }

    /// Accepts nothing more, and returns when the last connection is over.
    pub async fn close(mut self) {
        let (admin, proxies): (Vec<Open>, Vec<Open>) =
            self.open.drain(..).partition(|open| open.ready.kind.role == Role::Admin);
        // With their sockets: who comes now is refused at once, instead of waiting for the last connection to be over.
        drop(proxies);
        while self.serving.join_next().await.is_some() {}
        for open in &admin {
            open.close.close();
        }
        while self.telling.join_next().await.is_some() {}
    }

    /// The listener's rule: the one that some listener has already, with all that it knows, or a new one.
    fn rule(&self, listener: &Listener, prepared: &Prepared) -> Option<Arc<Rule>> {
        let clients = listener.clients.as_ref()?;
        let mut known = prepared.begin.iter().chain(self.open.iter().map(|open| &open.ready));
        let same = known.find(|ready| ready.kind.listener.clients.as_ref() == Some(clients));
        Some(same.and_then(|ready| ready.rule.clone()).unwrap_or_else(|| Arc::new(Rule::new(clients))))
    }
}

fn handler(role: Role, proxy: &Arc<Proxy>, front: Arc<Front>) -> Handle {
    let proxy = proxy.clone();
    match role {
        Role::Proxy => Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), front.clone(), request))),
        Role::Admin => Arc::new(move |request| {
            let (proxy, front) = (proxy.clone(), front.clone());
            Box::pin(async move { admin::handle(&proxy, &front, request).await })
        }),
    }
}
