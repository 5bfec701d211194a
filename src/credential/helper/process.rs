//! Runs a `docker-credential-*` program.

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

use super::protocol::{OutputError, parse_output};
use crate::credential::{Credential, CredentialError};

/// A failed call of a helper.
#[derive(Clone, Debug)]
pub(super) struct HelperFailure {
    pub(super) error: CredentialError,
    /// How long the failure stays in the negative cache. `None`, not at all, if the program could not be run.
    pub(super) negative_ttl: Option<Duration>,
}

/// Calls `docker-credential-<name> get` for the credential of `server`. The program has to be in one of `folders`.
pub(super) async fn get(
    folders: &[PathBuf],
    name: &str,
    server: &str,
    deadline: Duration,
) -> Result<Credential, HelperFailure> {
    let failure = |message, negative_ttl| HelperFailure { error: CredentialError::new(message), negative_ttl };
    let file = format!("docker-credential-{name}");
    if name.is_empty() || name.contains('/') {
        return Err(failure(
            format!(
                "{name:?} is not a valid name of a credential helper; use what follows docker-credential- in the program's name"
            ),
            None,
        ));
    }
    let Some(program) = find(folders, &file).await else {
        let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        return Err(failure(
            format!(
                "cannot find the program {file} in PATH ({}); install it there or correct the name",
                folders.join(":")
            ),
            None,
        ));
    };
    let hint = format!("run `echo {server} | {file} get` as the same user to see its output");
    match run(&program, server, deadline).await {
        Ok((status, output)) => parse_output(status, &output.stdout, &output.stderr).map_err(|why| match why {
            OutputError::Failed(status) => {
                failure(format!("{file} failed for {server} with {status}; {hint}"), Some(NEGATIVE_TTL))
            }
            OutputError::Malformed => {
                failure(format!("{file} printed no valid credential for {server}; {hint}"), Some(NEGATIVE_TTL))
            }
        }),
        Err(RunError::Io(error)) => {
            Err(failure(format!("cannot run {} for {server}: {error}", program.display()), None))
        }
        Err(RunError::Timeout) => {
            let seconds = deadline.as_secs_f64();
            Err(failure(
                format!("{file} did not finish for {server} within {seconds} s and was killed; {hint}"),
                Some(deadline),
            ))
        }
        Err(RunError::OutputTooLarge) => Err(failure(
            format!("{file} printed more than {MAX_OUTPUT_BYTES} bytes for {server} and was killed"),
            Some(NEGATIVE_TTL),
        )),
    }
}

/// Searches as a shell does, but never in the working directory.
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

enum RunError {
    Timeout,
    Io(io::Error),
    OutputTooLarge,
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The program's output. The buffers are wiped on drop and never grow, so that no copy of a secret stays in memory.
struct Output {
    stdout: Zeroizing<Vec<u8>>,
    stderr: Zeroizing<Vec<u8>>,
}

async fn run(program: &Path, server: &str, deadline: Duration) -> Result<(ExitStatus, Output), RunError> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let outcome = timeout(deadline, converse(&mut child, server)).await;
    if !matches!(outcome, Ok(Ok(_))) {
        // Kills and reaps the process before reporting the error. After a second without success, tokio reaps it later.
        _ = timeout(KILL_TIMEOUT, child.kill()).await;
    }
    outcome.map_err(|_| RunError::Timeout)?
}

async fn converse(child: &mut Child, server: &str) -> Result<(ExitStatus, Output), RunError> {
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(server.as_bytes()).await {
            // A program that does not read its input may answer all the same.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let buffer = || Zeroizing::new(Vec::with_capacity(MAX_OUTPUT_BYTES + 1));
    let mut output = Output { stdout: buffer(), stderr: buffer() };
    let mut exit_status = None;
    let mut output_deadline = Instant::now();
    while exit_status.is_none() || stdout.is_some() || stderr.is_some() {
        tokio::select! {
            more = read(&mut stdout, &mut output.stdout), if stdout.is_some() => more?,
            more = read(&mut stderr, &mut output.stderr), if stderr.is_some() => more?,
            status = child.wait(), if exit_status.is_none() => {
                exit_status = Some(status?);
                output_deadline = Instant::now() + OUTPUT_TIMEOUT;
            }
            // A process that the helper started, such as an agent, may keep the pipes open as long as it runs.
            () = sleep_until(output_deadline), if exit_status.is_some() => break,
        }
    }
    match exit_status {
        Some(status) => Ok((status, output)),
        None => Err(RunError::Timeout),
    }
}

/// Reads some bytes. At the end of the stream, drops the pipe.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut Vec<u8>) -> Result<(), RunError> {
    let Some(open) = pipe else { return Ok(()) };
    let room = (MAX_OUTPUT_BYTES + 1).saturating_sub(buffer.len()) as u64;
    if open.take(room).read_buf(buffer).await? == 0 {
        *pipe = None;
    }
    if buffer.len() > MAX_OUTPUT_BYTES { Err(RunError::OutputTooLarge) } else { Ok(()) }
}

/// How long the failure of a program that ran is cached; a timeout is cached for as long as the program was given.
const NEGATIVE_TTL: Duration = Duration::from_secs(2);
/// Limit for each of stdout and stderr.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// How long output is still read after the program has exited.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(200);
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
