//! Gives the `reqsign` library regpass's own environment variables, files, programs and HTTP client, so that it uses
//! none of the process's directly.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use reqsign_core::{CommandExecute, CommandOutput, Context, Env, Error, FileRead, HttpSend, Result};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::super::CloudContext;
use super::super::answer::{aws_error_text, is_denial};
use super::super::failure::{Failure, Step};
use crate::base::file_text::decode;
use crate::base::origin::{Origin, Url};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;

/// The context for issuing one credential. Clones share the failure.
#[derive(Clone, Debug)]
pub(super) struct ReqsignContext {
    pub(super) cloud: Arc<CloudContext>,
    /// The failure of the latest operation, because `reqsign`'s own errors omit the cause or quote secrets.
    failure: Arc<Mutex<Option<OperationFailure>>>,
}

#[derive(Debug)]
struct OperationFailure {
    /// The host, file or program that the operation used.
    location: String,
    why: String,
    is_denial: bool,
}

impl ReqsignContext {
    pub(super) fn new(cloud: Arc<CloudContext>) -> Self {
        Self { cloud, failure: Arc::default() }
    }

    pub(super) fn context(&self) -> Context {
        Context::new()
            .with_env(self.clone())
            .with_file_read(self.clone())
            .with_command_execute(self.clone())
            .with_http_send(self.clone())
    }

    /// An environment variable.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.cloud.environment.variable(name).map(|value| value.expose().to_owned())
    }

    /// The origin of a service's API: `https://{host}`, unless `AWS_ENDPOINT_URL_{suffix}` or `AWS_ENDPOINT_URL` names
    /// another.
    pub(super) fn service_origin(&self, suffix: &str, host: &str) -> std::result::Result<Origin, String> {
        let names = [format!("AWS_ENDPOINT_URL_{suffix}"), "AWS_ENDPOINT_URL".to_owned()];
        let Some((name, value)) = names.iter().find_map(|name| Some((name, self.variable(name)?))) else {
            return Origin::https(host).map_err(|why| format!("{host}: {why}"));
        };
        let url = Url::parse(&value).ok().filter(|url| &*url.path == "/" && url.query.is_none());
        url.map(|url| url.origin).ok_or_else(|| format!("{name} is not an origin; write https://host:port"))
    }

    /// The paths of AWS's credentials file and config file.
    pub(super) fn aws_files(&self) -> [String; 2] {
        [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")].map(|(name, file)| {
            let default = || {
                let home = self.cloud.environment.home().unwrap_or(Path::new("~"));
                home.join(".aws").join(file).display().to_string()
            };
            self.variable(name).unwrap_or_else(default)
        })
    }

    /// Reads the text of a file of at most 1 MiB, as UTF-8. `~/` stands for the home folder.
    pub(super) async fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = match (path.strip_prefix("~/"), self.cloud.environment.home()) {
            (Some(below), Some(home)) => home.join(below),
            _ => PathBuf::from(path),
        };
        let mut content = Vec::new();
        File::open(path).await?.take(MAX_BYTES).read_to_end(&mut content).await?;
        let text = decode(&content).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        Ok(text.as_bytes().to_vec())
    }

    /// The failure of the latest operation as the failure of `step`.
    pub(super) fn take_failure(&self, step: &Step) -> Option<Failure> {
        let OperationFailure { location, why, is_denial } =
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(if is_denial { step.denied(&location, why) } else { step.failed(&location, why) })
    }

    fn set_failure(&self, failure: Option<OperationFailure>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> io::Result<CommandOutput> {
        let folders = self.cloud.environment.program_folders();
        let found = folders.iter().map(|folder| folder.join(program)).find(|file| file.is_file());
        let mut child = Command::new(found.unwrap_or_else(|| program.into()))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdout = Vec::new();
        if let Some(output) = child.stdout.take() {
            output.take(MAX_BYTES).read_to_end(&mut stdout).await?;
        }
        let status = child.wait().await?.code().unwrap_or(-1);
        Ok(CommandOutput { status, stdout, stderr: Vec::new() })
    }
}

impl Env for ReqsignContext {
    fn var(&self, key: &str) -> Option<String> {
        VARIABLES.contains(&key).then(|| self.variable(key)).flatten()
    }

    fn vars(&self) -> HashMap<String, String> {
        VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), self.variable(name)?))).collect()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        self.cloud.environment.home().map(Path::to_owned)
    }
}

impl FileRead for ReqsignContext {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        self.set_failure(None);
        self.read(path).await.map_err(|error| {
            self.set_failure(Some(OperationFailure {
                location: path.to_owned(),
                why: error.to_string(),
                is_denial: false,
            }));
            error.into()
        })
    }
}

impl CommandExecute for ReqsignContext {
    async fn command_execute(&self, program: &str, arguments: &[&str]) -> Result<CommandOutput> {
        self.set_failure(None);
        let outcome = timeout(DEADLINE, self.run(program, arguments)).await;
        let why = match outcome {
            Ok(Ok(output)) => return Ok(output),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no response within {} s", DEADLINE.as_secs()),
        };
        self.set_failure(Some(OperationFailure { location: program.to_owned(), why, is_denial: false }));
        Err(Error::unexpected("the program did not run"))
    }
}

impl HttpSend for ReqsignContext {
    async fn http_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.set_failure(None);
        let mut url = Url::parse(&request.uri().to_string()).map_err(|_| Error::request_invalid("invalid URL"))?;
        let failed = |host: &str, why, is_denial| {
            self.set_failure(Some(OperationFailure { location: host.to_owned(), why, is_denial }));
            Error::unexpected("no response")
        };
        // `reqsign` ignores the `AWS_ENDPOINT_URL` variables, so they are applied here.
        if url.origin.host.starts_with("sts.") {
            url.origin =
                self.service_origin("STS", &url.origin.host).map_err(|why| failed(&url.origin.host, why, false))?;
        }
        let host = url.origin.authority();
        let redaction = redaction_of(&request);
        let outcome = self.cloud.client.send_once(&url, request).await;
        let response = outcome.map_err(|why| failed(&host, why.to_string(), false))?;
        let status = response.status();
        if status != StatusCode::OK {
            let message = aws_error_text(response.body(), &redaction);
            drop(failed(&host, format!("it answered {status}{message}"), is_denial(status)));
        }
        Ok(response)
    }
}

/// The redaction of every header and form value long enough to be a secret: an error message that repeats one is not
/// shown.
fn redaction_of(request: &Request<Bytes>) -> Redaction {
    let headers = request.headers().values().filter_map(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let form = form_urlencoded::parse(request.body()).map(|(_, value)| value.into_owned());
    let long = headers.chain(form).filter(|value| value.len() >= MIN_SECRET_BYTES);
    long.fold(Redaction::default(), |redaction, value| redaction.with(Redaction::of_secret(&Secret::new(value))))
}

/// The most that is read of a file or of a program's output.
const MAX_BYTES: u64 = 1024 * 1024;
/// Limit for one run of a program.
const DEADLINE: Duration = Duration::from_secs(10);
/// Shorter values are versions, actions and session names.
const MIN_SECRET_BYTES: usize = 20;
/// The environment variables that `reqsign` sees: those of AWS's own tools that regpass supports.
const VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_ECR_PUBLIC",
    "AWS_ENDPOINT_URL_STS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_SSO_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];
