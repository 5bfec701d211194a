//! What the tests of Docker Hub and of GHCR assert alike about pulls, tokens and pushes.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use crate::harness::{request, with_header};
use crate::proxied_registry::{ProxiedRegistry, assert_rejected};
use crate::sim::Image;

/// Asserts that a pull of `target` costs the requests `cold`, and a further one only `warm`.
pub async fn assert_pull_costs(proxied: &ProxiedRegistry, target: &str, cold: &[&str], warm: &str) {
    let reply = proxied.get(target).await;
    assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "fetched"));
    proxied.expect(cold);
    proxied.get(target).await;
    proxied.expect(&[warm]);
}

/// Asserts that a manifest whose `ETag` the client sends is a 304, by GET and by HEAD.
pub async fn assert_known_manifest_is_304(proxied: &ProxiedRegistry, tag: &str) {
    let (target, upstream) =
        (proxied.client_path(&format!("manifests/{tag}")), proxied.registry_path(&format!("manifests/{tag}")));
    let etag = format!("\"{}\"", proxied.image.digest());
    assert_eq!(proxied.get(&target).await.header("etag"), Some(&*etag));
    proxied.sim.ledger().take();
    for method in [Method::GET, Method::HEAD] {
        let reply = proxied.send(with_header(request(method.clone(), &target), "if-none-match", &etag)).await;
        assert_eq!((reply.status.as_u16(), reply.body.len(), reply.header("etag")), (304, 0, Some(&*etag)));
        proxied.expect(&[&format!("registry {method} {upstream} bearer#1 304")]);
    }
}

/// Asserts that a missing tag is a 404 with the detail of the registry's own error, by GET and by HEAD.
pub async fn assert_missing_tag_is_404(proxied: &ProxiedRegistry, registry: &str) {
    let (target, upstream) = (proxied.client_path("manifests/none"), proxied.registry_path("manifests/none"));
    let reply = proxied.get(&target).await;
    assert_rejected(&reply, "404 MANIFEST_UNKNOWN", &["manifest unknown"]);
    let detail = &reply.json()["errors"][0]["detail"];
    assert_eq!((&detail["registry"], &detail["upstream"]["Tag"]), (&registry.into(), &"none".into()));
    assert_eq!(proxied.head(&target).await.status, 404);
    proxied
        .expect(&[&format!("registry GET {upstream} bearer#1 404"), &format!("registry HEAD {upstream} bearer#1 404")]);
}

/// Asserts that the image's first layer arrives whole, and that its redirect is followed without the token.
pub async fn assert_blob_is_redirected(proxied: &ProxiedRegistry) {
    let digest = proxied.layer();
    let reply = proxied.get(&proxied.client_path(&format!("blobs/{digest}"))).await;
    assert_eq!((reply.status.as_u16(), reply.complete), (200, true));
    assert_eq!(reply.body, proxied.image.blobs[0].slice().to_bytes());
    assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
    assert_eq!(reply.header("location"), None);
    expect_blob_requests(proxied, &[(Method::GET, 200)]);
}

/// Asserts that HEAD of the first layer works although its redirect is signed for GET only: regpass requests one byte there.
pub async fn assert_blob_head_uses_get(proxied: &ProxiedRegistry) {
    let digest = proxied.layer();
    let head = proxied.head(&proxied.client_path(&format!("blobs/{digest}"))).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*proxied.image.blobs[0].len().to_string()));
    assert_eq!(head.header("content-range"), None);
    assert_eq!(head.header("docker-content-digest"), Some(&*digest));
    expect_blob_requests(proxied, &[(Method::HEAD, 206)]);
}

/// Asserts that this range of the first layer is a 206 with these bytes of the blob.
pub async fn assert_blob_range_is_206(proxied: &ProxiedRegistry, range: &str, bytes: Range<usize>) {
    let part = proxied.get_with(&proxied.client_path(&format!("blobs/{}", proxied.layer())), "range", range).await;
    let whole = proxied.image.blobs[0].slice().to_bytes();
    let content_range = format!("bytes {}-{}/{}", bytes.start, bytes.end - 1, whole.len());
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &whole[bytes]));
    assert_eq!(part.header("content-range"), Some(&*content_range));
    expect_blob_requests(proxied, &[(Method::GET, 206)]);
}

/// Asserts that the registry received these requests for the first layer, each redirected to the blob store, which received a
/// GET and replied with the status.
#[track_caller]
pub fn expect_blob_requests(proxied: &ProxiedRegistry, requests: &[(Method, u16)]) {
    let digest = proxied.layer();
    let path = proxied.registry_path(&format!("blobs/{digest}"));
    let lines: Vec<String> = requests
        .iter()
        .flat_map(|(method, status)| {
            [
                format!("registry {method} {path} bearer#1 307"),
                format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous {status}"),
            ]
        })
        .collect();
    proxied.expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Asserts that no pull of `target` waits for a token during an hour with one every `interval`, and that the renewals in the
/// background take a number of tokens in `tokens`.
pub async fn assert_background_renewal(
    proxied: &ProxiedRegistry,
    target: &str,
    interval: Duration,
    tokens: RangeInclusive<usize>,
) {
    let pulls = 3600 / interval.as_secs();
    for number in 1..=pulls {
        sleep(interval).await;
        let reply = proxied.get(target).await;
        assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "cached"), "pull {number}: {reply:?}");
    }
    let entries = proxied.sim.ledger().take();
    assert!(entries.iter().all(|entry| entry.status.unwrap() == 200), "{entries:?}");
    let fetched = entries.iter().filter(|entry| entry.server == "token").count();
    assert!(tokens.contains(&fetched), "an hour took {fetched} tokens");
    assert_eq!(entries.len() - fetched, usize::try_from(pulls).unwrap(), "one request to the registry for each pull");
}

/// The requests of a push, and the DELETE that cancels an upload: the method, and the path below the repository.
pub const PUSH_REQUESTS: [(Method, &str); 5] = [
    (Method::PUT, "manifests/new"),
    (Method::POST, "blobs/uploads/"),
    (Method::PATCH, "blobs/uploads/1"),
    (Method::PUT, "blobs/uploads/1"),
    (Method::DELETE, "blobs/uploads/1"),
];

/// Asserts that each of these writes to the public repository is denied, with advice to allow `permission`.
pub async fn assert_writes_need_allow(
    proxied: &ProxiedRegistry,
    registry: &str,
    permission: &str,
    writes: &[(Method, &str)],
) {
    for (method, path) in writes {
        let reply = proxied.method(method, &proxied.client_path(path)).await;
        let advice = format!("add \"{permission}\" to `allow` in [registry.\"{registry}\"]");
        assert_rejected(&reply, "403 DENIED", &[&advice]);
    }
    proxied.expect(&[]);
}

/// Asserts that a manifest pushed below `path` is a 201 with its digest, and a `Location` at regpass.
pub async fn assert_manifest_is_pushed(proxied: &ProxiedRegistry, path: &str, tag: &str) {
    let reply = proxied.put_manifest(&format!("{path}/{tag}")).await;
    let digest = proxied.image.digest();
    assert_eq!((reply.status.as_u16(), reply.body.len()), (201, 0), "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), Some(digest));
    assert_eq!(reply.header("location"), Some(&*format!("{path}/{digest}")));
}

/// Pushes an image to `prefix/name` and asserts that the registry stores it, after exactly these requests.
pub async fn assert_image_is_pushed(
    proxied: &ProxiedRegistry,
    prefix: &str,
    name: &str,
    image: &Image,
    requests: &[String],
) {
    let path = format!("{prefix}/{name}");
    proxied.push(&path, "1", image).await;
    proxied.assert_has(name, "1", image);
    proxied.expect(&requests.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(proxied.get(&format!("{path}/manifests/1")).await.body, image.top().bytes);
}

/// The requests of a push with this authorization: POST, PATCH and PUT for each blob, then PUT of the manifest. `session_url`
/// returns the path and query of the upload session with this number, which counts from 1.
pub fn push_requests(
    name: &str,
    image: &Image,
    authorization: &str,
    session_url: impl Fn(usize) -> String,
) -> Vec<String> {
    let blobs = (1..).zip(&image.blobs).flat_map(|(number, blob)| {
        let session = session_url(number);
        let separator = if session.contains('?') { '&' } else { '?' };
        [
            format!("registry POST /v2/{name}/blobs/uploads/ {authorization} 202"),
            format!("registry PATCH {session} {authorization} 202"),
            format!("registry PUT {session}{separator}digest={} {authorization} 201", blob.digest),
        ]
    });
    blobs.chain([format!("registry PUT /v2/{name}/manifests/1 {authorization} 201")]).collect()
}
