//! The challenges and the token services of the presets, as in section 22 of registries.md.

use crate::harness::Reply;
use crate::sim::{Image, ImageFormat, Preset, Rule};
use crate::simulator_self_tests::{TestBench, basic, status_and_code};

const TAGS: &str = "/v2/acme/app/tags/list";
const UPLOADS: &str = "/v2/acme/app/blobs/uploads/";

async fn bench(preset: Preset) -> TestBench {
    let bench = TestBench::start(preset).await;
    bench.registry.publish_private("acme/app", "1", &Image::single("app", ImageFormat::Oci));
    bench.registry.add_user("acme", "password");
    bench
}

fn challenge(reply: &Reply) -> &str {
    reply.header("www-authenticate").unwrap_or("none")
}

/// Sends the request of each row and checks the reply. A row is method, target, header line, expected status with error
/// code, and expected challenge.
async fn assert_challenges(bench: &TestBench, rows: &[(&str, &str, &str, &str, &str)]) {
    bench.sim.allow(Rule::UnknownBearer);
    for (method, target, line, expected, challenged) in rows {
        let reply = bench.send(method, target, &[line], b"").await;
        assert_eq!(
            (&*status_and_code(&reply), challenge(&reply)),
            (*expected, *challenged),
            "{method} {target} {line}"
        );
    }
}

const ANONYMOUS: &str = "x-a: b";
const UNKNOWN_TOKEN: &str = "authorization: Bearer stale";
/// The valid credential of the user `acme`.
const BASIC: &str = "authorization: Basic YWNtZTpwYXNzd29yZA==";
const WRONG_PASSWORD: &str = "authorization: Basic YWNtZTp3cm9uZw==";

#[tokio::test(start_paused = true)]
async fn acr() {
    let bench = bench(Preset::acr()).await;
    let bearer = r#"Bearer realm="http://acr.test/oauth2/token",service="acr.test""#;
    let other_scheme = r#"Basic realm="Azure Container Registry""#;
    let tags = format!(r#"{bearer},scope="repository:acme/app:metadata_read""#);
    let push = format!(r#"{bearer},scope="repository:acme/app:pull,push""#);
    assert_challenges(
        &bench,
        &[
            ("GET", "/v2/", ANONYMOUS, "401 UNAUTHORIZED", bearer),
            ("GET", TAGS, ANONYMOUS, "401 UNAUTHORIZED", &tags),
            ("POST", UPLOADS, ANONYMOUS, "401 UNAUTHORIZED", &push),
            ("GET", "/v2/", WRONG_PASSWORD, "401 UNAUTHORIZED", other_scheme),
            ("GET", TAGS, BASIC, "401 UNAUTHORIZED", other_scheme),
        ],
    )
    .await;
    let target = "/oauth2/token?service=acr.test&scope=repository:acme/app:pull";
    let reply = bench.send("GET", target, &[&basic("acme", "password")], b"").await;
    let document = reply.json();
    assert_eq!(document.as_object().unwrap().keys().collect::<Vec<_>>(), ["access_token"]);
    let token = format!("authorization: Bearer {}", document["access_token"].as_str().unwrap());
    assert_eq!(bench.send("GET", TAGS, &[&token], b"").await.status, 401, "pull does not list tags");
    assert_eq!(bench.send("GET", "/v2/acme/app/manifests/1", &[&token], b"").await.status, 200);
    bench.registry.users().add_identity_token("acme", "refresh");
    for (grant, status, len) in [
        ("grant_type=password&username=acme&password=password", 400, 0),
        ("grant_type=refresh_token&refresh_token=refresh", 200, 1),
    ] {
        let form = format!("{grant}&service=acr.test&client_id=test&scope=repository:acme/app:pull");
        let kind = "content-type: application/x-www-form-urlencoded";
        let reply = bench.send("POST", "/oauth2/token", &[kind], form.as_bytes()).await;
        assert_eq!((reply.status.as_u16(), reply.body.len().min(1)), (status, len), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ecr() {
    let bench = bench(Preset::ecr()).await;
    let basic = r#"Basic realm="http://ecr.test/",service="ecr.amazonaws.com""#;
    let rows = [
        ("GET", "/v2/", ANONYMOUS, "401", basic),
        ("POST", UPLOADS, ANONYMOUS, "401", basic),
        ("POST", UPLOADS, WRONG_PASSWORD, "403 DENIED", "none"),
        ("GET", "/v2/", UNKNOWN_TOKEN, "403 DENIED", "none"),
        ("POST", UPLOADS, BASIC, "202", "none"),
    ];
    assert_challenges(&bench, &rows).await;
    assert_eq!(bench.send("GET", "/v2/", &[], b"").await.body, "Not Authorized\n");
    let expired = bench.send("GET", TAGS, &[WRONG_PASSWORD], b"").await.json()["errors"][0]["message"].to_string();
    assert!(expired.contains("Your authorization token has expired."), "{expired}");
}

#[tokio::test(start_paused = true)]
async fn google() {
    let bench = TestBench::start(Preset::google()).await;
    bench.registry.publish_private("acme/images/app", "1", &Image::single("app", ImageFormat::Oci));
    bench.registry.add_user("acme", "password");
    let tags = "/v2/acme/images/app/tags/list";
    let bearer = r#"Bearer realm="http://pkg.test/v2/token""#;
    let pull = format!(r#"{bearer},service="pkg.test",scope="repository:acme/images/app:pull""#);
    let delete = format!(r#"{bearer},service="pkg.test",scope="repository:acme/images/app:pull,push""#);
    assert_challenges(
        &bench,
        &[
            ("GET", "/v2/", ANONYMOUS, "401 UNAUTHORIZED", bearer),
            ("GET", tags, ANONYMOUS, "401 UNAUTHORIZED", &pull),
            ("DELETE", "/v2/acme/images/app/manifests/1", ANONYMOUS, "401 UNAUTHORIZED", &delete),
            ("GET", tags, UNKNOWN_TOKEN, "401 UNAUTHORIZED", "none"),
            ("GET", tags, WRONG_PASSWORD, "401 UNAUTHORIZED", "none"),
            ("GET", tags, BASIC, "200", "none"),
        ],
    )
    .await;
    let token = "/v2/token?service=pkg.test&scope=repository:acme/images/app:pull";
    for (method, target, line, expected) in [
        ("POST", "/v2/token", ANONYMOUS, "404"),
        ("GET", &format!("{token}&scope=repository:acme/other:pull"), ANONYMOUS, "400 UNSUPPORTED"),
        ("GET", token, ANONYMOUS, "403 DENIED"),
        ("GET", token, WRONG_PASSWORD, "401 UNAUTHORIZED"),
    ] {
        assert_eq!(status_and_code(&bench.send(method, target, &[line], b"").await), expected, "{target}");
    }
    let reply = bench.send("GET", token, &[&basic("acme", "password")], b"").await.json();
    assert_eq!((reply.as_object().unwrap().len(), &reply["expires_in"]), (2, &43200.into()));
    // The token grants everything its user may do.
    let line = format!("authorization: Bearer {}", reply["token"].as_str().unwrap());
    assert_eq!(bench.send("POST", "/v2/acme/other/web/blobs/uploads/", &[&line], b"").await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn harbor() {
    let bench = bench(Preset::harbor()).await;
    let bearer = r#"Bearer realm="http://harbor.test/service/token",service="harbor-registry""#;
    let (pull, other_scheme) = (format!(r#"{bearer},scope="repository:acme/app:pull""#), r#"Basic realm="harbor""#);
    let push = format!(r#"{bearer},scope="repository:acme/app:pull,push repository:acme/base:pull""#);
    let mount = format!("{UPLOADS}?mount=sha256:1&from=acme/base");
    assert_challenges(
        &bench,
        &[
            ("GET", "/v2/", ANONYMOUS, "401 UNAUTHORIZED", bearer),
            ("GET", TAGS, ANONYMOUS, "401 UNAUTHORIZED", &pull),
            ("POST", &mount, ANONYMOUS, "401 UNAUTHORIZED", &push),
            ("GET", TAGS, UNKNOWN_TOKEN, "401 UNAUTHORIZED", other_scheme),
            ("GET", TAGS, WRONG_PASSWORD, "401 UNAUTHORIZED", other_scheme),
            ("GET", "/v2/_catalog", ANONYMOUS, "401 UNAUTHORIZED", other_scheme),
            ("GET", TAGS, BASIC, "200", "none"),
            ("GET", "/v2/acme/app/manifests/2", BASIC, "404 NOT_FOUND", "none"),
        ],
    )
    .await;
    bench.sim.allow(Rule::ForeignHost);
    let stream = bench.sim.network().connect("harbor.test", 80).unwrap();
    let head = super::head("GET", "localhost:5000", "/v2/", &[]);
    let reply = super::exchange(stream, head.as_bytes()).await.unwrap();
    assert!(challenge(&reply).starts_with(r#"Bearer realm="http://localhost:5000/service/token""#), "{reply:?}");
    bench.sim.allow(Rule::ForeignService);
    let token = "/service/token?service=harbor-registry&scope=repository:acme/app:pull";
    for (method, target, line, expected) in [
        ("POST", token, ANONYMOUS, "405"),
        ("GET", "/service/token?service=x", ANONYMOUS, "400"),
        ("GET", "/service/token?service=harbor-registry", ANONYMOUS, "401"),
        ("GET", token, WRONG_PASSWORD, "401"),
    ] {
        assert_eq!(status_and_code(&bench.send(method, target, &[line], b"").await), expected, "{target}");
    }
    let reply = bench.send("GET", token, &[&basic("acme", "password")], b"").await.json();
    assert_eq!((&reply["access_token"], &reply["expires_in"]), (&"".into(), &1800.into()));
    // The token grants more than was requested.
    let line = format!("authorization: Bearer {}", reply["token"].as_str().unwrap());
    assert_eq!(bench.send("POST", UPLOADS, &[&line], b"").await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn artifactory() {
    let bench = bench(Preset::artifactory()).await;
    let realm = "http://docker-local.test/artifactory/api/docker/docker-local/v2/token";
    let bearer = format!(r#"Bearer realm="{realm}",service="docker-local.test""#);
    let pull = format!(r#"{bearer},scope="repository:acme/app:pull""#);
    assert_challenges(
        &bench,
        &[
            ("GET", "/v2/", ANONYMOUS, "401 UNAUTHORIZED", &bearer),
            ("GET", "/v2/acme/app/manifests/1", ANONYMOUS, "401 UNAUTHORIZED", &pull),
            ("HEAD", "/v2/acme/app/manifests/1", ANONYMOUS, "401", &bearer),
            ("GET", TAGS, BASIC, "200", "none"),
        ],
    )
    .await;
    let token = format!("{realm}?service=docker-local.test&scope=repository:acme/app:pull");
    assert_eq!(bench.send("POST", &token, &[], b"").await.status, 401);
    let reply = bench.send("GET", &token, &[&basic("acme", "password")], b"").await.json();
    assert_eq!((reply.as_object().unwrap().len(), &reply["expires_in"]), (2, &3600.into()));
}
