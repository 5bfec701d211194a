//! Artifactory, Harbor, Zot, GitLab, Gitea, Distribution.

use super::{Body, CHALLENGE, UNKNOWN_TOKEN, WRONG_PASSWORD, With, assert_replies, bench};
use crate::sim::{AuthMode, GiteaChallenge, Preset, Rule};
use crate::simulator_self_tests::{basic, exchange, head};

#[tokio::test(start_paused = true)]
async fn artifactory() {
    let realm = "http://docker-local.test/artifactory/api/docker/docker-local/v2/token";
    let bearer = format!(r#"Bearer realm="{realm}",service="docker-local.test""#);
    let pull = format!(r#"{bearer},scope="repository:acme/public:pull""#);
    let manifest = "/v2/acme/public/manifests/1";
    let token = "/artifactory/api/docker/docker-local/v2/token";
    let rows = [
        (
            ("HEAD", manifest, With::Nothing),
            (401, &[(CHALLENGE, &*bearer), ("content-type", "application/json;charset=ISO-8859-1")][..], Body::Empty),
        ),
        (("GET", manifest, With::Nothing), (401, &[(CHALLENGE, &pull)], Body::Any)),
        (("GET", "/v2/acme/public/manifests/2", With::Basic), (403, &[], Body::Any)),
        (("POST", token, With::Form("grant_type=password")), (401, &[], Body::Any)),
        (("GET", token, With::Basic), (200, &[], Body::Is(r#"{"token":"J","expires_in":3600}"#))),
    ];
    assert_replies(&bench(Preset::artifactory()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn artifactory_by_path_builds_its_realm_from_the_host_header() {
    let rows = [
        (
            Preset::artifactory_by_path(),
            "artifactory.test",
            "http://artifactory.test/artifactory/api/docker/docker-local/v2/token",
        ),
        (
            Preset::artifactory_by_path().realm("https://artifactory.test/token"),
            "artifactory.test",
            "https://artifactory.test/token",
        ),
        (
            Preset::artifactory_by_path(),
            "localhost:5000",
            "http://localhost:5000/artifactory/api/docker/docker-local/v2/token",
        ),
    ];
    for (preset, host, realm) in rows {
        let bench = bench(preset).await;
        bench.sim.allow(Rule::ForeignHost);
        let request = head("GET", host, "/v2/docker-local/acme/public/manifests/1", &[]);
        let stream = bench.sim.network().connect("artifactory.test", 80).unwrap();
        let reply = exchange(stream, request.as_bytes()).await.unwrap();
        let expected = format!(r#"Bearer realm="{realm}",service="{host}",scope="repository:acme/public:pull""#);
        assert_eq!(reply.header(CHALLENGE), Some(&*expected));
    }
    // A scope with the key names another repository.
    let bench = bench(Preset::artifactory_by_path()).await;
    for (scope, status) in [("repository:acme/private:pull", 200), ("repository:docker-local/acme/private:pull", 401)] {
        let row = (
            ("GET", "/v2/docker-local/acme/private/manifests/1", With::UserToken(scope)),
            (status, &[][..], Body::Any),
        );
        assert_replies(&bench, &[row]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn harbor() {
    let bearer = r#"Bearer realm="http://harbor.test/service/token",service="harbor-registry""#;
    let pull = format!(r#"{bearer},scope="repository:acme/public:pull""#);
    let push = format!(r#"{bearer},scope="repository:acme/public:pull,push""#);
    let other_scheme = r#"Basic realm="harbor""#;
    let needed = |method: &str| {
        format!(
            r#"{{"errors":[{{"code":"UNAUTHORIZED","message":"authorize header needed to send {method} to repository"}}]}}"#
        )
    };
    let (manifest, uploads) = ("/v2/acme/public/manifests/1", "/v2/acme/public/blobs/uploads/");
    let version = ("docker-distribution-api-version", "registry/2.0");
    let token = "/service/token?service=harbor-registry";
    let scope = "repository:acme/public:pull";
    let get = needed("GET");
    let unauthorized = r#"{"errors":[{"code":"UNAUTHORIZED","message":"unauthorized to access repository: acme/public, action: pull,push"}]}"#;
    let missing = r#"{"errors":[{"code":"NOT_FOUND","message":"artifact acme/public:x not found"}]}"#;
    let bench = bench(Preset::harbor()).await;
    bench.registry.add_user("admin", "Harbor12345");
    let admin = basic("admin", "Harbor12345");
    let cookie = bench.send("GET", "/v2/", &[], b"").await;
    assert!(cookie.header("set-cookie").unwrap().starts_with("sid="));
    let rows = [
        (("GET", manifest, With::Nothing), (401, &[(CHALLENGE, &*pull), version][..], Body::Is(&get))),
        (("POST", uploads, With::Nothing), (401, &[(CHALLENGE, &push)], Body::Is(unauthorized))),
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, bearer), version], Body::Any)),
        (("GET", "/v2/", With::AnonymousToken(scope)), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (("GET", "/v2/", With::UserToken(scope)), (200, &[], Body::Any)),
        (("GET", manifest, UNKNOWN_TOKEN), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (("GET", manifest, With::ExpiredToken(scope)), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (("GET", manifest, WRONG_PASSWORD), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (("GET", "/v2/acme/public/manifests/x", With::Basic), (404, &[], Body::Is(missing))),
        (("GET", "/v2/_catalog", With::Nothing), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (("GET", "/v2/_catalog", With::Basic), (401, &[(CHALLENGE, other_scheme)], Body::Any)),
        (
            ("GET", "/v2/_catalog", With::UserToken("registry:catalog:*")),
            (401, &[(CHALLENGE, other_scheme)], Body::Any),
        ),
        (("GET", "/v2/_catalog", With::HeaderLine(&admin)), (200, &[], Body::Any)),
        (("GET", "/v2/_catalog?n=x", With::HeaderLine(&admin)), (400, &[], Body::Any)),
        (("GET", "/v2/_catalog?last=none", With::HeaderLine(&admin)), (400, &[], Body::Any)),
        (("DELETE", manifest, With::Basic), (400, &[], Body::Contains(r#""code":"UNSUPPORTED""#))),
        (
            ("GET", &*format!("{token}&scope={scope}"), With::Basic),
            (200, &[], Body::Is(r#"{"token":"J","access_token":"","expires_in":1800,"issued_at":"T"}"#)),
        ),
        (("GET", "/service/token?service=x", With::Nothing), (400, &[], Body::Is("Unable to handle service: x"))),
        (("GET", token, With::Nothing), (401, &[], Body::Empty)),
        (("POST", token, With::Form("grant_type=password")), (405, &[], Body::Any)),
        // The grant is larger than requested, and empty for a project that does not exist.
        (("POST", uploads, With::UserToken(scope)), (202, &[], Body::Any)),
        (
            ("POST", "/v2/none/app/blobs/uploads/", With::UserToken("repository:none/app:pull,push")),
            (401, &[], Body::Any),
        ),
    ];
    assert_replies(&bench, &rows).await;
    // The challenge header is present, with an empty value.
    let unknown = bench.send("GET", "/v2/none/app/manifests/1", &[], b"").await;
    assert_eq!((unknown.status.as_u16(), unknown.header(CHALLENGE)), (401, Some("")));
}

#[tokio::test(start_paused = true)]
async fn zot() {
    let of = |scope: &str| format!(r#"Bearer realm="http://auth.zot.test/auth",service="zot",scope="{scope}""#);
    let [base, pull, push, delete, catalog] = [
        "",
        "repository:acme/public:pull",
        "repository:acme/public:push",
        "repository:acme/public:delete",
        "repository::pull",
    ]
    .map(of);
    let (manifest, uploads) = ("/v2/acme/public/manifests/1", "/v2/acme/public/blobs/uploads/");
    let unsupported = Body::Contains(r#""code":"UNSUPPORTED""#);
    let shown = [(CHALLENGE, "bearer realm=http://auth.zot.test/auth"), ("content-type", "application/json")];
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, &*base)][..], Body::Any)),
        (("GET", manifest, With::Nothing), (401, &[(CHALLENGE, &pull)], Body::Any)),
        (("POST", uploads, With::Nothing), (401, &[(CHALLENGE, &push)], Body::Any)),
        (("DELETE", manifest, With::Nothing), (401, &[(CHALLENGE, &delete)], Body::Any)),
        (("GET", "/v2/_catalog", With::Nothing), (401, &[(CHALLENGE, &catalog)], Body::Any)),
        (("GET", manifest, UNKNOWN_TOKEN), (401, &[(CHALLENGE, "")], unsupported)),
        (("GET", manifest, With::ExpiredToken("repository:acme/public:pull")), (401, &[(CHALLENGE, "")], unsupported)),
        (("POST", uploads, With::UserToken("repository:acme/public:pull")), (401, &[(CHALLENGE, &push)], Body::Any)),
        (("GET", "/v2/", With::UserToken("")), (200, &shown, Body::Empty)),
    ];
    assert_replies(&bench(Preset::zot()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn zot_with_a_password_file() {
    let basic = r#"Basic realm="Authorization Required""#;
    let denied = Body::Contains(r#""code":"DENIED""#);
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, basic)][..], Body::Any)),
        (("GET", "/v2/", WRONG_PASSWORD), (401, &[(CHALLENGE, basic)], Body::Any)),
        (("GET", "/v2/", With::Basic), (200, &[(CHALLENGE, "basic realm=Authorization Required")], Body::Empty)),
        (("GET", "/v2/bob/secret/manifests/1", With::Basic), (403, &[(CHALLENGE, basic)], denied)),
    ];
    assert_replies(&bench(Preset::zot_basic()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn gitlab() {
    let bearer = r#"Bearer realm="http://auth.gitlab.test/jwt/auth",service="container_registry""#;
    let service = "http://auth.gitlab.test/jwt/auth?service=container_registry";
    let mount = "/v2/acme/private/blobs/uploads/?mount=sha256:1&from=acme/none";
    let bench = bench(Preset::gitlab()).await;
    let top = bench.registry.store().read("acme/public", |repository| repository.manifest("1").unwrap().digest.clone());
    let digest = top.unwrap();
    let fallback = format!("/v2/acme/public/manifests/{}", digest.replace(':', "-"));
    let referrers = format!("/v2/acme/public/referrers/{digest}");
    let pull = With::AnonymousToken("repository:acme/public:pull");
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, bearer)][..], Body::Any)),
        (
            ("POST", mount, With::UserToken("repository:acme/private:pull,push repository:acme/none:pull")),
            (401, &[], Body::Any),
        ),
        (("GET", &*referrers, pull), (404, &[], Body::Any)),
        (("GET", &fallback, pull), (200, &[("docker-content-digest", &*digest)], Body::Any)),
        (("GET", service, With::Nothing), (403, &[], Body::Any)),
        (("GET", service, With::Basic), (200, &[], Body::Is(r#"{"token":"J"}"#))),
        (("POST", service, With::Form("grant_type=password")), (404, &[], Body::Any)),
        (("GET", "/v2/_catalog", With::UserToken("registry:catalog:*")), (401, &[], Body::Any)),
    ];
    assert_replies(&bench, &rows).await;
    let reply = bench.send("POST", mount, &[], b"").await;
    let challenge = reply.header(CHALLENGE).unwrap();
    // Distribution writes the actions in any order.
    assert_eq!(challenge.matches("repository:").count(), 2, "{challenge}");
    assert!(challenge.contains(r#",scope="repository:acme/private:pu"#), "{challenge}");
    assert!(challenge.ends_with(r#" repository:acme/none:pull""#), "{challenge}");
}

#[tokio::test(start_paused = true)]
async fn gitea() {
    let bearer = r#"Bearer realm="http://gitea.test/v2/token""#;
    let both = r#"service="container_registry",scope="*""#;
    let challenges = [
        (GiteaChallenge::Bare, format!("{bearer}\nBasic"), 200),
        (GiteaChallenge::Bearer, format!("{bearer},{both}"), 401),
        (GiteaChallenge::TwoLines, format!("{bearer},{both}\nBasic realm=\"Gitea Container Registry\""), 200),
        (GiteaChallenge::OneLine, format!(r#"{bearer},{both},Basic realm="http://gitea.test/v2",{both}"#), 200),
    ];
    for (offers, challenge, directly) in challenges {
        let manifest = "/v2/acme/private/manifests/1";
        let elsewhere = With::UserToken("repository:acme/public:pull");
        let rows = [
            (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, &*challenge)][..], Body::Any)),
            (("GET", manifest, UNKNOWN_TOKEN), (401, &[(CHALLENGE, &challenge)], Body::Any)),
            (("GET", manifest, With::Basic), (directly, &[], Body::Any)),
            (("GET", "/v2/token", With::Nothing), (200, &[], Body::Is(r#"{"token":"J"}"#))),
            (("POST", "/v2/token", With::Form("grant_type=password")), (405, &[], Body::Any)),
            (("GET", "/v2/", With::AnonymousToken("")), (200, &[], Body::Empty)),
            (("GET", "/v2/acme/public/manifests/1", With::AnonymousToken("")), (200, &[], Body::Any)),
            (("GET", manifest, With::AnonymousToken("")), (401, &[(CHALLENGE, &challenge)], Body::Any)),
            (("GET", manifest, elsewhere), (200, &[], Body::Any)),
        ];
        assert_replies(&bench(Preset::gitea(offers)).await, &rows).await;
    }
}

#[tokio::test(start_paused = true)]
async fn distribution() {
    let bearer =
        r#"Bearer realm="http://auth.distribution.test/auth/token",service="Docker registry",error="invalid_token""#;
    let rows = [(("GET", "/v2/", UNKNOWN_TOKEN), (401, &[(CHALLENGE, bearer)][..], Body::Any))];
    assert_replies(&bench(Preset::distribution(AuthMode::Token)).await, &rows).await;
}
