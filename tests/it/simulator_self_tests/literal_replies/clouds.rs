//! ACR, ECR, ECR Public, Artifact Registry, gcr.io.

use std::time::Duration;

use tokio::time::advance;

use super::{Body, CHALLENGE, UNKNOWN_TOKEN, WRONG_PASSWORD, With, assert_replies, bench};
use crate::sim::{Preset, Rule};
use crate::simulator_self_tests::basic;

#[tokio::test(start_paused = true)]
async fn acr() {
    let bearer = r#"Bearer realm="http://acr.test/oauth2/token",service="acr.test""#;
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required, visit https://aka.ms/acr/authorization for more information.","detail":null}]}"#;
    let other_scheme = r#"Basic realm="Azure Container Registry""#;
    let metadata = format!(r#"{bearer},scope="repository:acme/public:metadata_read""#);
    let stale = format!(r#"{bearer},scope="repository:acme/public:metadata_read",error="invalid_token""#);
    let (tags, pull) = ("/v2/acme/public/tags/list", "repository:acme/public:pull");
    let token = format!("/oauth2/token?service=acr.test&scope={pull}");
    let refresh =
        "service=acr.test&client_id=c&scope=repository:acme/public:pull&refresh_token=refresh&grant_type=refresh_token";
    let bench = bench(Preset::acr()).await;
    bench.registry.add_user("scope-map", "password");
    bench.registry.add_user("5b1d2c3a-1111-4222-8333-444455556666", "secret");
    bench.registry.add_user("00000000-0000-0000-0000-000000000000", "secret");
    bench.registry.users().add_identity_token("acr", "refresh");
    let scope_map = basic("scope-map", "password");
    let principal = basic("5b1d2c3a-1111-4222-8333-444455556666", "secret");
    let refresh_token_user = basic("00000000-0000-0000-0000-000000000000", "secret");
    let given = Body::Is(r#"{"access_token":"J"}"#);
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, bearer), ("server", "openresty")][..], Body::Is(body))),
        (("GET", "/v2/", WRONG_PASSWORD), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (("GET", "/v2/", With::HeaderLine(&scope_map)), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (("GET", "/v2/", With::HeaderLine(&refresh_token_user)), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (("GET", "/v2/", With::Basic), (200, &[], Body::Any)),
        (("GET", "/v2/", With::HeaderLine(&principal)), (200, &[], Body::Any)),
        (
            ("GET", tags, With::UserToken(pull)),
            (401, &[(CHALLENGE, &*metadata)], Body::Contains(r#""Action":"metadata_read""#)),
        ),
        (
            ("GET", tags, With::ExpiredToken("repository:acme/public:metadata_read")),
            (401, &[(CHALLENGE, &stale)], Body::Any),
        ),
        (("GET", &*token, With::Basic), (200, &[], given)),
        (("GET", &token, With::HeaderLine(&scope_map)), (200, &[], given)),
        (("POST", "/oauth2/token", With::Form(refresh)), (200, &[], given)),
        (
            (
                "POST",
                "/oauth2/token",
                With::Form("grant_type=password&service=acr.test&client_id=c&username=acr&password=password"),
            ),
            (400, &[], Body::Empty),
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
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, challenge), text][..], Body::Is("Not Authorized\n"))),
        (("GET", "/v2/acme/public/tags/list", With::Nothing), (401, &[(CHALLENGE, challenge)], Body::Any)),
        (("GET", "/v2/", With::Basic), (200, &[], Body::Any)),
        (("GET", "/v2/acme/public/tags/list?n=1000", With::Basic), (200, &[], Body::Any)),
        (("GET", "/v2/acme/public/tags/list?n=2000", With::Basic), (405, &[], Body::Contains(most))),
        (("GET", "/v2/_catalog?n=1001", With::Basic), (405, &[], Body::Contains(r#""code":"UNSUPPORTED""#))),
    ];
    assert_replies(&bench, &rows).await;
    advance(Duration::from_secs(43_200)).await;
    let manifest = "/v2/acme/private/manifests/1";
    let rows = [
        (("GET", "/v2/", With::Basic), (403, &[(CHALLENGE, "")][..], Body::Is(expired))),
        (("HEAD", manifest, With::Basic), (403, &[(CHALLENGE, "")], Body::Empty)),
        (("GET", "/v2/", WRONG_PASSWORD), (403, &[(CHALLENGE, "")], Body::Is(expired))),
    ];
    assert_replies(&bench, &rows).await;
    bench.registry.add_user("AWS", "a password of twelve hours");
    assert_replies(&bench, &[(("GET", "/v2/", With::Basic), (200, &[][..], Body::Any))]).await;
}

#[tokio::test(start_paused = true)]
async fn ecr_public() {
    let bearer = r#"Bearer realm="http://ecr-public.test/token/",service="public.ecr.aws",scope="aws""#;
    let invalid = Body::Is(r#"{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid."}]}"#);
    let refused = Body::Is(r#"{"errors":[{"code":"DENIED","message":"Not Authorized"}]}"#);
    let bench = bench(Preset::ecr_public()).await;
    let manifest = "/v2/acme/public/manifests/1";
    let digest = bench.registry.store().read("acme/public", |repository| repository.blobs.keys().next().cloned());
    let blob = format!("/v2/acme/public/blobs/{}", digest.flatten().unwrap());
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, bearer), ("content-length", "58")][..], refused)),
        (("GET", "/v2", With::Nothing), (401, &[(CHALLENGE, bearer)], refused)),
        (("GET", manifest, With::Nothing), (401, &[(CHALLENGE, bearer)], refused)),
        (("GET", manifest, UNKNOWN_TOKEN), (400, &[(CHALLENGE, ""), ("content-length", "80")], invalid)),
        (("GET", manifest, With::ExpiredToken("aws")), (400, &[(CHALLENGE, "")], invalid)),
        (("GET", manifest, With::Basic), (400, &[(CHALLENGE, "")], invalid)),
        (("GET", manifest, With::AnonymousToken("aws")), (200, &[], Body::Any)),
        (("HEAD", &*blob, With::AnonymousToken("aws")), (401, &[], Body::Empty)),
        (("HEAD", &blob, With::UserToken("aws")), (401, &[], Body::Empty)),
        (("GET", &blob, With::AnonymousToken("aws")), (307, &[], Body::Empty)),
        (("GET", "/token/?service=public.ecr.aws&scope=aws", With::Nothing), (200, &[], Body::Is(r#"{"token":"J"}"#))),
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
    let token_request = format!("{token}&scope={scope}");
    let invalid = Body::Contains("No valid credential was supplied.\"}]}");
    let given = Body::Is(r#"{"token":"J","expires_in":43200}"#);
    let short = r#"{"errors":[{"code":"NAME_INVALID","message":"invalid number of path components: 1"}]}"#;
    let rows = [
        (
            ("GET", "/v2/", With::Nothing),
            (
                401,
                &[(CHALLENGE, bearer)][..],
                Body::Is(
                    r#"{"errors":[{"code":"UNAUTHORIZED","message":"not authenticated: No credential was supplied."}]}"#,
                ),
            ),
        ),
        (("GET", manifest, With::Nothing), (401, &[(CHALLENGE, &*private)], Body::Any)),
        (("GET", "/v2/foo/bar/manifests/1", With::Nothing), (401, &[(CHALLENGE, &package)], Body::Any)),
        (("GET", "/v2/foo/manifests/1", With::Nothing), (400, &[], Body::Is(short))),
        (("GET", "/v2/project/images/public/manifests/1", With::Nothing), (200, &[], Body::Any)),
        (("GET", manifest, UNKNOWN_TOKEN), (401, &[(CHALLENGE, "")], invalid)),
        (("GET", manifest, WRONG_PASSWORD), (401, &[(CHALLENGE, "")], invalid)),
        (("GET", manifest, With::ExpiredToken(scope)), (401, &[(CHALLENGE, "")], invalid)),
        (("GET", &*token_request, With::Basic), (200, &[], given)),
        (("GET", token, With::Nothing), (200, &[], given)),
        (("GET", &format!("{token}&scope=registry:catalog:*"), With::Nothing), (200, &[], given)),
        (
            ("GET", &token_request, With::Nothing),
            (403, &[], Body::Contains("Unauthenticated request. Unauthenticated requests do not have permission ")),
        ),
        (("GET", &token_request, WRONG_PASSWORD), (401, &[], Body::Contains("authentication failed"))),
        (("GET", &format!("{token}&scope="), With::Basic), (400, &[], Body::Any)),
        (("GET", &format!("{token_request}&scope={scope}"), With::Basic), (400, &[], Body::Any)),
        (("POST", "/v2/token", With::Form("grant_type=password")), (404, &[], Body::Any)),
        (("GET", manifest, With::Basic), (200, &[], Body::Any)),
        (("GET", manifest, With::HeaderLine("authorization: Bearer ya29.an-access-token")), (200, &[], Body::Any)),
        (("GET", manifest, With::UserToken("repository:project/images/public:pull")), (200, &[], Body::Any)),
        (
            ("GET", manifest, With::AnonymousToken("")),
            (403, &[(CHALLENGE, "")], Body::Contains("Unauthenticated request. ")),
        ),
    ];
    let bench = bench(Preset::google()).await;
    assert_replies(&bench, &rows).await;
    bench.registry.change_preset(|preset| preset.policy = crate::sim::Policy::Namespaces);
    let denied = r#"Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"projects/project/locations/us/repositories/images\" (or it may not exist)"#;
    assert_replies(&bench, &[(("GET", manifest, With::Basic), (403, &[(CHALLENGE, "")][..], Body::Contains(denied)))])
        .await;
}

#[tokio::test(start_paused = true)]
async fn artifact_registry_serves_blobs_and_sessions_outside_v2() {
    let bench = bench(Preset::google()).await;
    let credential = basic("oauth2accesstoken", "ya29.an-access-token");
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
    let reply = bench.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[&credential], b"").await;
    assert_eq!(reply.status, 202);
    let location = reply.header("location").unwrap();
    assert!(location.starts_with("/artifacts-uploads/namespaces/project/repositories/images/uploads/"), "{location}");
}

#[tokio::test(start_paused = true)]
async fn gcr() {
    let bearer = r#"Bearer realm="http://gcr.test/v2/token",service=gcr.test"#;
    let private = format!(r#"{bearer},scope="repository:project/private:pull""#);
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, bearer)][..], Body::Any)),
        (("GET", "/v2/project/private/manifests/1", With::Nothing), (401, &[(CHALLENGE, &*private)], Body::Any)),
        (
            ("GET", "/v2/project/public/tags/list?n=1", With::Nothing),
            (200, &[("link", "")], Body::Contains(r#""tags":["1"],"child":[],"manifest":{"sha256:"#)),
        ),
        (("GET", "/v2/project/public/tags/list", With::Nothing), (200, &[], Body::Contains(r#""timeCreatedMs":""#))),
    ];
    assert_replies(&bench(Preset::gcr()).await, &rows).await;
}

/// The reply to a client that follows the redirect to the blob store with its Authorization header.
#[tokio::test(start_paused = true)]
async fn blob_stores_reject_a_signed_request_with_authorization() {
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
        bench.registry.change_preset(|preset| preset.access.open_to_all = true);
        bench.sim.allow(Rule::CredentialAtBlobStore);
        let name = bench.registry.preset().capabilities.public_repository;
        let digest = bench.registry.store().read(name, |repository| repository.blobs.keys().next().cloned());
        let reply = bench.send("GET", &format!("/v2/{name}/blobs/{}", digest.flatten().unwrap()), &[], b"").await;
        let location = reply.header("location").unwrap();
        let refused = (400, &[("content-type", "application/xml")][..], Body::Contains(text));
        assert_replies(&bench, &[(("GET", location, UNKNOWN_TOKEN), refused)]).await;
        assert_eq!(bench.send("GET", location, &[], b"").await.status, 200);
    }
}
