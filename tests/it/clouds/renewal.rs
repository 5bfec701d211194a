//! Renewal of issued credentials during 24 hours with a pull every minute: no pull fails, and the cloud receives few requests.

use std::time::Duration;

use regpass::base::clock::WallClock;
use serde_json::json;
use tokio::time::sleep;

use super::{APP, AzureSetup, GoogleSetup, HOUR, environment, request_counts, write_token_file};
use crate::harness::Regpass;
use crate::sim::{Azure, Sim};

/// Pulls every minute for 24 hours, calling `before_pull` with the minute first. Returns how many requests each of the
/// servers received.
async fn pull_for_a_day(
    sim: &Sim,
    regpass: &Regpass,
    servers: &[&str],
    mut before_pull: impl FnMut(u64),
) -> Vec<usize> {
    for minute in 0..24 * 60 {
        before_pull(minute);
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, 200, "after {minute} minutes: {reply:?}");
        sleep(Duration::from_secs(60)).await;
    }
    let repeated = sim.ledger().repeated_401s();
    assert!(repeated.is_empty(), "{repeated:?}");
    request_counts(sim, servers)
}

/// Rotates a subject token every 50 minutes: calls `set_token` with a new one in each 50th minute.
fn rotate(minute: u64, set_token: impl FnOnce(&str)) {
    if minute.is_multiple_of(50) {
        set_token(&format!("subject.token.{minute}"));
    }
}

#[tokio::test(start_paused = true)]
async fn google_metadata_token_is_renewed() {
    let setup = GoogleSetup::new().await;
    // The metadata server returns the same token until five minutes before it expires. A token lives 3600 s: regpass
    // requests at 2700 s and gets the same one, with 900 s left; it requests again at 3375 s and gets a new one.
    let counts = pull_for_a_day(&setup.sim, &setup.start_without_key(), &["metadata"], |_| ()).await;
    assert_eq!(counts, [51]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn google_service_account_token_is_renewed() {
    let setup = GoogleSetup::new().await;
    let counts = pull_for_a_day(&setup.sim, &setup.start_with_service_account(), &["oauth2"], |_| ()).await;
    assert_eq!(counts, [33], "every 45 minutes");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn google_workload_identity_with_a_rotating_token_is_renewed() {
    let setup = GoogleSetup::new().await;
    let file = setup.write("token", "subject.token.0");
    let key = setup.google.external_account(&json!({ "file": file }), true);
    let regpass = setup.start_with_key(&key);
    let set_token = |token: &str| {
        setup.write("token", token);
        setup.google.set_subject_token(token);
    };
    let counts = pull_for_a_day(&setup.sim, &regpass, &["sts", "iam"], |minute| rotate(minute, set_token)).await;
    assert_eq!(counts, [32, 32]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn azure_service_principal_token_is_renewed() {
    let setup = AzureSetup::new().await;
    let counts = pull_for_a_day(&setup.sim, &setup.start_with_secret(), &["directory"], |_| ()).await;
    assert_eq!(counts, [11], "every 2 1/4 hours");
    assert_eq!(setup.sim.ledger().count("registry", |entry| entry.path == "/oauth2/exchange"), 11);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn azure_workload_identity_with_a_rotating_token_is_renewed() {
    let setup = AzureSetup::new().await;
    let (_folder, file) = write_token_file("subject.token.0");
    let regpass = setup.start(environment(&[
        ("AZURE_FEDERATED_TOKEN_FILE", &file.display().to_string()),
        ("AZURE_CLIENT_ID", Azure::CLIENT),
        ("AZURE_TENANT_ID", Azure::TENANT),
        ("AZURE_AUTHORITY_HOST", &setup.directory.0.origin()),
    ]));
    let set_token = |token: &str| {
        std::fs::write(&file, token).unwrap();
        setup.azure.set_assertion(token);
    };
    let counts = pull_for_a_day(&setup.sim, &regpass, &["directory"], |minute| rotate(minute, set_token)).await;
    assert_eq!(counts, [11]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn clock_skew_of_regpass_or_cloud_is_tolerated() {
    for hours in [-30_i32, -1, 1, 30] {
        let setup = GoogleSetup::new().await;
        let now = setup.sim.clock().since_1970();
        let skew = HOUR * hours.unsigned_abs();
        let skewed = if hours < 0 { now.saturating_sub(skew) } else { now + skew };
        let config = setup.config_with_key(&setup.google.service_account(setup.google.key()));
        let regpass = Regpass::start_with_clock(&setup.sim, &config, environment(&[]), WallClock::tokio(skewed));
        assert_eq!(regpass.get(APP).await.status, 200, "{hours} h");
        assert_eq!(request_counts(&setup.sim, &["oauth2"]), [2], "the second is signed with the endpoint's time");
        setup.sim.finish();

        let setup = AzureSetup::new().await;
        setup.azure.set_clock_ahead(i64::from(hours) * 3600);
        let regpass = setup.start_with_secret();
        for _ in 0..200 {
            assert_eq!(regpass.get(APP).await.status, 200, "{hours} h");
            sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(request_counts(&setup.sim, &["directory"]), [2], "{hours} h: `expires_in` counts, not a date");
        setup.sim.finish();
    }
}
