//! Asks an installed client for its version.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::setup::Client;
use crate::setup::version::ClientVersion;

/// Time limit for a client to print its version. It needs milliseconds; one that waits for a daemon counts as unknown.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The version of the client on this machine; `None` if the client is not installed or does not print one.
pub(super) fn installed(client: Client) -> Option<ClientVersion> {
    client.version_commands().iter().find_map(|command| ClientVersion::from_output(&output_of(command)?))
}

/// What `PROGRAM --version` prints on stdout.
fn output_of(program: &'static str) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    // The thread outlives a program that does not end; the process ends soon anyway.
    thread::spawn(move || {
        let output = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
        let _ = sender.send(output);
    });
    let output = receiver.recv_timeout(TIME_LIMIT).ok()?.ok()?;
    String::from_utf8(output.stdout).ok()
}
