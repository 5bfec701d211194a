//! Runs a `docker-credential-*` program once.

use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::fs;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout};
use zeroize::Zeroizing;

use super::protocol::{NoAnswer, interpret};
use crate::credential::{Credential, CredentialError};

/// Why a helper gave no answer.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: CredentialError,
    /// How long it is not worth asking again: there is a difference between a helper that said no, or that hangs, and
    /// one that could not be run.
    pub(super) pause: Option<Duration>,
}

/// Asks the program `docker-credential-<name>` in one of `folders` for the login of `server`.
pub(super) async fn ask(
    folders: &[PathBuf],
    name: &str,
    server: &str,
    deadline: Duration,
) -> Result<Credential, Failure> {
    let failure = |what, pause| Failure { error: CredentialError::new(what), pause };
    let file = format!("docker-credential-{name}");
    if name.is_empty() || name.contains('/') {
        return Err(failure(format!("{name:?} cannot be the name of a credential helper"), None));
    }
    let Some(program) = find(folders, &file).await else {
        let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        return Err(failure(
            format!("found no program {file} in PATH ({}); install it there or correct the name", folders.join(":")),
            None,
        ));
    };
    let hint = format!("run `echo {server} | {file} get` as the same user to see what it says");
    match run(&program, server, deadline).await {
        Ok((status, output)) => interpret(status, &output.stdout, &output.stderr).map_err(|why| match why {
            NoAnswer::Failed(status) => {
                failure(format!("{file} failed for {server} with {status}; {hint}"), Some(PAUSE))
            }
            NoAnswer::Unreadable => {
                failure(format!("{file} answered for {server} with something that is no login; {hint}"), Some(PAUSE))
            }
        }),
        Err(Broken::Io(error)) => Err(failure(format!("cannot run {} for {server}: {error}", program.display()), None)),
        Err(Broken::Deadline) => {
            let seconds = deadline.as_secs_f64();
            Err(failure(
                format!("{file} gave no answer for {server} within {seconds} s and was ended; {hint}"),
                Some(deadline),
            ))
        }
        Err(Broken::Size) => Err(failure(
            format!("{file} answered for {server} with more than {LARGEST} bytes and was ended"),
            Some(PAUSE),
        )),
    }
}

/// As a shell finds programs, except that the working directory is never searched.
async fn find(folders: &[PathBuf], file: &str) -> Option<PathBuf> {
    for folder in folders {
        let program = folder.join(file);
        let metadata = fs::metadata(&program).await;
        if metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0) {
            return Some(program);
        }
    }
    None
}

enum Broken {
    Deadline,
    Io(io::Error),
    Size,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Wiped when dropped, and never grown, so that no copy of a secret stays behind.
struct Output {
    stdout: Zeroizing<Vec<u8>>,
    stderr: Zeroizing<Vec<u8>>,
}

async fn run(program: &Path, server: &str, deadline: Duration) -> Result<(ExitStatus, Output), Broken> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let outcome = timeout(deadline, converse(&mut child, server)).await;
    if !matches!(outcome, Ok(Ok(_))) {
        // Ended and reaped before anybody hears of it; a process that cannot die is left to the runtime.
        _ = timeout(FAREWELL, child.kill()).await;
    }
    outcome.map_err(|_| Broken::Deadline)?
}

async fn converse(child: &mut Child, server: &str) -> Result<(ExitStatus, Output), Broken> {
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(server.as_bytes()).await {
            // It may know the answer without reading the question.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let buffer = || Zeroizing::new(Vec::with_capacity(LARGEST + 1));
    let mut output = Output { stdout: buffer(), stderr: buffer() };
    let mut ended = None;
    let mut patience = Instant::now();
    while ended.is_none() || stdout.is_some() || stderr.is_some() {
        tokio::select! {
            more = read(&mut stdout, &mut output.stdout), if stdout.is_some() => more?,
            more = read(&mut stderr, &mut output.stderr), if stderr.is_some() => more?,
            status = child.wait(), if ended.is_none() => {
                ended = Some(status?);
                patience = Instant::now() + AFTERWORD;
            }
            // A process that the helper started (an agent) may hold the pipes open for as long as it lives.
            () = sleep_until(patience), if ended.is_some() => break,
        }
    }
    match ended {
        Some(status) => Ok((status, output)),
        None => Err(Broken::Deadline),
    }
}

/// Reads some more; at the end of the stream, closes it.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut Vec<u8>) -> Result<(), Broken> {
    let Some(open) = pipe else { return Ok(()) };
    let room = (LARGEST + 1).saturating_sub(buffer.len()) as u64;
    if open.take(room).read_buf(buffer).await? == 0 {
        *pipe = None;
    }
    if buffer.len() > LARGEST { Err(Broken::Size) } else { Ok(()) }
}

const PAUSE: Duration = Duration::from_secs(2);
const LARGEST: usize = 64 * 1024;
/// How long output may come in after the program ended.
const AFTERWORD: Duration = Duration::from_millis(200);
const FAREWELL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
