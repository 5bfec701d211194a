//! Takes the status of a running proxy.

use std::time::Duration;

use super::registry;
use super::status::{Configuration, Failure, FileTrouble, Image, Listener, Refused, Request, Status, Totals};
use crate::observe::image::{Outcome, Summary};
use crate::observe::recent::{self, Finished};
use crate::observe::reloads::{Trouble, Unusable};
use crate::proxy::Proxy;

/// The status at this moment. Asks nobody anything.
pub fn of(proxy: &Proxy) -> Status {
    let held = proxy.authorizer.held();
    let stale = proxy.authorizer.stale_logins();
    let routes = proxy.routes.load();
    let registries = routes.registries();
    let totals = proxy.seen.totals();
    let listeners = proxy.process.listeners().into_iter().map(|listener| Listener {
        address: listener.address.into(),
        admin: listener.admin,
        registry: listener.registry.map(Into::into),
    });
    Status {
        version: env!("CARGO_PKG_VERSION"),
        instance: proxy.instance().to_owned(),
        at: seconds(proxy.seen.now()),
        since: seconds(proxy.process.since()),
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
            tokens_held: held.len(),
        },
        registries: registries.iter().map(|registry| registry::of(registry, &proxy.seen, &held, &stale)).collect(),
        images: proxy.seen.images.last().into_iter().map(image).collect(),
        requests: proxy.seen.recent.requests().into_iter().map(request).collect(),
        errors: proxy.seen.recent.failures().into_iter().map(request).collect(),
    }
}

pub fn configuration(proxy: &Proxy) -> Configuration {
    let standing = proxy.reloads.standing();
    let routes = proxy.routes.load();
    Configuration {
        file: routes.file.as_ref().map(|file| file.display().to_string()),
        since: seconds(standing.since),
        replaced: standing.replaced,
        patterns: routes.patterns.iter().map(ToString::to_string).collect(),
        refused: standing
            .refused
            .map(|refused| Refused { since: seconds(refused.since), problems: refused.problems.into() }),
        troubles: standing.troubles.into_iter().map(trouble).collect(),
    }
}

fn trouble(Trouble { since, file: Unusable { key, what, kept } }: Trouble) -> FileTrouble {
    FileTrouble { since: seconds(since), key: key.into(), message: what.into(), kept }
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
            Outcome::Failed(why) => Some(failure(why)),
            Outcome::Ok | Outcome::Unfinished => None,
        },
    }
}

fn request(finished: Finished) -> Request {
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
        whole: finished.whole,
        auth_ms: milliseconds(finished.time.auth),
        upstream_ms: milliseconds(finished.time.upstream),
        transfer_ms: milliseconds(finished.time.transfer()),
        total_ms: milliseconds(finished.time.whole),
        failure: finished.failure.as_ref().map(failure),
    }
}

pub fn failure(failure: &recent::Failure) -> Failure {
    Failure {
        step: failure.step.as_str(),
        blame: failure.blame.as_str(),
        message: failure.message.to_string(),
        advice: failure.advice(),
    }
}

/// To the millisecond.
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

/// To the tenth.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 1e1
}
