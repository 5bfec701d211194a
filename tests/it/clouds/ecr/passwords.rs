//! What the password is for: private registries by their names, and ECR Public at its token service.

use futures_util::future::join_all;
use http::{Method, StatusCode};

use super::{APP, ENVIRONMENT, HOST, Stage, told};
use crate::harness::{Regpass, request, table};
use crate::log::Log;
use crate::sim::{Aws, Family, Fault, Image, Preset, Reply};

#[tokio::test(start_paused = true)]
async fn many_cold_pulls_cost_one_login() {
    let stage = Stage::new().await;
    let regpass = stage.start("", &ENVIRONMENT);
    let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(stage.logins(), 1);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn registries_of_one_region_share_a_login() {
    let stage = Stage::new().await;
    let other = "210987654321.dkr.ecr.eu-west-2.amazonaws.com";
    let login = "credential = { source = \"ecr\" }";
    let text = [table(HOST, &stage.registry, login), table(other, &stage.registry, login)].concat();
    let regpass = Regpass::start_in(&stage.sim, &text, stage.surroundings(&ENVIRONMENT));
    for host in [HOST, other] {
        assert_eq!(regpass.get(&format!("/v2/{host}/team/app/manifests/1")).await.status, 200);
    }
    assert_eq!(stage.logins(), 1);
    stage.sim.finish();
}

/// The configured region stands over the name's, and a registry under a name of one's own needs one.
#[tokio::test(start_paused = true)]
async fn the_region_is_the_name_s_or_the_configured_one() {
    let stage = Stage::new().await;
    let wrong = told(&stage.start(", region = \"us-west-2\"", &ENVIRONMENT).get(APP).await);
    assert!(wrong.contains("Credential should be scoped to a valid region"), "{wrong}");
    stage.sim.ledger().take();

    let own = "registry.corp.example";
    let start = |keys: &str, variables: &[(&str, &str)]| {
        let more = format!("profile = \"ecr\"\ncredential = {{ source = \"ecr\"{keys} }}");
        let text = format!("default_registry = \"{own}\"\n{}", table(own, &stage.registry, &more));
        Regpass::start_in(&stage.sim, &text, stage.surroundings(variables))
    };
    assert_eq!(start(", region = \"eu-west-2\"", &ENVIRONMENT).get(APP).await.status, 200);
    let variables = [&ENVIRONMENT[..], &[("AWS_REGION", "eu-west-2")]].concat();
    assert_eq!(start("", &variables).get(APP).await.status, 200);
    let unknown = told(&start("", &ENVIRONMENT).get(APP).await);
    assert!(unknown.contains("tells no AWS region; add 'region'"), "{unknown}");
    stage.sim.finish();
}

/// A password for the whole account is nobody else's business.
#[tokio::test(start_paused = true)]
async fn other_registries_see_nothing_of_it() {
    let stage = Stage::new().await;
    let other = stage.sim.start(Preset::generic()).await;
    other.publish("team/app", "1", &Image::single("app", Family::Oci));
    let text = format!(
        "default_registry = \"generic.test\"\ncredential = {{ source = \"ecr\", region = \"eu-west-2\" }}\n{}",
        table("generic.test", &other, "")
    );
    let regpass = Regpass::start_in(&stage.sim, &text, stage.surroundings(&ENVIRONMENT));
    assert_eq!(regpass.get(APP).await.status, 200);
    let entries = stage.sim.ledger().entries();
    assert!(entries.iter().all(|entry| entry.server != "ecr-api" && !entry.authorization.to_string().contains("AWS")));
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn blobs_and_tags_of_a_private_registry() {
    let stage = Stage::new().await;
    let image = Image::single("app", Family::Oci);
    let regpass = stage.start("", &ENVIRONMENT);
    let blob = format!("/v2/team/app/blobs/{}", image.blobs[0].digest);
    for (method, target) in [(Method::GET, &*blob), (Method::HEAD, &blob), (Method::GET, "/v2/team/app/tags/list")] {
        assert_eq!(regpass.send(request(method, target)).await.status, StatusCode::OK, "{target}");
    }
    assert_eq!(stage.logins(), 1);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn ecr_public_takes_the_password_at_its_token_service() {
    let stage = Stage::new().await;
    let public = stage.sim.start(Preset::ecr_public()).await;
    public.keep("team/app", "1", &Image::single("app", Family::Oci));
    stage.aws.admits(&public);
    let login = "credential = { source = \"ecr\" }";
    let text = format!("default_registry = \"public.ecr.aws\"\n{}", table("public.ecr.aws", &public, login));
    let regpass = Regpass::start_in(&stage.sim, &text, stage.surroundings(&ENVIRONMENT));
    assert_eq!(regpass.get(APP).await.status, 200);
    stage.sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 anonymous 401",
        "ecr-public-api POST / other 200",
        "token GET /token/?service=public.ecr.aws&scope=repository:team/app:pull basic:AWS 200",
        "registry GET /v2/team/app/manifests/1 bearer#1 200",
    ]);
    stage.sim.finish();
}

/// An endpoint that repeats whatever it was sent.
fn echo() -> Fault {
    Fault::alter(|entry, _| {
        let seen: Vec<&str> = entry.headers.values().filter_map(|value| value.to_str().ok()).collect();
        let message = format!("you sent {}", seen.join(" "));
        Reply::new(400).json(serde_json::json!({ "__type": "EchoException", "message": message }))
    })
}

#[tokio::test(start_paused = true)]
async fn no_secret_reaches_a_log_or_a_client() {
    let log = Log::listen();
    let stage = Stage::new().await;
    stage.aws.session("ASIAIOSFODNN7EXAMPLE", "session/secret", "session+token==");
    let session = [
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "session/secret"),
        ("AWS_SESSION_TOKEN", "session+token=="),
    ];
    let token = stage.write("token", Aws::POD_TOKEN);
    let pod = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &*token),
    ];
    let role = format!(", role = \"{}\"", Aws::ROLE);
    let mut seen = Vec::new();
    let regpass = stage.start(&role, &[]);
    seen.push(format!("{:?} {:?}", regpass.get(APP).await, stage.surroundings(&session)));
    for server in [&stage.aws.ecr, &stage.aws.sts, &stage.aws.pod] {
        server.inject(echo());
    }
    stage.registry.users().call_in();
    seen.push(format!("{:?}", regpass.get(APP).await));
    for (keys, variables) in [("", &session[..]), (&role, &session), ("", &pod)] {
        let message = told(&stage.start(keys, variables).get(APP).await);
        assert!(message.contains("failed: it answered 400 Bad Request; "), "{message}");
        seen.push(message);
    }
    seen.push(log.text());
    stage.assert_kept(&seen.iter().map(String::as_str).collect::<Vec<_>>());
    stage.sim.finish();
}
