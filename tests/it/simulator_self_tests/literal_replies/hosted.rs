//! Docker Hub, GHCR, Quay, NGC, registry.k8s.io, MCR.

use super::{Body, CHALLENGE, UNKNOWN_TOKEN, WRONG_PASSWORD, With, assert_replies, bench};
use crate::sim::{Fault, Preset};

const UNAUTHORIZED: &str = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}"#;

#[tokio::test(start_paused = true)]
async fn docker_hub() {
    let bearer = r#"Bearer realm="http://auth.hub.test/token",service="registry.docker.io""#;
    let lacking = format!(r#"{bearer},scope="repository:library/python:pull",error="insufficient_scope""#);
    let service = "http://auth.hub.test/token?service=registry.docker.io";
    let rows = [
        (
            ("GET", "/v2/", With::Nothing),
            (
                401,
                &[(CHALLENGE, bearer), ("docker-distribution-api-version", "registry/2.0")][..],
                Body::Is(UNAUTHORIZED),
            ),
        ),
        (
            ("GET", "/v2/library/python/manifests/1", With::UserToken("repository:library/redis:pull")),
            (401, &[(CHALLENGE, &lacking)], Body::Any),
        ),
        (
            ("GET", &format!("{service}&scope=registry:catalog:*"), With::Nothing),
            (400, &[], Body::Is(r#"{"details":"unknown resource type"}"#)),
        ),
        (
            ("GET", service, With::Nothing),
            (200, &[], Body::Is(r#"{"token":"J","access_token":"J","expires_in":300,"issued_at":"T"}"#)),
        ),
    ];
    assert_replies(&bench(Preset::docker_hub()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn ghcr() {
    let bearer = r#"Bearer realm="http://ghcr.test/token",service="ghcr.test",scope="repository:user/image:pull""#;
    let token = "/token?service=ghcr.test&scope=repository:toddysm";
    let unsupported = r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"#;
    let denied = r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, bearer)][..], Body::Any)),
        (("GET", &*format!("{token}/private:pull"), With::Nothing), (403, &[], Body::Is(denied))),
        (("GET", &format!("{token}/python:pull"), With::Nothing), (200, &[], Body::Is(r#"{"token":"J"}"#))),
        (
            ("DELETE", "/v2/toddysm/python/manifests/1", With::UserToken("repository:toddysm/python:pull")),
            (405, &[], Body::Is(unsupported)),
        ),
    ];
    assert_replies(&bench(Preset::ghcr()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn quay() {
    let bearer = r#"Bearer realm="http://quay.test/v2/auth",service="quay.test""#;
    let repository = format!(r#"{bearer},scope="repository:acme/private:pull,push""#);
    let token = "/v2/auth?service=quay.test";
    let undecodable = r#""code":"INVALID_REQUEST","message":"Unable to decode repository and actions""#;
    let manifest = "/v2/acme/public/manifests/1";
    let pull = With::AnonymousToken("repository:acme/public:pull");
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, bearer)][..], Body::Is("true"))),
        (("GET", "/v2/", pull), (200, &[(CHALLENGE, bearer), ("x-sparse-manifest-support", "true")], Body::Is("true"))),
        (("GET", "/v2/acme/private/manifests/1", With::Nothing), (401, &[(CHALLENGE, &repository)], Body::Any)),
        (("DELETE", "/v2/acme/private/manifests/1", With::Nothing), (401, &[(CHALLENGE, &repository)], Body::Any)),
        (("GET", "/v2/acme/private/manifests/1", UNKNOWN_TOKEN), (401, &[(CHALLENGE, &repository)], Body::Any)),
        (
            ("GET", &*format!("{token}&scope=repository:acme/private:delete"), With::Basic),
            (400, &[], Body::Contains(undecodable)),
        ),
        (("GET", &format!("{token}&scope=registry:catalog:*"), With::Basic), (400, &[], Body::Contains(undecodable))),
        (
            ("GET", &format!("{token}&scope=repository:acme/private:metadata_read"), With::Basic),
            (400, &[], Body::Contains(undecodable)),
        ),
        (("GET", token, With::Nothing), (401, &[], Body::Any)),
        (("GET", token, With::Basic), (200, &[], Body::Is(r#"{"token":"J"}"#))),
        (
            ("GET", manifest, pull),
            (200, &[("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws")], Body::Any),
        ),
    ];
    assert_replies(&bench(Preset::quay()).await, &rows).await;
    let mount = "/v2/acme/private/blobs/uploads/?mount=sha256:1";
    let row = (("POST", mount, With::UserToken("repository:acme/private:pull,push")), (400, &[][..], Body::Any));
    assert_replies(&bench(Preset::quay()).await, &[row]).await;
}

#[tokio::test(start_paused = true)]
async fn ngc() {
    let bearer = r#"Bearer realm="http://ngc.test/proxy_auth""#;
    let pull = format!(r#"{bearer},scope="repository:nvidia/cuda:pull""#);
    let other_realm = r#"Bearer realm="http://authn.ngc.test/token",service="registry",scope="repository:nvidia/cuda:pull",error="invalid_token""#;
    let (tags, scope) = ("/v2/nvidia/cuda/tags/list", "repository:nvidia/cuda:pull");
    let page = Body::Contains("<center>nginx</center>");
    let html = ("content-type", "text/html");
    let twice = format!("/proxy_auth?scope={scope}&scope=repository:acme/team/model:pull");
    let private = "/proxy_auth?scope=repository:acme/team/model:pull";
    let elsewhere = format!("http://authn.ngc.test/token?service=registry&scope={scope}");
    let rows = [
        (("GET", "/v2/", With::Nothing), (401, &[(CHALLENGE, bearer), html][..], page)),
        (("GET", tags, With::Nothing), (401, &[(CHALLENGE, &*pull), html], page)),
        (("GET", tags, With::ExpiredToken(scope)), (401, &[(CHALLENGE, other_realm)], page)),
        (("GET", tags, With::Basic), (401, &[(CHALLENGE, &pull)], page)),
        (("GET", tags, With::AnonymousToken(scope)), (200, &[], Body::Any)),
        (("GET", &twice, With::Basic), (400, &[], Body::Any)),
        (("GET", private, With::Nothing), (403, &[], Body::Any)),
        (("GET", private, With::Basic), (200, &[], Body::Is(r#"{"token":"J"}"#))),
        (("POST", "/proxy_auth", With::Form("grant_type=password")), (401, &[], Body::Any)),
        (("GET", &elsewhere, With::Nothing), (401, &[], Body::Any)),
        (("GET", &elsewhere, With::Basic), (200, &[], Body::Is(r#"{"token":"J"}"#))),
        (("PUT", "/v2/nvidia/cuda/manifests/1", With::Basic), (405, &[], Body::Any)),
    ];
    assert_replies(&bench(Preset::ngc()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn kubernetes() {
    let region = "http://region.k8s.test/v2/k8s-artifacts-prod/images/pause";
    let to = |rest: &str| format!("{region}/{rest}");
    let (manifest, tags, missing) =
        (to("manifests/1"), to("tags/list"), to(&format!("blobs/sha256:{}", "0".repeat(64))));
    let only = Body::Is("Only GET and HEAD are allowed.");
    let rows = [
        (
            ("GET", "/v2/", With::Nothing),
            (200, &[("docker-distribution-api-version", "registry/2.0")][..], Body::Empty),
        ),
        (("GET", "/v2", With::Nothing), (200, &[], Body::Empty)),
        (("GET", "/v2/_catalog", With::Nothing), (404, &[], Body::Is("404 page not found"))),
        (("POST", "/v2/pause/blobs/uploads/", With::Nothing), (405, &[], only)),
        (("DELETE", "/v2/pause/manifests/1", With::Nothing), (405, &[], only)),
        (("GET", "/v2/pause/manifests/1", With::Nothing), (307, &[("location", &*manifest)], Body::Empty)),
        (("HEAD", "/v2/pause/manifests/1", With::Nothing), (307, &[("location", &manifest)], Body::Empty)),
        (("GET", "/v2/pause/tags/list?n=1&last=0", With::Nothing), (307, &[("location", &tags)], Body::Empty)),
        (
            ("GET", &*format!("/v2/pause/blobs/sha256:{}", "0".repeat(64)), With::Nothing),
            (307, &[("location", &missing)], Body::Empty),
        ),
        (("GET", &manifest, With::Nothing), (200, &[], Body::Any)),
        (("GET", &tags, With::Nothing), (200, &[], Body::Is(r#"{"name":"pause","tags":["1"]}"#))),
        (("GET", &missing, With::Nothing), (404, &[], Body::Any)),
        (
            ("GET", "http://region.k8s.test/v2/", With::Nothing),
            (401, &[(CHALLENGE, r#"Bearer realm="http://region.k8s.test/v2/token""#)], Body::Any),
        ),
        (
            ("GET", "http://region.k8s.test/v2/k8s-artifacts-prod/images/none/manifests/1", With::Nothing),
            (
                401,
                &[(
                    CHALLENGE,
                    r#"Bearer realm="http://region.k8s.test/v2/token",service="region.k8s.test",scope="repository:k8s-artifacts-prod/images/none:pull""#,
                )],
                Body::Any,
            ),
        ),
    ];
    assert_replies(&bench(Preset::kubernetes()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn mcr() {
    let xml = Body::Contains("<Code>BlobNotFound</Code>");
    let rows = [
        (("GET", "/v2/", With::Nothing), (200, &[][..], Body::Any)),
        (("GET", "/v2/dotnet/sdk/manifests/1", With::Nothing), (200, &[], Body::Any)),
        (("GET", "/v2/dotnet/none/tags/list", With::Nothing), (404, &[("content-type", "application/xml")], xml)),
        (("GET", "/v2/_catalog", With::Nothing), (200, &[], Body::Is(r#"{"repositories":["dotnet/sdk"]}"#))),
        (("POST", "/v2/dotnet/sdk/blobs/uploads/", With::Nothing), (405, &[], Body::Any)),
    ];
    assert_replies(&bench(Preset::mcr()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn rate_limit_replies() {
    let bench = bench(Preset::docker_hub()).await;
    let acr = "Too many requests. Please visit https://aka.ms/acr/skus#";
    let rows = [
        (Preset::docker_hub_rate_limited(), "application/json", "You have reached your pull rate limit."),
        (Preset::docker_hub_rate_limited_in_text(), "text/plain; charset=utf-8", "Too Many Requests (HAP429)"),
        (Preset::docker_hub_rate_limited_in_message(), "application/json", r#"{"message":"toomanyrequests: "#),
        (Preset::acr_throttled(), "application/json", acr),
        (Preset::mcr_throttled(), "application/json", acr),
        (Preset::mcr_throttled_in_text(), "text/plain; charset=utf-8", "Ref A: "),
        (Preset::quay_throttled(), "text/html", "<center>nginx</center>"),
    ];
    for (reply, media_type, text) in rows {
        bench.registry.api().inject(Fault::answer(reply).times(1));
        let row = (("GET", "/v2/", WRONG_PASSWORD), (429, &[("content-type", media_type)][..], Body::Contains(text)));
        assert_replies(&bench, &[row]).await;
    }
}
