//! Learning what a registry demands, when the first answers are odd.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;

use crate::harness::{Regpass, only};
use crate::sim::{Family, Fault, Image, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";

async fn scene(sim: &Sim) -> (Registry, Regpass) {
    let registry = sim.start(Preset::generic()).await;
    registry.publish("team/app", "1", &Image::single("app", Family::Oci));
    let regpass = Regpass::start(sim, &only(&registry, ""));
    (registry, regpass)
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_somebody_busy_teaches_nothing() {
    for status in [429, 500, 502, 503] {
        let sim = Sim::memory();
        let (registry, regpass) = scene(&sim).await;
        let busy = registry.registry().inject(Fault::text(status, "busy"));
        assert_eq!(regpass.get(APP).await.status.as_u16(), status);
        busy.lift();
        sim.ledger().take();
        registry.registry().inject(Fault::delay(Duration::from_millis(20)));
        assert!(join_all((0..50).map(|_| regpass.get(APP))).await.iter().all(|reply| reply.status == 200));
        let refused = sim.ledger().count("registry", |entry| entry.status == Some(StatusCode::UNAUTHORIZED));
        assert_eq!(refused, 1, "{status}: the next request learns, and it alone");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_challenge_does_not_replace_what_was_learned() {
    let sim = Sim::memory();
    let (registry, regpass) = scene(&sim).await;
    let other = r#"Bearer realm="http://auth.generic.test/other",service="generic.test""#;
    for fault in [Fault::delay(Duration::from_secs(5)), Fault::challenge(&[other])] {
        registry.registry().inject(fault.path("_catalog").times(1));
    }
    let (late, early) = tokio::join!(regpass.get("/v2/_catalog"), regpass.get(APP));
    assert_eq!((late.status.as_u16(), early.status.as_u16()), (403, 200), "{late:?}");
    let asked = sim.ledger().take();
    assert!(asked.iter().all(|entry| entry.path != "/other"), "{asked:?}");
    registry.revoke_tokens();
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.finish();
}
