//! A day and a night of one pull a minute: nobody waits, nobody is refused, and the clouds are asked as little as can be.

use std::time::Duration;

use regpass::base::clock::WallClock;
use serde_json::json;
use tokio::time::sleep;

use super::{APP, AzureScene, HOUR, Scene, calls, variables};
use crate::harness::Regpass;
use crate::sim::{Azure, Sim};

/// Pulls for 24 hours; what each of the servers was asked.
async fn a_day(sim: &Sim, regpass: &Regpass, servers: &[&str], mut every_minute: impl FnMut(u64)) -> Vec<usize> {
    for minute in 0..24 * 60 {
        every_minute(minute);
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, 200, "after {minute} minutes: {reply:?}");
        sleep(Duration::from_secs(60)).await;
    }
    let refused = sim.ledger().repeated_401s();
    assert!(refused.is_empty(), "{refused:?}");
    calls(sim, servers)
}

#[tokio::test(start_paused = true)]
async fn on_google_s_machine() {
    let scene = Scene::new().await;
    // The server hands out the same token until five minutes before its end: asked at 2700 s it says that 900 are left, and
    // at 3375 s it has a new one.
    let counts = a_day(&scene.sim, &scene.on_machine(), &["metadata"], |_| ()).await;
    assert_eq!(counts, [51]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn with_a_google_service_account_s_key() {
    let scene = Scene::new().await;
    let counts = a_day(&scene.sim, &scene.with_account(), &["oauth2"], |_| ()).await;
    assert_eq!(counts, [33], "every 45 minutes");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn with_a_google_workload_identity_whose_token_rotates() {
    let scene = Scene::new().await;
    let file = scene.write("token", "subject.token.0");
    let key = scene.google.external_account(&json!({ "file": file }), true);
    let regpass = scene.with_key(&key);
    let counts = a_day(&scene.sim, &regpass, &["sts", "iam"], |minute| {
        if minute % 50 == 0 {
            let token = format!("subject.token.{minute}");
            scene.write("token", &token);
            scene.google.subject(&token);
        }
    })
    .await;
    assert_eq!(counts, [32, 32]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn as_azure_s_service_principal() {
    let scene = AzureScene::new().await;
    let counts = a_day(&scene.sim, &scene.with_secret(), &["directory"], |_| ()).await;
    assert_eq!(counts, [11], "every two hours and a quarter");
    assert_eq!(scene.sim.ledger().count("registry", |entry| entry.path == "/oauth2/exchange"), 11);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn as_azure_s_workload_whose_token_rotates() {
    let scene = AzureScene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let around = variables(&[
        ("AZURE_FEDERATED_TOKEN_FILE", &file.display().to_string()),
        ("AZURE_CLIENT_ID", Azure::CLIENT),
        ("AZURE_TENANT_ID", Azure::TENANT),
        ("AZURE_AUTHORITY_HOST", &scene.directory.0.origin()),
    ]);
    std::fs::write(&file, "assertion.of.pod-1").unwrap();
    let regpass = Regpass::start_in(&scene.sim, &scene.config(), around);
    let counts = a_day(&scene.sim, &regpass, &["directory"], |minute| {
        if minute % 50 == 0 {
            let token = format!("assertion.of.pod-{minute}");
            std::fs::write(&file, &token).unwrap();
            scene.azure.assertion(&token);
        }
    })
    .await;
    assert_eq!(counts, [11]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn clocks_may_differ() {
    for hours in [-30_i32, -1, 1, 30] {
        let scene = Scene::new().await;
        let now = scene.sim.clock().since_1970();
        let by = HOUR * hours.unsigned_abs();
        let skewed = if hours < 0 { now.saturating_sub(by) } else { now + by };
        let config = scene.keyed(&scene.google.service_account(scene.google.key()));
        let regpass = Regpass::start_at(&scene.sim, &config, variables(&[]), WallClock::tokio(skewed));
        assert_eq!(regpass.get(APP).await.status, 200, "{hours} h");
        assert_eq!(calls(&scene.sim, &["oauth2"]), [2], "the second is signed for the endpoint's time");
        scene.sim.finish();

        let scene = AzureScene::new().await;
        scene.azure.clock_ahead(i64::from(hours) * 3600);
        let regpass = scene.with_secret();
        for _ in 0..200 {
            assert_eq!(regpass.get(APP).await.status, 200, "{hours} h");
            sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(calls(&scene.sim, &["directory"]), [2], "{hours} h: a lifetime, not a date");
        scene.sim.finish();
    }
}
