//! Pulls of a manifest by tag and by digest, and of a blob: by GET, by HEAD and with a range.

use http::Method;

use super::outcome::{Outcome, Rejection};
use super::row::{Credential, Row};
use crate::harness::{request, with_header};
use crate::proxied_registry::{assert_no_upstream_headers, assert_rejected};
use crate::registry_setup::RegistrySetup;
use crate::sim::{AuthKind, Delivery};

pub async fn anonymous(row: &Row) -> Outcome {
    let setup = row.start(Credential::None).await;
    let name = setup.public_repository();
    if setup.capabilities.anonymous_pull {
        return pull(&setup, name, AuthKind::None).await;
    }
    let reply = setup.get(&format!("/v2/{name}/manifests/1")).await;
    assert_rejected(&reply, "403 DENIED", &["credential"]);
    let requests = setup.take_requests().count();
    assert!(requests <= 2, "more than the request and one for the challenge of `/v2/`: {requests}");
    Outcome::rejected_after(requests)
}

pub async fn with_credential(row: &Row) -> Outcome {
    if row.preset.capabilities.credential.is_none() {
        // A credential that the registry does not ask for is not sent.
        let setup = row.start(Credential::Wrong).await;
        pull(&setup, setup.public_repository(), AuthKind::None).await;
        return Outcome::Unsupported(Rejection::NotApplicable);
    }
    let setup = row.start(Credential::Valid).await;
    let auth_kind = setup.capabilities.auth_kind;
    pull(&setup, setup.private_repository(), auth_kind).await
}

/// Pulls a manifest by tag before regpass knows the challenge, then the same manifest by digest, and a blob. The outcome has
/// the number of upstream requests of each pull.
async fn pull(setup: &RegistrySetup, name: &str, auth_kind: AuthKind) -> Outcome {
    let manifest = setup.get(&format!("/v2/{name}/manifests/1")).await;
    assert_manifest(setup, &manifest);
    let cold = setup.take_requests();
    let (max, tokens) = match auth_kind {
        AuthKind::Token => (3, 1),
        AuthKind::Basic => (2, 0),
        // Anonymous reads may need a token, too.
        AuthKind::None => (if cold.token_calls() == 0 { 1 } else { 3 }, cold.token_calls().min(1)),
    };
    assert!(cold.count() - cold.redirects() <= max, "challenge, token, request: {cold:?}");
    assert_eq!(cold.token_calls(), tokens, "{cold:?}");

    let manifest = setup.get(&format!("/v2/{name}/manifests/{}", setup.image.digest())).await;
    assert_manifest(setup, &manifest);
    let warm = setup.take_requests();
    warm.assert_one_request();

    let blob = &setup.image.blobs[0];
    let got = setup.get(&format!("/v2/{name}/blobs/{}", blob.digest)).await;
    assert_eq!((got.status.as_u16(), got.body == blob.slice().to_bytes()), (200, true), "{got:?}");
    assert_eq!(got.header("docker-content-digest"), Some(&*blob.digest), "{got:?}");
    assert_no_upstream_headers(&got);
    let bytes = setup.take_requests();
    bytes.assert_one_request();
    assert_eq!(bytes.redirects(), blob_redirects(setup), "{bytes:?}");
    Outcome::works(format!("{}, {}, {}", cold.count(), warm.count(), bytes.count()))
}

#[track_caller]
fn assert_manifest(setup: &RegistrySetup, reply: &crate::harness::Reply) {
    let top = setup.image.top();
    assert_eq!((reply.status.as_u16(), reply.body == top.bytes), (200, true), "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), Some(&*top.digest), "{reply:?}");
    assert_eq!(reply.header("content-type"), Some(&*top.media_type), "{reply:?}");
    assert_no_upstream_headers(reply);
}

/// The number of redirects of a blob.
fn blob_redirects(setup: &RegistrySetup) -> usize {
    match &setup.registry.preset().pull.blobs {
        Delivery::Direct => 0,
        Delivery::Redirect { hops, .. } => hops.len(),
    }
}

pub async fn head(row: &Row) -> Outcome {
    let setup = row.start(Credential::Valid).await;
    setup.warm().await;
    let blob = &setup.image.blobs[0];
    let reply = setup.send(Method::HEAD, &setup.private_path(&format!("blobs/{}", blob.digest))).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "{reply:?}");
    assert_eq!(reply.header("content-length"), Some(&*blob.len().to_string()), "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), Some(&*blob.digest), "{reply:?}");
    assert_no_upstream_headers(&reply);
    let requests = setup.take_requests();
    requests.assert_one_request();
    assert_eq!(
        requests.redirects(),
        if setup.registry.preset().pull.head_served_directly { 0 } else { blob_redirects(&setup) },
        "{requests:?}"
    );
    let missing = format!("blobs/sha256:{}", "0".repeat(64));
    let absent = setup.send(Method::HEAD, &setup.private_path(&missing)).await;
    assert_eq!(
        (absent.status.as_u16(), absent.body.len()),
        (404, 0),
        "clients that push use HEAD to find missing blobs: {absent:?}"
    );
    Outcome::works(describe_count(requests.count()))
}

pub async fn range(row: &Row) -> Outcome {
    let setup = row.start(Credential::Valid).await;
    setup.warm().await;
    let blob = &setup.image.blobs[0];
    let ask = request(Method::GET, &setup.private_path(&format!("blobs/{}", blob.digest)));
    let reply = setup.regpass.send(with_header(ask, "range", "bytes=3-9")).await;
    assert_eq!((reply.status.as_u16(), &reply.body[..]), (206, &blob.slice().to_bytes()[3..10]), "{reply:?}");
    assert_eq!(reply.header("content-range"), Some(&*format!("bytes 3-9/{}", blob.len())), "{reply:?}");
    assert_no_upstream_headers(&reply);
    let requests = setup.take_requests();
    requests.assert_one_request();
    assert_eq!(requests.redirects(), blob_redirects(&setup), "{requests:?}");
    Outcome::works(describe_count(requests.count()))
}

/// `1 request`, `2 requests`
pub fn describe_count(count: usize) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}
