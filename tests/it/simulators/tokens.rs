//! What tokens tell those who look into them.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::sim::{Clock, Family, Image, Offers, Preset};
use crate::simulators::Bench;

const SCOPE: &str = "repository:acme/private:pull";

/// A furnished registry's token for its login.
async fn token(preset: Preset, scope: &str) -> String {
    let bench = Box::pin(Bench::start(preset)).await;
    bench.registry.furnish("1", &Image::single("app", Family::Oci));
    let line = bench.bearer(scope, bench.registry.preset().can.login).await;
    line.strip_prefix("authorization: Bearer ").unwrap().to_owned()
}

fn claims(token: &str) -> Value {
    let middle = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(middle).unwrap()).unwrap()
}

fn opened(token: &str) -> Value {
    serde_json::from_slice(&BASE64_STANDARD.decode(token).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn jwts_say_how_long_they_are_good_where_the_reply_does_not() {
    let rows = vec![
        (Preset::acr(), 4500, SCOPE),
        (Preset::gitlab(), 300, SCOPE),
        (Preset::ngc(), 600, "repository:acme/team/model:pull"),
        (Preset::quay(), 3600, SCOPE),
        (Preset::gitea(Offers::Bearer), 86_400, SCOPE),
    ];
    for (preset, seconds, scope) in rows {
        assert_eq!(preset.tokens.expires_in, None);
        let claims = claims(&token(preset, scope).await);
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), seconds, "{claims}");
    }
}

#[tokio::test(start_paused = true)]
async fn grants_are_larger_or_are_not_told() {
    let actions = async |preset| claims(&token(preset, SCOPE).await)["access"][0]["actions"].clone();
    assert_eq!(actions(Preset::generic()).await, json!(["pull"]));
    assert_eq!(actions(Preset::harbor()).await, json!(["pull", "push", "delete", "scanner-pull"]));
    assert_eq!(claims(&token(Preset::gitea(Offers::Bearer), SCOPE).await).get("access"), None);
    let ngc = claims(&token(Preset::ngc(), "repository:acme/team/model:pull").await);
    assert_eq!((&ngc["aud"], &ngc["iss"]), (&json!("registry"), &json!("authn.nvidia.com")));
}

#[tokio::test(start_paused = true)]
async fn opaque_tokens_are_documents_in_base64() {
    let public = opened(&token(Preset::ecr_public(), "aws").await);
    assert_eq!(public["expiration"], json!(Clock::EPOCH + 3600), "{public}");
    let google = opened(&token(Preset::google(), "repository:project/images/private:pull").await);
    let members: Vec<&String> = google.as_object().unwrap().keys().collect();
    assert_eq!(members, ["access_token", "commands", "product", "token_id"]);
}
