//! A password grows old in the background, and a registry's word that it is over counts.

use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::{APP, ENVIRONMENT, Stage};
use crate::sim::{Aws, Fault, Reply};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// A pull a minute; none may fail, nor be refused once. The number of logins.
async fn pull_for(stage: &Stage, variables: &[(&str, &str)], span: Duration) -> usize {
    let regpass = stage.start("", variables);
    assert_eq!(regpass.get(APP).await.status, 200);
    let mut logins = stage.logins();
    let begun = Instant::now();
    while begun.elapsed() < span {
        sleep(MINUTE).await;
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, 200, "after {:?}: {reply:?}", begun.elapsed());
        let entries = stage.sim.ledger().take();
        let refused: Vec<_> = entries.iter().filter(|entry| entry.status != Some(StatusCode::OK)).collect();
        assert!(refused.is_empty(), "after {:?}: {refused:?}", begun.elapsed());
        logins += entries.iter().filter(|entry| entry.server == "ecr-api").count();
    }
    logins
}

#[tokio::test(start_paused = true)]
async fn a_day_of_one_pull_a_minute_costs_three_logins() {
    let stage = Stage::new().await;
    assert_eq!(pull_for(&stage, &ENVIRONMENT, DAY).await, 3, "at 0, 9 and 18 hours");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn how_long_a_login_lasts_yet_is_measured() {
    let stage = Stage::new().await;
    stage.aws.passwords_last(60 * MINUTE);
    let regpass = stage.start("", &ENVIRONMENT);
    let left = || {
        let lines = regpass.metric("regpass_credential_expiry_seconds{registry=\"");
        lines
            .iter()
            .map(|line| line.rsplit_once("source=\"ecr\"} ").unwrap().1.parse::<f64>().unwrap())
            .collect::<Vec<_>>()
    };
    assert!(left().is_empty(), "before its first use nobody knows");
    assert_eq!(regpass.get(APP).await.status, 200);
    let first = left();
    assert!(first.len() == 1 && (3500.0..=3600.0).contains(&first[0]), "{first:?}");
    sleep(MINUTE).await;
    assert!((first[0] - left()[0] - 60.0).abs() < 1.0, "{:?}", left());
}

#[tokio::test(start_paused = true)]
async fn a_day_on_an_instance_costs_three_logins() {
    let stage = Stage::new().await;
    assert_eq!(pull_for(&stage, &[], DAY).await, 3);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_end_that_is_told_is_the_one_that_counts() {
    let stage = Stage::new().await;
    stage.aws.passwords_last(60 * MINUTE);
    assert_eq!(pull_for(&stage, &ENVIRONMENT, DAY / 4).await, 9, "at once and every 45 minutes");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_password_that_the_registry_calls_expired_is_replaced_once() {
    let stage = Stage::new().await;
    let regpass = stage.start("", &ENVIRONMENT);
    assert_eq!(regpass.get(APP).await.status, 200);
    stage.sim.ledger().take();
    stage.registry.users().call_in();
    assert_eq!(regpass.get(APP).await.status, 200);
    stage.sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 basic:AWS 403",
        "ecr-api POST / other 200",
        "registry GET /v2/team/app/manifests/1 basic:AWS 200",
    ]);

    // A registry that calls every password expired does not make us ask for ever.
    let expired = "Your authorization token has expired. Reauthenticate and try again.";
    let reply = Reply::error(403, "DENIED", expired);
    stage.registry.registry().inject(Fault::answer(reply));
    for _ in 0..20 {
        assert_eq!(regpass.get(APP).await.status, 403);
        sleep(Duration::from_secs(1)).await;
    }
    assert!(stage.logins() <= 2);
    stage.sim.finish();
}

/// A 403 to a HEAD has no words: an old password may be over, a new one is not.
#[tokio::test(start_paused = true)]
async fn a_head_that_is_refused_is_worth_a_new_password_where_the_old_one_is_old() {
    let stage = Stage::new().await;
    let regpass = stage.start("", &ENVIRONMENT);
    assert_eq!(regpass.head(APP).await.status, 200);
    stage.sim.ledger().take();
    let refusal = || Fault::answer(Reply::new(403)).times(1);
    stage.registry.registry().inject(refusal());
    let refused = regpass.head(APP).await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (403, 0));
    stage.sim.ledger().expect(&["registry HEAD /v2/team/app/manifests/1 basic:AWS 403"]);
    assert_eq!(regpass.head(APP).await.status, 200, "and it is not held against the password");
    stage.sim.ledger().take();

    // Hours later.
    sleep(3 * 60 * MINUTE).await;
    stage.registry.users().call_in();
    assert_eq!(regpass.head(APP).await.status, 200);
    stage.sim.ledger().expect(&[
        "registry HEAD /v2/team/app/manifests/1 basic:AWS 403",
        "ecr-api POST / other 200",
        "registry HEAD /v2/team/app/manifests/1 basic:AWS 200",
    ]);
    // The new one is refused as well: once more is not tried.
    sleep(3 * 60 * MINUTE).await;
    stage.registry.registry().inject(Fault::answer(Reply::new(403)));
    assert_eq!(regpass.head(APP).await.status, 403);
    stage.sim.ledger().expect(&[
        "registry HEAD /v2/team/app/manifests/1 basic:AWS 403",
        "ecr-api POST / other 200",
        "registry HEAD /v2/team/app/manifests/1 basic:AWS 403",
    ]);
    stage.sim.finish();
}

/// AWS takes no signature that is more than a quarter of an hour away, and says when it is.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_costs_a_second_question() {
    for ahead in [-7 * 24 * 3600, -3600, 3600, 30 * 24 * 3600] {
        let stage = Stage::new().await;
        let role = format!(", role = \"{}\"", Aws::ROLE);
        let regpass = stage.start_at(&role, &ENVIRONMENT, ahead);
        assert_eq!(regpass.get(APP).await.status, 200, "{ahead} s");
        let lines = stage.sim.ledger().lines();
        for (server, refused) in [("sts", 403), ("ecr-api", 400)] {
            let own: Vec<&String> = lines.iter().filter(|line| line.starts_with(server)).collect();
            assert!(own.len() == 2 && own[0].ends_with(&refused.to_string()) && own[1].ends_with(" 200"), "{own:?}");
        }
        stage.sim.ledger().take();
        // The lifetime is by the server's clock, too.
        sleep(8 * 60 * MINUTE).await;
        assert_eq!(regpass.get(APP).await.status, 200);
        assert_eq!(stage.logins(), 0);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_a_little_wrong_costs_nothing() {
    for ahead in [-600, 600] {
        let stage = Stage::new().await;
        assert_eq!(stage.start_at("", &ENVIRONMENT, ahead).get(APP).await.status, 200);
        assert_eq!(stage.logins(), 1);
        stage.sim.finish();
    }
}
