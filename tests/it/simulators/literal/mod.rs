//! The literal replies of registries.md, section 22: each a row, with the simulation's names for hosts and repositories.

mod clouds;
mod hosted;
mod installed;

use std::time::Duration;

use tokio::time::advance;

use crate::harness::Reply;
use crate::sim::{Family, Image, Preset, Rule};
use crate::simulators::{Bench, basic};

/// What is asked: method, target, and whose word goes with it.
type Question<'a> = (&'a str, &'a str, Who<'a>);
/// What comes back: status, headers, body. A header without a value must be missing.
type Answer<'a> = (u16, &'a [(&'a str, &'a str)], Text<'a>);

#[derive(Clone, Copy)]
enum Who<'a> {
    Nobody,
    Login,
    /// This line.
    Line(&'a str),
    /// Nobody's token for this scope.
    Anyone(&'a str),
    /// The login's token for this scope.
    Token(&'a str),
    /// The same after its time.
    Late(&'a str),
    /// A body of a form.
    Form(&'a str),
}

#[derive(Clone, Copy)]
enum Text<'a> {
    Is(&'a str),
    /// What the sources leave out stands around it.
    Has(&'a str),
    Empty,
    /// Not the row's concern.
    Any,
}

const STALE: Who<'_> = Who::Line("authorization: Bearer stale");
const WRONG: Who<'_> = Who::Line("authorization: Basic YWNtZTp3cm9uZw==");
const CHALLENGE: &str = "www-authenticate";

/// The registry with what its abilities speak of, as tag `1`.
async fn bench(mut preset: Preset) -> Bench {
    preset.tokens.chunked = false;
    let bench = Box::pin(Bench::start(preset)).await;
    bench.registry.furnish("1", &Image::single("app", Family::Oci));
    for rule in [Rule::UnknownBearer, Rule::BasicAtRegistry, Rule::EmptyTokenParameter, Rule::ForeignService] {
        bench.sim.allow(rule);
    }
    bench
}

async fn assert_replies(bench: &Bench, rows: &[(Question<'_>, Answer<'_>)]) {
    for ((method, target, who), (status, headers, text)) in rows {
        let reply = ask(bench, method, target, *who).await;
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
            .filter(|_| !matches!(text, Text::Is(text) if text.ends_with('\n')))
            .unwrap_or(&body);
        match text {
            Text::Is(text) => assert_eq!(body, *text, "{shown}"),
            Text::Has(text) => assert!(body.contains(text), "{shown}"),
            Text::Empty => assert_eq!(body, "", "{shown}"),
            Text::Any => {}
        }
    }
}

async fn ask(bench: &Bench, method: &str, target: &str, who: Who<'_>) -> Reply {
    let preset = bench.registry.preset();
    let login = preset.can.login;
    let line = match who {
        Who::Nobody => "x-a: b".to_owned(),
        Who::Login => login.map(|(user, password)| basic(user, password)).unwrap(),
        Who::Line(line) => line.to_owned(),
        Who::Anyone(scope) => bench.bearer(scope, None).await,
        Who::Token(scope) => bench.bearer(scope, login).await,
        Who::Late(scope) => {
            let bearer = bench.bearer(scope, login).await;
            advance(preset.tokens.lifetime + Duration::from_secs(1)).await;
            bearer
        }
        Who::Form(_) => "content-type: application/x-www-form-urlencoded".to_owned(),
    };
    let body = if let Who::Form(form) = who { form } else { "" };
    bench.send(method, target, &[&line], body.as_bytes()).await
}

/// The body with `J` for tokens and `T` for moments.
fn masked(reply: &Reply) -> String {
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let secrets = [("token", "J"), ("access_token", "J"), ("refresh_token", "J"), ("issued_at", "T")];
    secrets.iter().fold(text, |text, (key, mask)| match document[key].as_str() {
        None | Some("") => text,
        Some(value) => text.replace(&format!(r#""{key}":"{value}""#), &format!(r#""{key}":"{mask}""#)),
    })
}
