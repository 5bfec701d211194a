//! Digests of algorithms that regpass does not compute: the registry knows them or not, and regpass passes them.

use http::Method;

use super::Setup;
use crate::harness::{manifest_put, request, with_header};
use crate::sim::{self, Blob, Fault, media};

const MD5: &str = "md5:d41d8cd98f00b204e9800998ecf8427e";

fn blake3() -> String {
    format!("blake3:{}", "0".repeat(64))
}

#[tokio::test(start_paused = true)]
async fn blob_with_a_digest_of_another_algorithm_passes() {
    let setup = Setup::start("").await;
    for digest in [blake3(), MD5.to_owned()] {
        setup.registry.store().write("acme/app", |app| app.blobs.insert(digest.clone(), Blob::new("bytes")));
        let target = format!("/v2/acme/app/blobs/{digest}");
        let reply = setup.regpass.get(&target.replace(':', "%3A")).await;
        assert_eq!((reply.status.as_u16(), &*reply.body), (200, &b"bytes"[..]));
        assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
        setup.sim.ledger().expect(&[&format!("registry GET {target} anonymous 200")]);
        let reply = setup.regpass.head(&target).await;
        assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (200, Some(&*digest)));
        setup.sim.ledger().take();
    }
    let unknown = format!("/v2/acme/app/blobs/{}", MD5.replace("d4", "e4"));
    assert_eq!(setup.regpass.get(&unknown).await.status_and_code(), "404 BLOB_UNKNOWN");
}

#[tokio::test(start_paused = true)]
async fn manifest_with_a_digest_of_another_algorithm_is_verified_by_the_one_that_regpass_computes() {
    let setup = Setup::start("").await;
    let target = format!("/v2/acme/app/manifests/{}", blake3());
    let answer = |digest: &str| {
        let reply = sim::Reply::new(200).body(media::DOCKER_MANIFEST, setup.manifest().clone());
        Fault::answer(reply.header("docker-content-digest", digest))
    };
    let reply = setup.get_with_fault(answer(&blake3()), &target).await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, setup.manifest()));
    assert_eq!(reply.header("docker-content-digest"), Some(&*blake3()));
    let reply = setup.get_with_fault(answer(setup.image.digest()), &target).await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, setup.manifest()));
    let reply = setup.get_with_fault(answer(&sim::sha256(b"other")), &target).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn push_with_another_algorithm_reaches_the_registry_with_its_query() {
    let setup = Setup::start("allow = [\"pull\", \"push\"]").await;
    let uploads = "/v2/acme/app/blobs/uploads/?digest-algorithm=sha512";
    let started = setup.regpass.send(request(Method::POST, uploads)).await;
    assert_eq!(started.status, 202);
    let upload = format!("registry POST {uploads} anonymous 202");
    setup.sim.ledger().expect(&["registry GET /v2/ anonymous 200", &upload]);

    let answer = Fault::answer(sim::Reply::new(201).header("oci-tag", "a, b"));
    let fault = setup.registry.api().inject(answer);
    let target = format!("/v2/acme/app/manifests/{}?tag=a&tag=b", blake3());
    let put = with_header(manifest_put(&target, &setup.image), "accept", "*/*");
    let reply = setup.regpass.send(put).await;
    fault.remove();
    assert_eq!((reply.status.as_u16(), reply.header("oci-tag")), (201, Some("a, b")));
    setup.sim.ledger().expect(&[&format!("registry PUT {target} anonymous 201")]);

    let digest = MD5.replace(':', "%3A");
    let location = format!("{}?digest={digest}", started.header("location").unwrap());
    let fault = setup.registry.api().inject(Fault::answer(sim::Reply::new(201)));
    let reply = setup.regpass.send(request(Method::PUT, &location)).await;
    fault.remove();
    assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (201, Some(MD5)));
}
