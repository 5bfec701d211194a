//! `/readyz`: the readiness of the process, with the state of its configuration and registries.

use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::status::{Configuration, Registry, State, Status};
use super::{accepts, snapshot};
use crate::observe::process::Stage;
use crate::proxy::Proxy;

/// The answer of `/readyz` as JSON.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    stage: &'static str,
    configuration: Configuration,
    registries: Vec<Summary>,
}

#[derive(Debug, Serialize)]
struct Summary {
    host: String,
    state: State,
    troubles: Vec<String>,
}

/// Answers `/readyz`: status, content type and body. Readiness is about the process only. The states of registries are
/// details in the body, because one failing registry is no reason to stop sending regpass requests for the others.
pub(super) fn ready(proxy: &Proxy, headers: &HeaderMap) -> (StatusCode, &'static str, String) {
    let stage = proxy.process.stage();
    let status = if stage == Stage::Serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let snapshot = snapshot::of(proxy);
    if accepts(headers, "application/json") {
        let readiness = Readiness {
            ready: stage == Stage::Serving,
            stage: stage.as_str(),
            configuration: snapshot.configuration,
            registries: snapshot.registries.into_iter().map(summary).collect(),
        };
        let body = serde_json::to_string(&readiness).unwrap_or_default();
        return (status, "application/json", body);
    }
    let word = if stage == Stage::Serving { "ok" } else { stage.as_str() };
    (status, "text/plain; charset=utf-8", text(word, &snapshot))
}

/// The text form: `ok` or the stage, then a rejected configuration, unusable files, and each registry with its
/// problems.
fn text(word: &str, status: &Status) -> String {
    let mut lines = vec![word.to_owned()];
    if let Some(rejected) = &status.configuration.refused {
        lines.push("configuration rejected, the previous one stays active:".to_owned());
        lines.extend(rejected.problems.lines().map(|line| format!("  {line}")));
    }
    for trouble in &status.configuration.troubles {
        lines.push(format!("a file cannot be used; {}:", trouble.consequence()));
        lines.push(format!("  {}: {}", trouble.key, trouble.message));
    }
    for registry in &status.registries {
        lines.push(format!("registry {}: {}", registry.host, registry.state.as_str()));
        lines.extend(registry.troubles.iter().map(|trouble| format!("  {}", trouble.message)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn summary(registry: Registry) -> Summary {
    let troubles = registry.troubles.into_iter().map(|trouble| trouble.message).collect();
    Summary { host: registry.host, state: registry.state, troubles }
}
