//! The status page: complete as the server sends it, and brought up to date by its script, which asks for it again and
//! puts what is new in place.

mod bars;
mod folded;
mod images;
mod registries;
mod requests;
mod words;

use maud::{DOCTYPE, Markup, html};

use self::words::{ago, size, span, time};
use super::snapshot;
use super::status::{Registry, State, Status};
use crate::proxy::Proxy;

/// Whether `path` is the page or a part of it.
pub(super) fn is_part(path: &str) -> bool {
    matches!(path, "/" | "/status.css" | "/status.js")
}

/// The page, or the part of it at `path`: its content type and content.
pub(super) fn part(path: &str, proxy: &Proxy) -> (&'static str, String) {
    match path {
        "/status.css" => ("text/css; charset=utf-8", include_str!("status.css").to_owned()),
        "/status.js" => ("text/javascript; charset=utf-8", include_str!("status.js").to_owned()),
        _ => ("text/html; charset=utf-8", render(&snapshot::of(proxy)).into_string()),
    }
}

/// The whole page. Whatever it is given is escaped.
fn render(status: &Status) -> Markup {
    let (mood, verdict) = verdict(status);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "regpass: " (verdict) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href=(ICON);
                link rel="stylesheet" href="status.css";
                script src="status.js" defer {}
                noscript { meta http-equiv="refresh" content="5"; }
            }
            body {
                header {
                    p.brand { (mark()) span { "regpass" } small { (status.version) } }
                    h1 #verdict aria-live="polite" data-mood=(mood.as_str()) { (verdict) }
                    p #pulse { "as of " (time(status.at, &words::clock(status.at))) }
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

/// How it goes, in one sentence.
fn verdict(status: &Status) -> (State, String) {
    let all = status.registries.len();
    let worst = status.registries.iter().map(|registry| registry.state).max().unwrap_or(State::Unused);
    let bad: Vec<&Registry> = status.registries.iter().filter(|registry| registry.state >= State::Degraded).collect();
    let sentence = match (status.stage, &*bad, worst) {
        ("draining", ..) => return (State::Degraded, "Stopping: open requests may finish".to_owned()),
        ("starting", ..) => return (State::Degraded, "Starting".to_owned()),
        (_, [], _) if status.configuration.refused.is_some() => {
            return (State::Degraded, "The configuration was refused".to_owned());
        }
        (_, [], _) if !status.configuration.troubles.is_empty() => {
            return (State::Degraded, "A file of the configuration cannot be used".to_owned());
        }
        (_, [], State::Unused) => "Ready, and not asked for anything yet".to_owned(),
        (_, [], _) => "All is well".to_owned(),
        (_, [one], State::Down) => format!("{} does not answer", one.host),
        (_, [one], State::Failing) => format!("{} is failing", one.host),
        (_, [one], _) => format!("{} works with limits", one.host),
        (_, bad, _) => format!("{} of {all} registries need attention", bad.len()),
    };
    (worst, sentence)
}

fn notices(status: &Status) -> Markup {
    html! {
        div #notices {
            @if let Some(refused) = &status.configuration.refused {
                section.notice aria-label="Configuration" {
                    h2 { "A newer configuration is not in force" }
                    p { "Refused " (time(refused.since, &ago(status.at, refused.since))) "; the one before it goes on." }
                    pre { (refused.problems) }
                    p.advice { "Mend the file: it is read again by itself. " code { "regpass check" } " shows what is wrong before that." }
                }
            }
            @if !status.configuration.troubles.is_empty() {
                section.notice aria-label="Files" {
                    h2 { "Files that cannot be used" }
                    @for trouble in &status.configuration.troubles {
                        p { code { (trouble.key) } ", " (time(trouble.since, &ago(status.at, trouble.since))) ": " (trouble.consequence()) "." }
                        pre { (trouble.message) }
                    }
                    p.advice { "Mend the file: it is looked at every second." }
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
            div { dt { "Tokens held" } dd { (totals.tokens_held) } }
            div { dt { "Up for" } dd { (span(status.uptime_seconds)) } }
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
                ", in force for " (time(configuration.since, &span(status.at - configuration.since)))
                @if configuration.replaced > 0 { ", replaced " (configuration.replaced) " times" }
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
            nav aria-label="For machines" {
                a href="status.json" { "status.json" } " "
                a href="metrics" { "metrics" } " "
                a href="readyz" { "readyz" } " "
                a href="livez" { "livez" }
            }
            p.instance { (status.instance) }
        }
    }
}

/// A gate that is open.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            path d="M4 21V9a8 8 0 0 1 16 0v12" {}
            path d="M9 21v-9l6-2.5V21" {}
        }
    }
}

/// The same, for the tab.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' \
                    stroke='%232a78a8' stroke-width='2.4' stroke-linecap='round' stroke-linejoin='round'%3E%3Cpath \
                    d='M4 21V9a8 8 0 0 1 16 0v12M9 21v-9l6-2.5V21'/%3E%3C/svg%3E";
