//! Docker Hub, GHCR, Quay, NGC, registry.k8s.io, MCR.

use super::{CHALLENGE, STALE, Text, WRONG, Who, assert_replies, bench};
use crate::sim::{Fault, Preset};

const UNAUTHORIZED: &str = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}"#;

#[tokio::test(start_paused = true)]
async fn docker_hub() {
    let bearer = r#"Bearer realm="http://auth.hub.test/token",service="registry.docker.io""#;
    let lacking = format!(r#"{bearer},scope="repository:library/python:pull",error="insufficient_scope""#);
    let service = "http://auth.hub.test/token?service=registry.docker.io";
    let rows = [
        (
            ("GET", "/v2/", Who::Nobody),
            (
                401,
                &[(CHALLENGE, bearer), ("docker-distribution-api-version", "registry/2.0")][..],
                Text::Is(UNAUTHORIZED),
            ),
        ),
        (
            ("GET", "/v2/library/python/manifests/1", Who::Token("repository:library/redis:pull")),
            (401, &[(CHALLENGE, &lacking)], Text::Any),
        ),
        (
            ("GET", &format!("{service}&scope=registry:catalog:*"), Who::Nobody),
            (400, &[], Text::Is(r#"{"details":"unknown resource type"}"#)),
        ),
        (
            ("GET", service, Who::Nobody),
            (200, &[], Text::Is(r#"{"token":"J","access_token":"J","expires_in":300,"issued_at":"T"}"#)),
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
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, bearer)][..], Text::Any)),
        (("GET", &*format!("{token}/private:pull"), Who::Nobody), (403, &[], Text::Is(denied))),
        (("GET", &format!("{token}/python:pull"), Who::Nobody), (200, &[], Text::Is(r#"{"token":"J"}"#))),
        (
            ("DELETE", "/v2/toddysm/python/manifests/1", Who::Token("repository:toddysm/python:pull")),
            (405, &[], Text::Is(unsupported)),
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
    let pull = Who::Anyone("repository:acme/public:pull");
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, bearer)][..], Text::Is("true"))),
        (("GET", "/v2/", pull), (200, &[(CHALLENGE, bearer), ("x-sparse-manifest-support", "true")], Text::Is("true"))),
        (("GET", "/v2/acme/private/manifests/1", Who::Nobody), (401, &[(CHALLENGE, &repository)], Text::Any)),
        (("DELETE", "/v2/acme/private/manifests/1", Who::Nobody), (401, &[(CHALLENGE, &repository)], Text::Any)),
        (("GET", "/v2/acme/private/manifests/1", STALE), (401, &[(CHALLENGE, &repository)], Text::Any)),
        (
            ("GET", &*format!("{token}&scope=repository:acme/private:delete"), Who::Login),
            (400, &[], Text::Has(undecodable)),
        ),
        (("GET", &format!("{token}&scope=registry:catalog:*"), Who::Login), (400, &[], Text::Has(undecodable))),
        (
            ("GET", &format!("{token}&scope=repository:acme/private:metadata_read"), Who::Login),
            (400, &[], Text::Has(undecodable)),
        ),
        (("GET", token, Who::Nobody), (401, &[], Text::Any)),
        (("GET", token, Who::Login), (200, &[], Text::Is(r#"{"token":"J"}"#))),
        (
            ("GET", manifest, pull),
            (200, &[("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws")], Text::Any),
        ),
    ];
    assert_replies(&bench(Preset::quay()).await, &rows).await;
    let mount = "/v2/acme/private/blobs/uploads/?mount=sha256:1";
    let row = (("POST", mount, Who::Token("repository:acme/private:pull,push")), (400, &[][..], Text::Any));
    assert_replies(&bench(Preset::quay()).await, &[row]).await;
}

#[tokio::test(start_paused = true)]
async fn ngc() {
    let bearer = r#"Bearer realm="http://ngc.test/proxy_auth""#;
    let pull = format!(r#"{bearer},scope="repository:nvidia/cuda:pull""#);
    let switched = r#"Bearer realm="http://authn.ngc.test/token",service="registry",scope="repository:nvidia/cuda:pull",error="invalid_token""#;
    let (tags, scope) = ("/v2/nvidia/cuda/tags/list", "repository:nvidia/cuda:pull");
    let page = Text::Has("<center>nginx</center>");
    let html = ("content-type", "text/html");
    let twice = format!("/proxy_auth?scope={scope}&scope=repository:acme/team/model:pull");
    let private = "/proxy_auth?scope=repository:acme/team/model:pull";
    let elsewhere = format!("http://authn.ngc.test/token?service=registry&scope={scope}");
    let rows = [
        (("GET", "/v2/", Who::Nobody), (401, &[(CHALLENGE, bearer), html][..], page)),
        (("GET", tags, Who::Nobody), (401, &[(CHALLENGE, &*pull), html], page)),
        (("GET", tags, Who::Late(scope)), (401, &[(CHALLENGE, switched)], page)),
        (("GET", tags, Who::Login), (401, &[(CHALLENGE, &pull)], page)),
        (("GET", tags, Who::Anyone(scope)), (200, &[], Text::Any)),
        (("GET", &twice, Who::Login), (400, &[], Text::Any)),
        (("GET", private, Who::Nobody), (403, &[], Text::Any)),
        (("GET", private, Who::Login), (200, &[], Text::Is(r#"{"token":"J"}"#))),
        (("POST", "/proxy_auth", Who::Form("grant_type=password")), (401, &[], Text::Any)),
        (("GET", &elsewhere, Who::Nobody), (401, &[], Text::Any)),
        (("GET", &elsewhere, Who::Login), (200, &[], Text::Is(r#"{"token":"J"}"#))),
        (("PUT", "/v2/nvidia/cuda/manifests/1", Who::Login), (405, &[], Text::Any)),
    ];
    assert_replies(&bench(Preset::ngc()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn kubernetes() {
    let region = "http://region.k8s.test/v2/k8s-artifacts-prod/images/pause";
    let to = |rest: &str| format!("{region}/{rest}");
    let (manifest, tags, missing) =
        (to("manifests/1"), to("tags/list"), to(&format!("blobs/sha256:{}", "0".repeat(64))));
    let only = Text::Is("Only GET and HEAD are allowed.");
    let rows = [
        (("GET", "/v2/", Who::Nobody), (200, &[("docker-distribution-api-version", "registry/2.0")][..], Text::Empty)),
        (("GET", "/v2", Who::Nobody), (200, &[], Text::Empty)),
        (("GET", "/v2/_catalog", Who::Nobody), (404, &[], Text::Is("404 page not found"))),
        (("POST", "/v2/pause/blobs/uploads/", Who::Nobody), (405, &[], only)),
        (("DELETE", "/v2/pause/manifests/1", Who::Nobody), (405, &[], only)),
        (("GET", "/v2/pause/manifests/1", Who::Nobody), (307, &[("location", &*manifest)], Text::Empty)),
        (("HEAD", "/v2/pause/manifests/1", Who::Nobody), (307, &[("location", &manifest)], Text::Empty)),
        (("GET", "/v2/pause/tags/list?n=1&last=0", Who::Nobody), (307, &[("location", &tags)], Text::Empty)),
        (
            ("GET", &*format!("/v2/pause/blobs/sha256:{}", "0".repeat(64)), Who::Nobody),
            (307, &[("location", &missing)], Text::Empty),
        ),
        (("GET", &manifest, Who::Nobody), (200, &[], Text::Any)),
        (("GET", &tags, Who::Nobody), (200, &[], Text::Is(r#"{"name":"pause","tags":["1"]}"#))),
        (("GET", &missing, Who::Nobody), (404, &[], Text::Any)),
        (
            ("GET", "http://region.k8s.test/v2/", Who::Nobody),
            (401, &[(CHALLENGE, r#"Bearer realm="http://region.k8s.test/v2/token""#)], Text::Any),
        ),
        (
            ("GET", "http://region.k8s.test/v2/k8s-artifacts-prod/images/none/manifests/1", Who::Nobody),
            (
                401,
                &[(
                    CHALLENGE,
                    r#"Bearer realm="http://region.k8s.test/v2/token",service="region.k8s.test",scope="repository:k8s-artifacts-prod/images/none:pull""#,
                )],
                Text::Any,
            ),
        ),
    ];
    assert_replies(&bench(Preset::kubernetes()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn mcr() {
    let xml = Text::Has("<Code>BlobNotFound</Code>");
    let rows = [
        (("GET", "/v2/", Who::Nobody), (200, &[][..], Text::Any)),
        (("GET", "/v2/dotnet/sdk/manifests/1", Who::Nobody), (200, &[], Text::Any)),
        (("GET", "/v2/dotnet/none/tags/list", Who::Nobody), (404, &[("content-type", "application/xml")], xml)),
        (("GET", "/v2/_catalog", Who::Nobody), (200, &[], Text::Is(r#"{"repositories":["dotnet/sdk"]}"#))),
        (("POST", "/v2/dotnet/sdk/blobs/uploads/", Who::Nobody), (405, &[], Text::Any)),
    ];
    assert_replies(&bench(Preset::mcr()).await, &rows).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_requests() {
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
        bench.registry.registry().inject(Fault::answer(reply).times(1));
        let row = (("GET", "/v2/", WRONG), (429, &[("content-type", media_type)][..], Text::Has(text)));
        assert_replies(&bench, &[row]).await;
    }
}
