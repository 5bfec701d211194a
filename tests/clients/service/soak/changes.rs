//! The configurations, one after the other, and the proof that each is in force in every process.

use std::fmt;
use std::fs;
use std::net::SocketAddr;

use serde_json::Value;

use super::super::house::{Running, SOON, curl, status_at};
use super::lives::{Lives, REFUSED};
use super::stage::Stage;
use crate::process::stdout;
use crate::registry::PASSWORD;

const IN_FORCE: &str = "the new configuration is in force";

/// What every key for uploads begins with.
pub(super) const KEY: &str = "a key for uploads and a secret, number";
/// For so many configurations the same keys are in force: longer than there is between two requests of an upload.
const KEYS_STAY: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Every configuration that was written, the first included.
    pub(super) written: usize,
    pub(super) taken: usize,
    pub(super) refused: usize,
    /// The last one that was taken.
    in_force: usize,
}

impl Changes {
    /// Writes what the first processes begin with.
    pub(super) fn begin(stage: &Stage) -> Self {
        write(stage, 0);
        Self::default()
    }

    /// Whether the file can be read as it is now.
    pub(super) fn good(&self) -> bool {
        self.in_force == self.written
    }

    /// Writes another configuration. Every process takes it, or refuses it when it is broken on purpose.
    pub(super) async fn next(&mut self, stage: &Stage, lives: &Lives) {
        self.written += 1;
        let marks = lives.both().map(|running| running.daemon.mark());
        if is_broken(self.written) {
            fs::write(stage.config(), format!("[[listener]]\naddress = {}\n", self.written))
                .expect("the configuration");
        } else {
            write(stage, self.written);
        }
        // Else it is found within a second.
        if is_announced(self.written) {
            lives.both().into_iter().for_each(|running| running.signal("HUP"));
        }
        let mut doors = Vec::new();
        for (running, mark) in lives.both().into_iter().zip(marks) {
            if is_broken(self.written) {
                logged(running, mark, REFUSED).await;
                let metrics = running.admin_page("/metrics").await;
                assert!(metrics.contains("regpass_config_good 0"), "{metrics}");
            } else {
                logged(running, mark, IN_FORCE).await;
                if has_door(self.written) {
                    doors.push(running.daemon.line_after(mark, |line| door(line, stage)).await);
                }
            }
        }
        if is_broken(self.written) {
            self.refused += 1;
        } else {
            self.taken += 1;
            self.in_force = self.written;
        }
        // A file with a secret is looked at when it is used, and no more often than once a second.
        let shown = async { while !is_in_force(stage, self.in_force).await {} };
        let shown = tokio::time::timeout(SOON, shown).await;
        shown.unwrap_or_else(|_| panic!("{} is not in force after {SOON:?}", self.in_force));
        for door in doors {
            assert_eq!(status_at(door, "/v2/").await, "200", "the listener of {}", self.written);
        }
    }
}

/// However busy the machine is.
async fn logged(running: &Running, mark: usize, words: &str) {
    running.daemon.line_after(mark, |line| line.contains(words).then_some(())).await;
}

/// Asks whichever process takes the request, by the name that only this configuration lets in and the alias that only
/// this one has.
async fn is_in_force(stage: &Stage, number: usize) -> bool {
    let mut head = curl();
    head.args(["--output", "/dev/null", "--write-out", "%{http_code}", "--head"]);
    head.args(["--header", &format!("Host: turn-{number}.test")]);
    head.arg(format!("http://{}/v2/turn-{number}/soak/index/manifests/1", stage.address));
    let expected = if is_narrow(number) || has_wrong_password(number) { "403" } else { "200" };
    stdout(&mut head).await == expected
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, refused, .. } = self;
        write!(f, "{taken} configurations taken, {refused} broken ones refused, by each process that was there")
    }
}

fn is_broken(number: usize) -> bool {
    number % 7 == 3
}

/// Whether the processes are told to read it.
fn is_announced(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// Whether there is another listener, on a port of its own.
fn has_door(number: usize) -> bool {
    number % 3 == 1
}

/// Whether the registry that changes may show other repositories only.
fn is_narrow(number: usize) -> bool {
    number % 4 == 2
}

/// Whether the password's file for the registry that changes holds another one.
fn has_wrong_password(number: usize) -> bool {
    number % 10 == 3
}

/// The new listener in a line of the log.
fn door(line: &str, stage: &Stage) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok().filter(|line: &Value| line["message"] == "listening")?;
    line["address"].as_str()?.parse().ok().filter(|address| *address != stage.address)
}

/// Writes configuration `number` and the files it names, as an editor saves: at once.
fn write(stage: &Stage, number: usize) {
    let save = |name: &str, text: &str| {
        let file = stage.home.path().join(name);
        let written = file.with_extension("new");
        fs::write(&written, text).and_then(|()| fs::rename(written, &file)).expect("a file");
        file.display().to_string()
    };
    // The same secret in other bytes, every time.
    let password = save("password", &format!("{PASSWORD}{}", "\n".repeat(number % 2)));
    let own = save("own-password", if has_wrong_password(number) { "not the password" } else { PASSWORD });
    let keys: Vec<String> = keys(number)
        .map(|key| format!("{{ file = \"{}\" }}", save(&format!("key-{key}"), &format!("{KEY} {key}"))))
        .collect();

    let narrow = if is_narrow(number) { "repositories = [\"other/**\"]" } else { "" };
    let own = stage.basic.table("turns.test", &own, &format!("alias = \"turn-{number}\"\n{narrow}"));
    let door = if has_door(number) { "[[listener]]\naddress = \"127.0.0.1:0\"\n" } else { "" };
    let text = format!(
        "allow = [\"pull\", \"push\", \"delete\"]\nupload_key = [{}]\n[timeouts]\nresponse_head = \"{}s\"\nbody_idle = \"{}s\"\n\
         [[listener]]\naddress = \"{}\"\nhosts = [\"turn-{number}.test\"]\n{door}[admin]\naddress = \"127.0.0.1:0\"\n{}{own}",
        keys.join(", "),
        30 + number % 3,
        30 + number % 2,
        stage.address,
        stage.registries(&password),
    );
    save("config.toml", &text);
}

/// The keys of a configuration. A new one is believed everywhere before any process seals with it, and an old one as
/// long as there may be uploads that were sealed with it.
fn keys(number: usize) -> impl Iterator<Item = usize> {
    let phase = number / KEYS_STAY;
    let first = phase / 2;
    let second = if phase.is_multiple_of(2) { first.checked_sub(1) } else { Some(first + 1) };
    std::iter::once(first).chain(second)
}
