//! `/livez` and `/readyz`: is the process alive, may it be sent requests, and what it knows of the registries.

use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::status::{Configuration, Registry, State, Status};
use super::{accepts, snapshot};
use crate::observe::process::Stage;
use crate::proxy::Proxy;

/// What `/readyz` says in JSON.
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

/// The state of the process itself, with the registries as a detail: a sick one is no reason to send requests for the
/// others elsewhere. Status, content type and body.
pub(super) fn ready(proxy: &Proxy, headers: &HeaderMap) -> (StatusCode, &'static str, String) {
    let stage = proxy.process.stage();
    let status = if stage == Stage::Serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let now = snapshot::of(proxy);
    if accepts(headers, "application/json") {
        let readiness = Readiness {
            ready: stage == Stage::Serving,
            stage: stage.as_str(),
            configuration: now.configuration,
            registries: now.registries.into_iter().map(summary).collect(),
        };
        let body = serde_json::to_string(&readiness).unwrap_or_default();
        return (status, "application/json", body);
    }
    let word = if stage == Stage::Serving { "ok" } else { stage.as_str() };
    (status, "text/plain; charset=utf-8", text(word, &now))
}

/// First the one word that counts, then a line for whatever is known.
fn text(word: &str, status: &Status) -> String {
    let mut lines = vec![word.to_owned()];
    if let Some(refused) = &status.configuration.refused {
        lines.push("configuration refused, the one before it is in force:".to_owned());
        lines.extend(refused.problems.lines().map(|line| format!("  {line}")));
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
