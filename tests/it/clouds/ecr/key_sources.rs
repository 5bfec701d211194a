//! The sources of AWS access keys, each with its own test.

use http::StatusCode;

use super::{APP, COLD, ENVIRONMENT, EcrSetup, ID, SECRET, SESSION};
use crate::sim::{Aws, Fault};

/// The requests of a first pull. Asserts that a second one costs one request.
async fn cold_pull_requests(setup: &EcrSetup, keys: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let regpass = setup.start(keys, variables);
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status, StatusCode::OK, "{keys} {variables:?}: {reply:?}");
    assert_eq!(regpass.get(APP).await.status, 200);
    let mut lines = setup.sim.ledger().lines();
    setup.sim.ledger().take();
    assert_eq!(lines.pop().as_deref(), Some(COLD[2]), "a second pull costs one request");
    lines
}

/// [`COLD`], with these requests for an access key before the request for the password.
fn cold_with(requests: &[&str]) -> Vec<String> {
    [&COLD[..1], requests, &COLD[1..]].concat().into_iter().map(ToOwned::to_owned).collect()
}

/// A shared credentials file with the key of [`ENVIRONMENT`].
const CREDENTIALS_FILE: &str = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

#[tokio::test(start_paused = true)]
async fn key_in_the_environment_is_used() {
    let setup = EcrSetup::new().await;
    assert_eq!(cold_pull_requests(&setup, "", &ENVIRONMENT).await, cold_with(&[]));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn session_key_in_the_environment_needs_its_session_token() {
    let setup = EcrSetup::new().await;
    setup.add_session();
    assert_eq!(cold_pull_requests(&setup, "", &SESSION).await, cold_with(&[]));
    let message = setup.failed_pull_message("", &SESSION[..2]).await;
    assert!(message.contains("UnrecognizedClientException"), "{message}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn key_in_the_shared_files_is_used() {
    let setup = EcrSetup::new().await;
    let key = CREDENTIALS_FILE.split_once('\n').unwrap().1;
    setup.write(".aws/credentials", CREDENTIALS_FILE);
    assert_eq!(cold_pull_requests(&setup, "", &[]).await, cold_with(&[]), "the default profile");
    setup.write(".aws/credentials", &format!("[other]\n{key}"));
    assert_eq!(
        cold_pull_requests(&setup, ", profile = \"other\"", &[]).await,
        cold_with(&[]),
        "the configured profile"
    );
    assert_eq!(
        cold_pull_requests(&setup, "", &[("AWS_PROFILE", "other")]).await,
        cold_with(&[]),
        "the profile of the environment"
    );
    setup.write(".aws/credentials", "");
    setup.write(".aws/config", &format!("[profile other]\n{key}"));
    assert_eq!(cold_pull_requests(&setup, ", profile = \"other\"", &[]).await, cold_with(&[]), "in the config file");
    let elsewhere = setup.write("elsewhere", CREDENTIALS_FILE);
    let variables = [("AWS_SHARED_CREDENTIALS_FILE", &*elsewhere)];
    assert_eq!(
        cold_pull_requests(&setup, "", &variables).await,
        cold_with(&[]),
        "in the file that the environment names"
    );
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn named_profile_precedes_other_sources_even_if_it_has_no_key() {
    let setup = EcrSetup::new().await;
    setup.write(".aws/credentials", &CREDENTIALS_FILE.replace("default", "right"));
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIAWRONG"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    assert_eq!(cold_pull_requests(&setup, ", profile = \"right\"", &wrong).await, cold_with(&[]));
    setup.write(".aws/config", "[profile empty]\nregion = eu-west-2\n");
    for (keys, variables, part) in [
        (", profile = \"gone\"", &ENVIRONMENT[..], "there is no AWS profile gone in"),
        ("", &[("AWS_PROFILE", "gone")], "there is no AWS profile gone in"),
        (", profile = \"empty\"", &ENVIRONMENT, "the AWS profile empty has no access key"),
    ] {
        let message = setup.failed_pull_message(keys, variables).await;
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(setup.password_requests(), 0, "no other key was used");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn profile_with_role_arn_is_rejected() {
    let setup = EcrSetup::new().await;
    setup.write(".aws/credentials", CREDENTIALS_FILE);
    setup.write(
        ".aws/config",
        "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/dev\nsource_profile = default\n",
    );
    for (keys, variables) in [(", profile = \"dev\"", &[][..]), ("", &[("AWS_PROFILE", "dev")])] {
        let message = setup.failed_pull_message(keys, variables).await;
        assert!(
            message.contains("the AWS profile dev has role_arn, which regpass does not support; set `role`"),
            "{message}"
        );
    }
    assert_eq!(setup.password_requests(), 0);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn unreadable_file_is_an_error_instead_of_the_next_source() {
    let setup = EcrSetup::new().await;
    let folder = setup.write(".aws/credentials/file", "");
    let message = setup.failed_pull_message("", &[]).await;
    assert!(
        message.contains("cannot read the AWS file") && message.contains(".aws/credentials: "),
        "{folder}: {message}"
    );
    assert!(!setup.sim.ledger().lines().iter().any(|line| line.starts_with("imds")), "no other source was used");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn role_is_assumed_with_a_web_identity_token() {
    let setup = EcrSetup::new().await;
    let token = setup.write("token", &format!("{}\n", Aws::WEB_IDENTITY));
    let variables = [("AWS_ROLE_ARN", Aws::ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", &*token)];
    let sts = "sts POST /?Action=AssumeRoleWithWebIdentity anonymous 200";
    assert_eq!(cold_pull_requests(&setup, "", &variables).await, cold_with(&[sts]));

    setup.write("token", "expired");
    let message = setup.failed_pull_message("", &variables).await;
    for part in ["assuming AWS_ROLE_ARN with the web identity", "InvalidIdentityToken", "check the trust policy"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let lines = setup.sim.ledger().lines();
    assert!(
        !lines.iter().any(|line| line.contains("imds") || line.contains("ecr-api")),
        "no other source was used: {lines:?}"
    );
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn key_comes_from_the_container_endpoint_of_a_task_or_pod() {
    let setup = EcrSetup::new().await;
    let variables = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Aws::TASK_PATH)];
    let task = format!("task GET {} anonymous 200", Aws::TASK_PATH);
    assert_eq!(cold_pull_requests(&setup, "", &variables).await, cold_with(&[&task]));

    let token = setup.write("token", Aws::POD_TOKEN);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &*token),
    ];
    assert_eq!(cold_pull_requests(&setup, "", &variables).await, cold_with(&["pod GET /v1/credentials other 200"]));
    setup.write("token", "expired");
    let message = setup.failed_pull_message("", &variables).await;
    assert!(message.contains("the container's role at 169.254.170.23 failed: it answered 401"), "{message}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn key_comes_from_the_metadata_of_an_instance() {
    let setup = EcrSetup::new().await;
    let requests = [
        "imds PUT /latest/api/token anonymous 200",
        "imds GET /latest/meta-data/iam/security-credentials/ anonymous 200",
        "imds GET /latest/meta-data/iam/security-credentials/puller anonymous 200",
    ];
    assert_eq!(cold_pull_requests(&setup, "", &[]).await, cold_with(&requests));

    let off = setup.failed_pull_message("", &[("AWS_EC2_METADATA_DISABLED", "true")]).await;
    assert!(off.contains("found no AWS access key in the environment") && off.contains("turned off"), "{off}");
    setup.aws.instance.inject(Fault::hang_before_head());
    let hangs = setup.failed_pull_message("", &[]).await;
    assert!(hangs.contains("found no AWS access key in the environment"), "{hangs}");
    assert!(hangs.contains("the instance's role at 169.254.169.254 failed"), "{hangs}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn key_comes_from_an_sso_session() {
    let setup = EcrSetup::new().await;
    let start = "https://acme.awsapps.com/start";
    setup.write(
        ".aws/config",
        &format!("[profile sso]\nsso_start_url = {start}\nsso_region = eu-west-2\nsso_account_id = 123456789012\nsso_role_name = puller\n"),
    );
    // The name of the file is the SHA-1 of the start URL.
    let cache = ".aws/sso/cache/40169cea58ca6cbf23fb27b2542923fb5f524af0.json";
    let session = |expires_at| format!(r#"{{"accessToken":"{}","expiresAt":"{expires_at}"}}"#, Aws::SSO_TOKEN);
    setup.write(cache, &session("2999-01-01T00:00:00Z"));
    let endpoint = format!("{}/federation/credentials", setup.aws.sso.origin());
    let variables = [("AWS_SSO_ENDPOINT", &*endpoint)];
    let portal = "sso GET /federation/credentials?role_name=puller&account_id=123456789012 anonymous 200";
    assert_eq!(cold_pull_requests(&setup, ", profile = \"sso\"", &variables).await, cold_with(&[portal]));
    setup.write(cache, &session("2020-01-01T00:00:00Z"));
    let message = setup.failed_pull_message(", profile = \"sso\"", &variables).await;
    assert!(message.contains("SSO") && message.contains("aws sso login"), "{message}");
    setup.sim.finish();
}

/// The clock is not paused, as it would run ahead while regpass waits for the program.
#[tokio::test]
async fn key_comes_from_a_credential_process() {
    let setup = EcrSetup::new().await;
    let output = format!(r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}"}}"#);
    let file = setup.write("output", &output);
    setup.write(".aws/config", &format!("[profile process]\ncredential_process = cat {file}\n"));
    assert_eq!(cold_pull_requests(&setup, ", profile = \"process\"", &[]).await, cold_with(&[]));
    for (program, part) in [
        (format!("cat {file}.gone"), "failed: credential process failed with status 1"),
        ("echo hunter2".to_owned(), "failed: failed to parse credential process output"),
        ("/nowhere/program".to_owned(), "at /nowhere/program failed: No such file"),
    ] {
        setup.write(".aws/config", &format!("[profile process]\ncredential_process = {program}\n"));
        let message = setup.failed_pull_message(", profile = \"process\"", &[]).await;
        assert!(message.contains(&format!("running the credential_process {part}")), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn configured_role_is_assumed_with_the_key_that_was_found() {
    let setup = EcrSetup::new().await;
    setup.aws.add_assume_role_key("AKIAWEAKEXAMPLE00000", "weak/secret");
    let weak = [("AWS_ACCESS_KEY_ID", "AKIAWEAKEXAMPLE00000"), ("AWS_SECRET_ACCESS_KEY", "weak/secret")];
    let role = format!(", role = \"{}\"", Aws::ROLE);
    let sts = "sts POST /?Action=AssumeRole other 200";
    assert_eq!(cold_pull_requests(&setup, &role, &weak).await, cold_with(&[sts]));

    let message = setup.failed_pull_message("", &weak).await;
    assert!(message.contains("AccessDeniedException") && message.contains("ecr:GetAuthorizationToken"), "{message}");
    let other = role.replace("puller", "other");
    let message = setup.failed_pull_message(&other, &weak).await;
    assert!(message.contains("assuming the role (AssumeRole) at sts.eu-west-2.amazonaws.com failed"), "{message}");
    assert!(
        message.contains("AccessDenied: Not authorized to perform sts:AssumeRole; check the trust policy"),
        "{message}"
    );
    setup.sim.finish();
}
