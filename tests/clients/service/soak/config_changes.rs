//! The sequence of configurations, and the check that each is active in every process.

use std::fmt;
use std::fs;
use std::net::SocketAddr;

use super::super::testbed::{REJECTED, RELOAD_LIMIT, RELOADED, curl, status_at, status_only};
use super::processes::Processes;
use super::run::SoakRun;
use crate::process::stdout;
use crate::registry::PASSWORD;
use crate::regpass::logged_address;

/// The start of every upload key.
pub(super) const UPLOAD_KEY: &str = "a key for uploads and a secret, number";
/// The number of successive configurations with the same keys: more than are written between two requests of an upload.
const CONFIGS_PER_KEY: usize = 20;

#[derive(Debug, Default)]
pub(super) struct ConfigChanges {
    /// The number of the configuration that was written last. The first has the number 0.
    pub(super) written: usize,
    accepted: usize,
    pub(super) rejected: usize,
    /// The number of the configuration that was accepted last.
    active: usize,
}

impl ConfigChanges {
    /// Writes the configuration with which the first processes start.
    pub(super) fn write_first(run: &SoakRun) -> Self {
        write(run, 0);
        Self::default()
    }

    /// Whether the configuration file is valid at the moment.
    pub(super) fn is_last_valid(&self) -> bool {
        self.active == self.written
    }

    /// Writes the next configuration and waits until every process has accepted it, or rejected it if it is invalid.
    pub(super) async fn apply_next(&mut self, run: &SoakRun, processes: &Processes) {
        self.written += 1;
        let number = self.written;
        let log_lengths = processes.accepting().map(|process| process.daemon.log_length());
        if is_invalid(number) {
            fs::write(run.config_file(), format!("[[listener]]\naddress = {number}\n"))
                .expect("config.toml is written");
        } else {
            write(run, number);
        }
        // Without a signal each process notices the change within a second.
        if is_signalled(number) {
            processes.accepting().into_iter().for_each(|process| process.daemon.signal("HUP"));
        }
        // The log is awaited without the usual limit, because the machine is busy.
        let mut extra_listeners = Vec::new();
        for (process, skip) in processes.accepting().into_iter().zip(log_lengths) {
            if is_invalid(number) {
                process.daemon.wait_for_text_after(skip, REJECTED).await;
                let metrics = process.admin_page("/metrics").await;
                assert!(metrics.contains("regpass_config_good 0"), "{metrics}");
            } else {
                process.daemon.wait_for_text_after(skip, RELOADED).await;
                if has_extra_listener(number) {
                    let address = |line: &str| extra_listener(line, run);
                    extra_listeners.push(process.daemon.wait_for_line_after(skip, address).await);
                }
            }
        }
        if is_invalid(number) {
            self.rejected += 1;
        } else {
            self.accepted += 1;
            self.active = number;
        }
        // A secret file is read when it is used, at most once a second.
        let active = async { while !is_active(run, self.active).await {} };
        let in_time = tokio::time::timeout(RELOAD_LIMIT, active).await;
        in_time.unwrap_or_else(|_| panic!("configuration {} is not active after {RELOAD_LIMIT:?}", self.active));
        for address in extra_listeners {
            assert_eq!(status_at(address, "/v2/").await, "200", "the extra listener of configuration {number}");
        }
    }
}

/// Sends a request by the host name and alias that only this configuration has. Any process may receive it.
async fn is_active(run: &SoakRun, number: usize) -> bool {
    let mut head = curl();
    status_only(&mut head).args(["--head", "--header", &format!("Host: config-{number}.test")]);
    head.arg(format!("http://{}/v2/config-{number}/soak/index/manifests/1", run.address));
    let is_denied = serves_other_repositories(number) || has_wrong_password(number);
    stdout(&mut head).await == if is_denied { "403" } else { "200" }
}

impl fmt::Display for ConfigChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, rejected, .. } = self;
        write!(f, "each process accepted {accepted} configurations and rejected {rejected} invalid ones")
    }
}

fn is_invalid(number: usize) -> bool {
    number % 7 == 3
}

/// Whether the processes get a SIGHUP.
fn is_signalled(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// Whether there is another listener, on port 0.
fn has_extra_listener(number: usize) -> bool {
    number % 3 == 1
}

/// Whether the registry that changes serves only other repositories.
fn serves_other_repositories(number: usize) -> bool {
    number % 4 == 2
}

/// Whether the password file of the registry that changes contains a wrong password.
fn has_wrong_password(number: usize) -> bool {
    number % 10 == 3
}

/// The address of the extra listener, if this log line is about it.
fn extra_listener(line: &str, run: &SoakRun) -> Option<SocketAddr> {
    logged_address(line, "listening").filter(|address| *address != run.address)
}

/// Writes configuration `number` and its files, each atomically, as an editor does.
fn write(run: &SoakRun, number: usize) {
    let save = |name: &str, text: &str| {
        let file = run.home.path().join(name);
        let temporary = file.with_extension("new");
        fs::write(&temporary, text).and_then(|()| fs::rename(temporary, &file)).expect("a file is written");
        file.display().to_string()
    };
    // The same secret in different bytes every time.
    let password = save("password", &format!("{PASSWORD}{}", "\n".repeat(number % 2)));
    let own_password = save("own-password", if has_wrong_password(number) { "not the password" } else { PASSWORD });
    let keys: Vec<String> = upload_keys(number)
        .map(|key| format!("{{ file = \"{}\" }}", save(&format!("key-{key}"), &format!("{UPLOAD_KEY} {key}"))))
        .collect();

    let repositories = if serves_other_repositories(number) { "repositories = [\"other/**\"]" } else { "" };
    let more = format!("alias = \"config-{number}\"\n{repositories}");
    let own_table = run.basic.table("changing.test", &own_password, &more);
    let extra_listener = if has_extra_listener(number) { "[[listener]]\naddress = \"127.0.0.1:0\"\n" } else { "" };
    let text = format!(
        "allow = [\"pull\", \"push\", \"delete\"]\nupload_key = [{}]\n[timeouts]\nresponse_head = \"{}s\"\n\
         body_idle = \"{}s\"\n[[listener]]\naddress = \"{}\"\nhosts = [\"config-{number}.test\"]\n{extra_listener}\
         [admin]\naddress = \"127.0.0.1:0\"\n{}{own_table}",
        keys.join(", "),
        30 + number % 3,
        30 + number % 2,
        run.address,
        run.registry_tables(&password),
    );
    save("config.toml", &text);
}

/// The numbers of a configuration's upload keys; the first one encrypts. Every process accepts a new key before any process
/// encrypts with it, and an old key as long as there may be uploads that need it.
fn upload_keys(number: usize) -> impl Iterator<Item = usize> {
    let phase = number / CONFIGS_PER_KEY;
    let first = phase / 2;
    let second = if phase.is_multiple_of(2) { first.checked_sub(1) } else { Some(first + 1) };
    std::iter::once(first).chain(second)
}
