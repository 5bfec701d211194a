//! The claims of the JWTs and the members of the opaque tokens that presets issue.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::sim::{Clock, GiteaChallenge, Image, ImageFormat, Preset};
use crate::simulator_self_tests::TestBench;

const SCOPE: &str = "repository:acme/private:pull";

/// A token of the registry's user, with the sample content in the registry.
async fn token(preset: Preset, scope: &str) -> String {
    let bench = Box::pin(TestBench::start(preset)).await;
    bench.registry.add_sample_content("1", &Image::single("app", ImageFormat::Oci));
    let line = bench.bearer(scope, bench.registry.preset().capabilities.credential).await;
    line.strip_prefix("authorization: Bearer ").unwrap().to_owned()
}

fn claims(token: &str) -> Value {
    let middle = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(middle).unwrap()).unwrap()
}

fn decoded(token: &str) -> Value {
    serde_json::from_slice(&BASE64_STANDARD.decode(token).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn jwt_states_the_lifetime_where_the_reply_does_not() {
    let rows = vec![
        (Preset::acr(), 4500, SCOPE),
        (Preset::gitlab(), 300, SCOPE),
        (Preset::ngc(), 600, "repository:acme/team/model:pull"),
        (Preset::quay(), 3600, SCOPE),
        (Preset::gitea(GiteaChallenge::Bearer), 86_400, SCOPE),
    ];
    for (preset, seconds, scope) in rows {
        assert_eq!(preset.tokens.expires_in, None);
        let claims = claims(&token(preset, scope).await);
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), seconds, "{claims}");
    }
}

#[tokio::test(start_paused = true)]
async fn access_claim_states_the_grant_of_each_registry() {
    let actions = async |preset| claims(&token(preset, SCOPE).await)["access"][0]["actions"].clone();
    assert_eq!(actions(Preset::generic()).await, json!(["pull"]));
    assert_eq!(actions(Preset::harbor()).await, json!(["pull", "push", "delete", "scanner-pull"]));
    assert_eq!(claims(&token(Preset::gitea(GiteaChallenge::Bearer), SCOPE).await).get("access"), None);
    let ngc = claims(&token(Preset::ngc(), "repository:acme/team/model:pull").await);
    assert_eq!((&ngc["aud"], &ngc["iss"]), (&json!("registry"), &json!("authn.nvidia.com")));
}

#[tokio::test(start_paused = true)]
async fn opaque_tokens_are_json_documents_in_base64() {
    let public = decoded(&token(Preset::ecr_public(), "aws").await);
    assert_eq!(public["expiration"], json!(Clock::EPOCH + 3600), "{public}");
    let google = decoded(&token(Preset::google(), "repository:project/images/private:pull").await);
    let members: Vec<&String> = google.as_object().unwrap().keys().collect();
    assert_eq!(members, ["access_token", "commands", "product", "token_id"]);
}
