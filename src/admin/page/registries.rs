//! The registries, one card each.

use maud::{Markup, html};

use super::super::status::{Credential, LastFailure, RateLimit, Registry, Status};
use super::bars;
use super::words::{ago, size, span, time};

pub(super) fn section(status: &Status) -> Markup {
    html! {
        section #registries aria-labelledby="registries-title" {
            h2 #registries-title { "Registries" }
            @if status.registries.is_empty() { p.none { "No registry is configured." } }
            div.cards {
                @for registry in &status.registries { (card(registry, status.at)) }
            }
            @if !status.configuration.patterns.is_empty() {
                p.more {
                    "And those of "
                    @for (at, pattern) in status.configuration.patterns.iter().enumerate() {
                        @if at > 0 { ", " }
                        code { (pattern) }
                    }
                    ", once they are asked for."
                }
            }
        }
    }
}

fn card(registry: &Registry, now: f64) -> Markup {
    let state = registry.state.as_str();
    html! {
        article.card id=(format!("registry-{}", registry.host)) data-state=(state) {
            header {
                h3 { (registry.host) }
                span.state { (state) }
            }
            p.sub {
                span { (registry.profile) }
                @if registry.label != registry.host { " " span { "by " code { (registry.label) } } }
                @if registry.url != format!("https://{}", registry.host) { " " span { "at " code { (registry.url) } } }
            }
            @for trouble in &registry.troubles {
                div.trouble {
                    p { (trouble.message) }
                    p.advice { (trouble.advice) }
                }
            }
            dl.facts {
                @if registry.requests + registry.in_flight > 0 {
                    dt { "Requests" }
                    dd {
                        (registry.requests)
                        @if registry.failed > 0 { ", " span.bad { (registry.failed) " failed" } }
                        @if registry.in_flight > 0 { ", " (registry.in_flight) " in flight" }
                    }
                }
                @if registry.received_bytes + registry.sent_bytes > 0 {
                    dt { "Bytes" }
                    dd {
                        (size(registry.received_bytes)) " down"
                        @if registry.sent_bytes > 0 { ", " (size(registry.sent_bytes)) " up" }
                    }
                }
                @if let Some(at) = registry.last_success { dt { "Last answer" } dd { (time(at, &ago(now, at))) } }
                @if let Some(failure) = &registry.last_failure { dt { "Last failure" } dd { (last_failure(failure, now)) } }
                dt { @if registry.credentials.len() == 1 { "Login" } @else { "Logins" } }
                dd { @for login in &registry.credentials { (credential(login)) } }
                @if !registry.rate_limits.is_empty() {
                    dt { "Rate limit" }
                    dd { @for limit in &registry.rate_limits { (rate_limit(limit, now)) } }
                }
            }
            (tokens(registry))
        }
    }
}

fn last_failure(last: &LastFailure, now: f64) -> Markup {
    html! {
        (time(last.at, &ago(now, last.at))) ", " (last.failure.step)
        @if last.status > 0 { " (" (last.status) ")" }
    }
}

fn credential(login: &Credential) -> Markup {
    html! {
        p.login {
            @match (&login.problem, login.identity.as_deref()) {
                (Some(_), _) => { span.bad { "none to be had" } " from " code { (login.source) } }
                (None, None) if login.source == "anonymous" => { "anonymous" }
                (None, None) => { code { (login.source) } ", not looked at yet" }
                (None, Some("anonymous")) if login.source == "anonymous" => { "anonymous" }
                (None, Some("anonymous")) => { "anonymous, as " code { (login.source) } " has none" }
                (None, Some(identity)) => { (identity) }
            }
            @if login.refused { ", " span.bad { "refused" } }
            @if let Some(left) = login.expires_in_seconds { ", for another " (span(left)) }
            @if let Some(repositories) = &login.repositories { " for " code { (repositories.join(" ")) } }
        }
    }
}

fn rate_limit(limit: &RateLimit, now: f64) -> Markup {
    let of = |words: &str| match (limit.limit, limit.remaining) {
        (Some(limit), Some(left)) => format!("{left} of {limit} left{words}"),
        (Some(limit), None) => format!("{limit} allowed{words}"),
        (None, Some(left)) => format!("{left} left{words}"),
        (None, None) => String::new(),
    };
    let words = of(&limit.window_seconds.map(|window| format!(" in {}", span(window))).unwrap_or_default());
    html! {
        div.limit {
            p { (words) }
            @if let (Some(of), Some(left)) = (limit.limit, limit.remaining) { (bars::left(of, left, &words)) }
            p.sub {
                (limit.identity)
                @if let Some(counted) = &limit.counted { ", counted for " (counted) }
                ", told " (time(limit.at, &ago(now, limit.at)))
            }
        }
    }
}

fn tokens(registry: &Registry) -> Markup {
    let held = registry.tokens_held;
    html! {
        @if held > 0 {
            details.tokens id=(format!("tokens-{}", registry.host)) {
                summary { (held) @if held == 1 { " token held" } @else { " tokens held" } }
                table {
                    thead { tr {
                        th scope="col" { "Good for" }
                        th.number scope="col" { "Left" }
                        th.number scope="col" { "Used" }
                    } }
                    tbody {
                        @for token in &registry.tokens {
                            tr {
                                td {
                                    @if token.scopes.is_empty() { "no scope" }
                                    @for scope in &token.scopes { code.scope { (scope) } }
                                    small { (token.identity) ", from " (token.realm) }
                                }
                                td.number { (span(token.expires_in_seconds)) }
                                td.number { (token.uses) "×" }
                            }
                        }
                    }
                }
                @if held > registry.tokens.len() { p.sub { "and " (held - registry.tokens.len()) " more" } }
            }
        }
    }
}
