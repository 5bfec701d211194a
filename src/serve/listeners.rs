//! The open listeners, and the change from one set of them to the next at a reload.
//!
//! A listener whose configuration and files are unchanged is not touched. A changed one is replaced on the same socket:
//! its connections finish their current request, and new connections get the new settings.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::listener_files::ListenerTls;
use super::sockets::{self, InheritedSockets};
use super::watched_files;
use crate::admin;
use crate::clients::{AuthMethod, ClientAuth};
use crate::config::model::{Config, Listener};
use crate::listen::tls::ServerTls;
use crate::listen::{
    accept,
    connection::{ListenerService, RequestHandler},
    connections::Connections,
    shutdown::ShutdownTrigger,
};
use crate::listen::{address::ListenAddress, socket::Socket};
use crate::observe::process::OpenListener;
use crate::proxy::listener::ListenerContext;
use crate::proxy::{self, Proxy};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Proxy,
    Admin,
}

/// The settings of a listener. A listener with other settings replaces it.
#[derive(Clone, Debug, PartialEq)]
struct Settings {
    role: Role,
    listener: Listener,
    tls: Option<Arc<ServerTls>>,
}

/// A listener that accepts connections.
#[derive(Debug)]
struct RunningListener {
    bound: BoundListener,
    close: ShutdownTrigger,
}

impl RunningListener {
    fn open_listener(&self) -> OpenListener {
        let Settings { role, listener, .. } = &self.bound.settings;
        let registry = listener.registry.as_ref().map(|registry| registry.as_str().into());
        OpenListener { address: self.bound.address.to_string().into(), admin: *role == Role::Admin, registry }
    }
}

/// A listener with open sockets.
#[derive(Debug)]
struct BoundListener {
    settings: Settings,
    auth_method: Option<Arc<AuthMethod>>,
    /// Its own socket first, then sockets of earlier listeners with narrower addresses: closing those would reset
    /// connections that are being established.
    sockets: Vec<Arc<Socket>>,
    address: ListenAddress,
}

impl BoundListener {
    fn has(&self, socket: &Arc<Socket>) -> bool {
        self.sockets.iter().any(|own| Arc::ptr_eq(own, socket))
    }
}

/// The listeners of a configuration, ready for [`Listeners::apply`]: new ones have open sockets that do not accept yet.
#[derive(Debug)]
pub struct Prepared {
    unchanged: Vec<Settings>,
    new: Vec<BoundListener>,
    /// The errors of optional listeners whose addresses are in use.
    unavailable: Vec<io::Error>,
}

/// The open listeners, and the connections of closed ones.
#[derive(Debug, Default)]
pub struct Listeners {
    open: Vec<RunningListener>,
    /// Accept loops and connections of proxy listeners, including listeners that are closed already.
    proxy_tasks: JoinSet<()>,
    /// Accept loops and connections of admin listeners, which stay open until the drain of the others is over.
    admin_tasks: JoinSet<()>,
}

impl Listeners {
    /// Opens the sockets of a configuration that are not open yet. The current listeners go on serving unchanged.
    pub async fn prepare(
        &self,
        config: &Config,
        tls: ListenerTls,
        inherited: &mut InheritedSockets,
    ) -> io::Result<Prepared> {
        let mut prepared = Prepared { unchanged: Vec::new(), new: Vec::new(), unavailable: Vec::new() };
        let mut open: Vec<&BoundListener> = self.open.iter().map(|open| &open.bound).collect();
        let mut changed = Vec::new();
        for (index, (listener, tls)) in config.all_listeners().zip(tls).enumerate() {
            let role = if index < config.listeners.len() { Role::Proxy } else { Role::Admin };
            let settings = Settings { role, listener: listener.clone(), tls };
            match open.iter().position(|open| open.settings == settings) {
                Some(position) => {
                    open.remove(position);
                    prepared.unchanged.push(settings);
                }
                None => changed.push(settings),
            }
        }
        let mut with_sockets = Vec::new();
        for settings in changed {
            // A listener keeps its sockets even if its role changes, except with port 0, which is another port for each
            // listener.
            let has_address = |open: &&BoundListener| {
                open.settings.listener.address == settings.listener.address
                    && (open.settings.role == settings.role || !settings.listener.address.has_dynamic_port())
            };
            let sockets = open.iter().position(has_address).map(|index| open.remove(index).sockets.clone());
            with_sockets.push((settings, sockets));
        }
        for (settings, sockets) in with_sockets {
            let sockets = if let Some(sockets) = sockets {
                Ok(sockets)
            } else {
                let is_free = |socket: &&Arc<Socket>| !prepared.new.iter().any(|new| new.has(socket));
                let retiring = open.iter().flat_map(|open| &open.sockets).filter(is_free);
                sockets::open(&settings.listener, retiring, inherited).await
            };
            match sockets {
                Ok(sockets) => {
                    let Some(own) = sockets.first() else { continue };
                    let (address, auth_method) = (own.address()?, self.auth_method(&settings.listener, &prepared));
                    prepared.new.push(BoundListener { settings, auth_method, sockets, address });
                }
                Err(error) if settings.listener.optional && error.kind() == ErrorKind::AddrInUse => {
                    prepared.unavailable.push(error);
                }
                // Any other error is normal for an optional listener, for example on a machine without IPv6.
                Err(error) if settings.listener.optional => debug!(%error, "an optional listener is not open"),
                Err(error) => return Err(error),
            }
        }
        Ok(prepared)
    }

    /// Starts the prepared listeners and closes those that the configuration no longer has.
    pub fn apply(&mut self, prepared: Prepared, proxy: &Arc<Proxy>) {
        for tasks in [&mut self.proxy_tasks, &mut self.admin_tasks] {
            while tasks.try_join_next().is_some() {}
        }
        for open in std::mem::take(&mut self.open) {
            if prepared.unchanged.contains(&open.bound.settings) {
                self.open.push(open);
            } else if !open.bound.sockets.first().is_some_and(|own| prepared.new.iter().any(|new| new.has(own))) {
                info!(address = %open.bound.address, "listener closed: it is no longer in the configuration");
            }
            // Dropping `open` ends its accept loops.
        }
        // Logged here and not in `prepare`, which is repeated every three seconds while a configuration is rejected.
        for error in prepared.unavailable {
            warn!(%error, "an optional listener is not open");
        }
        for bound in prepared.new {
            let BoundListener { settings: Settings { role, listener, tls }, auth_method, sockets, address } = &bound;
            let message = if *role == Role::Admin { "admin listening" } else { "listening" };
            let has_tls = tls.is_some().then_some(true);
            info!(%address, tls = has_tls, registry = listener.registry.as_ref().map(tracing::field::display), "{message}");
            let context = Arc::new(ListenerContext::new(listener, ClientAuth::new(listener, auth_method.clone())));
            let service = ListenerService { handler: handler(*role, proxy, context), tls: tls.clone() };
            let (close, closing) = ShutdownTrigger::new();
            let tasks = if *role == Role::Admin { &mut self.admin_tasks } else { &mut self.proxy_tasks };
            let connections = Connections::new(listener.max_connections);
            for socket in sockets {
                socket.set_mode(listener.mode);
                tasks.spawn(accept::serve(socket.clone(), service.clone(), connections.clone(), closing.clone()));
            }
            self.open.push(RunningListener { bound, close });
        }
        proxy.process.set_listeners(self.open.iter().map(RunningListener::open_listener).collect());
    }

    /// The URL of the status page once `prepared` is applied; `None` without an admin listener on TCP.
    pub fn status_page(&self, prepared: &Prepared) -> Option<Box<str>> {
        let is_kept =
            |open: &&BoundListener| open.settings.role == Role::Admin && prepared.unchanged.contains(&open.settings);
        let new = prepared.new.iter().find(|new| new.settings.role == Role::Admin);
        let admin = new.or_else(|| self.open.iter().map(|open| &open.bound).find(is_kept))?;
        let scheme = if admin.settings.tls.is_some() { "https" } else { "http" };
        match &admin.address {
            ListenAddress::Tcp(address) => Some(format!("{scheme}://{address}/").into()),
            ListenAddress::Unix(_) => None,
        }
    }

    /// The authentication methods that read files while they are in use, each with the configuration key of its file.
    pub fn auth_methods(&self) -> impl Iterator<Item = (String, Arc<AuthMethod>)> {
        self.open.iter().filter_map(|RunningListener { bound, .. }| {
            let key = watched_files::auth_method_key(
                bound.settings.listener.clients.as_ref()?,
                bound.settings.role == Role::Admin,
            )?;
            Some((key, bound.auth_method.clone()?))
        })
    }

    /// The addresses of the open listeners.
    pub fn addresses(&self) -> impl Iterator<Item = &ListenAddress> {
        self.open.iter().map(|open| &open.bound.address)
    }

    /// Stops accepting connections and returns when the last one has ended. Admin listeners are closed last.
    pub async fn close(mut self) {
        let (admin, proxies): (Vec<RunningListener>, Vec<RunningListener>) =
            self.open.drain(..).partition(|open| open.bound.settings.role == Role::Admin);
        // Dropping them closes the sockets as well, so that the system refuses new connections at once instead of
        // queueing them.
        drop(proxies);
        while self.proxy_tasks.join_next().await.is_some() {}
        for open in &admin {
            open.close.start();
        }
        while self.admin_tasks.join_next().await.is_some() {}
    }

    /// The authentication method of a listener: that of another listener with the same settings, including its cache,
    /// or a new one.
    fn auth_method(&self, listener: &Listener, prepared: &Prepared) -> Option<Arc<AuthMethod>> {
        let clients = listener.clients.as_ref()?;
        let mut known = prepared.new.iter().chain(self.open.iter().map(|open| &open.bound));
        let same = known.find(|bound| bound.settings.listener.clients.as_ref() == Some(clients));
        Some(same.and_then(|bound| bound.auth_method.clone()).unwrap_or_else(|| Arc::new(AuthMethod::new(clients))))
    }
}

fn handler(role: Role, proxy: &Arc<Proxy>, context: Arc<ListenerContext>) -> RequestHandler {
    let proxy = proxy.clone();
    match role {
        Role::Proxy => Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), context.clone(), request))),
        Role::Admin => Arc::new(move |request| {
            let (proxy, context) = (proxy.clone(), context.clone());
            Box::pin(async move { admin::handle(&proxy, &context, request).await })
        }),
    }
}
