//! Small documents and errors: completed, decoded, bounded, and all of one shape.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{Method, StatusCode};

use crate::harness::{Regpass, Reply, request, table, with};
use crate::sim::{self, Family, Fault, Image, LinkForm, Mode, Preset, Referrers, Registry, Sim, media, sha256};

struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
}

const TAG: &str = "/v2/acme/app/manifests/1";
const TAGS: &str = "/v2/acme/app/tags/list";

impl World {
    async fn start(more: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::distribution(Mode::Open)).await;
        let image = Image::single("app", Family::Docker);
        for tag in ["1", "2", "3"] {
            registry.publish("acme/app", tag, &image);
        }
        let text = format!("default_registry = \"reg.test\"\n{}", table("reg.test", &registry, more));
        let regpass = Regpass::start(&sim, &text);
        Self { sim, registry, regpass, image }
    }

    /// One answer under a fault, which ends with it.
    async fn under(&self, fault: Fault, target: &str) -> Reply {
        let fault = self.registry.registry().inject(fault);
        let reply = self.regpass.get(target).await;
        fault.lift();
        reply
    }

    fn manifest(&self) -> &Bytes {
        &self.image.top().bytes
    }

    fn by_digest(&self) -> String {
        format!("/v2/acme/app/manifests/{}", self.image.digest())
    }
}

fn encoded(name: &str, bytes: &[u8]) -> Bytes {
    if name == "deflate" {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        return encoder.finish().unwrap().into();
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

#[tokio::test(start_paused = true)]
async fn documents_that_come_encoded_are_decoded() {
    let world = World::start("").await;
    for target in [TAG, &world.by_digest(), TAGS, "/v2/_catalog"] {
        let plain = world.regpass.get(target).await;
        let reply = world.under(Fault::gzip(), target).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &plain.body), "{target}");
        assert_eq!(reply.header("content-encoding"), None);
        assert_eq!(reply.header("content-length"), Some(&*plain.body.len().to_string()));
        assert_eq!(reply.header("docker-content-digest"), plain.header("docker-content-digest"));
    }
    for name in ["x-gzip", "deflate", "GZIP", "identity"] {
        let body = if name == "identity" { world.manifest().clone() } else { encoded(name, world.manifest()) };
        let answer = sim::Reply::new(200).body(media::DOCKER_MANIFEST, body).header("content-encoding", name);
        let reply = world.under(Fault::answer(answer), TAG).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, world.manifest()), "{name}");
    }
    assert!(world.sim.ledger().take().iter().all(|entry| entry.headers["accept-encoding"] == "identity"));
}

#[tokio::test(start_paused = true)]
async fn documents_in_encodings_nobody_knows_are_no_answer() {
    let world = World::start("").await;
    for (name, body) in [
        ("br", world.manifest().clone()),
        ("zstd", world.manifest().clone()),
        ("gzip, gzip", world.manifest().clone()),
        ("gzip", world.manifest().clone()),
        ("gzip", encoded("gzip", world.manifest()).slice(..40)),
    ] {
        for target in [TAG, TAGS] {
            let answer =
                sim::Reply::new(200).body(media::DOCKER_MANIFEST, body.clone()).header("content-encoding", name);
            let reply = world.under(Fault::answer(answer), target).await;
            assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{name} {target}");
            assert!(reply.error().1.contains("encoding"), "{name}");
        }
    }
    // Thirty-two megabytes of nothing in a few kilobytes.
    let bomb = sim::Reply::new(200).body(media::DOCKER_MANIFEST, encoded("gzip", &vec![b' '; 32 << 20]));
    let reply = world.under(Fault::answer(bomb.header("content-encoding", "gzip")), TAG).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("too large"));
}

#[tokio::test(start_paused = true)]
async fn a_missing_digest_is_computed_and_for_a_head_the_manifest_is_fetched() {
    let world = World::start("").await;
    world.registry.change(|preset| preset.pull.digest_header = false);
    let reply = world.regpass.get(TAG).await;
    assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()));
    world.sim.ledger().expect(&["registry GET /v2/acme/app/manifests/1 anonymous 200"]);
    let reply = world.regpass.head(TAG).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()));
    assert_eq!(reply.header("content-length"), Some(&*world.manifest().len().to_string()));
    assert_eq!(reply.header("content-type"), Some(media::DOCKER_MANIFEST));
    world.sim.ledger().expect(&[
        "registry HEAD /v2/acme/app/manifests/1 anonymous 200",
        "registry GET /v2/acme/app/manifests/1 anonymous 200",
    ]);
    // By digest there is nothing to find out.
    let reply = world.regpass.head(&world.by_digest()).await;
    assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()));
    world.sim.ledger().expect(&[&format!("registry HEAD {} anonymous 200", world.by_digest())]);
    let blob = format!("/v2/acme/app/blobs/{}", world.image.blob_digests()[0]);
    for reply in [world.regpass.head(&blob).await, world.regpass.get(&blob).await] {
        assert_eq!(reply.header("docker-content-digest"), Some(world.image.blob_digests()[0]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_media_type_is_read_from_the_manifest() {
    let world = World::start("").await;
    let reply = world.under(Fault::without_header("content-type"), TAG).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(media::DOCKER_MANIFEST)));
    let bare = sim::Reply::new(200).body("x", r#"{"schemaVersion":2,"manifests":[]}"#).without("content-type");
    let reply = world.under(Fault::answer(bare), TAG).await;
    assert_eq!(reply.header("content-type"), Some(media::OCI_INDEX));
}

#[tokio::test(start_paused = true)]
async fn a_web_page_is_no_answer_whatever_its_status_says() {
    let world = World::start("").await;
    for target in [TAG, TAGS, "/v2/_catalog"] {
        let reply = world.under(Fault::html(200), target).await;
        assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{target}");
        assert!(reply.error().1.contains("web page") && reply.error().1.contains("reg.test"), "{reply:?}");
    }
    world.registry.registry().inject(Fault::html(200));
    assert_eq!(world.regpass.head(TAG).await.status, 502);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_breaks_off_is_no_answer() {
    let world = World::start("").await;
    for fault in [Fault::close_mid_body, Fault::reset_mid_body, Fault::hang_mid_body] {
        for after in [0, 10] {
            let reply = world.under(fault(after), TAG).await;
            assert_eq!((reply.verdict(), reply.whole), ("502 UNAVAILABLE".to_owned(), true));
            assert_eq!(reply.json()["errors"][0]["detail"]["step"], "transfer");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_is_not_what_its_digest_names_is_no_answer() {
    let world = World::start("").await;
    for target in [TAG.to_owned(), world.by_digest()] {
        let reply = world.under(Fault::truncated(100), &target).await;
        assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{target}");
        assert!(reply.error().1.contains("digest"), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn documents_and_errors_without_end_are_bounded() {
    let world = World::start("").await;
    let reply = world.under(Fault::giant(17 << 20), TAG).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("larger than"), "{reply:?}");
    for size in [70_000, 20 << 20] {
        let giant = sim::Reply::new(404).body("application/json", vec![b'x'; size]);
        let reply = world.under(Fault::answer(giant), TAG).await;
        assert_eq!(reply.verdict(), "404 MANIFEST_UNKNOWN");
        assert!(reply.body.len() < 2000);
    }
    let long = sim::Reply::error(400, "NAME_INVALID", &"x".repeat(50_000));
    let reply = world.under(Fault::answer(long), TAG).await;
    assert_eq!(reply.status, 400);
    let code = "C".repeat(50_000);
    let reply = world.under(Fault::answer(sim::Reply::error(400, &code, "m")), TAG).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_body_hangs_keeps_nobody_waiting_long() {
    let world = World::start("").await;
    world.registry.registry().inject(Fault::answer(sim::Reply::error(404, "NAME_UNKNOWN", "no such name")));
    world.registry.registry().inject(Fault::hang_mid_body(5));
    let began = tokio::time::Instant::now();
    let reply = world.regpass.get(TAG).await;
    assert_eq!(reply.verdict(), "404 MANIFEST_UNKNOWN");
    assert!(began.elapsed().as_secs() <= 5, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn every_error_has_one_shape_and_keeps_its_status() {
    let world = World::start("").await;
    let json = |status: u16, text: &str| Fault::answer(sim::Reply::new(status).json(text));
    for (fault, verdict, said) in [
        (
            json(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"1"}}]}"#),
            "404 MANIFEST_UNKNOWN",
            "manifest unknown",
        ),
        (
            json(404, r#"{"errors":[{"code":"NOT_FOUND","message":"artifact not found"}]}"#),
            "404 NOT_FOUND",
            "artifact not found",
        ),
        (
            json(412, r#"{"errors":[{"code":"PROJECTPOLICYVIOLATION","message":"vulnerable"}]}"#),
            "412 PROJECTPOLICYVIOLATION",
            "vulnerable",
        ),
        (json(400, r#"{"errors":[{"code":"A","message":""},{"code":"B","message":"b"}]}"#), "400 A", "400"),
        (json(404, r#"{"errors":[]}"#), "404 MANIFEST_UNKNOWN", "404"),
        (json(404, r#"{"errors":null}"#), "404 MANIFEST_UNKNOWN", "404"),
        (json(400, r#"{"details":"unknown resource type"}"#), "400 UNKNOWN", "unknown resource type"),
        (json(403, r#"{"message":"secondary rate limit"}"#), "403 DENIED", "secondary rate limit"),
        (json(403, r#"{"message":7}"#), "403 DENIED", "403"),
        (json(400, "[1,2"), "400 UNKNOWN", "[1,2"),
        (Fault::text(429, "Too Many Requests (HAP429).\n"), "429 TOOMANYREQUESTS", "HAP429"),
        (Fault::text(405, "nope"), "405 UNSUPPORTED", "nope"),
        (Fault::text(500, "\u{1b}[31mred\u{7}\r\n\r\nX: y"), "500 UNAVAILABLE", "red"),
        (Fault::html(503), "503 UNAVAILABLE", "503"),
        (Fault::xml(403, "AccessDenied"), "403 DENIED", "AccessDenied"),
        (Fault::answer(sim::Reply::new(500)), "500 UNAVAILABLE", "500"),
        (Fault::answer(sim::Reply::new(418).body("text/plain", vec![0xff, 0xfe, 0x00])), "418 UNKNOWN", "418"),
        (Fault::answer(sim::Reply::new(451).text("law")), "451 UNKNOWN", "law"),
    ] {
        let reply = world.under(fault, TAG).await;
        assert_eq!(reply.verdict(), verdict);
        let (_, message) = reply.error();
        assert!(message.contains(said), "{verdict}: {message}");
        assert!(!message.contains(['\n', '\r', '\u{1b}', '\u{7}', '<']), "{verdict}: {message:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.json()["errors"][0]["detail"]["registry"], "reg.test");
    }
    let reply = world.under(json(404, r#"{"errors":[{"code":"X","message":"m","detail":{"Tag":"1"}}]}"#), TAG).await;
    assert_eq!(reply.json()["errors"][0]["detail"]["upstream"]["Tag"], "1");
}

#[tokio::test(start_paused = true)]
async fn an_encoded_error_is_read_and_a_head_gets_the_status() {
    let world = World::start("").await;
    let fault = Fault::alter(|_, _| {
        let body = encoded("gzip", br#"{"errors":[{"code":"QUOTA","message":"full"}]}"#);
        sim::Reply::new(403).body("application/json", body).header("content-encoding", "gzip")
    });
    let reply = world.under(fault, TAG).await;
    assert_eq!((reply.verdict().as_str(), reply.error().1.as_str()), ("403 QUOTA", "full"));
    assert_eq!(reply.header("content-encoding"), None);
    let reply = world.regpass.head("/v2/acme/app/manifests/none").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (404, 0));
}

#[tokio::test(start_paused = true)]
async fn when_to_come_back_and_how_much_is_left_is_told() {
    let world = World::start("").await;
    for value in ["17", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        let answer = sim::Reply::error(429, "TOOMANYREQUESTS", "slow")
            .header("retry-after", value)
            .header("ratelimit-remaining", "0;w=21600");
        let reply = world.under(Fault::answer(answer), TAG).await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, Some(value)));
        assert_eq!(reply.header("ratelimit-remaining"), Some("0;w=21600"));
    }
    assert_eq!(world.sim.ledger().take().len(), 2, "a limit is not tried against");
}

#[tokio::test(start_paused = true)]
async fn a_catalog_shows_what_may_be_pulled() {
    let world = World::start("repositories = { pull = [\"acme/**\"], push = [\"other/**\"] }").await;
    for name in ["acme/app/deep", "acmeevil/app", "other/app", "zebra"] {
        world.registry.publish(name, "1", &world.image);
    }
    let names = |reply: &Reply| {
        reply.json()["repositories"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let reply = world.regpass.get("/v2/_catalog").await;
    assert_eq!(names(&reply), ["acme/app", "acme/app/deep"]);
    assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()));
    // A page may be empty and still have a next one.
    let reply = world.regpass.get("/v2/_catalog?n=1&last=acme/app/deep").await;
    assert_eq!(names(&reply), Vec::<String>::new());
    assert_eq!(reply.header("link"), Some("</v2/_catalog?last=acmeevil%2Fapp&n=1>; rel=\"next\""));
    assert_eq!(names(&world.under(Fault::gzip(), "/v2/_catalog").await), ["acme/app", "acme/app/deep"]);
    let odd = sim::Reply::new(200)
        .json(r#"{"repositories":["acme/app",7,"secret/x","ACME/x","acme/../x"],"child":"secret/x"}"#);
    let reply = world.under(Fault::answer(odd), "/v2/_catalog").await;
    assert!(!String::from_utf8_lossy(&reply.body).contains("secret"), "{reply:?}");
    let none = sim::Reply::new(200).json(r#"{"repositories":null}"#);
    assert_eq!(names(&world.under(Fault::answer(none), "/v2/_catalog").await), Vec::<String>::new());
    for garbage in ["not json", r#"{"repositories":{"secret/x":1}}"#, r#"["secret/x"]"#, "{}", ""] {
        let reply = world.under(Fault::answer(sim::Reply::new(200).json(garbage)), "/v2/_catalog").await;
        assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{garbage}: an empty list would be a lie");
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret"));
    }
}

#[tokio::test(start_paused = true)]
async fn every_form_of_link_becomes_one() {
    let world = World::start("alias = \"reg\"").await;
    for (link, query) in [
        (r#"</v2/acme/app/tags/list?last=1&n=1>; rel="next""#, Some("last=1&n=1")),
        (r#"<https://reg.example/v2/acme/app/tags/list?last=1&n=1>; rel="next""#, Some("last=1&n=1")),
        (r#"<http://169.254.169.254/?last=1&n=1>; rel="next""#, Some("last=1&n=1")),
        (r#"<//evil.example/x?last=1&n=1>; rel="next""#, Some("last=1&n=1")),
        (r#"</api/docker/x/v2/acme/app/tags/list?last=1&n=1>; rel="next""#, Some("last=1&n=1")),
        (r#"<?last=1&n=1>; rel="next""#, Some("last=1&n=1")),
        (r#"</acme/app/tags/list?n=1&last=1&orderby=>; rel="next""#, Some("n=1&last=1")),
        (
            r#"</v2/acme/app/tags/list?next_page=gAAAAABl%2B-_==&n=1>; rel="next""#,
            Some("next_page=gAAAAABl%2B-_==&n=1"),
        ),
        (r#"</v2/acme/app/tags/list?last=1>; rel="next""#, Some("last=1&n=1")),
        (r#"</v2/acme/app/tags/list?last=1&n=0>; rel="next""#, Some("last=1&n=1")),
        ("</v2/acme/app/tags/list?last=1&ns=evil.example>; rel=next", Some("last=1&n=1")),
        (r#"</a?last=0>; rel="prev", </b?last=1>; rel="next""#, Some("last=1&n=1")),
        (r#"</v2/acme/app/tags/list?last=1>; rel="prev""#, None),
        ("</v2/acme/app/tags/list>; rel=\"next\"", None),
        ("garbage", None),
    ] {
        for prefix in ["/v2/acme/app/tags/list", "/v2/reg/acme/app/tags/list"] {
            let fault = Fault::with_header("link", link);
            let reply = world.under(fault, &format!("{prefix}?n=1")).await;
            let expected = query.map(|query| format!("<{prefix}?{query}>; rel=\"next\""));
            assert_eq!(reply.header("link"), expected.as_deref(), "{link}");
        }
    }
    // Nobody asked for a page size, so nobody is told one.
    world.registry.change(|preset| {
        preset.lists.tags.link = LinkForm::EchoesN;
        preset.lists.tags.default = Some(1);
    });
    assert_eq!(world.regpass.get(TAGS).await.header("link"), Some("</v2/acme/app/tags/list?last=1>; rel=\"next\""));
    // A link on what is no list is dropped.
    let reply = world.under(Fault::with_header("link", "</x?a=b>; rel=\"next\""), TAG).await;
    assert_eq!(reply.header("link"), None);
}

#[tokio::test(start_paused = true)]
async fn following_the_links_lists_everything_once() {
    let world = World::start("").await;
    let (mut next, mut seen) = (Some(format!("{TAGS}?n=2")), Vec::new());
    while let Some(target) = next {
        let reply = world.regpass.get(&target).await;
        seen.extend(reply.json()["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()));
        next = reply.header("link").map(|link| link[1..link.find('>').unwrap()].to_owned());
    }
    assert_eq!(seen, ["1", "2", "3"]);
    assert_eq!(world.sim.ledger().take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn page_sizes_are_clamped_and_nonsense_is_refused_here() {
    let world = World::start("").await;
    for (n, seen) in [("0", "0"), ("1", "1"), ("1000", "1000"), ("1001", "1000"), ("99999999999", "1000")] {
        let reply = world.regpass.get(&format!("/v2/_catalog?n={n}")).await;
        assert_eq!(reply.status, 200, "{n}");
        world.sim.ledger().expect(&[&format!("registry GET /v2/_catalog?n={seen} anonymous 200")]);
    }
    for n in ["-1", "x", "", "1.5", "+1", "%31%20", "99999999999999999999999", "1;drop"] {
        for target in [format!("{TAGS}?n={n}"), format!("/v2/_catalog?n={n}")] {
            assert_eq!(world.regpass.get(&target).await.verdict(), "400 PAGINATION_NUMBER_INVALID", "{target}");
        }
    }
    world.sim.ledger().expect(&[]);
    // Of two the clamped one counts.
    world.regpass.get("/v2/_catalog?n=5&n=5000").await;
    assert!(world.sim.ledger().take().iter().all(|entry| !entry.query.contains("5000")));
}

#[tokio::test(start_paused = true)]
async fn referrers_are_forwarded_and_a_missing_api_is_told_as_such() {
    let world = World::start("").await;
    world.registry.change(|preset| preset.lists.referrers = Referrers::Index);
    let signature = Image::artifact("application/vnd.example.signature", world.image.top());
    world.registry.publish("acme/app", "sig", &signature);
    let target = format!("/v2/acme/app/referrers/{}", world.image.digest());
    let reply = world.regpass.get(&format!("{target}?artifactType=application/vnd.example.signature")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(media::OCI_INDEX)));
    assert_eq!(reply.header("oci-filters-applied"), Some("artifactType"));
    assert_eq!(reply.json()["manifests"][0]["digest"], signature.digest());
    for (fault, what) in [
        (Fault::text(404, "404 page not found\n"), "unknown path"),
        (Fault::redirect(303, "https://github.com/-/v2/packages/x"), "redirect"),
        (Fault::redirect(302, "http://evil.test/"), "redirect"),
        (Fault::redirect(301, "http://evil.test/"), "redirect"),
        (Fault::text(405, ""), "no method"),
        (Fault::html(200), "page"),
        (Fault::html(404), "page"),
        (Fault::html(429), "page"),
        (Fault::text(429, "Too many requests"), "a limit without end"),
        (Fault::text(501, ""), "not implemented"),
    ] {
        world.sim.ledger().take();
        let reply = world.under(fault, &target).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{what}");
        assert_eq!((reply.error().0.as_str(), reply.header("location")), ("UNSUPPORTED", None), "{what}");
        assert_eq!(world.sim.ledger().take().len(), 1, "{what}");
    }
    let busy = sim::Reply::error(429, "TOOMANYREQUESTS", "slow").header("retry-after", "3");
    assert_eq!(world.under(Fault::answer(busy), &target).await.verdict(), "429 TOOMANYREQUESTS");
    assert_eq!(world.under(Fault::html(503), &target).await.verdict(), "503 UNAVAILABLE");
    assert_eq!(world.under(Fault::html(403), &target).await.verdict(), "403 DENIED");
    assert_eq!(world.regpass.send(request(Method::POST, &target)).await.status, 405);
}

#[tokio::test(start_paused = true)]
async fn curl_gets_a_native_manifest() {
    let world = World::start("").await;
    let oci = Image::single("oci", Family::Oci);
    world.registry.publish("acme/app", "oci", &oci);
    for accept in [None, Some("*/*"), Some("*/*;q=0.5"), Some("")] {
        let mut request = request(Method::GET, "/v2/acme/app/manifests/oci");
        if let Some(accept) = accept {
            request = with(request, "accept", accept);
        }
        let reply = world.regpass.send(request).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("content-type")),
            (200, Some(media::OCI_MANIFEST)),
            "{accept:?}"
        );
        assert_eq!(sha256(&reply.body), oci.digest());
    }
    let named = with(request(Method::GET, "/v2/acme/app/manifests/oci"), "accept", media::DOCKER_MANIFEST);
    assert_eq!(
        world.regpass.send(named).await.verdict(),
        "404 MANIFEST_UNKNOWN",
        "what a client asks for by name stands"
    );
    let known = with(request(Method::GET, TAG), "if-none-match", &format!("\"{}\"", world.image.digest()));
    let reply = world.regpass.send(known).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (304, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()));
}
