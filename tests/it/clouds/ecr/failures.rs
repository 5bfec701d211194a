//! AWS that fails: what is lent stays in force to its end, and then the error names the step.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{APP, ENVIRONMENT, Stage, told};
use crate::log::Log;
use crate::sim::{Aws, Fault, Reply};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test(start_paused = true)]
async fn the_last_password_is_good_to_its_end_and_then_the_step_is_named() {
    let log = Log::listen();
    let stage = Stage::new().await;
    let regpass = stage.start("", &ENVIRONMENT);
    assert_eq!(regpass.get(APP).await.status, 200);
    let down = stage.aws.ecr.inject(Fault::html(503));
    for hour in 1..12 {
        sleep(HOUR).await;
        assert_eq!(regpass.get(APP).await.status, 200, "after {hour} h");
    }
    assert_eq!(log.count("WARN", "renews no login"), 1, "{}", log.text());
    sleep(HOUR).await;
    let message = told(&regpass.get(APP).await);
    for part in ["(GetAuthorizationToken) at api.ecr.eu-west-2.amazonaws.com failed", "it answered 503"] {
        assert!(message.contains(part), "{message}");
    }
    down.lift();
    assert_eq!(regpass.get(APP).await.status, 200, "an outage is not remembered");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_hiccup_is_not_seen() {
    let stage = Stage::new().await;
    stage.aws.ecr.inject(Fault::html(503).times(2));
    assert_eq!(stage.start("", &ENVIRONMENT).get(APP).await.status, 200);
    assert_eq!(stage.logins(), 3);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_password_that_expires_while_aws_is_down_is_replaced_when_it_is_back() {
    let stage = Stage::new().await;
    let regpass = stage.start("", &ENVIRONMENT);
    assert_eq!(regpass.get(APP).await.status, 200);
    let down = stage.aws.ecr.inject(Fault::html(500));
    stage.registry.users().call_in();
    assert_eq!(regpass.get(APP).await.status, 403);
    down.lift();
    sleep(Duration::from_secs(61)).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn malformed_answers_are_told_as_such() {
    let api = "asking for the registry's password (GetAuthorizationToken) at api.ecr.eu-west-2.amazonaws.com failed: ";
    let data = |data| json!({ "authorizationData": data }).to_string();
    let login = |token: &str, end| data(json!([{ "authorizationToken": token, "expiresAt": end }]));
    for (body, why) in [
        ("<html>hunter2</html>".to_owned(), "its answer holds no authorizationToken"),
        (data(json!([])), "its answer holds no authorizationToken"),
        (data(json!(["hunter2"])), "its answer holds no authorizationToken"),
        (login("hunter2", 4e9), "its authorizationToken is not a user name and a password"),
        (login("aHVudGVyMg==", 4e9), "its authorizationToken is not a user name and a password"),
        (login("QVdTOmh1bnRlcjI=", 1.0), "the password it gave is over already"),
    ] {
        let stage = Stage::new().await;
        stage.aws.ecr.inject(Fault::answer(Reply::new(200).json(&body)));
        let message = told(&stage.start("", &ENVIRONMENT).get(APP).await);
        assert!(message.contains(&format!("{api}{why}")), "{body}: {message}");
        assert!(!message.contains("hunter2") && !message.contains("aHVudGVyMg"), "{message}");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_keys_are_told_as_such() {
    let stage = Stage::new().await;
    let task = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Aws::TASK_PATH)];
    for (body, why) in [
        ("hunter2", "failed to parse ECS credentials response"),
        (
            r#"{"AccessKeyId":"a","SecretAccessKey":"hunter2","Token":"t","Expiration":"hunter2"}"#,
            "failed to parse ECS credential expiration",
        ),
        (
            r#"{"AccessKeyId":"","SecretAccessKey":"","Token":"","Expiration":"2999-01-01T00:00:00Z"}"#,
            "its answer holds no key",
        ),
    ] {
        let fault = stage.aws.task.inject(Fault::answer(Reply::new(200).json(body)));
        let message = told(&stage.start("", &task).get(APP).await);
        assert!(message.contains(&format!("asking for the key of the container's role failed: {why}")), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
        fault.lift();
    }
    let role = format!(", role = \"{}\"", Aws::ROLE);
    stage.aws.sts.inject(Fault::answer(Reply::new(200).xml("<AssumeRoleResponse/>")));
    let message = told(&stage.start(&role, &ENVIRONMENT).get(APP).await);
    assert!(
        message
            .contains("assuming the role (AssumeRole) at sts.eu-west-2.amazonaws.com failed: its answer holds no key"),
        "{message}"
    );
    stage.sim.finish();
}

/// Who is refused is not asked again for seconds; a key that is right meanwhile counts after them.
#[tokio::test(start_paused = true)]
async fn a_refused_key_is_told_with_its_place() {
    let stage = Stage::new().await;
    stage.aws.remove_key(super::ID);
    let regpass = stage.start("", &ENVIRONMENT);
    for _ in 0..3 {
        let message = told(&regpass.get(APP).await);
        assert!(message.contains("it answered 400 Bad Request: UnrecognizedClientException"), "{message}");
        assert!(message.contains("must be allowed ecr:GetAuthorizationToken"), "{message}");
    }
    assert_eq!(stage.logins(), 1, "a refusal is remembered");
    stage.aws.key(super::ID, super::SECRET);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    stage.aws.key(super::ID, "another");
    let message = told(&stage.start("", &ENVIRONMENT).get(APP).await);
    assert!(message.contains("InvalidSignatureException"), "{message}");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_hang_or_refuse_are_given_up() {
    let stage = Stage::new().await;
    let variables = [&ENVIRONMENT[..], &[("AWS_ENDPOINT_URL_ECR", "http://nobody.test")]].concat();
    let message = told(&stage.start("", &variables).get(APP).await);
    assert!(
        message.contains("(GetAuthorizationToken) at nobody.test failed: it does not accept connections"),
        "{message}"
    );
    let variables = [&ENVIRONMENT[..], &[("AWS_ENDPOINT_URL_ECR", "nonsense")]].concat();
    let message = told(&stage.start("", &variables).get(APP).await);
    assert!(message.contains("AWS_ENDPOINT_URL_ECR is not an origin"), "{message}");
    stage.aws.ecr.inject(Fault::hang_before_head());
    let begun = tokio::time::Instant::now();
    let message = told(&stage.start("", &ENVIRONMENT).get(APP).await);
    assert!(
        message.contains("(GetAuthorizationToken) at api.ecr.eu-west-2.amazonaws.com failed: no answer within"),
        "{message}"
    );
    assert!(begun.elapsed() < Duration::from_secs(25));
    stage.sim.finish();
}
