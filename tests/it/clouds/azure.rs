//! Azure's sources of directory tokens, and the exchange at the registry.

use futures_util::future::join_all;

use super::{APP, AzureScene, variables};
use crate::harness::{Regpass, only};
use crate::sim::Azure;

const TENANT: &str = "/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/token";
const PULL: [&str; 3] = [
    "registry POST /oauth2/exchange?grant_type=access_token anonymous 200",
    "token POST /oauth2/token?grant_type=refresh_token&client_id=regpass&service=team.azurecr.io&scope=repository:acme/images/app:pull&refresh_token=… identity 200",
    "registry GET /v2/acme/images/app/manifests/1 bearer#1 200",
];

/// A cold pull, with this line between the challenge and the exchange.
async fn pulls(scene: &AzureScene, regpass: &Regpass, directory: &str) {
    assert_eq!(regpass.get(APP).await.status, 200);
    let mut lines = vec!["registry GET /v2/acme/images/app/manifests/1 anonymous 401", directory];
    lines.extend(PULL);
    scene.sim.ledger().expect(&lines);
    assert_eq!(regpass.get(APP).await.grant(), "cached");
    scene.sim.ledger().expect(&PULL[2..]);
}

#[tokio::test(start_paused = true)]
async fn a_service_principal_pulls() {
    let scene = AzureScene::new().await;
    let line = format!("directory POST {TENANT}?grant_type=client_credentials anonymous 200");
    pulls(&scene, &scene.with_secret(), &line).await;
    let dials = scene.sim.network().dials();
    let own = ["login.test:80", "team.azurecr.io:80"];
    assert!(dials.iter().all(|dial| own.contains(&dial.as_str())), "nobody else is asked: {dials:?}");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_workload_identity_pulls_before_a_secret_does() {
    let scene = AzureScene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "assertion.of.pod-1").unwrap();
    let around = variables(&[
        ("AZURE_FEDERATED_TOKEN_FILE", &file.display().to_string()),
        ("AZURE_CLIENT_SECRET", "not this one"),
        ("AZURE_CLIENT_ID", "nor this one"),
        ("AZURE_TENANT_ID", Azure::TENANT),
        ("AZURE_AUTHORITY_HOST", &format!("{}/", scene.directory.0.origin())),
    ]);
    let login = format!("credential = {{ source = \"azure\", client_id = \"{}\" }}", Azure::CLIENT);
    let regpass = Regpass::start_in(&scene.sim, &only(&scene.registry, &login), around);
    pulls(&scene, &regpass, &format!("directory POST {TENANT}?grant_type=client_credentials anonymous 200")).await;
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_app_pulls_with_its_identity() {
    let scene = AzureScene::new().await;
    let app = scene.azure.app_service(&scene.sim).await;
    let endpoint = format!("{}/msi/token", app.0.origin());
    let around = variables(&[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", Azure::HEADER)]);
    let regpass = Regpass::start_in(&scene.sim, &scene.config(), around);
    let line = "app GET /msi/token?api-version=2019-08-01&resource=https://containerregistry.azure.net anonymous 200";
    pulls(&scene, &regpass, line).await;
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_machine_pulls_with_its_identity() {
    for client in [None, Some(Azure::CLIENT)] {
        let scene = AzureScene::new().await;
        let _imds = scene.azure.imds(&scene.sim).await;
        let around = variables(&client.map(|client| ("AZURE_CLIENT_ID", client)).into_iter().collect::<Vec<_>>());
        let regpass = Regpass::start_in(&scene.sim, &scene.config(), around);
        let named = client.map(|client| format!("&client_id={client}")).unwrap_or_default();
        let line = format!(
            "imds GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://containerregistry.azure.net{named} anonymous 200"
        );
        pulls(&scene, &regpass, &line).await;
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn each_national_cloud_has_its_own_audience() {
    for (host, audience) in [
        ("team.azurecr.cn", "https://containerregistry.azure.cn"),
        ("team.azurecr.us", "https://containerregistry.azure.us"),
    ] {
        let scene = AzureScene::of(host, audience).await;
        assert_eq!(scene.with_secret().get(APP).await.status, 200, "{host}");
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_under_another_name_is_one_by_its_profile() {
    let scene = AzureScene::of("images.corp", "https://containerregistry.azure.net").await;
    let config = only(&scene.registry, "profile = \"acr\"\ncredential = { source = \"azure\" }");
    let regpass = Regpass::start_in(&scene.sim, &config, scene.principal());
    assert_eq!(regpass.get(APP).await.status, 200);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_named() {
    let scene = AzureScene::new().await;
    let around = variables(&[("AZURE_CLIENT_SECRET", Azure::SECRET), ("AZURE_TENANT_ID", Azure::TENANT)]);
    let reply = Regpass::start_in(&scene.sim, &scene.config(), around).get(APP).await;
    assert_eq!(reply.verdict(), "502 UNAUTHORIZED");
    assert!(reply.error().1.contains("needs AZURE_CLIENT_ID, or 'client_id'"), "{reply:?}");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn many_cold_pulls_cost_one_call() {
    let scene = AzureScene::new().await;
    let regpass = scene.with_secret();
    let all = join_all((0..100).map(|_| regpass.get(APP))).await;
    assert!(all.iter().all(|reply| reply.status == 200));
    assert_eq!(super::calls(&scene.sim, &["directory", "token"]), [1, 1]);
    assert_eq!(scene.sim.ledger().count("registry", |entry| entry.path == "/oauth2/exchange"), 1);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_asked_for_anew() {
    let scene = AzureScene::new().await;
    let regpass = scene.with_secret();
    assert_eq!(regpass.get(APP).await.status, 200);
    scene.registry.users().call_in();
    scene.registry.revoke_tokens();
    assert_eq!(regpass.get(APP).await.status, 200);
    assert_eq!(super::calls(&scene.sim, &["directory"]), [2]);
    scene.sim.finish();
}
