//! Redirects of reads: followed with the credentials left behind, or handed on.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::harness::{Regpass, request, table, with};
use crate::sim::{Blob, Delivery, Family, Fault, Hop, Image, Mode, Place, Preset, Registry, Reply, Sim};

struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    blob: Blob,
    target: String,
}

impl World {
    /// A registry that wants tokens, whose blobs come by `hops`; regpass knows the token already.
    async fn start(hops: &[Hop], more: &str) -> Self {
        Self::over(Sim::memory(), hops, more).await
    }

    async fn over(sim: Sim, hops: &[Hop], more: &str) -> Self {
        let registry = sim.start(Preset::distribution(Mode::Token).blob_hops(hops)).await;
        let blob = Blob::random(1, 100_000);
        registry.publish("acme/app", "1", &Image::single("app", Family::Oci));
        registry.publish_blob("acme/app", &blob);
        let text = format!("default_registry = \"reg.test\"\n{}", table("reg.test", &registry, more));
        let regpass = Regpass::start(&sim, &text);
        assert_eq!(regpass.get("/v2/acme/app/manifests/1").await.status, 200);
        sim.ledger().take();
        let target = format!("/v2/acme/app/blobs/{}", blob.digest);
        Self { sim, registry, regpass, blob, target }
    }

    fn bytes(&self) -> Bytes {
        self.blob.slice().to_bytes()
    }

    /// Without printing the blob when it differs.
    #[track_caller]
    fn assert_whole(&self, reply: &crate::harness::Reply) {
        assert_eq!((reply.status.as_u16(), reply.whole, reply.body.len()), (200, true, 100_000));
        assert!(reply.body == self.bytes(), "the bytes are the blob's");
    }

    /// The registry's own answer, a redirect.
    fn at_registry(&self, method: &str, status: u16) -> String {
        format!("registry {method} {} bearer#1 {status}", self.target)
    }

    /// The last request, at a signed URL.
    fn signed(&self, server: &str, who: &str, status: u16) -> String {
        format!("{server} GET /signed/{}?expires=…&signature=… {who} {status}", self.blob.digest)
    }

    fn hop(&self, number: u32, server: &str, who: &str, status: u16) -> String {
        format!("{server} GET /hop/{number}/signed/{}?expires=…&signature=… {who} {status}", self.blob.digest)
    }

    #[track_caller]
    fn expect(&self, lines: &[String]) {
        self.sim.ledger().expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

const TO_BLOBS: Hop = Hop::new(307, Place::Blobs);

#[tokio::test(start_paused = true)]
async fn every_kind_of_redirect_is_followed_and_the_token_stays_at_home() {
    for status in [301, 302, 303, 307, 308] {
        let world = World::start(&[Hop::new(status, Place::Blobs)], "").await;
        let reply = world.regpass.get(&world.target).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 100_000), "{status}");
        world.assert_whole(&reply);
        assert_eq!(reply.header("docker-content-digest"), Some(&*world.blob.digest));
        assert_eq!(reply.header("location"), None);
        world.expect(&[world.at_registry("GET", status), world.signed("blobs", "anonymous", 200)]);
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn within_the_registrys_origin_the_token_goes_along() {
    for hop in [Place::Here, Place::Registry] {
        let world = World::start(&[Hop::new(307, hop)], "").await;
        world.assert_whole(&world.regpass.get(&world.target).await);
        world.expect(&[world.at_registry("GET", 307), world.signed("registry", "bearer#1", 200)]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_stays_dropped_when_the_chain_comes_back() {
    let back = [Hop::new(307, Place::Here), TO_BLOBS, Hop::new(302, Place::Registry), Hop::new(302, Place::Here)];
    let world = World::start(&back, "").await;
    world.assert_whole(&world.regpass.get(&world.target).await);
    world.expect(&[
        world.at_registry("GET", 307),
        world.hop(1, "registry", "bearer#1", 307),
        world.hop(2, "blobs", "anonymous", 302),
        world.hop(3, "registry", "anonymous", 302),
        world.signed("registry", "anonymous", 200),
    ]);
}

#[tokio::test(start_paused = true)]
async fn chains_end_after_five_hops() {
    let world = World::start(&[TO_BLOBS; 5], "").await;
    world.assert_whole(&world.regpass.get(&world.target).await);
    assert_eq!(world.sim.ledger().take().len(), 6);
    let world = World::start(&[TO_BLOBS; 6], "").await;
    let reply = world.regpass.get(&world.target).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("more than 5 times"), "{reply:?}");
    assert_eq!(world.sim.ledger().take().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_redirects_to_itself_ends() {
    let world = World::start(&[TO_BLOBS], "").await;
    world.registry.blobs().inject(Fault::redirect_to_itself(302));
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(world.regpass.send(request(method, &world.target)).await.status, 502);
        assert_eq!(world.sim.ledger().take().len(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn relative_locations_are_taken_from_where_they_were_said() {
    let world = World::start(&[TO_BLOBS], "").await;
    let signed = world.regpass.get(&world.target).await;
    assert_eq!(signed.status, 200);
    let query = world.sim.ledger().take()[1].query.clone();
    let digest = &world.blob.digest;
    for location in [
        format!("/signed/{digest}?{query}"),
        format!("../../../../signed/{digest}?{query}"),
        format!("./../../x/../../../signed/{digest}?{query}#fragment"),
        format!("//{}/signed/{digest}?{query}", world.registry.authority()),
        format!("HTTP://{}:80/signed/{digest}?{query}", world.registry.authority().to_uppercase()),
    ] {
        let fault = world.registry.registry().inject(Fault::redirect(307, &location).path("/v2/"));
        world.assert_whole(&world.regpass.get(&world.target).await);
        world.expect(&[world.at_registry("GET", 307), world.signed("registry", "bearer#1", 200)]);
        fault.lift();
    }
}

#[tokio::test(start_paused = true)]
async fn another_port_or_a_longer_name_is_another_origin() {
    let world = World::start(&[TO_BLOBS], "").await;
    let host = world.registry.authority().to_owned();
    for elsewhere in
        [format!("http://{host}:8080/x"), format!("http://{host}.evil.test/x"), format!("http://evil{host}/x")]
    {
        let fault = world.registry.registry().inject(Fault::redirect(307, &elsewhere).path("/v2/"));
        assert_eq!(world.regpass.get(&world.target).await.status, 502);
        fault.lift();
    }
    // Only dialled, and not answered: the client for other origins has no connection to the registry to share.
    let evil = world.sim.start(Preset::distribution(Mode::Open).named("evil")).await;
    world.registry.registry().inject(Fault::redirect(307, &format!("{}/signed/x", evil.origin())).path("/v2/"));
    world.sim.ledger().take();
    assert_eq!(world.regpass.get(&world.target).await.status, 502);
    let seen = world.sim.ledger().take();
    assert!(
        seen.iter()
            .filter(|entry| entry.server.starts_with("evil"))
            .all(|entry| entry.authorization == crate::sim::AuthSeen::None)
    );
}

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
async fn a_login_is_refused_at_the_end_of_every_chain_that_left_home() {
    for hops in [&[TO_BLOBS, Hop::new(302, Place::Here)][..], &[TO_BLOBS, Hop::new(302, Place::Registry)]] {
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
        assert_eq!(world.sim.ledger().take().len(), 3, "the registry's token is not tried there either");
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

#[tokio::test(start_paused = true)]
async fn pass_hands_the_client_the_url_and_follows_for_heads_and_manifests() {
    let world = World::start(&[TO_BLOBS], "redirects = \"pass\"").await;
    let reply = world.regpass.get(&world.target).await;
    let location = reply.header("location").unwrap();
    assert!(location.starts_with(&format!("http://blobs.distribution.test/signed/{}?expires=", world.blob.digest)));
    assert_eq!((reply.status.as_u16(), reply.body.len()), (307, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(&*world.blob.digest));
    world.expect(&[world.at_registry("GET", 307)]);
    let reply = world.regpass.head(&world.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")));
    world.expect(&[world.at_registry("HEAD", 307), world.signed("blobs", "anonymous", 206)]);
}

#[tokio::test(start_paused = true)]
async fn pass_hands_on_no_url_that_needs_our_token() {
    let world = World::start(&[Hop::new(307, Place::Here)], "redirects = \"pass\"").await;
    world.assert_whole(&world.regpass.get(&world.target).await);
    world.expect(&[world.at_registry("GET", 307), world.signed("registry", "bearer#1", 200)]);

    let world = World::start(&[Hop::new(307, Place::Here), TO_BLOBS], "redirects = \"pass\"").await;
    let reply = world.regpass.get(&world.target).await;
    assert!(reply.header("location").unwrap().starts_with("http://blobs.distribution.test/signed/"), "{reply:?}");
    world.expect(&[world.at_registry("GET", 307), world.hop(1, "registry", "bearer#1", 307)]);
}

#[tokio::test(start_paused = true)]
async fn manifests_may_live_elsewhere() {
    let world = World::start(&[TO_BLOBS], "").await;
    let backend = world.sim.start(Preset::distribution(Mode::Open).named("backend")).await;
    let image = Image::single("app", Family::Oci);
    backend.publish("k8s/app", "1", &image);
    world.registry.registry().inject(Fault::redirect(307, &format!("{}/v2/k8s/app/manifests/1", backend.origin())));
    // The simulated backend shows an OCI manifest to those only who accept it.
    let reply = world.regpass.get("/v2/acme/app/manifests/1").await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &image.top().bytes));
    let reply = world.regpass.head("/v2/acme/app/manifests/1").await;
    assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (200, Some(image.digest())));
    world.expect(&[
        "registry GET /v2/acme/app/manifests/1 bearer#1 307".into(),
        "backend.registry GET /v2/k8s/app/manifests/1 anonymous 200".into(),
        "registry HEAD /v2/acme/app/manifests/1 bearer#1 307".into(),
        "backend.registry HEAD /v2/k8s/app/manifests/1 anonymous 200".into(),
    ]);
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn listings_are_not_redirected() {
    let world = World::start(&[TO_BLOBS], "").await;
    world.registry.registry().inject(Fault::redirect(302, "http://blobs.distribution.test/login"));
    for target in ["/v2/acme/app/tags/list", "/v2/_catalog"] {
        let reply = world.regpass.get(target).await;
        assert_eq!((reply.verdict().as_str(), reply.header("location")), ("502 UNAVAILABLE", None), "{target}");
    }
    assert_eq!(world.sim.ledger().count("blobs", |_| true), 0);
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
