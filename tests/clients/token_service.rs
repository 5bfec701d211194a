//! The token service of a registry that requires tokens: signs tokens that Debian's registry accepts, and records requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::registry::{PASSWORD, USER};

pub(crate) const SERVICE: &str = "registry.test";
pub(crate) const ISSUER: &str = "regpass tests";
pub(crate) const REFRESH_TOKEN: &str = "a-refresh-token-for-tests";

/// A token request and the token it was answered with.
#[derive(Clone, Debug)]
pub(crate) struct TokenRequest {
    pub(crate) method: Method,
    /// Sorted, so that requests can be compared.
    pub(crate) scopes: Vec<String>,
    /// `None` if the request was rejected.
    pub(crate) token: Option<String>,
}

/// A running token service. It stops when dropped.
#[derive(Debug)]
pub(crate) struct TokenService {
    pub(crate) address: SocketAddr,
    /// The certificate that the registry trusts.
    pub(crate) certificate: String,
    signer: Arc<Signer>,
    accept_task: AbortHandle,
}

#[derive(Debug)]
struct Signer {
    key: KeyPair,
    /// The value of the JWT header `x5c`, by which Debian's registry finds the key.
    chain: [String; 1],
    lifetime: Duration,
    requests: Mutex<Vec<TokenRequest>>,
}

impl TokenService {
    pub(crate) async fn start(lifetime: Duration) -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("an RSA key");
        let certificate = CertificateParams::default().self_signed(&key).expect("a certificate");
        let chain = [STANDARD.encode(certificate.der())];
        let signer = Arc::new(Signer { key, chain, lifetime, requests: Mutex::default() });

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let accept_task = tokio::spawn(accept(listener, Arc::clone(&signer))).abort_handle();
        Self { address, certificate: certificate.pem(), signer, accept_task }
    }

    /// Signs a token for a test's own use. It is not among [`requests`](Self::requests).
    pub(crate) fn sign(&self, scope: &str) -> String {
        self.signer.sign(&[scope.to_owned()])
    }

    /// All token requests so far.
    pub(crate) fn requests(&self) -> Vec<TokenRequest> {
        self.signer.requests.lock().expect("an unpoisoned lock").clone()
    }
}

impl Drop for TokenService {
    fn drop(&mut self) {
        self.accept_task.abort();
    }
}

async fn accept(listener: TcpListener, signer: Arc<Signer>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let signer = Arc::clone(&signer);
        let service = service_fn(move |request| {
            let signer = Arc::clone(&signer);
            async move { Ok::<_, Infallible>(signer.respond(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client that closes the connection is not a failure of the service.
        tokio::spawn(async { connection.await.ok() });
    }
}

impl Signer {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("a complete body").to_bytes();
        let posted = head.method == Method::POST;
        let form = if posted { &body[..] } else { head.uri.query().unwrap_or_default().as_bytes() };
        let form: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
        let value = |key: &str| form.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());

        let is_authenticated = if posted {
            value("grant_type") == Some("refresh_token") && value("refresh_token") == Some(REFRESH_TOKEN)
        } else {
            let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
            head.headers.get(AUTHORIZATION).is_some_and(|value| *value == basic)
        };
        let scopes = form.iter().filter(|(name, _)| name == "scope").flat_map(|(_, value)| value.split(' '));
        let mut scopes: Vec<String> = scopes.map(str::to_owned).collect();
        scopes.sort();

        let token = (is_authenticated && value("service") == Some(SERVICE)).then(|| self.sign(&scopes));
        let reply = match &token {
            Some(token) if posted => json!({ "access_token": token, "expires_in": self.lifetime.as_secs() }),
            Some(token) => json!({ "token": token, "expires_in": self.lifetime.as_secs() }),
            None => json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "incorrect username or password" }] }),
        };
        let status = if token.is_some() { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        self.requests.lock().expect("an unpoisoned lock").push(TokenRequest { method: head.method, scopes, token });
        let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
        response.body(Full::from(reply.to_string())).expect("a response")
    }

    /// Signs a JWT that grants all requested scopes.
    fn sign(&self, scopes: &[String]) -> String {
        #[expect(clippy::disallowed_methods, reason = "the registry compares token dates with the real clock")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": self.chain });
        let claims = json!({
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime.as_secs(),
            "access": scopes.iter().map(|scope| access(scope)).collect::<Vec<_>>(),
        });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.key.sign(signed.as_bytes()).expect("an RSA signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A scope such as `repository:library/python:pull,push` as an entry of the JWT claim `access`.
fn access(scope: &str) -> Value {
    let parts = scope.split_once(':').and_then(|(kind, rest)| Some((kind, rest.rsplit_once(':')?)));
    let (kind, (name, actions)) = parts.unwrap_or_else(|| panic!("not a scope: {scope:?}"));
    json!({ "type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>() })
}
