//! The way to the endpoints of clouds: over TLS to wherever they are, in plain text only to what is beside this machine.
//!
//! No redirects, no proxies, no cookies; a deadline for every question, a limit for every answer.

use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::failure::{Failure, Step};
use crate::base::origin::{BadUrl, Scheme, Url};
use crate::base::secret::Secret;
use crate::base::sent::Sent;
use crate::net::address::{Guard, Home};
use crate::net::body::{ReadError, read_limited};
use crate::net::client::{Client, Limits};
use crate::net::dial::Network;
use crate::net::error::TransportError;
use crate::net::request;
use crate::net::tls::TlsFiles;

/// Connections to the endpoints of all clouds, made on first use.
#[derive(Debug)]
pub struct Clouds {
    network: Network,
    clients: OnceLock<Result<Clients, String>>,
}

#[derive(Debug)]
struct Clients {
    /// To the hosts that the program, the surroundings or the operator's files name, over TLS.
    named: Client,
    beside: Client,
}

/// What an endpoint is asked.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) step: &'static Step,
    pub(super) url: &'a Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Secret,
    /// What no answer may repeat to people.
    pub(super) sent: Sent,
    /// What to do where nobody answers, if not to wait.
    pub(super) away: Option<&'static str>,
}

/// Why an endpoint gave no answer, of whatever status.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("no usable address: {0}")]
    Address(#[from] BadUrl),
    #[error("the answer cannot be read: {0}")]
    Body(#[from] ReadError),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    #[error("{0}")]
    Transport(#[from] TransportError),
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
}

impl Clouds {
    pub fn new(network: Network) -> Self {
        Self { network, clients: OnceLock::new() }
    }

    /// Asks, and reads the answer: again after a moment where the endpoint was busy or the connection broke.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Answer, Failure> {
        let client = self.client(question.url).map_err(|why| question.unanswered(why))?;
        question.ask(client).await
    }

    /// One request as it is, and its answer whole.
    pub(super) async fn send(&self, url: &Url, request: http::Request<Bytes>) -> Result<Response<Bytes>, Unanswered> {
        let (head, body) = request.into_parts();
        send(self.client(url)?, url, head.method, head.headers, body).await
    }

    fn client(&self, url: &Url) -> Result<&Client, Unanswered> {
        let clients = self.clients.get_or_init(|| self.connect().map_err(|error| error.to_string()));
        let clients = clients.as_ref().map_err(|why| Unanswered::Tls(why.clone()))?;
        Ok(match url.origin.scheme {
            Scheme::Https => &clients.named,
            Scheme::Http => &clients.beside,
        })
    }

    fn connect(&self) -> Result<Clients, rustls::Error> {
        let tls = TlsFiles::default().client_config(false)?;
        let client = |guard, connect| {
            let limits = Limits { connect, head: DEADLINE };
            Client::new(self.network.clone(), guard, tls.clone(), limits)
        };
        Ok(Clients {
            named: client(Guard::Registry(Home::default()), CONNECT_FAR),
            beside: client(Guard::Beside, CONNECT_BESIDE),
        })
    }
}

impl<'a> Question<'a> {
    pub(super) fn get(step: &'static Step, url: &'a Url, headers: HeaderMap) -> Self {
        Self { step, url, method: Method::GET, headers, body: Secret::new(""), sent: Sent::default(), away: None }
    }

    /// A form, whose secrets no answer may repeat.
    pub(super) fn form(step: &'static Step, url: &'a Url, form: &[(&str, &str)], secrets: &[&Secret]) -> Self {
        let body = Secret::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        Self { step, url, method: Method::POST, headers, body, sent: Sent::default(), away: None }.keeping(secrets)
    }

    pub(super) fn json(step: &'static Step, url: &'a Url, mut headers: HeaderMap, body: &serde_json::Value) -> Self {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = Secret::new(body.to_string());
        Self { step, url, method: Method::POST, headers, body, sent: Sent::default(), away: None }
    }

    /// As it is, with these secrets in it that no answer may repeat.
    pub(super) fn keeping(mut self, secrets: &[&Secret]) -> Self {
        self.sent = secrets.iter().fold(self.sent, |sent, secret| sent.and(Sent::secret(secret)));
        self
    }

    /// To somebody who is not everywhere.
    pub(super) fn or(self, away: &'static str) -> Self {
        Self { away: Some(away), ..self }
    }

    /// As [`Clouds::ask`], by way of somebody else's client.
    pub(super) async fn ask(self, client: &Client) -> Result<Answer, Failure> {
        let whole = async {
            let mut pauses = PAUSES.iter();
            loop {
                let body = Bytes::copy_from_slice(self.body.expose().as_bytes());
                let outcome = send(client, self.url, self.method.clone(), self.headers.clone(), body).await;
                let may_pass = match &outcome {
                    Ok(response) => is_busy(response.status()),
                    Err(Unanswered::Transport(TransportError::Broken(_)) | Unanswered::Body(_)) => true,
                    Err(_) => false,
                };
                match pauses.next().filter(|_| may_pass) {
                    Some(pause) => sleep(*pause).await,
                    None => return outcome,
                }
            }
        };
        let outcome = timeout(DEADLINE, whole).await.unwrap_or(Err(Unanswered::Timeout(DEADLINE)));
        match outcome {
            Ok(response) => Answer::read(self.step, self.url, &self.sent, response),
            Err(why) => Err(self.unanswered(why)),
        }
    }

    fn unanswered(&self, why: impl Display) -> Failure {
        let away = self.away.map(|away| format!("; {away}")).unwrap_or_default();
        self.step.failed(&self.url.origin.authority(), format_args!("{why}{away}"))
    }
}

async fn send(
    client: &Client,
    url: &Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Bytes>, Unanswered> {
    let request = request::to(url, method, headers, body)?;
    let (head, body) = client.send(&request).await?.into_parts();
    Ok(Response::from_parts(head, read_limited(body, LARGEST_ANSWER, DEADLINE).await?))
}

/// 410 is a metadata service that is being updated.
pub(super) fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 410 | 429 | 500 | 502 | 503 | 504)
}

/// For one question, asked again or not.
const DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_FAR: Duration = Duration::from_secs(5);
/// Where there is no metadata service, its address often swallows packets.
const CONNECT_BESIDE: Duration = Duration::from_secs(2);
/// Before each further try.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// Tokens that list many groups reach tens of kilobytes.
const LARGEST_ANSWER: usize = 128 * 1024;
