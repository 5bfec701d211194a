//! Renewal of ECR passwords: in the background before they expire, and when the registry calls one expired.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, sleep};

use super::{APP, ENVIRONMENT, EcrSetup};
use crate::harness::{Regpass, request};
use crate::sim::{Aws, Fault, Reply};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// Pulls every minute during `span`, and asserts that every request after the first pull succeeds at every server. Returns the
/// number of password requests.
async fn pull_every_minute(setup: &EcrSetup, variables: &[(&str, &str)], span: Duration) -> usize {
    let regpass = setup.start("", variables);
    assert_eq!(regpass.get(APP).await.status, 200);
    let mut password_requests = setup.password_requests();
    let started = Instant::now();
    while started.elapsed() < span {
        sleep(MINUTE).await;
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, 200, "after {:?}: {reply:?}", started.elapsed());
        let entries = setup.sim.ledger().take();
        let failed: Vec<_> = entries.iter().filter(|entry| entry.status != Some(StatusCode::OK)).collect();
        assert!(failed.is_empty(), "after {:?}: {failed:?}", started.elapsed());
        password_requests += entries.iter().filter(|entry| entry.server == "ecr-api").count();
    }
    password_requests
}

/// Asserts that a request whose password the registry rejects with 403 makes regpass fetch one new password, and that the
/// retry gets this status.
async fn assert_password_is_replaced(setup: &EcrSetup, regpass: &Regpass, method: Method, status: u16) {
    assert_eq!(regpass.send(request(method.clone(), APP)).await.status, status);
    setup.sim.ledger().expect(&[
        &format!("registry {method} /v2/team/app/manifests/1 basic:AWS 403"),
        "ecr-api POST / other 200",
        &format!("registry {method} /v2/team/app/manifests/1 basic:AWS {status}"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn day_of_pulls_with_a_key_costs_three_password_requests() {
    let setup = EcrSetup::new().await;
    assert_eq!(pull_every_minute(&setup, &ENVIRONMENT, DAY).await, 3, "at 0, 9 and 18 hours");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn expiry_of_the_password_is_measured() {
    let setup = EcrSetup::new().await;
    setup.aws.set_password_lifetime(60 * MINUTE);
    let regpass = setup.start("", &ENVIRONMENT);
    let expires_in = || {
        let lines = regpass.metric("regpass_credential_expiry_seconds{registry=\"");
        lines
            .iter()
            .map(|line| line.rsplit_once("source=\"ecr\"} ").unwrap().1.parse::<f64>().unwrap())
            .collect::<Vec<_>>()
    };
    assert!(expires_in().is_empty(), "no password has been requested");
    assert_eq!(regpass.get(APP).await.status, 200);
    let first = expires_in();
    assert!(first.len() == 1 && (3500.0..=3600.0).contains(&first[0]), "{first:?}");
    sleep(MINUTE).await;
    assert!((first[0] - expires_in()[0] - 60.0).abs() < 1.0, "{:?}", expires_in());
}

#[tokio::test(start_paused = true)]
async fn day_of_pulls_on_an_instance_costs_three_password_requests() {
    let setup = EcrSetup::new().await;
    assert_eq!(pull_every_minute(&setup, &[], DAY).await, 3);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn renewal_follows_the_expiry_of_the_response() {
    let setup = EcrSetup::new().await;
    setup.aws.set_password_lifetime(60 * MINUTE);
    assert_eq!(pull_every_minute(&setup, &ENVIRONMENT, DAY / 4).await, 9, "at once and every 45 minutes");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn password_that_the_registry_calls_expired_is_replaced_once() {
    let setup = EcrSetup::new().await;
    let regpass = setup.start_warm().await;
    setup.registry.users().revoke_temporary();
    assert_password_is_replaced(&setup, &regpass, Method::GET, 200).await;

    // If the registry calls every password expired, regpass does not request one each time.
    let expired = "Your authorization token has expired. Reauthenticate and try again.";
    let reply = Reply::error(403, "DENIED", expired);
    setup.registry.api().inject(Fault::answer(reply));
    for _ in 0..20 {
        assert_eq!(regpass.get(APP).await.status, 403);
        sleep(Duration::from_secs(1)).await;
    }
    assert!(setup.password_requests() <= 2);
    setup.sim.finish();
}

/// A 403 to HEAD has no body that gives the reason: an old password may have expired, a new one has not.
#[tokio::test(start_paused = true)]
async fn head_denial_renews_only_an_old_password() {
    let setup = EcrSetup::new().await;
    let regpass = setup.start("", &ENVIRONMENT);
    assert_eq!(regpass.head(APP).await.status, 200);
    setup.sim.ledger().take();
    setup.registry.api().inject(Fault::answer(Reply::new(403)).times(1));
    let denied = regpass.head(APP).await;
    assert_eq!((denied.status.as_u16(), denied.body.len()), (403, 0));
    setup.sim.ledger().expect(&["registry HEAD /v2/team/app/manifests/1 basic:AWS 403"]);
    assert_eq!(regpass.head(APP).await.status, 200, "the password stays in use");
    setup.sim.ledger().take();

    // Three hours later the password may have expired.
    sleep(3 * 60 * MINUTE).await;
    setup.registry.users().revoke_temporary();
    assert_password_is_replaced(&setup, &regpass, Method::HEAD, 200).await;
    // The new password is rejected as well: regpass does not try a third time.
    sleep(3 * 60 * MINUTE).await;
    setup.registry.api().inject(Fault::answer(Reply::new(403)));
    assert_password_is_replaced(&setup, &regpass, Method::HEAD, 403).await;
    setup.sim.finish();
}

/// AWS rejects a signature whose time is more than 15 minutes off its own, and sends its own time in the response.
#[tokio::test(start_paused = true)]
async fn clock_skew_costs_a_second_signed_request() {
    for ahead in [-7 * 24 * 3600, -3600, 3600, 30 * 24 * 3600] {
        let setup = EcrSetup::new().await;
        let role = format!(", role = \"{}\"", Aws::ROLE);
        let regpass = setup.start_with_clock_ahead(&role, &ENVIRONMENT, ahead);
        assert_eq!(regpass.get(APP).await.status, 200, "{ahead} s");
        let lines = setup.sim.ledger().lines();
        for (server, rejected) in [("sts", 403), ("ecr-api", 400)] {
            let own: Vec<&String> = lines.iter().filter(|line| line.starts_with(server)).collect();
            assert!(own.len() == 2 && own[0].ends_with(&rejected.to_string()) && own[1].ends_with(" 200"), "{own:?}");
        }
        setup.sim.ledger().take();
        // The expiry is also judged by the server's clock.
        sleep(8 * 60 * MINUTE).await;
        assert_eq!(regpass.get(APP).await.status, 200);
        assert_eq!(setup.password_requests(), 0);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn small_clock_skew_costs_no_further_request() {
    for ahead in [-600, 600] {
        let setup = EcrSetup::new().await;
        assert_eq!(setup.start_with_clock_ahead("", &ENVIRONMENT, ahead).get(APP).await.status, 200);
        assert_eq!(setup.password_requests(), 1);
        setup.sim.finish();
    }
}
