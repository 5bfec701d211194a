//! Artifactory, Harbor, Zot, GitLab, Gitea, Distribution.

use super::{CHALLENGE, STALE, Text, WRONG, Who, assert_replies, bench};
use crate::sim::{Mode, Offers, Preset, Rule};
use crate::simulators::{basic, exchange, head};

#[tokio::test(start_paused = true)]
async fn artifactory() {
    let realm = "http://docker-local.test/artifactory/api/docker/docker-local/v2/token";
    let bearer = format!(r#"Bearer realm="{realm}",service="docker-local.test""#);
    let pull = format!(r#"{bearer},scope="repository:acme/public:pull""#);
    let manifest = "/v2/acme/public/manifests/1";
    let token = "/artifactory/api/docker/docker-local/v2/token";
    let rows = [
        (
            ("HEAD", manifest, Who::Nobody),
            (401, &[(CHALLENGE, &*bearer), ("content-type", "application/json;charset=ISO-8859-1")][..], Text::Empty),
        ),
        (("GET", manifest, Who::Nobody), (401, &[(CHALLENGE, &pull)], Text::Any)),
        (("GET", "/v2/acme/public/manifests/2", Who::Login), (403, &[], Text::Any)),
        (("POST", token, Who::Form("grant_type=password")), (401, &[], Text::Any)),
        (("GET", token, Who::Login), (200, &[], Text::Is(r#"{"token":"J","expires_in":3600}"#))),
    ];
    assert_replies(&bench(Preset::artifactory()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn artifactory_by_path_and_under_other_names() {
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
    // A scope that repeats the key is for another repository.
    let bench = bench(Preset::artifactory_by_path()).await;
    for (scope, status) in [("repository:acme/private:pull", 200), ("repository:docker-local/acme/private:pull", 401)] {
        let row =
            (("GET", "/v2/docker-local/acme/private/manifests/1", Who::Token(scope)), (status, &[][..], Text::Any));
        assert_replies(&bench, &[row]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn harbor() {
    let bearer = r#"Bearer realm="http://harbor.test/service/token",service="harbor-registry""#;
    let pull = format!(r#"{bearer},scope="repository:acme/public:pull""#);
    let push = format!(r#"{bearer},scope="repository:acme/public:pull,push""#);
    let flipped = r#"Basic realm="harbor""#;
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
    bench.registry.user("admin", "Harbor12345");
    let admin = basic("admin", "Harbor12345");
    let cookie = bench.send("GET", "/v2/", &[], b"").await;
    assert!(cookie.header("set-cookie").unwrap().starts_with("sid="));
    let rows = [
        (("GET", manifest, Who::Nobody), (401, &[(CHALLENGE, &*pull), version][..], Text::Is(&get))),
        (("POST", uploads, Who::Nobody), (401, &[(CHALLENGE, &push)], Text::Is(unauthorized))),
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, bearer), version], Text::Any)),
        (("GET", "/v2/", Who::Anyone(scope)), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", "/v2/", Who::Token(scope)), (200, &[], Text::Any)),
        (("GET", manifest, STALE), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", manifest, Who::Late(scope)), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", manifest, WRONG), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", "/v2/acme/public/manifests/x", Who::Login), (404, &[], Text::Is(missing))),
        (("GET", "/v2/_catalog", Who::Nobody), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", "/v2/_catalog", Who::Login), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", "/v2/_catalog", Who::Token("registry:catalog:*")), (401, &[(CHALLENGE, flipped)], Text::Any)),
        (("GET", "/v2/_catalog", Who::Line(&admin)), (200, &[], Text::Any)),
        (("GET", "/v2/_catalog?n=x", Who::Line(&admin)), (400, &[], Text::Any)),
        (("GET", "/v2/_catalog?last=none", Who::Line(&admin)), (400, &[], Text::Any)),
        (("DELETE", manifest, Who::Login), (400, &[], Text::Has(r#""code":"UNSUPPORTED""#))),
        (
            ("GET", &*format!("{token}&scope={scope}"), Who::Login),
            (200, &[], Text::Is(r#"{"token":"J","access_token":"","expires_in":1800,"issued_at":"T"}"#)),
        ),
        (("GET", "/service/token?service=x", Who::Nobody), (400, &[], Text::Is("Unable to handle service: x"))),
        (("GET", token, Who::Nobody), (401, &[], Text::Empty)),
        (("POST", token, Who::Form("grant_type=password")), (405, &[], Text::Any)),
        // Larger than asked, and nothing for a project that is not there.
        (("POST", uploads, Who::Token(scope)), (202, &[], Text::Any)),
        (("POST", "/v2/none/app/blobs/uploads/", Who::Token("repository:none/app:pull,push")), (401, &[], Text::Any)),
    ];
    assert_replies(&bench, &rows).await;
    // A value that says nothing is not the same as none.
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
    let unsupported = Text::Has(r#""code":"UNSUPPORTED""#);
    let shown = [(CHALLENGE, "bearer realm=http://auth.zot.test/auth"), ("content-type", "application/json")];
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, &*base)][..], Text::Any)),
        (("GET", manifest, Who::Nobody), (401, &[(CHALLENGE, &pull)], Text::Any)),
        (("POST", uploads, Who::Nobody), (401, &[(CHALLENGE, &push)], Text::Any)),
        (("DELETE", manifest, Who::Nobody), (401, &[(CHALLENGE, &delete)], Text::Any)),
        (("GET", "/v2/_catalog", Who::Nobody), (401, &[(CHALLENGE, &catalog)], Text::Any)),
        (("GET", manifest, STALE), (401, &[(CHALLENGE, "")], unsupported)),
        (("GET", manifest, Who::Late("repository:acme/public:pull")), (401, &[(CHALLENGE, "")], unsupported)),
        (("POST", uploads, Who::Token("repository:acme/public:pull")), (401, &[(CHALLENGE, &push)], Text::Any)),
        (("GET", "/v2/", Who::Token("")), (200, &shown, Text::Empty)),
    ];
    assert_replies(&bench(Preset::zot()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn zot_with_passwords() {
    let basic = r#"Basic realm="Authorization Required""#;
    let denied = Text::Has(r#""code":"DENIED""#);
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, basic)][..], Text::Any)),
        (("GET", "/v2/", WRONG), (401, &[(CHALLENGE, basic)], Text::Any)),
        (("GET", "/v2/", Who::Login), (200, &[(CHALLENGE, "basic realm=Authorization Required")], Text::Empty)),
        (("GET", "/v2/bob/secret/manifests/1", Who::Login), (403, &[(CHALLENGE, basic)], denied)),
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
    let pull = Who::Anyone("repository:acme/public:pull");
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, bearer)][..], Text::Any)),
        (
            ("POST", mount, Who::Token("repository:acme/private:pull,push repository:acme/none:pull")),
            (401, &[], Text::Any),
        ),
        (("GET", &*referrers, pull), (404, &[], Text::Any)),
        (("GET", &fallback, pull), (200, &[("docker-content-digest", &*digest)], Text::Any)),
        (("GET", service, Who::Nobody), (403, &[], Text::Any)),
        (("GET", service, Who::Login), (200, &[], Text::Is(r#"{"token":"J"}"#))),
        (("POST", service, Who::Form("grant_type=password")), (404, &[], Text::Any)),
        (("GET", "/v2/_catalog", Who::Token("registry:catalog:*")), (401, &[], Text::Any)),
    ];
    assert_replies(&bench, &rows).await;
    let reply = bench.send("POST", mount, &[], b"").await;
    let challenge = reply.header(CHALLENGE).unwrap();
    // The actions of Distribution come in any order.
    assert_eq!(challenge.matches("repository:").count(), 2, "{challenge}");
    assert!(challenge.contains(r#",scope="repository:acme/private:pu"#), "{challenge}");
    assert!(challenge.ends_with(r#" repository:acme/none:pull""#), "{challenge}");
}

#[tokio::test(start_paused = true)]
async fn gitea() {
    let bearer = r#"Bearer realm="http://gitea.test/v2/token""#;
    let both = r#"service="container_registry",scope="*""#;
    let challenges = [
        (Offers::Bare, format!("{bearer}\nBasic"), 200),
        (Offers::Bearer, format!("{bearer},{both}"), 401),
        (Offers::TwoLines, format!("{bearer},{both}\nBasic realm=\"Gitea Container Registry\""), 200),
        (Offers::OneLine, format!(r#"{bearer},{both},Basic realm="http://gitea.test/v2",{both}"#), 200),
    ];
    for (offers, challenge, directly) in challenges {
        let manifest = "/v2/acme/private/manifests/1";
        let elsewhere = Who::Token("repository:acme/public:pull");
        let rows = [
            (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, &*challenge)][..], Text::Any)),
            (("GET", manifest, STALE), (401, &[(CHALLENGE, &challenge)], Text::Any)),
            (("GET", manifest, Who::Login), (directly, &[], Text::Any)),
            (("GET", "/v2/token", Who::Nobody), (200, &[], Text::Is(r#"{"token":"J"}"#))),
            (("POST", "/v2/token", Who::Form("grant_type=password")), (405, &[], Text::Any)),
            (("GET", "/v2/", Who::Anyone("")), (200, &[], Text::Empty)),
            (("GET", "/v2/acme/public/manifests/1", Who::Anyone("")), (200, &[], Text::Any)),
            (("GET", manifest, Who::Anyone("")), (401, &[(CHALLENGE, &challenge)], Text::Any)),
            (("GET", manifest, elsewhere), (200, &[], Text::Any)),
        ];
        assert_replies(&bench(Preset::gitea(offers)).await, &rows).await;
    }
}

#[tokio::test(start_paused = true)]
async fn distribution() {
    let bearer =
        r#"Bearer realm="http://auth.distribution.test/auth/token",service="Docker registry",error="invalid_token""#;
    let rows = [(("GET", "/v2/", STALE), (401, &[(CHALLENGE, bearer)][..], Text::Any))];
    assert_replies(&bench(Preset::distribution(Mode::Token)).await, &rows).await;
}
