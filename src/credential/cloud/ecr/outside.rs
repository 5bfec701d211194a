//! What `reqsign` sees of the world: the project's environment, files, programs and network.

use std::collections::HashMap;
use std::io;
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

use super::super::Surroundings;
use super::super::failure::{Failure, Step};
use super::VARIABLES;
use super::told::{is_refusal, said};
use crate::base::origin::{Origin, Url};
use crate::base::secret::Secret;
use crate::base::sent::Sent;

/// The surroundings during one login. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    pub(super) surroundings: Arc<Surroundings>,
    /// The last question that came to nothing. `reqsign`'s errors leave out why, or quote too much.
    trouble: Arc<Mutex<Option<Trouble>>>,
}

#[derive(Debug)]
struct Trouble {
    host: String,
    why: String,
    is_refusal: bool,
}

impl Outside {
    pub(super) fn new(surroundings: Arc<Surroundings>) -> Self {
        Self { surroundings, trouble: Arc::default() }
    }

    pub(super) fn context(&self) -> Context {
        Context::new()
            .with_env(self.clone())
            .with_file_read(self.clone())
            .with_command_execute(self.clone())
            .with_http_send(self.clone())
    }

    /// A variable.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.surroundings.environment.variable(name).map(|value| value.expose().to_owned())
    }

    /// Where a service's API is: at `host`, or where the surroundings say.
    pub(super) fn endpoint(&self, service: &str, host: &str) -> std::result::Result<Origin, String> {
        let names = [format!("AWS_ENDPOINT_URL_{service}"), "AWS_ENDPOINT_URL".to_owned()];
        let Some((name, value)) = names.iter().find_map(|name| Some((name, self.text(name)?))) else {
            return Origin::https(host).map_err(|why| format!("{host}: {why}"));
        };
        let url = Url::parse(&value).ok().filter(|url| &*url.path == "/" && url.query.is_none());
        url.map(|url| url.origin).ok_or_else(|| format!("{name} is not an origin; write https://host:port"))
    }

    /// The credentials file and the configuration file.
    pub(super) fn shared_files(&self) -> [String; 2] {
        [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")].map(|(name, file)| {
            let usual = || {
                let home = self.surroundings.environment.home().unwrap_or(Path::new("~"));
                home.join(".aws").join(file).display().to_string()
            };
            self.text(name).unwrap_or_else(usual)
        })
    }

    pub(super) async fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = match (path.strip_prefix("~/"), self.surroundings.environment.home()) {
            (Some(below), Some(home)) => home.join(below),
            _ => PathBuf::from(path),
        };
        let mut content = Vec::new();
        File::open(path).await?.take(LARGEST).read_to_end(&mut content).await?;
        Ok(content)
    }

    /// What the latest question came to, as the failure of a step.
    pub(super) fn trouble(&self, step: &Step) -> Option<Failure> {
        let Trouble { host, why, is_refusal } = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(if is_refusal { step.refused(&host, why) } else { step.failed(&host, why) })
    }

    fn note(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> io::Result<CommandOutput> {
        let folders = self.surroundings.environment.program_folders();
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
            output.take(LARGEST).read_to_end(&mut stdout).await?;
        }
        let status = child.wait().await?.code().unwrap_or(-1);
        Ok(CommandOutput { status, stdout, stderr: Vec::new() })
    }
}

impl Env for Outside {
    fn var(&self, key: &str) -> Option<String> {
        self.text(key)
    }

    fn vars(&self) -> HashMap<String, String> {
        VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), self.text(name)?))).collect()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        self.surroundings.environment.home().map(Path::to_owned)
    }
}

impl FileRead for Outside {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        self.note(None);
        self.read(path).await.map_err(|error| {
            self.note(Some(Trouble { host: path.to_owned(), why: error.to_string(), is_refusal: false }));
            error.into()
        })
    }
}

impl CommandExecute for Outside {
    async fn command_execute(&self, program: &str, arguments: &[&str]) -> Result<CommandOutput> {
        self.note(None);
        let outcome = timeout(DEADLINE, self.run(program, arguments)).await;
        let why = match outcome {
            Ok(Ok(output)) => return Ok(output),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", DEADLINE.as_secs()),
        };
        self.note(Some(Trouble { host: program.to_owned(), why, is_refusal: false }));
        Err(Error::unexpected("the program did not run"))
    }
}

impl HttpSend for Outside {
    async fn http_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.note(None);
        let mut url =
            Url::parse(&request.uri().to_string()).map_err(|_| Error::request_invalid("no usable address"))?;
        let failed = |host: &str, why, is_refusal| {
            self.note(Some(Trouble { host: host.to_owned(), why, is_refusal }));
            Error::unexpected("no answer")
        };
        // The variables for endpoints are not known to `reqsign`.
        if url.origin.host.starts_with("sts.") {
            url.origin = self.endpoint("STS", &url.origin.host).map_err(|why| failed(&url.origin.host, why, false))?;
        }
        let host = url.origin.authority();
        let sent = secrets_of(&request);
        let answered = self.surroundings.clouds.send(&url, request).await;
        let response = answered.map_err(|why| failed(&host, why.to_string(), false))?;
        let status = response.status();
        if status != StatusCode::OK {
            drop(failed(&host, format!("it answered {status}{}", said(response.body(), &sent)), is_refusal(status)));
        }
        Ok(response)
    }
}

/// Whatever of a request could be one: no answer that repeats it is shown.
fn secrets_of(request: &Request<Bytes>) -> Sent {
    let headers = request.headers().values().filter_map(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let form = form_urlencoded::parse(request.body()).map(|(_, value)| value.into_owned());
    let long = headers.chain(form).filter(|value| value.len() >= SHORTEST_SECRET);
    long.fold(Sent::default(), |sent, value| sent.and(Sent::secret(&Secret::new(value))))
}

/// In bytes, of a file or a program's answer.
const LARGEST: u64 = 1024 * 1024;
const DEADLINE: Duration = Duration::from_secs(10);
/// In bytes. What is shorter are versions, actions and session names.
const SHORTEST_SECRET: usize = 20;
