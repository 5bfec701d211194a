//! One cell of the matrix: a fresh registry, a fresh regpass and one request.

use std::time::Duration as Time;

use tokio::time::Instant;

use super::faults::FaultKind;
use super::operations::{Operation, blob, image};
use super::{Duration, Stage};
use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{AuthMode, Entry, Hop, HopTarget, Preset, Referrers, Registry, Rule, Sim};

pub const USER: &str = "alice";
pub const PASSWORD: &str = "alices-password";

/// What came of a request.
pub struct Outcome {
    /// `None` if the connection closed without a response.
    pub reply: Option<Reply>,
    pub time: Time,
    /// The requests that the registry's servers received.
    pub ledger: Vec<Entry>,
}

pub async fn without_fault(operation: &Operation) -> Outcome {
    run(operation, |_| {}).await
}

pub async fn with_fault(operation: &Operation, stage: Stage, fault: &FaultKind, duration: Duration) -> Outcome {
    run(operation, |registry| {
        let server = match stage {
            Stage::TokenService => registry.token_service(),
            Stage::Registry => registry.api(),
            Stage::BlobStore => registry.blob_store(),
        };
        // The challenge is no fault's aim: a fault of the registry meets the request with the token.
        let mut fault = (fault.make)();
        if stage == Stage::Registry {
            fault = fault.when(|entry| entry.headers.contains_key("authorization"));
        }
        server.inject(if duration == Duration::Once { fault.times(1) } else { fault });
    })
    .await
}

async fn run(operation: &Operation, prepare: impl FnOnce(&Registry)) -> Outcome {
    let sim = Sim::memory();
    // A faulty registry may redirect anywhere within itself.
    sim.allow(Rule::UnknownPath);
    let mut preset = Preset::distribution(AuthMode::Token).blob_hops(&[Hop::new(307, HopTarget::BlobStore)]);
    preset.lists.referrers = Referrers::Index;
    let registry = sim.start(preset).await;
    registry.add_user(USER, PASSWORD);
    registry.publish("acme/app", "1", &image());
    registry.publish_blob("acme/app", &blob());
    let more = format!(
        "allow = [\"pull\", \"push\", \"delete\"]\ncredential = {{ source = \"password\", username = \"{USER}\", password = \"{PASSWORD}\" }}"
    );
    let text = format!("default_registry = \"reg.test\"\n{}", registry_table("reg.test", &registry, &more));
    let regpass = Regpass::start(&sim, &text);
    prepare(&registry);
    let start = Instant::now();
    let reply = regpass.try_send((operation.request)()).await.ok();
    Outcome { reply, time: start.elapsed(), ledger: sim.ledger().take() }
}
