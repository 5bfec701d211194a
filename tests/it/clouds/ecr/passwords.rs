//! The use of ECR passwords: which registries receive one, and which share it.

use futures_util::future::join_all;
use http::{Method, StatusCode};

use super::{APP, ENVIRONMENT, EcrSetup, HOST, SESSION, error_message};
use crate::harness::{Regpass, registry_table, request};
use crate::log::Log;
use crate::sim::{Aws, Fault, Image, ImageFormat, Preset, Reply};

const SOURCE: &str = "credential = { source = \"ecr\" }";

#[tokio::test(start_paused = true)]
async fn simultaneous_cold_pulls_cost_one_password_request() {
    let setup = EcrSetup::new().await;
    let regpass = setup.start("", &ENVIRONMENT);
    let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(setup.password_requests(), 1);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn registries_of_one_region_share_a_password() {
    let setup = EcrSetup::new().await;
    let other = "210987654321.dkr.ecr.eu-west-2.amazonaws.com";
    let tables = [HOST, other].map(|host| registry_table(host, &setup.registry, SOURCE));
    let regpass = Regpass::start_with_environment(&setup.sim, &tables.concat(), setup.environment(&ENVIRONMENT));
    for host in [HOST, other] {
        assert_eq!(regpass.get(&format!("/v2/{host}/team/app/manifests/1")).await.status, 200);
    }
    assert_eq!(setup.password_requests(), 1);
    setup.sim.finish();
}

/// A registry under a custom name needs a configured region or `AWS_REGION`.
#[tokio::test(start_paused = true)]
async fn configured_region_precedes_that_of_the_host_name() {
    let setup = EcrSetup::new().await;
    let wrong = setup.failed_pull_message(", region = \"us-west-2\"", &ENVIRONMENT).await;
    assert!(wrong.contains("Credential should be scoped to a valid region"), "{wrong}");
    setup.sim.ledger().take();

    let custom = "registry.corp.example";
    let start = |keys: &str, variables: &[(&str, &str)]| {
        let more = format!("profile = \"ecr\"\ncredential = {{ source = \"ecr\"{keys} }}");
        setup.start_for(custom, &setup.registry, &more, variables)
    };
    assert_eq!(start(", region = \"eu-west-2\"", &ENVIRONMENT).get(APP).await.status, 200);
    let variables = [&ENVIRONMENT[..], &[("AWS_REGION", "eu-west-2")]].concat();
    assert_eq!(start("", &variables).get(APP).await.status, 200);
    let unknown = error_message(&start("", &ENVIRONMENT).get(APP).await);
    assert!(unknown.contains("contains no AWS region; add `region`"), "{unknown}");
    setup.sim.finish();
}

/// An ECR password gives access to all registries of the AWS account.
#[tokio::test(start_paused = true)]
async fn ecr_credential_is_not_sent_to_other_registries() {
    let setup = EcrSetup::new().await;
    let other = setup.sim.start(Preset::generic()).await;
    other.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
    let text = format!(
        "default_registry = \"generic.test\"\ncredential = {{ source = \"ecr\", region = \"eu-west-2\" }}\n{}",
        registry_table("generic.test", &other, "")
    );
    let regpass = Regpass::start_with_environment(&setup.sim, &text, setup.environment(&ENVIRONMENT));
    assert_eq!(regpass.get(APP).await.status, 200);
    let entries = setup.sim.ledger().entries();
    assert!(entries.iter().all(|entry| entry.server != "ecr-api" && !entry.authorization.to_string().contains("AWS")));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn one_password_serves_blobs_and_tags() {
    let setup = EcrSetup::new().await;
    let image = Image::single("app", ImageFormat::Oci);
    let regpass = setup.start("", &ENVIRONMENT);
    let blob = format!("/v2/team/app/blobs/{}", image.blobs[0].digest);
    for (method, target) in [(Method::GET, &*blob), (Method::HEAD, &blob), (Method::GET, "/v2/team/app/tags/list")] {
        assert_eq!(regpass.send(request(method, target)).await.status, StatusCode::OK, "{target}");
    }
    assert_eq!(setup.password_requests(), 1);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn ecr_public_password_is_sent_to_the_token_service() {
    let setup = EcrSetup::new().await;
    let public = setup.sim.start(Preset::ecr_public()).await;
    public.publish_private("team/app", "1", &Image::single("app", ImageFormat::Oci));
    setup.aws.grant_access_to(&public);
    let regpass = setup.start_for("public.ecr.aws", &public, SOURCE, &ENVIRONMENT);
    assert_eq!(regpass.get(APP).await.status, 200);
    setup.sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 anonymous 401",
        "ecr-public-api POST / other 200",
        "token GET /token/?service=public.ecr.aws&scope=repository:team/app:pull basic:AWS 200",
        "registry GET /v2/team/app/manifests/1 bearer#1 200",
    ]);
    setup.sim.finish();
}

/// An error of an endpoint that repeats all headers of the request.
fn echo() -> Fault {
    Fault::alter(|entry, _| {
        let received: Vec<&str> = entry.headers.values().filter_map(|value| value.to_str().ok()).collect();
        let message = format!("you sent {}", received.join(" "));
        Reply::new(400).json(serde_json::json!({ "__type": "EchoException", "message": message }))
    })
}

#[tokio::test(start_paused = true)]
async fn secrets_are_neither_logged_nor_sent_to_clients() {
    let log = Log::capture();
    let setup = EcrSetup::new().await;
    setup.add_session();
    let token = setup.write("token", Aws::POD_TOKEN);
    let pod = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &*token),
    ];
    let role = format!(", role = \"{}\"", Aws::ROLE);
    let mut outputs = Vec::new();
    let regpass = setup.start(&role, &[]);
    outputs.push(format!("{:?} {:?}", regpass.get(APP).await, setup.environment(&SESSION)));
    for server in [&setup.aws.ecr, &setup.aws.sts, &setup.aws.pod] {
        server.inject(echo());
    }
    setup.registry.users().revoke_temporary();
    outputs.push(format!("{:?}", regpass.get(APP).await));
    for (keys, variables) in [("", &SESSION[..]), (&role, &SESSION), ("", &pod)] {
        let message = setup.failed_pull_message(keys, variables).await;
        assert!(message.contains("failed: it answered 400 Bad Request; "), "{message}");
        outputs.push(message);
    }
    outputs.push(log.text());
    setup.assert_no_secrets_in(&outputs.iter().map(String::as_str).collect::<Vec<_>>());
    setup.sim.finish();
}
