//! Blob delivery of each registry: the replies to GET and HEAD, and how long a signed URL is valid.

use std::time::Duration;

use tokio::time::advance;

use crate::sim::{AuthMode, Blob, Preset};
use crate::simulator_self_tests::TestBench;

/// An open registry with a blob in its public repository, the blob, and its path.
async fn bench(mut preset: Preset) -> (TestBench, Blob, String) {
    preset.pull.second_authorization_reply = None;
    let bench = Box::pin(TestBench::open(preset)).await;
    let blob = Blob::new("a blob");
    let name = bench.registry.preset().capabilities.public_repository;
    bench.registry.publish_blob(name, &blob);
    let path = format!("/v2/{name}/blobs/{}", blob.digest);
    (bench, blob, path)
}

#[tokio::test(start_paused = true)]
async fn get_and_head_of_a_blob_are_served_or_redirected_as_by_each_registry() {
    let rows = vec![
        (Preset::acr(), 307, 200),
        (Preset::artifactory(), 200, 200),
        (Preset::artifactory_by_path(), 302, 200),
        (Preset::distribution(AuthMode::Token), 200, 200),
        (Preset::docker_hub(), 307, 307),
        (Preset::ecr(), 307, 307),
        (Preset::ecr_public(), 307, 401),
        (Preset::ghcr(), 307, 307),
        (Preset::gitlab(), 307, 307),
        (Preset::google(), 302, 302),
        (Preset::gcr(), 302, 302),
        (Preset::harbor(), 200, 200),
        (Preset::kubernetes(), 307, 307),
        (Preset::mcr(), 307, 307),
        (Preset::ngc(), 307, 200),
        (Preset::quay(), 302, 200),
        (Preset::zot(), 200, 200),
    ];
    for (preset, get, head) in rows {
        let (bench, blob, path) = bench(preset).await;
        let reply = bench.send("GET", &path, &[], b"").await;
        assert_eq!(reply.status.as_u16(), get, "{path}");
        let content = match reply.header("location") {
            Some(location) => bench.send("GET", location, &[], b"").await.body,
            None => reply.body,
        };
        assert_eq!(content, blob.slice().to_bytes(), "{path}");
        let reply = bench.send("HEAD", &path, &[], b"").await;
        assert_eq!(reply.status.as_u16(), head, "{path}");
        if head == 200 {
            let headers = (reply.header("content-length"), reply.header("docker-content-digest"));
            assert_eq!(headers, (Some("6"), Some(&*blob.digest)), "{path}");
        }
        let absent = path.replace(&blob.digest, &format!("sha256:{}", "0".repeat(64)));
        let reply = bench.send("GET", &absent, &[], b"").await;
        // registry.k8s.io redirects requests for unknown blobs to the region.
        assert_eq!(reply.status.as_u16(), if path.contains("pause") { 307 } else { 404 }, "{absent}");
    }
}

#[tokio::test(start_paused = true)]
async fn kubernetes_region_redirects_blobs_to_its_own_signed_path() {
    let (bench, blob, path) = bench(Preset::kubernetes()).await;
    let target = format!("http://region.k8s.test{}", path.replace("/v2/", "/v2/k8s-artifacts-prod/images/"));
    let reply = bench.send("GET", &target, &[], b"").await;
    let location = reply.header("location").unwrap();
    assert_eq!(reply.status, 302);
    let folder = "/artifacts-downloads/namespaces/k8s-artifacts-prod/repositories/images/downloads/";
    assert!(location.starts_with(folder), "{location}");
    let reply = bench.send("GET", &format!("http://region.k8s.test{location}"), &[], b"").await;
    assert_eq!(reply.body, blob.slice().to_bytes());
}

#[tokio::test(start_paused = true)]
async fn signed_urls_expire_after_the_time_of_each_registry() {
    let rows = vec![
        (Preset::acr(), 1200),
        (Preset::ghcr(), 300),
        (Preset::google(), 1200),
        (Preset::quay(), 600),
        (Preset::ecr(), 3600),
    ];
    for (preset, seconds) in rows {
        let (bench, _, path) = bench(preset).await;
        let location = bench.send("GET", &path, &[], b"").await.header("location").unwrap().to_owned();
        advance(Duration::from_secs(seconds - 1)).await;
        assert_eq!(bench.send("GET", &location, &[], b"").await.status, 200, "{path}");
        advance(Duration::from_secs(1)).await;
        assert_eq!(bench.send("GET", &location, &[], b"").await.status, 403, "{path}");
    }
}
