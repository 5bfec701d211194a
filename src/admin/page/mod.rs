//! The status page. regpass renders the whole page; the page's script keeps it current by fetching it again and
//! changing what differs.

mod bars;
mod collapsible;
mod format;
mod images;
mod registries;
mod requests;
mod table;

use maud::{DOCTYPE, Markup, html};

use self::format::{ago, size, span, time};
use super::snapshot;
use super::status::{Registry, State, Status};
use crate::proxy::Proxy;

/// Whether `path` is the page, its style sheet or its script.
pub(super) fn is_part(path: &str) -> bool {
    matches!(path, "/" | "/status.css" | "/status.js")
}

/// The content type and content of the page, or of its style sheet or script.
pub(super) fn part(path: &str, proxy: &Proxy) -> (&'static str, String) {
    match path {
        "/status.css" => ("text/css; charset=utf-8", include_str!("status.css").to_owned()),
        "/status.js" => ("text/javascript; charset=utf-8", include_str!("status.js").to_owned()),
        _ => ("text/html; charset=utf-8", render(&snapshot::of(proxy)).into_string()),
    }
}

/// Renders the page. maud escapes all values.
fn render(status: &Status) -> Markup {
    let (state, headline) = headline(status);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "regpass: " (headline) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href=(ICON);
                link rel="stylesheet" href="status.css";
                script src="status.js" defer {}
                noscript { meta http-equiv="refresh" content="5"; }
            }
            body {
                header {
                    p.brand { (logo()) span { "regpass" } small { (status.version) } }
                    h1 #headline aria-live="polite" data-mood=(state.as_str()) { (headline) }
                    p #pulse { "as of " (time(status.at, &format::clock(status.at))) }
                }
                main #status data-process=(status.instance) {
                    (notices(status))
                    (totals(status))
                    (registries::section(status))
                    (requests::errors(status))
                    (images::section(status))
                    (requests::section(status))
                }
                (footer(status))
            }
        }
    }
}

/// The overall state of regpass and its registries, and a sentence that says what is wrong, if anything.
fn headline(status: &Status) -> (State, String) {
    let all = status.registries.len();
    let worst = status.registries.iter().map(|registry| registry.state).max().unwrap_or(State::Unused);
    let bad: Vec<&Registry> = status.registries.iter().filter(|registry| registry.state >= State::Degraded).collect();
    let sentence = match (status.stage, &*bad, worst) {
        ("draining", ..) => return (State::Degraded, "Stopping: waiting for open requests".to_owned()),
        ("starting", ..) => return (State::Degraded, "Starting".to_owned()),
        (_, [], _) if status.configuration.refused.is_some() => {
            return (State::Degraded, "The new configuration was rejected".to_owned());
        }
        (_, [], _) if !status.configuration.troubles.is_empty() => {
            return (State::Degraded, "A configured file cannot be used".to_owned());
        }
        (_, [], State::Unused) => "Ready, no requests yet".to_owned(),
        (_, [], _) => "All is well".to_owned(),
        (_, [one], State::Down) => format!("{} does not answer", one.host),
        (_, [one], State::Failing) => format!("{} is failing", one.host),
        (_, [one], _) => format!("{} is degraded", one.host),
        (_, bad, _) => format!("{} of {all} registries need attention", bad.len()),
    };
    (worst, sentence)
}

fn notices(status: &Status) -> Markup {
    html! {
        div #notices {
            @if let Some(rejected) = &status.configuration.refused {
                section.notice aria-label="Configuration" {
                    h2 { "The new configuration is not active" }
                    p { "Rejected " (time(rejected.since, &ago(status.at, rejected.since))) "; the previous configuration stays active." }
                    pre { (rejected.problems) }
                    p.advice { "Correct the file; regpass reloads it automatically. Test it first with " code { "regpass check" } "." }
                }
            }
            @if !status.configuration.troubles.is_empty() {
                section.notice aria-label="Files" {
                    h2 { "Files that cannot be used" }
                    @for trouble in &status.configuration.troubles {
                        p { code { (trouble.key) } ", " (time(trouble.since, &ago(status.at, trouble.since))) ": " (trouble.consequence()) "." }
                        pre { (trouble.message) }
                    }
                    p.advice { "Correct the file; regpass checks it every second." }
                }
            }
        }
    }
}

fn totals(status: &Status) -> Markup {
    let totals = &status.totals;
    html! {
        dl.totals #totals {
            div { dt { "Requests" } dd { (totals.requests) } }
            div { dt { "Failed" } dd data-some[totals.failed > 0] { (totals.failed) } }
            div { dt { "In flight" } dd { (totals.in_flight) } }
            div { dt { "To clients" } dd { (size(totals.received_bytes)) } }
            div { dt { "From clients" } dd { (size(totals.sent_bytes)) } }
            div { dt { "Cached tokens" } dd { (totals.tokens_held) } }
            div { dt { "Uptime" } dd { (span(status.uptime_seconds)) } }
        }
    }
}

fn footer(status: &Status) -> Markup {
    let configuration = &status.configuration;
    html! {
        footer #about {
            p {
                @match &configuration.file {
                    Some(file) => { "Configuration " code { (file) } }
                    None => { "No configuration file" }
                }
                ", active for " (time(configuration.since, &span(status.at - configuration.since)))
                @if configuration.replaced > 0 { ", reloaded " (configuration.replaced) " times" }
                "."
            }
            @if !status.listeners.is_empty() {
                p {
                    "Listening on "
                    @for (at, listener) in status.listeners.iter().enumerate() {
                        @if at > 0 { ", " }
                        code { (listener.address) }
                        @if let Some(registry) = &listener.registry { " for " (registry) }
                        @if listener.admin { " (admin)" }
                    }
                    "."
                }
            }
            nav aria-label="Endpoints" {
                a href="status.json" { "status.json" } " "
                a href="metrics" { "metrics" } " "
                a href="readyz" { "readyz" } " "
                a href="livez" { "livez" }
            }
            p.instance { (status.instance) }
        }
    }
}

/// The logo: an open gate.
fn logo() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            path d="M4 21V9a8 8 0 0 1 16 0v12" {}
            path d="M9 21v-9l6-2.5V21" {}
        }
    }
}

/// The logo as the icon of the browser tab.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' \
                    stroke='%232a78a8' stroke-width='2.4' stroke-linecap='round' stroke-linejoin='round'%3E%3Cpath \
                    d='M4 21V9a8 8 0 0 1 16 0v12M9 21v-9l6-2.5V21'/%3E%3C/svg%3E";
