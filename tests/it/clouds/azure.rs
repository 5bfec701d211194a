//! Azure's sources of directory tokens, and their exchange at the registry.

use super::{
    APP, AzureSetup, assert_revoked_credential_is_replaced, assert_simultaneous_pulls_succeed, environment,
    failed_pull_message, request_counts, write_token_file,
};
use crate::harness::{Regpass, single_registry_config};
use crate::sim::Azure;

const TENANT: &str = "/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/token";
const EXCHANGE_AND_PULL: [&str; 3] = [
    "registry POST /oauth2/exchange?grant_type=access_token anonymous 200",
    "token POST /oauth2/token?grant_type=refresh_token&client_id=regpass&service=team.azurecr.io&scope=repository:acme/images/app:pull&refresh_token=… identity 200",
    "registry GET /v2/acme/images/app/manifests/1 bearer#1 200",
];

/// Asserts that a first pull costs this request to Azure between the challenge and the exchange, and that a second one uses
/// the cached token.
async fn assert_cold_pull(setup: &AzureSetup, regpass: &Regpass, directory: &str) {
    assert_eq!(regpass.get(APP).await.status, 200);
    let mut lines = vec!["registry GET /v2/acme/images/app/manifests/1 anonymous 401", directory];
    lines.extend(EXCHANGE_AND_PULL);
    setup.sim.ledger().expect(&lines);
    assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
    setup.sim.ledger().expect(&EXCHANGE_AND_PULL[2..]);
}

#[tokio::test(start_paused = true)]
async fn pull_with_a_service_principal_uses_client_credentials() {
    let setup = AzureSetup::new().await;
    let line = format!("directory POST {TENANT}?grant_type=client_credentials anonymous 200");
    assert_cold_pull(&setup, &setup.start_with_secret(), &line).await;
    let dials = setup.sim.network().dials();
    let expected = ["login.test:80", "team.azurecr.io:80"];
    assert!(dials.iter().all(|dial| expected.contains(&dial.as_str())), "other hosts were dialled: {dials:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn workload_identity_precedes_a_client_secret() {
    let setup = AzureSetup::new().await;
    let (_folder, file) = write_token_file("assertion.of.pod-1");
    let variables = environment(&[
        ("AZURE_FEDERATED_TOKEN_FILE", &file.display().to_string()),
        ("AZURE_CLIENT_SECRET", "not this one"),
        ("AZURE_CLIENT_ID", "nor this one"),
        ("AZURE_TENANT_ID", Azure::TENANT),
        ("AZURE_AUTHORITY_HOST", &format!("{}/", setup.directory.0.origin())),
    ]);
    let credential = format!("credential = {{ source = \"azure\", client_id = \"{}\" }}", Azure::CLIENT);
    let regpass =
        Regpass::start_with_environment(&setup.sim, &single_registry_config(&setup.registry, &credential), variables);
    assert_cold_pull(&setup, &regpass, &format!("directory POST {TENANT}?grant_type=client_credentials anonymous 200"))
        .await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pull_in_an_app_service_uses_its_identity_endpoint() {
    let setup = AzureSetup::new().await;
    let app = setup.azure.app_service(&setup.sim).await;
    let endpoint = format!("{}/msi/token", app.0.origin());
    let regpass = setup.start(environment(&[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", Azure::HEADER)]));
    let line = "app GET /msi/token?api-version=2019-08-01&resource=https://containerregistry.azure.net anonymous 200";
    assert_cold_pull(&setup, &regpass, line).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pull_on_a_machine_uses_its_managed_identity() {
    for client in [None, Some(Azure::CLIENT)] {
        let setup = AzureSetup::new().await;
        let _imds = setup.azure.imds(&setup.sim).await;
        let variables = client.map(|client| ("AZURE_CLIENT_ID", client));
        let regpass = setup.start(environment(variables.as_slice()));
        let client_id = client.map(|client| format!("&client_id={client}")).unwrap_or_default();
        let line = format!(
            "imds GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://containerregistry.azure.net{client_id} anonymous 200"
        );
        assert_cold_pull(&setup, &regpass, &line).await;
        setup.sim.finish();
    }
}

/// Asserts that a pull from the registry at `host` requests tokens with this audience.
async fn assert_audience(host: &str, audience: &'static str) {
    let setup = AzureSetup::with_registry(host, audience).await;
    assert_eq!(setup.start_with_secret().get(APP).await.status, 200, "{host}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn national_clouds_have_their_own_audience() {
    assert_audience("team.azurecr.cn", "https://containerregistry.azure.cn").await;
    assert_audience("team.azurecr.us", "https://containerregistry.azure.us").await;
}

#[tokio::test(start_paused = true)]
async fn registry_under_a_custom_name_works_with_the_profile() {
    let setup = AzureSetup::with_registry("images.corp", "https://containerregistry.azure.net").await;
    let config = single_registry_config(&setup.registry, "profile = \"acr\"\ncredential = { source = \"azure\" }");
    let regpass = Regpass::start_with_environment(&setup.sim, &config, setup.service_principal());
    assert_eq!(regpass.get(APP).await.status, 200);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn missing_variable_is_named() {
    let setup = AzureSetup::new().await;
    let variables = environment(&[("AZURE_CLIENT_SECRET", Azure::SECRET), ("AZURE_TENANT_ID", Azure::TENANT)]);
    let message = failed_pull_message(&setup.start(variables)).await;
    assert!(message.contains("needs AZURE_CLIENT_ID or `client_id`"), "{message}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn simultaneous_cold_pulls_cost_one_directory_request() {
    let setup = AzureSetup::new().await;
    assert_simultaneous_pulls_succeed(&setup.start_with_secret()).await;
    assert_eq!(request_counts(&setup.sim, &["directory", "token"]), [1, 1]);
    assert_eq!(setup.sim.ledger().count("registry", |entry| entry.path == "/oauth2/exchange"), 1);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn revoked_credential_is_replaced() {
    let setup = AzureSetup::new().await;
    assert_revoked_credential_is_replaced(&setup.registry, &setup.start_with_secret()).await;
    assert_eq!(request_counts(&setup.sim, &["directory"]), [2]);
    setup.sim.finish();
}
