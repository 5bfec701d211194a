//! The section of the status page with one card for each registry.

use maud::{Markup, html};

use super::super::status::{Credential, LastFailure, RateLimit, Registry, Status};
use super::bars;
use super::format::{ago, size, span, time};
use super::table::head;

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
                    "Also registries that match "
                    @for (at, pattern) in status.configuration.patterns.iter().enumerate() {
                        @if at > 0 { ", " }
                        code { (pattern) }
                    }
                    ", shown once they are used"
                    @if status.registries_left_out > 0 { "; " (status.registries_left_out) " that were used earlier are left out" }
                    "."
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
                @if registry.label != registry.host { " " span { "as " code { (registry.label) } } }
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
                @if let Some(at) = registry.last_success { dt { "Last success" } dd { (time(at, &ago(now, at))) } }
                @if let Some(failure) = &registry.last_failure { dt { "Last failure" } dd { (last_failure(failure, now)) } }
                dt { @if registry.credentials.len() == 1 { "Credential" } @else { "Credentials" } }
                dd { @for one in &registry.credentials { (credential(one)) } }
                @if !registry.rate_limits.is_empty() {
                    dt { "Rate limit" }
                    dd { @for limit in &registry.rate_limits { (rate_limit(limit, now)) } }
                }
            }
            (egress(registry))
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

fn credential(credential: &Credential) -> Markup {
    html! {
        p {
            @match (&credential.problem, credential.identity.as_deref()) {
                (Some(_), _) => { span.bad { "unavailable" } " from " code { (credential.source) } }
                (None, None) if credential.source == "anonymous" => { "anonymous" }
                (None, None) => { code { (credential.source) } ", not used yet" }
                (None, Some("anonymous")) if credential.source == "anonymous" => { "anonymous" }
                (None, Some("anonymous")) => { "anonymous: " code { (credential.source) } " has no credential for it" }
                (None, Some(identity)) => { (identity) }
            }
            @if credential.refused { ", " span.bad { "rejected" } }
            @if let Some(left) = credential.expires_in_seconds { ", expires in " (span(left)) }
            @if let Some(repositories) = &credential.repositories { " for " code { (repositories.join(" ")) } }
        }
    }
}

fn rate_limit(limit: &RateLimit, now: f64) -> Markup {
    let window = limit.window_seconds.map(|window| format!(" in {}", span(window))).unwrap_or_default();
    let text = match (limit.limit, limit.remaining) {
        (Some(limit), Some(left)) => format!("{left} of {limit} left{window}"),
        (Some(limit), None) => format!("{limit} allowed{window}"),
        (None, Some(left)) => format!("{left} left{window}"),
        (None, None) => String::new(),
    };
    html! {
        div.limit {
            p { (text) }
            @if let (Some(limit), Some(left)) = (limit.limit, limit.remaining) { (bars::remaining(left, limit, &text)) }
            p.sub {
                (limit.identity)
                @if let Some(counted) = &limit.counted { ", counted per " (counted) }
                ", reported " (time(limit.at, &ago(now, limit.at)))
            }
        }
    }
}

fn egress(registry: &Registry) -> Markup {
    html! {
        details.egress id=(format!("egress-{}", registry.host)) {
            summary { "Hosts for a firewall" }
            @for host in &registry.egress {
                p { code { (host.address) } " " small { (host.purpose) @if host.seen { ", connected to" } } }
            }
        }
    }
}

fn tokens(registry: &Registry) -> Markup {
    let count = registry.tokens_held;
    html! {
        @if count > 0 {
            details.tokens id=(format!("tokens-{}", registry.host)) {
                summary { (count) @if count == 1 { " cached token" } @else { " cached tokens" } }
                table {
                    (head(&[("", "Scopes"), ("number", "Expires in"), ("number", "Uses")]))
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
                @if count > registry.tokens.len() { p.sub { "and " (count - registry.tokens.len()) " more" } }
            }
        }
    }
}
