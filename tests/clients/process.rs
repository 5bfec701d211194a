//! External programs: tools that run to completion, and daemons. None outlives the test that started it.
//!
//! Every program is killed when the thread that started it ends (`setpriv --pdeathsig`), so even a killed test run leaves
//! no process behind. No program sees the developer's environment: a credential in there cannot make a test pass.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::watch;

/// Time limit for one program to finish or to become ready. A busy two-core machine needs a fraction of it.
const TIME_LIMIT: Duration = Duration::from_secs(180);

/// Number of lines of each daemon's log that a failed test prints.
const LOG_TAIL: usize = 40;

/// The Debian package of each program, if its name is another.
const PACKAGES: [(&str, &str); 11] = [
    ("chromedriver", "chromium-driver"),
    ("ctr", "containerd"),
    ("docker", "docker.io, or docker-cli from Debian 13 on"),
    ("dockerd", "docker.io"),
    ("groff", "groff-base"),
    ("ip", "iproute2"),
    ("promtool", "prometheus"),
    ("setpriv", "util-linux"),
    ("sh", "dash"),
    ("systemd-analyze", "systemd"),
    ("unshare", "util-linux"),
];

/// Shell script that hides the machine's own container state, then replaces itself with the program.
const HIDE_CONTAINER_STATE: &str = r#"
    for directory in /run /var/lib /dev/shm; do mount -t tmpfs tmpfs "$directory" || exit; done
    exec "$0" "$@"
"#;

/// The command for a program that keeps its state below `home`.
pub(crate) fn program(name: impl AsRef<OsStr>, home: &Path) -> Command {
    let path = search_path();
    let mut command = Command::new(find("setpriv", &path));
    command.args(["--pdeathsig", "KILL", "--"]).arg(find(name, &path));
    command.env_clear().env("PATH", path).env("HOME", home).env("TMPDIR", home);
    command.kill_on_drop(true);
    command
}

/// The command for a container engine: a program with its own process and mount namespaces and its own `/run`, `/var/lib`
/// and `/dev/shm`. It neither reads nor writes the machine's container state, and when it ends the kernel removes
/// everything that it started or mounted.
pub(crate) fn isolated(name: &str, home: &Path) -> Command {
    let mut command = program("unshare", home);
    command.args(["--mount-proc", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c", HIDE_CONTAINER_STATE]);
    command.arg(find(name, &search_path()));
    command
}

/// Runs a program that must succeed and returns what it printed on stdout.
pub(crate) async fn stdout(command: &mut Command) -> String {
    String::from_utf8(output(command).await.stdout).expect("UTF-8 on stdout")
}

/// Runs a program that must succeed within [`TIME_LIMIT`]. Otherwise the test fails and prints the program's output.
pub(crate) async fn output(command: &mut Command) -> Output {
    output_within(TIME_LIMIT, command).await
}

/// Like [`output`], with another time limit.
pub(crate) async fn output_within(limit: Duration, command: &mut Command) -> Output {
    let output = unchecked_output_within(limit, command).await;
    assert!(
        output.status.success(),
        "{}: {command:?}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// Runs a program that may fail.
pub(crate) async fn unchecked_output(command: &mut Command) -> Output {
    unchecked_output_within(TIME_LIMIT, command).await
}

async fn unchecked_output_within(limit: Duration, command: &mut Command) -> Output {
    command.stdin(Stdio::null());
    let finished = tokio::time::timeout(limit, command.output()).await;
    let output = finished.unwrap_or_else(|_| panic!("still running after {limit:?}: {command:?}"));
    output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

/// A program that runs until this guard is dropped, and everything it wrote to stderr.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    log: watch::Receiver<Vec<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts a program. `name` heads the log that is printed when the test fails.
    pub(crate) fn start(name: &'static str, command: Command) -> Self {
        Self::start_with_stdin(name, command, Stdio::null())
    }

    /// Starts a program and waits until its log contains `ready`.
    pub(crate) async fn start_ready(name: &'static str, command: Command, ready: &str) -> Self {
        let daemon = Self::start(name, command);
        daemon.wait_for_text(ready).await;
        daemon
    }

    pub(crate) fn start_with_stdin(name: &'static str, command: Command, stdin: Stdio) -> Self {
        let mut command = command.into_std();
        command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let stderr = child.stderr.take().expect("stderr is piped");
        let (lines, log) = watch::channel(Vec::new());
        // Read until the daemon ends: a full pipe would block it.
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.send_modify(|log| log.push(line));
            }
        });
        Self { name, child, log, reader: Some(reader) }
    }

    /// Waits for a log line for which `pick` returns a value, and returns the first such value.
    pub(crate) async fn wait_for_line<T>(&self, pick: impl Fn(&str) -> Option<T>) -> T {
        self.wait_for_line_after(0, pick).await
    }

    /// Like [`wait_for_line`](Self::wait_for_line), but ignores the first `skip` lines.
    pub(crate) async fn wait_for_line_after<T>(&self, skip: usize, pick: impl Fn(&str) -> Option<T>) -> T {
        let mut log = self.log.clone();
        let found = log.wait_for(|lines| lines[skip..].iter().any(|line| pick(line).is_some()));
        let found = tokio::time::timeout(TIME_LIMIT, found).await;
        let found =
            found.unwrap_or_else(|_| panic!("{} did not log the expected line within {TIME_LIMIT:?}", self.name));
        let lines = found.unwrap_or_else(|_| panic!("{} ended without logging the expected line", self.name));
        lines[skip..].iter().find_map(|line| pick(line)).expect("wait_for found the line")
    }

    /// Waits for a log line that contains `text`.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        self.wait_for_text_after(0, text).await;
    }

    /// Like [`wait_for_text`](Self::wait_for_text), but ignores the first `skip` lines.
    pub(crate) async fn wait_for_text_after(&self, skip: usize, text: &str) {
        self.wait_for_line_after(skip, |line| line.contains(text).then_some(())).await;
    }

    /// The number of lines in the log so far.
    pub(crate) fn log_length(&self) -> usize {
        self.log.borrow().len()
    }

    /// The number of log lines that contain every one of `texts`.
    pub(crate) fn count_lines(&self, texts: &[&str]) -> usize {
        self.log.borrow().iter().filter(|line| texts.iter().all(|text| line.contains(text))).count()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, named as for `kill -s`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "cannot send SIG{name} to {}", self.name);
    }

    /// Waits for the program to exit by itself.
    pub(crate) async fn wait_for_exit(&mut self) -> ExitStatus {
        let mut log = self.log.clone();
        // The log ends when the last process that can write to it has exited.
        let log_end = async { while log.changed().await.is_ok() {} };
        let log_end = tokio::time::timeout(TIME_LIMIT, log_end).await;
        log_end.unwrap_or_else(|_| panic!("{} did not exit within {TIME_LIMIT:?}", self.name));
        self.child.wait().expect("the exit status of a child")
    }

    /// Kills the program and returns its whole log.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.kill();
        self.log.borrow().clone()
    }

    fn kill(&mut self) {
        // Only fails for a child that has already exited.
        self.child.kill().ok();
        self.child.wait().ok();
        // The log ends when the last process that can write to it has exited, grandchildren included. After that no
        // process writes to the temporary directories, which are removed next.
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log reader does not panic");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log.borrow();
            let tail = log[log.len().saturating_sub(LOG_TAIL)..].join("\n");
            writeln!(std::io::stderr(), "--- end of the log of {}\n{tail}", self.name).ok();
        }
    }
}

/// The developer's PATH, and the folders where Debian keeps daemons.
pub(crate) fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").expect("PATH is set"))
}

/// The path of a program in a Python virtual environment, which `tests/run` makes in cargo's target folder.
pub(crate) fn venv_program(venv: &str, name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(venv).join("bin").join(name);
    assert!(
        program.is_file(),
        "{} is missing; tests/run installs it (needs the Debian package python3-venv)",
        program.display()
    );
    program
}

/// The path of a program. A missing one fails the test, because a skipped test would look like a passed one.
fn find(name: impl AsRef<OsStr>, path: &str) -> PathBuf {
    let name = name.as_ref();
    let mut candidates = std::env::split_paths(path).map(|directory| directory.join(name));
    candidates.find(|candidate| candidate.is_file()).unwrap_or_else(|| {
        let name = name.to_string_lossy();
        let package = PACKAGES.iter().find(|(program, _)| *program == name).map_or(&*name, |(_, package)| package);
        panic!("{name} is not installed; it comes with the Debian package {package}; tests/run installs it")
    })
}
