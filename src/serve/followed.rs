//! The files that are followed while a configuration is in force: secrets, docker's files, lists of users.
//!
//! Whoever uses one has it looked at. Here all of them are looked at every second besides, so that what is wrong with a
//! file is told before a client hears of it, and what it said last is known even if nobody asked for it yet. `check`
//! looks once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::build::upload_keys;
use crate::base::clock::WallClock;
use crate::clients::Rule;
use crate::config::model::{ClientRule, Config};
use crate::config::problem::Problem;
use crate::credential::CredentialProvider;
use crate::credential::environment::Environment;
use crate::credential::secret::Reading;
use crate::credential::sources::Sources;
use crate::credential::watched::BadFile;
use crate::net::dial::Network;
use crate::observe::reloads::Unusable;
use crate::proxy::Proxy;

/// Everything that follows files, each with the key that names it.
#[derive(Debug, Default)]
pub(super) struct Followed {
    logins: Vec<(String, Arc<dyn CredentialProvider>)>,
    upload_keys: Vec<Arc<Reading>>,
    rules: Vec<(String, Arc<Rule>)>,
}

impl Followed {
    /// `rules` are those of the configuration's listeners, as [`Listeners::rules`](super::listeners::Listeners::rules) has them.
    pub(super) fn of(config: &Config, sources: &Sources, rules: impl Iterator<Item = (String, Arc<Rule>)>) -> Self {
        let mut followed = Self { upload_keys: upload_keys(config, sources), ..Self::default() };
        let of_registries = config.registries.iter().flat_map(|registry| {
            let table = format!("registry.\"{}\"", registry.pattern);
            let own = (format!("{table}.credential"), &registry.credential);
            let of_identity = format!("{table}.identity.credential");
            let identities =
                registry.identities.iter().map(move |identity| (of_identity.clone(), &identity.credential));
            std::iter::once(own).chain(identities)
        });
        // What many have from one place is told once, under the key of the place.
        for (key, source) in
            std::iter::once(("credential".to_owned(), &config.defaults.credential)).chain(of_registries)
        {
            let login = sources.build(source);
            if !followed.logins.iter().any(|(_, known)| Arc::ptr_eq(known, &login)) {
                followed.logins.push((key, login));
            }
        }
        for (key, rule) in rules {
            if !followed.rules.iter().any(|(_, known)| Arc::ptr_eq(known, &rule)) {
                followed.rules.push((key, rule));
            }
        }
        followed
    }

    /// Looks at all of them, at once: one on a file system that hangs holds up no other.
    async fn unusable(&self) -> Vec<Unusable> {
        let logins = self.logins.iter().map(async |(key, login)| told(key, login.troubles().await));
        let keys = self.upload_keys.iter().map(async |secret| told("upload_key", secret.trouble().await));
        let rules = self.rules.iter().map(async |(key, rule)| told(key, rule.trouble().await));
        let (logins, keys, rules) = tokio::join!(join_all(logins), join_all(keys), join_all(rules));
        [logins, keys, rules].into_iter().flatten().flatten().collect()
    }
}

fn told(key: &str, troubles: impl IntoIterator<Item = BadFile>) -> Vec<Unusable> {
    let told = |BadFile { what, kept }| Unusable { key: key.into(), what: what.into(), kept };
    troubles.into_iter().map(told).collect()
}

/// What is wrong now with the files that would be followed; blocking.
pub fn remarks(config: &Config) -> Vec<Problem> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let sources = Sources::new(Environment::process(), Network::Tcp, WallClock::System);
    let rules = config.all_listeners().enumerate().filter_map(|(at, listener)| {
        let rule = listener.clients.as_ref()?;
        Some((key(rule, at >= config.listeners.len())?, Arc::new(Rule::new(rule))))
    });
    let unusable = runtime.block_on(Followed::of(config, &sources, rules).unusable());
    let mut remarks: Vec<Problem> = Vec::new();
    for Unusable { key, what, .. } in unusable {
        let remark = Problem { file: config.file.clone(), key: key.into(), what: what.into(), ..Problem::default() };
        // Listeners often share a rule.
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }
    remarks
}

/// The key of a rule that follows files.
pub(super) fn key(rule: &ClientRule, is_admin: bool) -> Option<String> {
    let rule = match rule {
        ClientRule::Htpasswd(_) => "htpasswd",
        ClientRule::Bearer(_) => "bearer",
        ClientRule::MutualTls(_) => return None,
    };
    let table = if is_admin { "admin" } else { "listener" };
    Some(format!("{table}.clients.{rule}"))
}

/// Looks at the files of the configuration in force, and tells what is wrong with them, for as long as there is one.
pub(super) async fn follow(mut followed: watch::Receiver<Arc<Followed>>, proxy: Arc<Proxy>) {
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = followed.borrow_and_update().clone();
        for Unusable { key, what, kept } in proxy.reloads.unusable(now.unusable().await) {
            // What was read before and stays in force is told where it is kept.
            if !kept {
                warn!(blame = "configuration", %key, "{what}");
            }
        }
        tokio::select! {
            _ = looks.tick() => {}
            changed = followed.changed() => if changed.is_err() { return },
        }
    }
}

/// As often as a file is read for those who use it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
