//! The life of the process: build, bind, serve, reload, drain.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::build::{self, Registries};
use super::file_digests::FileDigests;
use super::listeners::Listeners;
use super::load::Loaded;
use super::reload::Attempt;
use super::signals::{Hangups, StopSignals};
use super::sockets::InheritedSockets;
use super::watched_files::{self, WatchedFiles};
use super::{notify, reload};
use crate::base::clock::WallClock;
use crate::config::overrides::Overrides;
use crate::config::problem::Problem;
use crate::credential::environment::Environment;
use crate::credential::sources::Sources;
use crate::net;
use crate::net::dial::Network;
use crate::proxy::Proxy;

/// Serves until a stop signal. Exit code 0 after a stop by signal, 1 if the process cannot start.
pub fn run(overrides: Overrides, loaded: Loaded, files: FileDigests) -> ExitCode {
    // Must run before any thread starts, because it removes environment variables.
    let inherited = InheritedSockets::take();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let served = runtime.block_on(async {
        // Before systemd is notified: a signal without a handler would end the process at once.
        let no_signals = |error: io::Error| format!("cannot receive signals: {error}");
        let stop = StopSignals::install().map_err(no_signals)?;
        let hangups = Hangups::install().map_err(no_signals)?;
        let service = Service::start(loaded, inherited).await?;
        service.serve(overrides, files, stop, hangups).await;
        Ok::<_, String>(())
    });
    // Tasks that still run after the drain must not delay the exit.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The parts of the process that outlive a reload.
struct Service {
    sources: Arc<Sources>,
    registries: Arc<Registries>,
    proxy: Arc<Proxy>,
    listeners: Listeners,
    watched_files: watch::Sender<Arc<WatchedFiles>>,
}

impl Service {
    async fn start(loaded: Loaded, mut inherited: InheritedSockets) -> Result<Self, String> {
        log_warnings(loaded.warnings());
        let network = loaded.network;
        if let Network::Proxied(proxies) = &network {
            info!("connecting to registries through {proxies}");
        }
        let sources = Arc::new(Sources::new(Environment::process(), network.clone(), WallClock::System));
        let registries = Registries::new(sources.clone(), network);
        let mut listeners = Listeners::default();
        let prepared = listeners
            .prepare(&loaded.config, loaded.listener_tls, &mut inherited)
            .await
            .map_err(|error| cannot_listen(&error))?;
        inherited.close_unused();
        let uploads = build::uploads(&loaded.config, &sources)
            .map_err(|error| format!("cannot set up the upload keys: {error}"))?;
        let mut routes = registries.routes(&loaded.config, loaded.tls);
        routes.status_page = listeners.status_page(&prepared);
        let proxy = Proxy::new(routes, WallClock::System, uploads);
        listeners.apply(prepared, &proxy);
        let watched_files =
            watch::Sender::new(Arc::new(WatchedFiles::new(&loaded.config, &sources, listeners.auth_methods())));
        Ok(Self { sources, registries, proxy, listeners, watched_files })
    }

    /// Serves and reloads until a stop signal, then drains.
    async fn serve(mut self, overrides: Overrides, files: FileDigests, mut stop: StopSignals, hangups: Hangups) {
        // Loading the system's certificates takes milliseconds, which would delay the first request.
        tokio::task::spawn_blocking(net::tls::load_system_roots);
        tokio::spawn(notify::watchdog());
        notify::ready();
        tokio::spawn(watched_files::watch(self.watched_files.subscribe(), self.proxy.clone()));
        let mut attempts = reload::attempts(overrides, files, hangups, self.proxy.clone());
        loop {
            tokio::select! {
                () = stop.next() => break,
                Some(attempt) = attempts.recv() => self.reload(attempt).await,
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
        self.proxy.activity.images.flush();
    }

    /// Applies a new configuration, or keeps the current one and reports the problems. Retries with the same problems
    /// are not reported again.
    async fn reload(&mut self, Attempt { reading, is_retry }: Attempt) {
        let rejected = self.proxy.reloads.state().rejected;
        if is_retry && rejected.is_none() {
            return;
        }
        if !is_retry {
            notify::reloading();
        }
        let outcome = match reading.outcome {
            Ok(loaded) => self.apply(loaded).await,
            Err(problems) => Err(problems.to_string()),
        };
        match outcome {
            Ok(()) => {
                self.proxy.reloads.note_replaced();
                info!("configuration reloaded: the new configuration is active");
                notify::status("running with the current configuration");
            }
            Err(problems) if is_retry && rejected.is_some_and(|rejected| *rejected.problems == *problems) => {}
            Err(problems) => {
                for problem in problems.lines() {
                    error!(blame = "configuration", "{}", problem.trim_start());
                }
                error!("configuration rejected: the previous configuration stays active");
                notify::status("running with the previous configuration: the new one was rejected, see the log");
                self.proxy.reloads.note_rejected(problems);
            }
        }
        if !is_retry {
            notify::ready();
        }
    }

    async fn apply(&mut self, loaded: Loaded) -> Result<(), String> {
        let warnings = loaded.warnings();
        let Loaded { config, tls, listener_tls, .. } = loaded;
        let prepared = self.listeners.prepare(&config, listener_tls, &mut InheritedSockets::default()).await;
        let prepared = prepared.map_err(|error| cannot_listen(&error))?;
        log_warnings(warnings);
        let mut routes = self.registries.routes(&config, tls);
        routes.status_page = self.listeners.status_page(&prepared);
        let keys = build::upload_keys(&config, &self.sources);
        self.proxy.reconfigure(routes, keys, config.upload_spool);
        self.listeners.apply(prepared, &self.proxy);
        self.watched_files.send_replace(Arc::new(WatchedFiles::new(
            &config,
            &self.sources,
            self.listeners.auth_methods(),
        )));
        Ok(())
    }
}

fn log_warnings(warnings: Vec<Problem>) {
    for Problem { key, what, hint, .. } in warnings {
        warn!(blame = "configuration", key, hint, "{what}");
    }
}

fn cannot_listen(error: &io::Error) -> String {
    let hint = if error.kind() == io::ErrorKind::AddrInUse { "; is another regpass running?" } else { "" };
    format!("cannot listen: {error}{hint}")
}

/// Time that open requests have to finish after a stop signal.
const DRAIN: Duration = Duration::from_secs(30);
