//! Catalogs, tags and referrers, page by page.

use http::{Method, StatusCode};

use super::{TAG, TAGS, World};
use crate::harness::{Reply, request};
use crate::sim::{self, Fault, Image, LinkForm, Referrers, media};

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
    // Of which kind the registry is, on which its catalog depends, is asked once.
    world.regpass.get("/v2/_catalog").await;
    world.sim.ledger().expect(&["registry GET /v2/ anonymous 200", "registry GET /v2/_catalog anonymous 200"]);
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
        (Fault::text(501, ""), "not implemented"),
    ] {
        world.sim.ledger().take();
        let reply = world.under(fault, &target).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{what}");
        assert_eq!((reply.error().0.as_str(), reply.header("location")), ("UNSUPPORTED", None), "{what}");
        assert_eq!(world.sim.ledger().take().len(), 1, "{what}");
    }
    assert_eq!(world.under(Fault::text(429, "Too many"), &target).await.verdict(), "429 TOOMANYREQUESTS");
    let busy = sim::Reply::error(429, "TOOMANYREQUESTS", "slow").header("retry-after", "3");
    assert_eq!(world.under(Fault::answer(busy), &target).await.verdict(), "429 TOOMANYREQUESTS");
    assert_eq!(world.under(Fault::html(503), &target).await.verdict(), "503 UNAVAILABLE");
    assert_eq!(world.under(Fault::html(403), &target).await.verdict(), "403 DENIED");
    assert_eq!(world.regpass.send(request(Method::POST, &target)).await.status, 405);
}
