//! The literal replies of registries.md, section 22: one row each, with the names of the simulated hosts and repositories.

mod clouds;
mod hosted;
mod self_hosted;

use std::time::Duration;

use tokio::time::advance;

use crate::harness::Reply;
use crate::sim::{Image, ImageFormat, Preset, Rule};
use crate::simulator_self_tests::{TestBench, basic};

/// A request: method, target, and what is sent with it.
type Request<'a> = (&'a str, &'a str, With<'a>);
/// The expected reply: status, headers, body. A header with an empty value must be missing.
type Expected<'a> = (u16, &'a [(&'a str, &'a str)], Body<'a>);

/// What a request is sent with.
#[derive(Clone, Copy)]
enum With<'a> {
    Nothing,
    /// The user and password of the capabilities.
    Basic,
    /// This header line.
    HeaderLine(&'a str),
    /// An anonymous token for this scope.
    AnonymousToken(&'a str),
    /// A token of the user for this scope.
    UserToken(&'a str),
    /// A token of the user for this scope that has expired.
    ExpiredToken(&'a str),
    /// This form as the body.
    Form(&'a str),
}

/// The expected body.
#[derive(Clone, Copy)]
enum Body<'a> {
    Is(&'a str),
    /// The body contains this; the sources do not show all of it.
    Contains(&'a str),
    Empty,
    /// The row does not check it.
    Any,
}

const UNKNOWN_TOKEN: With<'_> = With::HeaderLine("authorization: Bearer stale");
const WRONG_PASSWORD: With<'_> = With::HeaderLine("authorization: Basic YWNtZTp3cm9uZw==");
const CHALLENGE: &str = "www-authenticate";

/// The registry with its sample content under tag `1`.
async fn bench(mut preset: Preset) -> TestBench {
    preset.tokens.chunked = false;
    let bench = Box::pin(TestBench::start(preset)).await;
    bench.registry.add_sample_content("1", &Image::single("app", ImageFormat::Oci));
    for rule in [Rule::UnknownBearer, Rule::BasicAtRegistry, Rule::EmptyTokenParameter, Rule::ForeignService] {
        bench.sim.allow(rule);
    }
    bench
}

async fn assert_replies(bench: &TestBench, rows: &[(Request<'_>, Expected<'_>)]) {
    for ((method, target, with), (status, headers, text)) in rows {
        let reply = send(bench, method, target, *with).await;
        let shown = format!("{method} {target}: {reply:?}");
        assert_eq!(reply.status.as_u16(), *status, "{shown}");
        for (name, value) in *headers {
            let lines: Vec<&str> = reply.headers.get_all(*name).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(lines.join("\n"), *value, "{shown}");
            assert_eq!(lines.is_empty(), value.is_empty(), "{shown}");
        }
        let body = masked(&reply);
        let body = body
            .strip_suffix('\n')
            .filter(|_| !matches!(text, Body::Is(text) if text.ends_with('\n')))
            .unwrap_or(&body);
        match text {
            Body::Is(text) => assert_eq!(body, *text, "{shown}"),
            Body::Contains(text) => assert!(body.contains(text), "{shown}"),
            Body::Empty => assert_eq!(body, "", "{shown}"),
            Body::Any => {}
        }
    }
}

async fn send(bench: &TestBench, method: &str, target: &str, with: With<'_>) -> Reply {
    let preset = bench.registry.preset();
    let credential = preset.capabilities.credential;
    let line = match with {
        With::Nothing => "x-a: b".to_owned(),
        With::Basic => credential.map(|(user, password)| basic(user, password)).unwrap(),
        With::HeaderLine(line) => line.to_owned(),
        With::AnonymousToken(scope) => bench.bearer(scope, None).await,
        With::UserToken(scope) => bench.bearer(scope, credential).await,
        With::ExpiredToken(scope) => {
            let bearer = bench.bearer(scope, credential).await;
            advance(preset.tokens.lifetime + Duration::from_secs(1)).await;
            bearer
        }
        With::Form(_) => "content-type: application/x-www-form-urlencoded".to_owned(),
    };
    let body = if let With::Form(form) = with { form } else { "" };
    bench.send(method, target, &[&line], body.as_bytes()).await
}

/// The body with `J` in place of tokens and `T` in place of times.
fn masked(reply: &Reply) -> String {
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let secrets = [("token", "J"), ("access_token", "J"), ("refresh_token", "J"), ("issued_at", "T")];
    secrets.iter().fold(text, |text, (key, mask)| match document[key].as_str() {
        None | Some("") => text,
        Some(value) => text.replace(&format!(r#""{key}":"{value}""#), &format!(r#""{key}":"{mask}""#)),
    })
}
