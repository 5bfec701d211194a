//! Where a chain ends: logins, old signatures, heads, ranges, errors, and places that are none.

use std::time::Duration;

use http::Method;

use super::{TO_BLOBS, World};
use crate::harness::{request, with};
use crate::sim::{Blob, Delivery, Fault, Hop, Place, Reply, Sim};

#[tokio::test(start_paused = true)]
async fn a_location_that_leads_nowhere_is_a_clear_error() {
    let world = World::start(&[TO_BLOBS], "").await;
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
        Some("with space"),
    ] {
        let answer = match location {
            Some(location) => Reply::redirect(307, location),
            None => Reply::new(307),
        };
        let fault = world.registry.registry().inject(Fault::answer(answer));
        for reply in [world.regpass.get(&world.target).await, world.regpass.get("/v2/acme/app/manifests/1").await] {
            assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{location:?}");
            assert!(reply.error().1.contains("reg.test"), "{location:?}");
            assert_eq!(reply.json()["errors"][0]["detail"]["step"], "redirect");
            assert!(!reply.error().1.contains("pass@"), "{location:?}: {reply:?}");
        }
        assert_eq!(world.sim.ledger().take().len(), 2, "{location:?}");
        fault.lift();
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_asks_for_a_login_gets_none() {
    for lines in [&["Basic realm=\"x\""][..], &["Bearer realm=\"http://blobs.distribution.test/token\",service=\"x\""]]
    {
        let world = World::start(&[TO_BLOBS], "").await;
        world.registry.blobs().inject(Fault::challenge(lines));
        for method in [Method::GET, Method::HEAD] {
            let reply = world.regpass.send(request(method.clone(), &world.target)).await;
            assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (502, None));
            if method == Method::GET {
                assert!(
                    reply.error().1.contains("blobs.distribution.test") && reply.error().1.contains("login"),
                    "{reply:?}"
                );
                assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "storage");
            }
            world.expect(&[world.at_registry(method.as_str(), 307), world.signed("blobs", "anonymous", 401)]);
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_refused_at_the_end_of_every_chain() {
    let to_registry = Hop::new(302, Place::Registry);
    for hops in [&[TO_BLOBS, Hop::new(302, Place::Here)][..], &[TO_BLOBS, to_registry], &[to_registry]] {
        let world = World::start(hops, "").await;
        for server in [world.registry.blobs(), world.registry.registry()] {
            server.inject(
                Fault::challenge(&["Basic realm=\"x\""])
                    .path("/signed/")
                    .when(|entry| !entry.path.starts_with("/hop/")),
            );
        }
        let reply = world.regpass.get(&world.target).await;
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (502, None), "{reply:?}");
        assert_eq!(world.sim.ledger().take().len(), 1 + hops.len(), "the registry's token is not tried there either");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signed_url_that_is_over_sends_us_back_once() {
    for answer in [
        || Fault::expired_signature(),
        || Fault::xml(400, "AuthorizationQueryParametersError"),
        || Fault::text(410, "gone"),
    ] {
        let world = World::start(&[TO_BLOBS], "").await;
        world.registry.blobs().inject(answer().times(1));
        world.assert_whole(&world.regpass.get(&world.target).await);
        let seen = world.sim.ledger().take();
        assert_eq!(
            seen.iter().map(|entry| &*entry.server).collect::<Vec<_>>(),
            ["registry", "blobs", "registry", "blobs"]
        );

        world.registry.blobs().inject(answer());
        for method in [Method::GET, Method::HEAD] {
            let reply = world.regpass.send(request(method, &world.target)).await;
            assert_eq!(reply.status, 502);
            assert_eq!(world.sim.ledger().take().len(), 4);
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(!text.contains("signature") && !text.contains("expires"), "a signed URL is a secret: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_goes_through_a_url_that_is_signed_for_get() {
    let world = World::start(&[TO_BLOBS], "").await;
    world.registry.change(|preset| {
        let valid_for = Duration::from_secs(60);
        preset.pull.blobs = Delivery::Redirect { hops: vec![TO_BLOBS], valid_for, head_allowed: false };
    });
    let reply = world.regpass.head(&world.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")), "{reply:?}");
    assert_eq!(
        (reply.header("content-range"), reply.header("docker-content-digest")),
        (None, Some(&*world.blob.digest))
    );
    world.expect(&[world.at_registry("HEAD", 307), world.signed("blobs", "anonymous", 206)]);

    // However long the way at the target's is.
    world.registry.change(|preset| {
        let (hops, valid_for) = (vec![TO_BLOBS, Hop::new(302, Place::Here)], Duration::from_secs(60));
        preset.pull.blobs = Delivery::Redirect { hops, valid_for, head_allowed: false };
    });
    let reply = world.regpass.head(&world.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")), "{reply:?}");
    world.expect(&[
        world.at_registry("HEAD", 307),
        world.hop(1, "blobs", "anonymous", 302),
        world.signed("blobs", "anonymous", 206),
    ]);

    // A range of the client's makes no difference to a HEAD.
    let ranged = with(request(Method::HEAD, &world.target), "range", "bytes=5-9");
    let reply = world.regpass.send(ranged).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")));
}

#[tokio::test(start_paused = true)]
async fn a_head_of_the_empty_blob_is_no_error() {
    let world = World::start(&[TO_BLOBS], "").await;
    let empty = Blob::new("");
    world.registry.publish_blob("acme/app", &empty);
    let reply = world.regpass.head(&format!("/v2/acme/app/blobs/{}", empty.digest)).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("0")), "{reply:?}");
    let reply = world.regpass.get(&format!("/v2/acme/app/blobs/{}", empty.digest)).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length"), reply.body.len()), (200, Some("0"), 0));
}

#[tokio::test(start_paused = true)]
async fn a_head_works_where_the_target_knows_no_ranges() {
    let world = World::start(&[TO_BLOBS], "").await;
    let whole = Reply::new(200).slice("application/octet-stream", world.blob.slice());
    world.registry.blobs().inject(Fault::answer(whole));
    let reply = world.regpass.head(&world.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length"), reply.body.len()), (200, Some("100000"), 0));
    assert_eq!(world.sim.ledger().take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn ranges_go_through_and_several_are_asked_for_as_none() {
    let world = World::start(&[TO_BLOBS], "").await;
    for (range, from, to) in [("bytes=5-9", 5, 10), ("bytes=99990-", 99_990, 100_000), ("bytes=-10", 99_990, 100_000)] {
        let reply = world.regpass.send(with(request(Method::GET, &world.target), "range", range)).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (206, &world.bytes().slice(from..to)), "{range}");
        assert_eq!(reply.header("content-range"), Some(&*format!("bytes {from}-{}/100000", to - 1)));
        assert_eq!(world.sim.ledger().take()[1].headers["range"], range);
    }
    for several in ["bytes=0-0,5-5", "bytes=0-1, -1", "items=0-1"] {
        let reply = world.regpass.send(with(request(Method::GET, &world.target), "range", several)).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 100_000), "{several}");
        assert!(world.sim.ledger().take().iter().all(|entry| !entry.headers.contains_key("range")));
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_target_keep_their_status_and_name_the_storage() {
    let world = World::start(&[TO_BLOBS], "").await;
    for (fault, verdict) in [
        (Fault::xml(404, "NoSuchKey"), "404 BLOB_UNKNOWN"),
        (Fault::html(500), "500 UNAVAILABLE"),
        (
            Fault::answer(Reply::new(503).xml("<Error><Code>SlowDown</Code></Error>").header("retry-after", "7")),
            "503 UNAVAILABLE",
        ),
        (Fault::text(429, "slow down"), "429 TOOMANYREQUESTS"),
    ] {
        let fault = world.registry.blobs().inject(fault);
        let reply = world.regpass.get(&world.target).await;
        assert_eq!(reply.verdict(), verdict);
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "storage", "{verdict}");
        assert_eq!(reply.header("retry-after").is_some(), reply.status == 503);
        assert_eq!(world.sim.ledger().take().len(), 2, "{verdict}");
        fault.lift();
    }
    let beyond = with(request(Method::GET, &world.target), "range", "bytes=100000-");
    let reply = world.regpass.send(beyond).await;
    assert_eq!(reply.verdict(), "416 RANGE_INVALID");
    assert_eq!(reply.header("content-range"), Some("bytes */100000"), "the size is what the client asked for");
}

#[tokio::test]
async fn a_registry_cannot_send_us_to_addresses_where_it_is_not_itself() {
    let world = World::over(Sim::loopback(), &[TO_BLOBS], "").await;
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
        // As the system's resolver reads numbers: the same two addresses.
        "2852039166",
        "0xa9fea9fe",
        "167772161",
    ] {
        for target in [&*world.target, "/v2/acme/app/manifests/1"] {
            let fault =
                world.registry.registry().inject(Fault::redirect(307, &format!("http://{host}/latest/meta-data/")));
            let reply = world.regpass.get(target).await;
            assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{host}");
            assert!(reply.error().1.contains("its address is"), "{host}: {}", reply.error().1);
            assert_eq!(world.sim.ledger().take().len(), 1, "{host}");
            fault.lift();
        }
    }
}

#[tokio::test]
async fn a_registry_may_send_us_to_its_neighbours() {
    let world = World::over(Sim::loopback(), &[TO_BLOBS], "").await;
    world.assert_whole(&world.regpass.get(&world.target).await);
    world.expect(&[world.at_registry("GET", 307), world.signed("blobs", "anonymous", 200)]);
}
