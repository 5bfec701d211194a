//! The life of the process: build, bind, serve, reload, drain.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::build::{self, Registries};
use super::files::Files;
use super::followed::{self, Followed};
use super::listeners::Listeners;
use super::load::Loaded;
use super::reload::Attempt;
use super::signals::{Hangups, StopSignals};
use super::sockets::Inherited;
use super::{notify, reload};
use crate::base::clock::WallClock;
use crate::config::overrides::Overrides;
use crate::config::problem::Problem;
use crate::credential::environment::Environment;
use crate::credential::sources::Sources;
use crate::net;
use crate::net::dial::Network;
use crate::proxy::Proxy;

/// Serves until a signal ends it. Exit code 0 after a drained stop, 1 when it cannot begin.
pub fn run(overrides: Overrides, loaded: Loaded, files: Files) -> ExitCode {
    // Before there are threads: it removes variables from the environment.
    let inherited = Inherited::take();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let served = runtime.block_on(async {
        // Before anybody is told that it is there: a signal that nobody expects ends the process at once.
        let no_signals = |error: io::Error| format!("cannot receive signals: {error}");
        let stop = StopSignals::install().map_err(no_signals)?;
        let hangups = Hangups::install().map_err(no_signals)?;
        let service = Service::begin(loaded, inherited).await?;
        service.go_on(overrides, files, stop, hangups).await;
        Ok::<_, String>(())
    });
    // What still runs after the drain is over does not hold the process up.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that goes on from one configuration to the next.
struct Service {
    sources: Arc<Sources>,
    registries: Arc<Registries>,
    proxy: Arc<Proxy>,
    listeners: Listeners,
    followed: watch::Sender<Arc<Followed>>,
}

impl Service {
    async fn begin(loaded: Loaded, mut inherited: Inherited) -> Result<Self, String> {
        warn_of(loaded.remarks());
        let network = loaded.network;
        if let Network::Proxied(proxies) = &network {
            info!("registries are reached by way of {proxies}");
        }
        let sources = Arc::new(Sources::new(Environment::process(), network.clone(), WallClock::System));
        let registries = Registries::new(sources.clone(), network);
        let mut listeners = Listeners::default();
        let prepared = listeners
            .prepare(&loaded.config, loaded.listener_tls, &mut inherited)
            .await
            .map_err(|error| cannot_listen(&error))?;
        inherited.close_unwanted();
        let uploads =
            build::uploads(&loaded.config, &sources).map_err(|error| format!("cannot sign uploads: {error}"))?;
        let mut routes = registries.routes(&loaded.config, loaded.tls);
        routes.status_page = listeners.status_page(&prepared);
        let proxy = Proxy::new(routes, WallClock::System, uploads);
        listeners.apply(prepared, &proxy);
        let followed = watch::Sender::new(Arc::new(Followed::of(&loaded.config, &sources, listeners.rules())));
        Ok(Self { sources, registries, proxy, listeners, followed })
    }

    /// Serves and reloads until a signal ends it.
    async fn go_on(mut self, overrides: Overrides, files: Files, mut stop: StopSignals, hangups: Hangups) {
        // The system's certificates take milliseconds to read: now is better than at the first request.
        tokio::task::spawn_blocking(net::tls::warm_up);
        tokio::spawn(notify::watchdog());
        notify::ready();
        tokio::spawn(followed::follow(self.followed.subscribe(), self.proxy.clone()));
        let mut attempts = reload::attempts(overrides, files, hangups, self.proxy.clone());
        loop {
            tokio::select! {
                () = stop.next() => break,
                Some(attempt) = attempts.recv() => self.renew(attempt).await,
            }
        }
        notify::stopping();
        self.proxy.drain();
        info!(seconds = DRAIN.as_secs(), "stopping: no new connections, open requests may finish");
        tokio::select! {
            () = self.listeners.close() => info!("stopped"),
            () = sleep(DRAIN) => warn!(seconds = DRAIN.as_secs(), "stopped with connections still open"),
            () = stop.next() => warn!("stopped at once by a second signal"),
        }
        self.proxy.seen.images.flush();
    }

    /// Puts another configuration in force, or says why that cannot be: once, however often it is tried again.
    async fn renew(&mut self, Attempt { reading, again }: Attempt) {
        let refused = self.proxy.reloads.standing().refused;
        if again && refused.is_none() {
            return;
        }
        if !again {
            notify::reloading();
        }
        let outcome = match reading.outcome {
            Ok(loaded) => self.replace(loaded).await,
            Err(problems) => Err(problems.to_string()),
        };
        match outcome {
            Ok(()) => {
                self.proxy.reloads.replaced();
                info!("the new configuration is in force");
                notify::status("the configuration in force is the one that is written");
            }
            Err(problems) if again && refused.is_some_and(|refused| *refused.problems == *problems) => {}
            Err(problems) => {
                for problem in problems.lines() {
                    error!(blame = "configuration", "{}", problem.trim_start());
                }
                error!("the configuration is not taken; the one before stays in force");
                notify::status("the configuration that is written is not taken; see the log");
                self.proxy.reloads.refused(problems);
            }
        }
        if !again {
            notify::ready();
        }
    }

    async fn replace(&mut self, loaded: Loaded) -> Result<(), String> {
        let remarks = loaded.remarks();
        let Loaded { config, tls, listener_tls, .. } = loaded;
        let prepared = self.listeners.prepare(&config, listener_tls, &mut Inherited::default()).await;
        let prepared = prepared.map_err(|error| cannot_listen(&error))?;
        warn_of(remarks);
        let mut routes = self.registries.routes(&config, tls);
        routes.status_page = self.listeners.status_page(&prepared);
        let keys = build::upload_keys(&config, &self.sources);
        self.proxy.reconfigure(routes, keys, config.upload_spool);
        self.listeners.apply(prepared, &self.proxy);
        self.followed.send_replace(Arc::new(Followed::of(&config, &self.sources, self.listeners.rules())));
        Ok(())
    }
}

fn warn_of(remarks: Vec<Problem>) {
    for Problem { key, what, hint, .. } in remarks {
        warn!(blame = "configuration", key, hint, "{what}");
    }
}

fn cannot_listen(error: &io::Error) -> String {
    format!("cannot listen: {error}; is another regpass running?")
}

/// How long open requests may go on after a stop signal.
const DRAIN: Duration = Duration::from_secs(30);
