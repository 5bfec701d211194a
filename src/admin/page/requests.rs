//! The last requests and the last errors.

use maud::{Markup, html};

use super::super::status::{Request, Status};
use super::bars;
use super::folded::folded;
use super::words::{ago, shortened, size, time, took};

/// What went wrong lately, and what to do about it. Repetitions in a row are told once.
pub(super) fn errors(status: &Status) -> Markup {
    let groups: Vec<&[Request]> = status.errors.chunk_by(is_same).collect();
    html! {
        section #errors aria-labelledby="errors-title" {
            @if !groups.is_empty() {
                h2 #errors-title { "Errors" }
                (folded("older-errors", &groups, SHOWN_ERRORS, |groups| html! {
                    ol.errors { @for group in groups { (error(group, status.at)) } }
                }))
            }
        }
    }
}

fn is_same(one: &Request, other: &Request) -> bool {
    let told = |request: &Request| {
        let failure = request.failure.as_ref();
        failure.map(|failure| (failure.message.clone(), failure.step, failure.blame))
    };
    one.registry == other.registry && told(one) == told(other)
}

fn error(group: &[Request], now: f64) -> Markup {
    let Some((request, failure)) = group.first().and_then(|first| Some((first, first.failure.as_ref()?))) else {
        return html! {};
    };
    // By the oldest: a repetition changes the entry and adds none.
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
                ", " (words(request))
                @if let Some(registry) = &request.registry {
                    " of " (registry) (image(request))
                }
                ", at the step " (failure.step)
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
                p.none { "None yet. Pull something: " code { "docker pull " (address(status)) "/python" } }
            } @else {
                ul.legend aria-label="Colours of the bars" {
                    li.auth { "authorization" }
                    li.upstream { "waiting for the registry" }
                    li.transfer { "transfer" }
                }
                table.requests {
                    thead { tr {
                        th scope="col" { "When" }
                        th scope="col" { "Status" }
                        th scope="col" { "What" }
                        th.number scope="col" { "Size" }
                        th scope="col" { "Authorization" }
                        th.wide scope="col" { "Where the time went" }
                        th.number scope="col" { "Took" }
                    } }
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
                span.operation { (words(request)) } " "
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
            td.number.took { (took(request.total_ms)) }
        }
    }
}

/// What follows the registry in an image's name.
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

/// `read-manifest` as people say it; the method of what is no operation.
fn words(request: &Request) -> String {
    if request.operation == "other" { request.method.clone() } else { request.operation.replace('-', " ") }
}

/// How a client on this machine names the first listener.
fn address(status: &Status) -> String {
    let listener = status.listeners.iter().find(|listener| !listener.admin);
    let port = listener.and_then(|listener| listener.address.rsplit_once(':')).map_or("5050", |(_, port)| port);
    format!("localhost:{port}")
}

/// More would push the requests out of sight.
const SHOWN_ERRORS: usize = 4;
