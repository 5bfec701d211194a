//! Discovery of how a registry authenticates, when its first replies are unusual.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;

use crate::harness::{Regpass, single_registry_config};
use crate::sim::{Fault, Image, ImageFormat, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";

async fn start(sim: &Sim) -> (Registry, Regpass) {
    let registry = sim.start(Preset::generic()).await;
    registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
    let regpass = Regpass::start(sim, &single_registry_config(&registry, ""));
    (registry, regpass)
}

#[tokio::test(start_paused = true)]
async fn busy_reply_does_not_end_discovery() {
    for status in [429, 500, 502, 503] {
        let sim = Sim::memory();
        let (registry, regpass) = start(&sim).await;
        let busy = registry.api().inject(Fault::text(status, "busy"));
        assert_eq!(regpass.get(APP).await.status.as_u16(), status);
        busy.remove();
        sim.ledger().take();
        registry.api().inject(Fault::delay(Duration::from_millis(20)));
        assert!(join_all((0..50).map(|_| regpass.get(APP))).await.iter().all(|reply| reply.status == 200));
        let refused = sim.ledger().count("registry", |entry| entry.status == Some(StatusCode::UNAUTHORIZED));
        assert_eq!(refused, 1, "{status}: only one request runs the discovery");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn late_challenge_does_not_replace_the_pinned_one() {
    let sim = Sim::memory();
    let (registry, regpass) = start(&sim).await;
    let other = r#"Bearer realm="http://auth.generic.test/other",service="generic.test""#;
    for fault in [Fault::delay(Duration::from_secs(5)), Fault::challenge(&[other])] {
        registry.api().inject(fault.path("_catalog").times(1));
    }
    let (late, early) = tokio::join!(regpass.get("/v2/_catalog"), regpass.get(APP));
    assert_eq!((late.status.as_u16(), early.status.as_u16()), (403, 200), "{late:?}");
    let requests = sim.ledger().take();
    assert!(requests.iter().all(|entry| entry.path != "/other"), "{requests:?}");
    registry.revoke_tokens();
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.finish();
}
