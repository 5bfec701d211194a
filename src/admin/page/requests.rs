//! The sections of the status page with the last requests and the last errors.

use std::net::SocketAddr;

use maud::{Markup, html};

use super::super::status::{Request, Status};
use super::bars;
use super::collapsible::collapsible;
use super::format::{ago, duration, shortened, size, time};
use super::table::head;

/// The last errors and what to do about each. Equal errors in a row are one entry.
pub(super) fn errors(status: &Status) -> Markup {
    let groups: Vec<&[Request]> = status.errors.chunk_by(is_same).collect();
    html! {
        section #errors aria-labelledby="errors-title" {
            @if !groups.is_empty() {
                h2 #errors-title { "Errors" }
                (collapsible("older-errors", &groups, SHOWN_ERRORS, |groups| html! {
                    ol.errors { @for group in groups { (error(group, status.at)) } }
                }))
            }
        }
    }
}

fn is_same(one: &Request, other: &Request) -> bool {
    let failure = |request: &Request| {
        let failure = request.failure.as_ref();
        failure.map(|failure| (failure.message.clone(), failure.step, failure.blame))
    };
    one.registry == other.registry && failure(one) == failure(other)
}

fn error(group: &[Request], now: f64) -> Markup {
    let Some((request, failure)) = group.first().and_then(|first| Some((first, first.failure.as_ref()?))) else {
        return html! {};
    };
    // The key is the number of the oldest request, so that the page's script changes the entry of a repeated error
    // instead of adding one.
    let key = group.last().map_or(request.number, |last| last.number);
    html! {
        li data-key=(format!("error-{key}")) data-blame=(failure.blame) {
            p.what {
                span.tag { (failure.blame) }
                span.message { (failure.message) }
            }
            p.advice { (failure.advice) }
            p.sub {
                (time(request.at, &ago(now, request.at)))
                @if group.len() > 1 { ", " (group.len()) " times in a row" }
                ", " (operation(request))
                @if let Some(registry) = &request.registry {
                    " of " (registry) (image(request))
                }
                ", step " (failure.step)
            }
        }
    }
}

pub(super) fn section(status: &Status) -> Markup {
    let longest = status.requests.iter().map(|request| request.total_ms).fold(0.0, f64::max);
    html! {
        section #requests aria-labelledby="requests-title" {
            h2 #requests-title { "Requests" }
            @if status.requests.is_empty() {
                p.none { "None yet. Pull something: " code { (example(status)) } }
            } @else {
                ul.legend aria-label="Colours of the bars" {
                    li.auth { "authorization" }
                    li.upstream { "waiting for the registry" }
                    li.transfer { "transfer" }
                }
                table.requests {
                    (head(COLUMNS))
                    tbody { @for request in &status.requests { (row(request, status.at, longest)) } }
                }
            }
        }
    }
}

fn row(request: &Request, now: f64, longest: f64) -> Markup {
    let class = match request.status {
        200..400 if request.whole => "good",
        400..500 => "refused",
        500.. => "broken",
        _ => "left",
    };
    html! {
        tr data-key=(format!("request-{}", request.number)) data-class=(class) {
            td.when { (time(request.at, &ago(now, request.at))) }
            td.status {
                span.code { @if request.status == 0 { "–" } @else { (request.status) } }
                @if !request.whole { " " small { "unfinished" } }
            }
            td.what {
                span.operation { (operation(request)) } " "
                span.name {
                    @if let Some(registry) = &request.registry { span.host { (registry) } }
                    (image(request))
                }
            }
            td.number.size {
                @if request.sent_bytes > request.received_bytes { "↑ " (size(request.sent_bytes)) }
                @else if request.received_bytes > 0 { (size(request.received_bytes)) }
            }
            td.grant { (request.grant) @if request.attempts > 1 { " " small { "×" (request.attempts) } } }
            td.wide { (bars::times(request, longest)) }
            td.number.took { (duration(request.total_ms)) }
        }
    }
}

/// The part of an image name after the registry.
fn image(request: &Request) -> Markup {
    html! {
        @if let Some(repository) = &request.repository { "/" (repository) }
        @if let Some(reference) = &request.reference {
            span.reference title=(reference) {
                @if reference.contains(':') { "@" } @else { ":" }
                (shortened(reference))
            }
        }
    }
}

/// The operation without hyphens (`read manifest`), or the method of a request that is no operation of the API.
fn operation(request: &Request) -> String {
    if request.operation == "other" { request.method.clone() } else { request.operation.replace('-', " ") }
}

/// A command that sends a request to a listener that is not the admin listener. docker cannot pull through a Unix socket,
/// so a TCP listener is preferred.
fn example(status: &Status) -> String {
    let addresses = || status.listeners.iter().filter(|listener| !listener.admin).map(|listener| &*listener.address);
    let tcp = addresses().find_map(|address| address.parse::<SocketAddr>().ok());
    let unix = addresses().find_map(|address| address.strip_prefix("unix:"));
    match (tcp, unix) {
        (None, Some(path)) => format!("curl --unix-socket {path} http://localhost/v2/python/tags/list"),
        (Some(tcp), _) if !tcp.ip().is_loopback() && !tcp.ip().is_unspecified() => format!("docker pull {tcp}/python"),
        (tcp, _) => format!("docker pull localhost:{}/python", tcp.map_or(5050, |tcp| tcp.port())),
    }
}

const COLUMNS: &[(&str, &str)] = &[
    ("", "When"),
    ("", "Status"),
    ("", "Request"),
    ("number", "Size"),
    ("", "Authorization"),
    ("wide", "Time spent"),
    ("number", "Duration"),
];
/// Errors shown without expanding; more would push the requests out of view.
const SHOWN_ERRORS: usize = 4;
