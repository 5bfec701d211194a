//! Takes a snapshot of the status of the running proxy.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use super::registry;
use super::status::{Configuration, FileTrouble, Image, Listener, Refused, Request, Status, Totals, seconds};
use crate::observe::activity::Activity;
use crate::observe::image::{Outcome, Summary};
use crate::observe::recent_requests::FinishedRequest;
use crate::observe::reloads::{FileProblem, UnusableFile};
use crate::proxy::Proxy;
use crate::proxy::routes::{ConfiguredRegistry, Routes};
use crate::upstream::UpstreamId;

/// The status at this moment, from memory only: sends no request and reads no file.
pub fn of(proxy: &Proxy) -> Status {
    let tokens = proxy.authorizer.token_snapshots();
    let rejected = proxy.authorizer.rejected_credentials();
    let routes = proxy.routes.load();
    let (registries, registries_left_out) = listed_registries(&routes, &proxy.activity);
    let totals = proxy.activity.totals();
    let listeners = proxy.process.listeners().into_iter().map(|listener| Listener {
        address: listener.address.into(),
        admin: listener.admin,
        registry: listener.registry.map(Into::into),
    });
    Status {
        version: env!("CARGO_PKG_VERSION"),
        instance: proxy.instance().to_owned(),
        at: seconds(proxy.activity.now()),
        since: seconds(proxy.process.started_at()),
        uptime_seconds: seconds(proxy.process.uptime()),
        stage: proxy.process.stage().as_str(),
        listeners: listeners.collect(),
        configuration: configuration(proxy),
        totals: Totals {
            in_flight: totals.in_flight,
            requests: totals.requests,
            failed: totals.failed,
            sent_bytes: totals.sent,
            received_bytes: totals.bytes,
            tokens_held: tokens.len(),
        },
        registries: registries
            .iter()
            .map(|registry| registry::of(registry, &proxy.activity, &tokens, &rejected))
            .collect(),
        registries_left_out,
        images: proxy.activity.images.recent().into_iter().map(image).collect(),
        requests: proxy.activity.recent.requests().into_iter().map(request).collect(),
        errors: proxy.activity.recent.failures().into_iter().map(request).collect(),
    }
}

/// The registries to list, and how many are left out. Clients can name any number of registries that just a pattern
/// matches, so of those only the ones that were used last are listed.
fn listed_registries(routes: &Routes, activity: &Activity) -> (Vec<ConfiguredRegistry>, usize) {
    let mut all = routes.registries();
    let is_named = |one: &ConfiguredRegistry| routes.is_named(&one.upstream.host);
    let last_used =
        |one: &ConfiguredRegistry| activity.health.registry(one.upstream.host.as_str()).map(|used| used.last_used);
    let mut matched: Vec<_> =
        all.iter().filter(|one| !is_named(one)).map(|one| (last_used(one), one.upstream.id)).collect();
    matched.sort_by_key(|(last_used, _)| Reverse(*last_used));
    let left_out: HashSet<UpstreamId> = matched.iter().skip(MAX_MATCHED).map(|(_, id)| *id).collect();
    all.retain(|one| !left_out.contains(&one.upstream.id));
    (all, left_out.len())
}

fn configuration(proxy: &Proxy) -> Configuration {
    let state = proxy.reloads.state();
    let routes = proxy.routes.load();
    Configuration {
        file: routes.file.as_ref().map(|file| file.display().to_string()),
        since: seconds(state.active_since),
        replaced: state.times_replaced,
        patterns: routes.patterns.iter().map(ToString::to_string).collect(),
        refused: state
            .rejected
            .map(|rejected| Refused { since: seconds(rejected.since), problems: rejected.problems.into() }),
        troubles: state.file_problems.into_iter().map(trouble).collect(),
    }
}

fn trouble(FileProblem { since, file: UnusableFile { key, message, has_last_good } }: FileProblem) -> FileTrouble {
    FileTrouble { since: seconds(since), key: key.into(), message: message.into(), kept: has_last_good }
}

fn image(summary: Summary) -> Image {
    Image {
        number: summary.number,
        at: seconds(summary.at),
        image: summary.image,
        digest: summary.digest.map(Into::into),
        direction: summary.direction.as_str(),
        outcome: summary.outcome.as_str(),
        manifests: summary.manifests,
        blobs: summary.blobs,
        bytes: summary.bytes,
        requests: summary.requests,
        token_fetches: summary.token_fetches,
        auth_ms: milliseconds(summary.auth),
        total_ms: milliseconds(summary.time),
        other_tags: summary.other_tags,
        failure: match &summary.outcome {
            Outcome::Failed(failure) => Some(failure.into()),
            Outcome::Ok | Outcome::Unfinished => None,
        },
    }
}

fn request(finished: FinishedRequest) -> Request {
    Request {
        number: finished.number,
        at: seconds(finished.at),
        method: finished.method.to_string(),
        registry: finished.registry.map(Into::into),
        repository: finished.repository.map(Into::into),
        reference: finished.reference.map(Into::into),
        operation: finished.operation,
        status: finished.status,
        grant: finished.grant,
        attempts: finished.attempts,
        sent_bytes: finished.sent,
        received_bytes: finished.bytes,
        whole: finished.is_complete,
        auth_ms: milliseconds(finished.time.auth),
        upstream_ms: milliseconds(finished.time.upstream),
        transfer_ms: milliseconds(finished.time.transfer()),
        total_ms: milliseconds(finished.time.total),
        failure: finished.failure.as_ref().map(Into::into),
    }
}

/// A length of time in milliseconds, rounded to a tenth.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 1e1
}

/// Maximum number of registries listed that just a pattern matches.
const MAX_MATCHED: usize = 50;
