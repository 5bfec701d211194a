//! Where keys are found, one test for each place.

use http::StatusCode;

use super::{APP, COLD, ENVIRONMENT, ID, SECRET, Stage, told};
use crate::sim::{Aws, Fault};

/// The requests of one cold pull.
async fn pull(stage: &Stage, keys: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let regpass = stage.start(keys, variables);
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status, StatusCode::OK, "{keys} {variables:?}: {reply:?}");
    assert_eq!(regpass.get(APP).await.status, 200);
    let mut lines = stage.sim.ledger().lines();
    stage.sim.ledger().take();
    assert_eq!(lines.pop().as_deref(), Some(COLD[2]), "a warm pull costs one request");
    lines
}

/// [`COLD`], with these requests before the one for a password.
fn after(requests: &[&str]) -> Vec<String> {
    [&COLD[..1], requests, &COLD[1..]].concat().into_iter().map(ToOwned::to_owned).collect()
}

const CREDENTIALS: &str = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

#[tokio::test(start_paused = true)]
async fn in_the_environment() {
    let stage = Stage::new().await;
    assert_eq!(pull(&stage, "", &ENVIRONMENT).await, after(&[]));
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn in_the_environment_with_a_session() {
    let stage = Stage::new().await;
    stage.aws.session("ASIAIOSFODNN7EXAMPLE", "session/secret", "session+token==");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "session/secret"),
        ("AWS_SESSION_TOKEN", "session+token=="),
    ];
    assert_eq!(pull(&stage, "", &variables).await, after(&[]));
    let without = stage.start("", &variables[..2]).get(APP).await;
    assert!(told(&without).contains("UnrecognizedClientException"), "{without:?}");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn in_the_shared_files() {
    let stage = Stage::new().await;
    let key = CREDENTIALS.split_once('\n').unwrap().1;
    stage.write(".aws/credentials", CREDENTIALS);
    assert_eq!(pull(&stage, "", &[]).await, after(&[]), "the default profile");
    stage.write(".aws/credentials", &format!("[other]\n{key}"));
    assert_eq!(pull(&stage, ", profile = \"other\"", &[]).await, after(&[]), "the configured profile");
    assert_eq!(pull(&stage, "", &[("AWS_PROFILE", "other")]).await, after(&[]), "the profile of the environment");
    stage.write(".aws/credentials", "");
    stage.write(".aws/config", &format!("[profile other]\n{key}"));
    assert_eq!(pull(&stage, ", profile = \"other\"", &[]).await, after(&[]), "in the configuration file");
    let elsewhere = stage.write("elsewhere", CREDENTIALS);
    let variables = [("AWS_SHARED_CREDENTIALS_FILE", &*elsewhere)];
    assert_eq!(pull(&stage, "", &variables).await, after(&[]), "in another file");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_configured_profile_is_who_signs_whatever_else_there_is() {
    let stage = Stage::new().await;
    stage.write(".aws/credentials", &CREDENTIALS.replace("default", "right"));
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIAWRONG"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    assert_eq!(pull(&stage, ", profile = \"right\"", &wrong).await, after(&[]));
    stage.write(".aws/config", "[profile empty]\nregion = eu-west-2\n");
    for (keys, variables, part) in [
        (", profile = \"gone\"", &ENVIRONMENT[..], "there is no AWS profile gone in"),
        ("", &[("AWS_PROFILE", "gone")], "there is no AWS profile gone in"),
        (", profile = \"empty\"", &ENVIRONMENT, "the AWS profile empty has no key"),
    ] {
        let message = told(&stage.start(keys, variables).get(APP).await);
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(stage.logins(), 0, "nobody else signs instead");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_takes_on_a_role_is_refused_by_name() {
    let stage = Stage::new().await;
    stage.write(".aws/credentials", CREDENTIALS);
    stage.write(
        ".aws/config",
        "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/dev\nsource_profile = default\n",
    );
    for (keys, variables) in [(", profile = \"dev\"", &[][..]), ("", &[("AWS_PROFILE", "dev")])] {
        let message = told(&stage.start(keys, variables).get(APP).await);
        assert!(message.contains("the AWS profile dev has role_arn, which is not read here; set 'role'"), "{message}");
    }
    assert_eq!(stage.logins(), 0);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_ends_the_search() {
    let stage = Stage::new().await;
    let folder = stage.write(".aws/credentials/file", "");
    let message = told(&stage.start("", &[]).get(APP).await);
    assert!(
        message.contains("cannot read the AWS file") && message.contains(".aws/credentials: "),
        "{folder}: {message}"
    );
    assert!(!stage.sim.ledger().lines().iter().any(|line| line.starts_with("imds")), "nobody else signs");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn by_a_web_identity() {
    let stage = Stage::new().await;
    let token = stage.write("token", &format!("{}\n", Aws::WEB_IDENTITY));
    let variables = [("AWS_ROLE_ARN", Aws::ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", &*token)];
    let sts = "sts POST /?Action=AssumeRoleWithWebIdentity anonymous 200";
    assert_eq!(pull(&stage, "", &variables).await, after(&[sts]));

    stage.write("token", "over");
    let refused = stage.start("", &variables).get(APP).await;
    let message = told(&refused);
    for part in ["assuming AWS_ROLE_ARN with the web identity", "InvalidIdentityToken", "see the trust policy"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let lines = stage.sim.ledger().lines();
    assert!(
        !lines.iter().any(|line| line.contains("imds") || line.contains("ecr-api")),
        "nobody else signs: {lines:?}"
    );
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn by_the_endpoint_of_a_task_or_pod() {
    let stage = Stage::new().await;
    let variables = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Aws::TASK_PATH)];
    let task = format!("task GET {} anonymous 200", Aws::TASK_PATH);
    assert_eq!(pull(&stage, "", &variables).await, after(&[&task]));

    let token = stage.write("token", Aws::POD_TOKEN);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &*token),
    ];
    assert_eq!(pull(&stage, "", &variables).await, after(&["pod GET /v1/credentials other 200"]));
    stage.write("token", "over");
    let message = told(&stage.start("", &variables).get(APP).await);
    assert!(message.contains("the container's role at 169.254.170.23 failed: it answered 401"), "{message}");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn by_the_metadata_of_an_instance() {
    let stage = Stage::new().await;
    let requests = [
        "imds PUT /latest/api/token anonymous 200",
        "imds GET /latest/meta-data/iam/security-credentials/ anonymous 200",
        "imds GET /latest/meta-data/iam/security-credentials/puller anonymous 200",
    ];
    assert_eq!(pull(&stage, "", &[]).await, after(&requests));

    let off = told(&stage.start("", &[("AWS_EC2_METADATA_DISABLED", "true")]).get(APP).await);
    assert!(off.contains("found no AWS key in the environment") && off.contains("turned off"), "{off}");
    stage.aws.instance.inject(Fault::hang_before_head());
    let hangs = told(&stage.start("", &[]).get(APP).await);
    assert!(hangs.contains("found no AWS key in the environment"), "{hangs}");
    assert!(hangs.contains("the instance's role at 169.254.169.254 failed"), "{hangs}");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn by_an_sso_login() {
    let stage = Stage::new().await;
    let start = "https://acme.awsapps.com/start";
    stage.write(
        ".aws/config",
        &format!("[profile sso]\nsso_start_url = {start}\nsso_region = eu-west-2\nsso_account_id = 123456789012\nsso_role_name = puller\n"),
    );
    // SHA-1 of the address.
    let cache = ".aws/sso/cache/40169cea58ca6cbf23fb27b2542923fb5f524af0.json";
    let login = |until| format!(r#"{{"accessToken":"{}","expiresAt":"{until}"}}"#, Aws::SSO_TOKEN);
    stage.write(cache, &login("2999-01-01T00:00:00Z"));
    let endpoint = format!("{}/federation/credentials", stage.aws.sso.origin());
    let variables = [("AWS_SSO_ENDPOINT", &*endpoint)];
    let portal = "sso GET /federation/credentials?role_name=puller&account_id=123456789012 anonymous 200";
    assert_eq!(pull(&stage, ", profile = \"sso\"", &variables).await, after(&[portal]));
    stage.write(cache, &login("2020-01-01T00:00:00Z"));
    let message = told(&stage.start(", profile = \"sso\"", &variables).get(APP).await);
    assert!(message.contains("SSO") && message.contains("aws sso login"), "{message}");
    stage.sim.finish();
}

/// Programs and a paused clock do not go together.
#[tokio::test]
async fn by_a_credential_process() {
    let stage = Stage::new().await;
    let answer = format!(r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}"}}"#);
    let file = stage.write("answer", &answer);
    stage.write(".aws/config", &format!("[profile process]\ncredential_process = cat {file}\n"));
    assert_eq!(pull(&stage, ", profile = \"process\"", &[]).await, after(&[]));
    for (program, part) in [
        (format!("cat {file}.gone"), "failed: credential process failed with status 1"),
        ("echo hunter2".to_owned(), "failed: failed to parse credential process output"),
        ("/nowhere/program".to_owned(), "at /nowhere/program failed: No such file"),
    ] {
        stage.write(".aws/config", &format!("[profile process]\ncredential_process = {program}\n"));
        let message = told(&stage.start(", profile = \"process\"", &[]).get(APP).await);
        assert!(message.contains(&format!("running the credential_process {part}")), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_role_is_taken_on_with_whatever_key_was_found() {
    let stage = Stage::new().await;
    stage.aws.weak_key("AKIAWEAKEXAMPLE00000", "weak/secret");
    let weak = [("AWS_ACCESS_KEY_ID", "AKIAWEAKEXAMPLE00000"), ("AWS_SECRET_ACCESS_KEY", "weak/secret")];
    let role = format!(", role = \"{}\"", Aws::ROLE);
    let sts = "sts POST /?Action=AssumeRole other 200";
    assert_eq!(pull(&stage, &role, &weak).await, after(&[sts]));

    let message = told(&stage.start("", &weak).get(APP).await);
    assert!(message.contains("AccessDeniedException") && message.contains("ecr:GetAuthorizationToken"), "{message}");
    let other = role.replace("puller", "other");
    let message = told(&stage.start(&other, &weak).get(APP).await);
    assert!(message.contains("assuming the role (AssumeRole) at sts.eu-west-2.amazonaws.com failed"), "{message}");
    assert!(
        message.contains("AccessDenied: Not authorized to perform sts:AssumeRole; see the trust policy"),
        "{message}"
    );
    stage.sim.finish();
}
