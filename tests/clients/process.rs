//! Other people's programs: tools that run to their end and daemons, none of which outlives the test that started it.
//!
//! Every program dies with the thread that started it (`setpriv --pdeathsig`), so even a test run that is killed leaves
//! nothing behind. None sees the developer's environment: no credential of theirs can make a test pass.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::watch;

/// How long one program may take to answer or to get ready; a busy two-core machine needs a fraction of it.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many lines of each daemon's log a failed test shows.
const LOG_TAIL: usize = 40;

/// The Debian package of each program, where the two names differ.
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

/// Hides the machine's own container state, then becomes the program.
const IN_PRIVATE: &str = r#"
    for directory in /run /var/lib /dev/shm; do mount -t tmpfs tmpfs "$directory" || exit; done
    exec "$0" "$@"
"#;

/// A program that keeps its state below `home`.
pub(crate) fn plain(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let path = search_path();
    let mut command = Command::new(find("setpriv", &path));
    command.args(["--pdeathsig", "KILL", "--"]).arg(find(program, &path));
    command.env_clear().env("PATH", path).env("HOME", home).env("TMPDIR", home);
    command.kill_on_drop(true);
    command
}

/// A container engine: it also gets its own processes, mounts, `/run`, `/var/lib` and `/dev/shm`. It neither reads nor
/// writes the machine's container state, and when it dies the kernel takes away whatever it started or mounted.
pub(crate) fn private(program: &str, home: &Path) -> Command {
    let mut command = plain("unshare", home);
    command.args(["--mount-proc", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c", IN_PRIVATE]);
    command.arg(find(program, &search_path()));
    command
}

/// Runs a program to its end and returns what it printed on stdout.
pub(crate) async fn stdout(command: &mut Command) -> String {
    String::from_utf8(output(command).await.stdout).expect("text on stdout")
}

/// Runs a program to its end; one that fails or dawdles fails the test, with everything it printed.
pub(crate) async fn output(command: &mut Command) -> Output {
    output_within(PATIENCE, command).await
}

/// The same for a program that may take longer than the others.
pub(crate) async fn output_within(patience: Duration, command: &mut Command) -> Output {
    let output = ended_within(patience, command).await;
    assert!(
        output.status.success(),
        "{}: {command:?}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// Runs a program to its end, whatever that is.
pub(crate) async fn ended(command: &mut Command) -> Output {
    ended_within(PATIENCE, command).await
}

async fn ended_within(patience: Duration, command: &mut Command) -> Output {
    command.stdin(Stdio::null());
    let finished = tokio::time::timeout(patience, command.output()).await;
    let output = finished.unwrap_or_else(|_| panic!("no end after {patience:?}: {command:?}"));
    output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

/// A program that runs until its guard is dropped, and everything it wrote on stderr.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    log: watch::Receiver<Vec<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// `name` heads the log that is printed when the test fails.
    pub(crate) fn start(name: &'static str, command: Command) -> Self {
        Self::start_reading(name, command, Stdio::null())
    }

    /// The same, with something to read.
    pub(crate) fn start_reading(name: &'static str, command: Command, stdin: Stdio) -> Self {
        let mut command = command.into_std();
        command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let stderr = child.stderr.take().expect("stderr is piped");
        let (lines, log) = watch::channel(Vec::new());
        // Drained for the whole life of the daemon: a full pipe would stop it.
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.send_modify(|log| log.push(line));
            }
        });
        Self { name, child, log, reader: Some(reader) }
    }

    /// Waits for the first log line in which `pick` finds what it looks for.
    pub(crate) async fn line<T>(&self, pick: impl Fn(&str) -> Option<T>) -> T {
        self.line_after(0, pick).await
    }

    /// The same, of the lines that follow the first `mark`.
    pub(crate) async fn line_after<T>(&self, mark: usize, pick: impl Fn(&str) -> Option<T>) -> T {
        let mut log = self.log.clone();
        let seen = log.wait_for(|lines| lines[mark..].iter().any(|line| pick(line).is_some()));
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        let seen = seen.unwrap_or_else(|_| panic!("{} did not log it within {PATIENCE:?}", self.name));
        let lines = seen.unwrap_or_else(|_| panic!("{} ended before it logged it", self.name));
        lines[mark..].iter().find_map(|line| pick(line)).expect("just seen")
    }

    /// How many lines it has logged.
    pub(crate) fn mark(&self) -> usize {
        self.log.borrow().len()
    }

    /// How many lines it has logged that contain every one of `texts`.
    pub(crate) fn count(&self, texts: &[&str]) -> usize {
        self.log.borrow().iter().filter(|line| texts.iter().all(|text| line.contains(text))).count()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut log = self.log.clone();
        // The log is over when nobody is left who could write to it, the program itself the last.
        let over = async { while log.changed().await.is_ok() {} };
        let over = tokio::time::timeout(PATIENCE, over).await;
        over.unwrap_or_else(|_| panic!("{} did not end within {PATIENCE:?}", self.name));
        self.child.wait().expect("a child of ours")
    }

    /// Ends the program and returns its whole log.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.end();
        self.log.borrow().clone()
    }

    fn end(&mut self) {
        // Only fails for a child that has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        // The log ends when the last process that could write to it is gone, grandchildren included: from here on
        // nobody writes to the directories that are about to be removed.
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log reader does not panic");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let log = self.log.borrow();
            let tail = log[log.len().saturating_sub(LOG_TAIL)..].join("\n");
            writeln!(std::io::stderr(), "--- end of the log of {}\n{tail}", self.name).ok();
        }
    }
}

/// The developer's PATH, and where Debian keeps daemons.
pub(crate) fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").expect("PATH"))
}

/// A tool that is missing fails the test: skipping would be green for nothing.
fn find(program: impl AsRef<OsStr>, path: &str) -> PathBuf {
    let program = program.as_ref();
    let mut candidates = std::env::split_paths(path).map(|directory| directory.join(program));
    candidates.find(|candidate| candidate.is_file()).unwrap_or_else(|| {
        let name = program.to_string_lossy();
        let package = PACKAGES.iter().find(|(tool, _)| *tool == name).map_or(&*name, |(_, package)| package);
        panic!("{name} is not installed; it comes with the Debian package {package}; tests/run installs it")
    })
}
