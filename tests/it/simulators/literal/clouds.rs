//! ACR, ECR, ECR Public, Artifact Registry, gcr.io.

use std::time::Duration;

use tokio::time::advance;

use super::{CHALLENGE, STALE, Text, WRONG, Who, assert_replies, bench};
use crate::sim::{Preset, Rule};
use crate::simulators::basic;

#[tokio::test(start_paused = true)]
async fn acr() {
    let bearer = r#"Bearer realm="http://acr.test/oauth2/token",service="acr.test""#;
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required, visit https://aka.ms/acr/authorization for more information.","detail":null}]}"#;
    let flipped = r#"Basic realm="Azure Container Registry""#;
    let metadata = format!(r#"{bearer},scope="repository:acme/public:metadata_read""#);
    let stale = format!(r#"{bearer},scope="repository:acme/public:metadata_read",error="invalid_token""#);
    let (tags, pull) = ("/v2/acme/public/tags/list", "repository:acme/public:pull");
    let token = format!("/oauth2/token?service=acr.test&scope={pull}");
    let refresh =
        "service=acr.test&client_id=c&scope=repository:acme/public:pull&refresh_token=refresh&grant_type=refresh_token";
    let bench = bench(Preset::acr()).await;
    bench.registry.user("scope-map", "password");
    bench.registry.user("5b1d2c3a-1111-4222-8333-444455556666", "secret");
    bench.registry.user("00000000-0000-0000-0000-000000000000", "secret");
    bench.registry.users().add_identity("acr", "refresh");
    let scope_map = basic("scope-map", "password");
    let principal = basic("5b1d2c3a-1111-4222-8333-444455556666", "secret");
    let nobody = basic("00000000-0000-0000-0000-000000000000", "secret");
    let given = Text::Is(r#"{"access_token":"J"}"#);
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, bearer), ("server", "openresty")][..], Text::Is(body))),
        (("GET", "/v2/", WRONG), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", "/v2/", Who::Line(&scope_map)), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", "/v2/", Who::Line(&nobody)), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", "/v2/", Who::Login), (200, &[], Text::Any)),
        (("GET", "/v2/", Who::Line(&principal)), (200, &[], Text::Any)),
        (("GET", tags, Who::Token(pull)), (401, &[(CHALLENGE, &*metadata)], Text::Has(r#""Action":"metadata_read""#))),
        (("GET", tags, Who::Late("repository:acme/public:metadata_read")), (401, &[(CHALLENGE, &stale)], Text::Any)),
        (("GET", &*token, Who::Login), (200, &[], given)),
        (("GET", &token, Who::Line(&scope_map)), (200, &[], given)),
        (("POST", "/oauth2/token", Who::Form(refresh)), (200, &[], given)),
        (
            (
                "POST",
                "/oauth2/token",
                Who::Form("grant_type=password&service=acr.test&client_id=c&username=acr&password=password"),
            ),
            (400, &[], Text::Empty),
        ),
    ];
    assert_replies(&bench, &rows).await;
    let reply = bench.send("GET", "/v2/", &[], b"").await;
    assert!(reply.headers.get_all("access-control-expose-headers").iter().count() > 1);
    assert!(reply.headers.contains_key("x-ms-correlation-request-id"));
}

#[tokio::test(start_paused = true)]
async fn ecr() {
    let challenge = r#"Basic realm="http://ecr.test/",service="ecr.amazonaws.com""#;
    let expired = r#"{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}"#;
    let text = ("content-type", "text/plain; charset=utf-8");
    let most = "Member must have value less than or equal to 1000\"}]}";
    let bench = bench(Preset::ecr()).await;
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, challenge), text][..], Text::Is("Not Authorized\n"))),
        (("GET", "/v2/acme/public/tags/list", Who::Nobody), (401, &[(CHALLENGE, challenge)], Text::Any)),
        (("GET", "/v2/", Who::Login), (200, &[], Text::Any)),
        (("GET", "/v2/acme/public/tags/list?n=1000", Who::Login), (200, &[], Text::Any)),
        (("GET", "/v2/acme/public/tags/list?n=2000", Who::Login), (405, &[], Text::Has(most))),
        (("GET", "/v2/_catalog?n=1001", Who::Login), (405, &[], Text::Has(r#""code":"UNSUPPORTED""#))),
    ];
    assert_replies(&bench, &rows).await;
    advance(Duration::from_secs(43_200)).await;
    let manifest = "/v2/acme/private/manifests/1";
    let rows = [
        (("GET", "/v2/", Who::Login), (403, &[(CHALLENGE, "")][..], Text::Is(expired))),
        (("HEAD", manifest, Who::Login), (403, &[(CHALLENGE, "")], Text::Empty)),
        (("GET", "/v2/", WRONG), (403, &[(CHALLENGE, "")], Text::Is(expired))),
    ];
    assert_replies(&bench, &rows).await;
    bench.registry.user("AWS", "a password of twelve hours");
    assert_replies(&bench, &[(("GET", "/v2/", Who::Login), (200, &[][..], Text::Any))]).await;
}

#[tokio::test(start_paused = true)]
async fn ecr_public() {
    let bearer = r#"Bearer realm="http://ecr-public.test/token/",service="public.ecr.aws",scope="aws""#;
    let invalid = Text::Is(r#"{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid."}]}"#);
    let refused = Text::Is(r#"{"errors":[{"code":"DENIED","message":"Not Authorized"}]}"#);
    let bench = bench(Preset::ecr_public()).await;
    let manifest = "/v2/acme/public/manifests/1";
    let digest = bench.registry.store().read("acme/public", |repository| repository.blobs.keys().next().cloned());
    let blob = format!("/v2/acme/public/blobs/{}", digest.flatten().unwrap());
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, bearer), ("content-length", "58")][..], refused)),
        (("GET", "/v2", Who::Nobody), (401, &[(CHALLENGE, bearer)], refused)),
        (("GET", manifest, Who::Nobody), (401, &[(CHALLENGE, bearer)], refused)),
        (("GET", manifest, STALE), (400, &[(CHALLENGE, ""), ("content-length", "80")], invalid)),
        (("GET", manifest, Who::Late("aws")), (400, &[(CHALLENGE, "")], invalid)),
        (("GET", manifest, Who::Login), (400, &[(CHALLENGE, "")], invalid)),
        (("GET", manifest, Who::Anyone("aws")), (200, &[], Text::Any)),
        (("HEAD", &*blob, Who::Anyone("aws")), (401, &[], Text::Empty)),
        (("HEAD", &blob, Who::Token("aws")), (401, &[], Text::Empty)),
        (("GET", &blob, Who::Anyone("aws")), (307, &[], Text::Empty)),
        (("GET", "/token/?service=public.ecr.aws&scope=aws", Who::Nobody), (200, &[], Text::Is(r#"{"token":"J"}"#))),
    ];
    assert_replies(&bench, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn artifact_registry() {
    let bearer = r#"Bearer realm="http://pkg.test/v2/token""#;
    let of = |name: &str| format!(r#"{bearer},service="pkg.test",scope="repository:{name}:pull""#);
    let (private, package) = (of("project/images/private"), of("foo/bar/pkg"));
    let manifest = "/v2/project/images/private/manifests/1";
    let token = "/v2/token?service=pkg.test";
    let scope = "repository:project/images/private:pull";
    let asked = format!("{token}&scope={scope}");
    let invalid = Text::Has("No valid credential was supplied.\"}]}");
    let given = Text::Is(r#"{"token":"J","expires_in":43200}"#);
    let short = r#"{"errors":[{"code":"NAME_INVALID","message":"invalid number of path components: 1"}]}"#;
    let rows = [
        (
            ("GET", "/v2/", Who::Nobody),
            (
                401,
                &[(CHALLENGE, bearer)][..],
                Text::Is(
                    r#"{"errors":[{"code":"UNAUTHORIZED","message":"not authenticated: No credential was supplied."}]}"#,
                ),
            ),
        ),
        (("GET", manifest, Who::Nobody), (401, &[(CHALLENGE, &*private)], Text::Any)),
        (("GET", "/v2/foo/bar/manifests/1", Who::Nobody), (401, &[(CHALLENGE, &package)], Text::Any)),
        (("GET", "/v2/foo/manifests/1", Who::Nobody), (400, &[], Text::Is(short))),
        (("GET", "/v2/project/images/public/manifests/1", Who::Nobody), (200, &[], Text::Any)),
        (("GET", manifest, STALE), (401, &[(CHALLENGE, "")], invalid)),
        (("GET", manifest, WRONG), (401, &[(CHALLENGE, "")], invalid)),
        (("GET", manifest, Who::Late(scope)), (401, &[(CHALLENGE, "")], invalid)),
        (("GET", &*asked, Who::Login), (200, &[], given)),
        (("GET", token, Who::Nobody), (200, &[], given)),
        (("GET", &format!("{token}&scope=registry:catalog:*"), Who::Nobody), (200, &[], given)),
        (
            ("GET", &asked, Who::Nobody),
            (403, &[], Text::Has("Unauthenticated request. Unauthenticated requests do not have permission ")),
        ),
        (("GET", &asked, WRONG), (401, &[], Text::Has("authentication failed"))),
        (("GET", &format!("{token}&scope="), Who::Login), (400, &[], Text::Any)),
        (("GET", &format!("{asked}&scope={scope}"), Who::Login), (400, &[], Text::Any)),
        (("POST", "/v2/token", Who::Form("grant_type=password")), (404, &[], Text::Any)),
        (("GET", manifest, Who::Login), (200, &[], Text::Any)),
        (("GET", manifest, Who::Line("authorization: Bearer ya29.an-access-token")), (200, &[], Text::Any)),
        (("GET", manifest, Who::Token("repository:project/images/public:pull")), (200, &[], Text::Any)),
        (("GET", manifest, Who::Anyone("")), (403, &[(CHALLENGE, "")], Text::Has("Unauthenticated request. "))),
    ];
    let bench = bench(Preset::google()).await;
    assert_replies(&bench, &rows).await;
    bench.registry.change(|preset| preset.policy = crate::sim::Policy::Namespaces);
    let denied = r#"Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"projects/project/locations/us/repositories/images\" (or it may not exist)"#;
    assert_replies(&bench, &[(("GET", manifest, Who::Login), (403, &[(CHALLENGE, "")][..], Text::Has(denied)))]).await;
}

#[tokio::test(start_paused = true)]
async fn artifact_registry_leads_outside_its_api() {
    let bench = bench(Preset::google()).await;
    let login = basic("oauth2accesstoken", "ya29.an-access-token");
    let name = "project/images/public";
    let blob =
        bench.registry.store().read(name, |repository| repository.blobs.values().next().cloned()).flatten().unwrap();
    let reply = bench.send("GET", &format!("/v2/{name}/blobs/{}", blob.digest), &[], b"").await;
    let location = reply.header("location").unwrap().to_owned();
    assert_eq!(reply.status, 302);
    assert!(
        location.starts_with("/artifacts-downloads/namespaces/project/repositories/images/downloads/"),
        "{location}"
    );
    assert_eq!(bench.send("GET", &location, &[], b"").await.body, blob.slice().to_bytes());
    assert_eq!(bench.send("GET", &format!("{location}x"), &[], b"").await.status, 403);
    let reply = bench.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[&login], b"").await;
    assert_eq!(reply.status, 202);
    let location = reply.header("location").unwrap();
    assert!(location.starts_with("/artifacts-uploads/namespaces/project/repositories/images/uploads/"), "{location}");
}

#[tokio::test(start_paused = true)]
async fn gcr() {
    let bearer = r#"Bearer realm="http://gcr.test/v2/token",service=gcr.test"#;
    let private = format!(r#"{bearer},scope="repository:project/private:pull""#);
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, bearer)][..], Text::Any)),
        (("GET", "/v2/project/private/manifests/1", Who::Nobody), (401, &[(CHALLENGE, &*private)], Text::Any)),
        (
            ("GET", "/v2/project/public/tags/list?n=1", Who::Nobody),
            (200, &[("link", "")], Text::Has(r#""tags":["1"],"child":[],"manifest":{"sha256:"#)),
        ),
        (("GET", "/v2/project/public/tags/list", Who::Nobody), (200, &[], Text::Has(r#""timeCreatedMs":""#))),
    ];
    assert_replies(&bench(Preset::gcr()).await, &rows).await;
}

/// Stores refuse a signed request with Authorization: what a client gets that lets it follow.
#[tokio::test(start_paused = true)]
async fn stores_refuse_a_second_authority() {
    let s3 = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter";
    let rows = vec![
        (Preset::acr(), "Authentication information is not given in the correct format"),
        (Preset::ecr(), s3),
        (Preset::ecr_public(), s3),
        (Preset::ngc(), s3),
        (Preset::artifactory_by_path(), s3),
    ];
    for (preset, text) in rows {
        let bench = bench(preset).await;
        bench.registry.change(|preset| preset.gate.open = true);
        bench.sim.allow(Rule::CredentialAtBlobStore);
        let name = bench.registry.preset().can.public;
        let digest = bench.registry.store().read(name, |repository| repository.blobs.keys().next().cloned());
        let reply = bench.send("GET", &format!("/v2/{name}/blobs/{}", digest.flatten().unwrap()), &[], b"").await;
        let location = reply.header("location").unwrap();
        let refused = (400, &[("content-type", "application/xml")][..], Text::Has(text));
        assert_replies(&bench, &[(("GET", location, STALE), refused)]).await;
        assert_eq!(bench.send("GET", location, &[], b"").await.status, 200);
    }
}
