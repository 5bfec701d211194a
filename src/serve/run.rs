//! The life of the process: build, bind, serve, drain.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::build::{self, TlsByRegistry};
use super::signals::StopSignals;
use crate::admin;
use crate::base::clock::WallClock;
use crate::config::model::{Config, Listener};
use crate::credential::environment::Environment;
use crate::credential::sources::Sources;
use crate::net;
use crate::net::dial::Network;
use crate::net::listen::{self, Handle};
use crate::observe::process::Listening;
use crate::proxy::admit::Front;
use crate::proxy::{self, Proxy};

/// Serves until a signal ends it. Exit code 0 after a drained stop, 1 when a listener could not be opened.
pub fn run(config: Config, tls: TlsByRegistry) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve(config, tls));
    // What still runs after the drain is over does not hold the process up.
    runtime.shutdown_background();
    code
}

async fn serve(config: Config, tls: TlsByRegistry) -> ExitCode {
    let sources = Arc::new(Sources::new(Environment::process(), Network::Tcp, WallClock::System));
    let mut routes = build::routes(&config, tls, &sources, &Network::Tcp);
    let bound = match bind_all(&config).await {
        Ok(bound) => bound,
        Err(error) => {
            error!(%error, "cannot listen; is another regpass running?");
            return ExitCode::FAILURE;
        }
    };
    let uploads = match build::uploads(&config, &sources) {
        Ok(uploads) => uploads,
        Err(error) => {
            error!(%error, "cannot sign uploads");
            return ExitCode::FAILURE;
        }
    };
    let mut stop = match StopSignals::install() {
        Ok(signals) => signals,
        Err(error) => {
            error!(%error, "cannot receive signals");
            return ExitCode::FAILURE;
        }
    };
    let admin_at = bound.iter().find(|bound| bound.role == Role::Admin).map(|bound| bound.address);
    routes.status_page = admin_at.map(|address| format!("http://{address}/").into());
    let proxy = Proxy::new(routes, WallClock::System, uploads);

    proxy.process.listening(bound.iter().map(Bound::told).collect());
    let (stopping, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for Bound { listener, address, role, front } in bound {
        let message = if role == Role::Admin { "admin listening" } else { "listening" };
        info!(%address, registry = front.pinned.as_ref().map(tracing::field::display), "{message}");
        let mut stopped = stopped.clone();
        let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
        tasks.spawn(listen::serve(listener, handler(role, &proxy, front), until, DRAIN));
    }
    // The system's certificates take milliseconds to read: now is better than at the first request.
    tokio::task::spawn_blocking(net::tls::warm_up);

    stop.next().await;
    info!(seconds = DRAIN.as_secs(), "stopping: no new connections, open requests may finish");
    proxy.drain();
    stopping.send_replace(true);
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => info!("stopped"),
        () = stop.next() => warn!("stopped at once by a second signal"),
    }
    ExitCode::SUCCESS
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Proxy,
    Admin,
}

struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    role: Role,
    front: Arc<Front>,
}

impl Bound {
    fn told(&self) -> Listening {
        Listening {
            address: self.address.to_string().into(),
            admin: self.role == Role::Admin,
            registry: self.front.pinned.as_ref().map(|registry| registry.as_str().into()),
        }
    }
}

async fn bind_all(config: &Config) -> io::Result<Vec<Bound>> {
    let proxies = config.listeners.iter().map(|listener| (Role::Proxy, listener));
    let admin = config.admin.iter().map(|admin| (Role::Admin, &admin.listener));
    let mut all = Vec::new();
    for (role, listener) in proxies.chain(admin) {
        match listen::bind(listener.address).await {
            Ok(socket) => all.push(Bound {
                address: socket.local_addr()?,
                listener: socket,
                role,
                front: Arc::new(front(listener)),
            }),
            Err(error) if listener.optional => warn!(%error, "an optional listener is not open"),
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn front(listener: &Listener) -> Front {
    Front { pinned: listener.registry.clone(), hosts: listener.hosts.clone() }
}

fn handler(role: Role, proxy: &Arc<Proxy>, front: Arc<Front>) -> Handle {
    let proxy = proxy.clone();
    match role {
        Role::Proxy => Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), front.clone(), request))),
        Role::Admin => Arc::new(move |request| Box::pin(std::future::ready(admin::handle(&proxy, &front, request)))),
    }
}

/// How long open requests may go on after a stop signal.
const DRAIN: Duration = Duration::from_secs(30);
