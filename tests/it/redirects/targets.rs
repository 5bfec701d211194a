//! Targets of redirects: invalid locations, challenges, expired signatures, HEAD, ranges, errors and forbidden addresses.

use std::time::Duration;

use http::Method;

use super::{TO_BLOBS, start, start_in};
use crate::harness::{request, with_header};
use crate::sim::{Blob, Delivery, Fault, Hop, HopTarget, Reply, Sim};

#[tokio::test(start_paused = true)]
async fn invalid_location_is_502() {
    let setup = start(&[TO_BLOBS], "").await;
    for location in [
        None,
        Some("http://"),
        Some("http:///signed/x"),
        Some("ftp://blobs.distribution.test/x"),
        Some("file:///etc/passwd"),
        Some("javascript:alert(1)"),
        Some("http://user:pass@blobs.distribution.test/x"),
        Some("http://blobs.distribution.test:99999/x"),
        Some("http://blobs.distribution.test:0/x"),
        Some("http://[::1/x"),
        Some("http://a b/"),
    ] {
        let redirect = match location {
            Some(location) => Reply::redirect(307, location),
            None => Reply::new(307),
        };
        let fault = setup.registry.api().inject(Fault::answer(redirect));
        for reply in [setup.regpass.get(&setup.target).await, setup.regpass.get("/v2/acme/app/manifests/1").await] {
            assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{location:?}");
            assert!(reply.error().1.contains("reg.test"), "{location:?}");
            assert_eq!(reply.json()["errors"][0]["detail"]["step"], "redirect");
            assert!(!reply.error().1.contains("pass@"), "{location:?}: {reply:?}");
        }
        assert_eq!(setup.sim.ledger().take().len(), 2, "{location:?}");
        fault.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn characters_that_a_location_should_have_escaped_are_escaped() {
    for (location, target) in [
        (&b"http://blobs.distribution.test/my layer?file=my layer.tgz"[..], "/my%20layer?file=my%20layer.tgz"),
        (
            b"/\"layer\"?disposition=attachment; filename=\"x\"",
            "/%22layer%22?disposition=attachment;%20filename=%22x%22",
        ),
        (b"/a[1]|b\\c?sig=[1]|b\\c%2F%2b==", "/a[1]%7Cb%5Cc?sig=[1]|b\\c%2F%2b=="),
        ("/caf\u{e9}?x=caf\u{e9}".as_bytes(), "/caf%C3%A9?x=caf%C3%A9"),
        (b"/caf\xe9?x=caf\xe9", "/caf%E9?x=caf%E9"),
        (b"/a%20b/%E9?sig=%20", "/a%20b/%E9?sig=%20"),
        (b"with space", "/v2/acme/app/blobs/with%20space"),
    ] {
        let setup = start(&[TO_BLOBS], "").await;
        let mut redirect = Reply::new(307);
        redirect.headers.insert("location", http::HeaderValue::from_bytes(location).unwrap());
        setup.registry.api().inject(Fault::answer(redirect).times(1));
        setup.regpass.get(&setup.target).await;
        let entry = setup.sim.ledger().take().pop().unwrap();
        let query = if entry.query.is_empty() { String::new() } else { format!("?{}", entry.query) };
        assert_eq!(format!("{}{query}", entry.path), target);
        setup.sim.take_violations();
    }
}

#[tokio::test(start_paused = true)]
async fn error_of_a_store_without_a_body_is_named_once() {
    for (body, message) in [("", "it answered 403 Forbidden"), ("go away", "it answered 403 Forbidden: go away")] {
        let setup = start(&[TO_BLOBS], "").await;
        setup.registry.blob_store().inject(Fault::text(403, body));
        let reply = setup.regpass.get(&setup.target).await;
        assert_eq!(reply.status, 502);
        assert!(reply.error().1.ends_with(message), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn challenge_of_a_redirect_target_is_502_without_a_credential() {
    for lines in [&["Basic realm=\"x\""][..], &["Bearer realm=\"http://blobs.distribution.test/token\",service=\"x\""]]
    {
        let setup = start(&[TO_BLOBS], "").await;
        setup.registry.blob_store().inject(Fault::challenge(lines));
        for method in [Method::GET, Method::HEAD] {
            let reply = setup.regpass.send(request(method.clone(), &setup.target)).await;
            assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (502, None));
            if method == Method::GET {
                assert!(
                    reply.error().1.contains("blobs.distribution.test")
                        && reply.error().1.contains("sends no credential to redirect targets"),
                    "{reply:?}"
                );
                assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "storage");
            }
            setup.expect(&[setup.at_registry(method.as_str(), 307), setup.at_signed_url("blobs", 401)]);
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn challenge_at_the_end_of_a_longer_chain_is_502_without_a_credential() {
    let to_registry = Hop::new(302, HopTarget::Registry);
    for hops in [&[TO_BLOBS, Hop::new(302, HopTarget::SameOrigin)][..], &[TO_BLOBS, to_registry], &[to_registry]] {
        let setup = start(hops, "").await;
        for server in [setup.registry.blob_store(), setup.registry.api()] {
            server.inject(
                Fault::challenge(&["Basic realm=\"x\""])
                    .path("/signed/")
                    .when(|entry| !entry.path.starts_with("/hop/")),
            );
        }
        let reply = setup.regpass.get(&setup.target).await;
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (502, None), "{reply:?}");
        assert_eq!(setup.sim.ledger().take().len(), 1 + hops.len(), "no request is repeated with the registry's token");
    }
}

#[tokio::test(start_paused = true)]
async fn expired_signed_url_is_requested_again_once() {
    for expired in [
        || Fault::expired_signature(),
        || Fault::xml(400, "AuthorizationQueryParametersError"),
        || Fault::text(410, "gone"),
    ] {
        let setup = start(&[TO_BLOBS], "").await;
        setup.registry.blob_store().inject(expired().times(1));
        setup.assert_whole(&setup.regpass.get(&setup.target).await);
        let requests = setup.sim.ledger().take();
        assert_eq!(
            requests.iter().map(|entry| &*entry.server).collect::<Vec<_>>(),
            ["registry", "blobs", "registry", "blobs"]
        );

        setup.registry.blob_store().inject(expired());
        for method in [Method::GET, Method::HEAD] {
            let reply = setup.regpass.send(request(method, &setup.target)).await;
            assert_eq!(reply.status, 502);
            assert_eq!(setup.sim.ledger().take().len(), 4);
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(!text.contains("signature") && !text.contains("expires"), "a signed URL is a secret: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn head_uses_get_at_a_url_signed_for_get() {
    let setup = start(&[TO_BLOBS], "").await;
    setup.registry.change_preset(|preset| {
        let valid_for = Duration::from_secs(60);
        preset.pull.blobs = Delivery::Redirect { hops: vec![TO_BLOBS], valid_for, head_allowed: false };
    });
    let reply = setup.regpass.head(&setup.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")), "{reply:?}");
    assert_eq!(
        (reply.header("content-range"), reply.header("docker-content-digest")),
        (None, Some(&*setup.blob.digest))
    );
    setup.expect(&[setup.at_registry("HEAD", 307), setup.at_signed_url("blobs", 206)]);

    // The same with a further redirect at the blob store.
    setup.registry.change_preset(|preset| {
        let (hops, valid_for) = (vec![TO_BLOBS, Hop::new(302, HopTarget::SameOrigin)], Duration::from_secs(60));
        preset.pull.blobs = Delivery::Redirect { hops, valid_for, head_allowed: false };
    });
    let reply = setup.regpass.head(&setup.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")), "{reply:?}");
    setup.expect(&[setup.at_registry("HEAD", 307), setup.at_hop(1, "blobs", 302), setup.at_signed_url("blobs", 206)]);

    // A range does not change the reply to HEAD.
    let ranged = with_header(request(Method::HEAD, &setup.target), "range", "bytes=5-9");
    let reply = setup.regpass.send(ranged).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")));
}

#[tokio::test(start_paused = true)]
async fn head_of_the_empty_blob_is_200() {
    let setup = start(&[TO_BLOBS], "").await;
    let empty = Blob::new("");
    setup.registry.publish_blob("acme/app", &empty);
    let reply = setup.regpass.head(&format!("/v2/acme/app/blobs/{}", empty.digest)).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("0")), "{reply:?}");
    let reply = setup.regpass.get(&format!("/v2/acme/app/blobs/{}", empty.digest)).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length"), reply.body.len()), (200, Some("0"), 0));
}

#[tokio::test(start_paused = true)]
async fn head_works_if_the_target_ignores_ranges() {
    let setup = start(&[TO_BLOBS], "").await;
    let whole = Reply::new(200).slice("application/octet-stream", setup.blob.slice());
    setup.registry.blob_store().inject(Fault::answer(whole));
    let reply = setup.regpass.head(&setup.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length"), reply.body.len()), (200, Some("100000"), 0));
    assert_eq!(setup.sim.ledger().take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn range_in_bytes_is_forwarded_and_any_other_is_dropped() {
    let setup = start(&[TO_BLOBS], "").await;
    for (range, from, to) in [("bytes=5-9", 5, 10), ("bytes=99990-", 99_990, 100_000), ("bytes=-10", 99_990, 100_000)] {
        let reply = setup.regpass.send(with_header(request(Method::GET, &setup.target), "range", range)).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body),
            (206, &setup.blob.slice().to_bytes().slice(from..to)),
            "{range}"
        );
        assert_eq!(reply.header("content-range"), Some(&*format!("bytes {from}-{}/100000", to - 1)));
        assert_eq!(setup.sim.ledger().take()[1].headers["range"], range);
    }
    let reply = setup.regpass.send(with_header(request(Method::GET, &setup.target), "range", "items=0-1")).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 100_000));
    assert!(setup.sim.ledger().take().iter().all(|entry| !entry.headers.contains_key("range")));
}

#[tokio::test(start_paused = true)]
async fn error_of_the_target_keeps_its_status_and_blames_the_storage() {
    let setup = start(&[TO_BLOBS], "").await;
    for (fault, verdict) in [
        (Fault::xml(404, "NoSuchKey"), "404 BLOB_UNKNOWN"),
        (Fault::html(500), "500 UNAVAILABLE"),
        (
            Fault::answer(Reply::new(503).xml("<Error><Code>SlowDown</Code></Error>").header("retry-after", "7")),
            "503 UNAVAILABLE",
        ),
        (Fault::text(429, "slow down"), "429 TOOMANYREQUESTS"),
    ] {
        let fault = setup.registry.blob_store().inject(fault);
        let reply = setup.regpass.get(&setup.target).await;
        assert_eq!(reply.status_and_code(), verdict);
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "storage", "{verdict}");
        assert_eq!(reply.header("retry-after").is_some(), reply.status == 503);
        assert_eq!(setup.sim.ledger().take().len(), 2, "{verdict}");
        fault.remove();
    }
    let beyond = with_header(request(Method::GET, &setup.target), "range", "bytes=100000-");
    let reply = setup.regpass.send(beyond).await;
    assert_eq!(reply.status_and_code(), "416 RANGE_INVALID");
    assert_eq!(reply.header("content-range"), Some("bytes */100000"), "Content-Range has the size");
}

#[tokio::test]
async fn redirect_to_a_private_or_metadata_address_is_502() {
    let setup = start_in(Sim::loopback(), &[TO_BLOBS], "").await;
    for host in [
        "169.254.169.254",
        "169.254.169.254:80",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fd20:ce::254]",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1:8080",
        "192.168.1.1",
        "[::ffff:10.0.0.1]",
        "[fd12::1]",
        // Numbers that the system's resolver reads as two of the addresses above.
        "2852039166",
        "0xa9fea9fe",
        "167772161",
    ] {
        for target in [&*setup.target, "/v2/acme/app/manifests/1"] {
            let fault = setup.registry.api().inject(Fault::redirect(307, &format!("http://{host}/latest/meta-data/")));
            let reply = setup.regpass.get(target).await;
            assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{host}");
            assert!(reply.error().1.contains("its address is"), "{host}: {}", reply.error().1);
            assert_eq!(setup.sim.ledger().take().len(), 1, "{host}");
            fault.remove();
        }
    }
}

#[tokio::test]
async fn redirect_to_another_port_of_the_same_machine_is_followed() {
    let setup = start_in(Sim::loopback(), &[TO_BLOBS], "").await;
    setup.assert_whole(&setup.regpass.get(&setup.target).await);
    setup.expect(&[setup.at_registry("GET", 307), setup.at_signed_url("blobs", 200)]);
}
