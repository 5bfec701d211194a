//! Failures of AWS: regpass uses a password until it expires; then its error names the failing step.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{APP, ENVIRONMENT, EcrSetup, ID, SECRET, error_message};
use crate::log::Log;
use crate::sim::{Aws, Fault, Reply};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test(start_paused = true)]
async fn pulls_continue_until_the_password_expires_then_the_error_names_the_step() {
    let log = Log::capture();
    let setup = EcrSetup::new().await;
    let regpass = setup.start_warm().await;
    let down = setup.aws.ecr.inject(Fault::html(503));
    for hour in 1..12 {
        sleep(HOUR).await;
        assert_eq!(regpass.get(APP).await.status, 200, "after {hour} h");
    }
    assert_eq!(log.count("WARN", "cannot renew a cloud credential"), 1, "{}", log.text());
    sleep(HOUR).await;
    let message = error_message(&regpass.get(APP).await);
    for part in ["(GetAuthorizationToken) at api.ecr.eu-west-2.amazonaws.com failed", "it answered 503"] {
        assert!(message.contains(part), "{message}");
    }
    down.remove();
    assert_eq!(regpass.get(APP).await.status, 200, "the failure is not cached");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn short_outage_is_bridged_by_retries() {
    let setup = EcrSetup::new().await;
    setup.aws.ecr.inject(Fault::html(503).times(2));
    assert_eq!(setup.start("", &ENVIRONMENT).get(APP).await.status, 200);
    assert_eq!(setup.password_requests(), 3);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn password_that_expires_during_an_outage_is_replaced_after_it() {
    let setup = EcrSetup::new().await;
    let regpass = setup.start_warm().await;
    let down = setup.aws.ecr.inject(Fault::html(500));
    setup.registry.users().revoke_temporary();
    assert_eq!(regpass.get(APP).await.status, 403);
    down.remove();
    sleep(Duration::from_secs(61)).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn malformed_password_responses_are_reported() {
    let api = "requesting the registry's password (GetAuthorizationToken) at api.ecr.eu-west-2.amazonaws.com failed: ";
    let data = |data| json!({ "authorizationData": data }).to_string();
    let with_token = |token: &str, expires_at| data(json!([{ "authorizationToken": token, "expiresAt": expires_at }]));
    for (body, why) in [
        ("<html>hunter2</html>".to_owned(), "the response contains no authorizationToken"),
        (data(json!([])), "the response contains no authorizationToken"),
        (data(json!(["hunter2"])), "the response contains no authorizationToken"),
        (with_token("hunter2", 4e9), "its authorizationToken is not a user name and a password"),
        (with_token("aHVudGVyMg==", 4e9), "its authorizationToken is not a user name and a password"),
        (with_token("QVdTOmh1bnRlcjI=", 1.0), "the password in the response has already expired"),
    ] {
        let setup = EcrSetup::new().await;
        setup.aws.ecr.inject(Fault::answer(Reply::new(200).json(&body)));
        let message = setup.failed_pull_message("", &ENVIRONMENT).await;
        assert!(message.contains(&format!("{api}{why}")), "{body}: {message}");
        assert!(!message.contains("hunter2") && !message.contains("aHVudGVyMg"), "{message}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_key_responses_are_reported() {
    let setup = EcrSetup::new().await;
    let task = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Aws::TASK_PATH)];
    for (body, why) in [
        ("hunter2", "failed to parse ECS credentials response"),
        (
            r#"{"AccessKeyId":"a","SecretAccessKey":"hunter2","Token":"t","Expiration":"hunter2"}"#,
            "failed to parse ECS credential expiration",
        ),
        (
            r#"{"AccessKeyId":"","SecretAccessKey":"","Token":"","Expiration":"2999-01-01T00:00:00Z"}"#,
            "the response contains no access key",
        ),
    ] {
        let fault = setup.aws.task.inject(Fault::answer(Reply::new(200).json(body)));
        let message = setup.failed_pull_message("", &task).await;
        assert!(
            message.contains(&format!("requesting the access key of the container's role failed: {why}")),
            "{message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
        fault.remove();
    }
    let role = format!(", role = \"{}\"", Aws::ROLE);
    setup.aws.sts.inject(Fault::answer(Reply::new(200).xml("<AssumeRoleResponse/>")));
    let message = setup.failed_pull_message(&role, &ENVIRONMENT).await;
    assert!(
        message.contains(
            "assuming the role (AssumeRole) at sts.eu-west-2.amazonaws.com failed: the response contains no access key"
        ),
        "{message}"
    );
    setup.sim.finish();
}

/// regpass caches the rejection of an access key for five seconds; then a corrected key works.
#[tokio::test(start_paused = true)]
async fn rejected_key_is_reported_and_retried_only_after_seconds() {
    let setup = EcrSetup::new().await;
    setup.aws.remove_key(ID);
    let regpass = setup.start("", &ENVIRONMENT);
    for _ in 0..3 {
        let message = error_message(&regpass.get(APP).await);
        assert!(message.contains("it answered 400 Bad Request: UnrecognizedClientException"), "{message}");
        assert!(message.contains("must be allowed ecr:GetAuthorizationToken"), "{message}");
    }
    assert_eq!(setup.password_requests(), 1, "the rejection is cached");
    setup.aws.add_key(ID, SECRET);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    setup.aws.add_key(ID, "another");
    let message = setup.failed_pull_message("", &ENVIRONMENT).await;
    assert!(message.contains("InvalidSignatureException"), "{message}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn unreachable_invalid_and_hanging_endpoints_are_reported() {
    let setup = EcrSetup::new().await;
    let variables = [&ENVIRONMENT[..], &[("AWS_ENDPOINT_URL_ECR", "http://nobody.test")]].concat();
    let message = setup.failed_pull_message("", &variables).await;
    assert!(message.contains("(GetAuthorizationToken) at nobody.test failed: connection refused"), "{message}");
    let variables = [&ENVIRONMENT[..], &[("AWS_ENDPOINT_URL_ECR", "nonsense")]].concat();
    let message = setup.failed_pull_message("", &variables).await;
    assert!(message.contains("AWS_ENDPOINT_URL_ECR is not an origin"), "{message}");
    setup.aws.ecr.inject(Fault::hang_before_head());
    let started = tokio::time::Instant::now();
    let message = setup.failed_pull_message("", &ENVIRONMENT).await;
    assert!(
        message.contains("(GetAuthorizationToken) at api.ecr.eu-west-2.amazonaws.com failed: no response within"),
        "{message}"
    );
    assert!(started.elapsed() < Duration::from_secs(25));
    setup.sim.finish();
}
