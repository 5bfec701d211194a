//! Lists of repositories, tags and referrers, and the links between their pages.

use http::{Method, StatusCode};

use super::{Setup, TAG, TAGS};
use crate::harness::{Reply, request};
use crate::sim::{self, Fault, Image, LinkForm, Referrers, media};

#[tokio::test(start_paused = true)]
async fn catalog_lists_only_repositories_that_may_be_pulled() {
    let setup = Setup::start("repositories = { pull = [\"acme/**\"], push = [\"other/**\"] }").await;
    for name in ["acme/app/deep", "acmeevil/app", "other/app", "zebra"] {
        setup.registry.publish(name, "1", &setup.image);
    }
    let names = |reply: &Reply| {
        reply.json()["repositories"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let reply = setup.regpass.get("/v2/_catalog").await;
    assert_eq!(names(&reply), ["acme/app", "acme/app/deep"]);
    assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()));
    // A page may be empty and still have a successor.
    let reply = setup.regpass.get("/v2/_catalog?n=1&last=acme/app/deep").await;
    assert_eq!(names(&reply), Vec::<String>::new());
    assert_eq!(reply.header("link"), Some("</v2/_catalog?last=acmeevil%2Fapp&n=1>; rel=\"next\""));
    assert_eq!(names(&setup.get_with_fault(Fault::gzip(), "/v2/_catalog").await), ["acme/app", "acme/app/deep"]);
    let odd = sim::Reply::new(200)
        .json(r#"{"repositories":["acme/app",7,"secret/x","ACME/x","acme/../x"],"child":"secret/x"}"#);
    let reply = setup.get_with_fault(Fault::answer(odd), "/v2/_catalog").await;
    assert!(!String::from_utf8_lossy(&reply.body).contains("secret"), "{reply:?}");
    let none = sim::Reply::new(200).json(r#"{"repositories":null}"#);
    assert_eq!(names(&setup.get_with_fault(Fault::answer(none), "/v2/_catalog").await), Vec::<String>::new());
    for garbage in ["not json", r#"{"repositories":{"secret/x":1}}"#, r#"["secret/x"]"#, "{}", ""] {
        let reply = setup.get_with_fault(Fault::answer(sim::Reply::new(200).json(garbage)), "/v2/_catalog").await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{garbage}: an empty list would be wrong");
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret"));
    }
}

#[tokio::test(start_paused = true)]
async fn every_form_of_link_is_rewritten_to_one() {
    let setup = Setup::start("alias = \"reg\"").await;
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
            let reply = setup.get_with_fault(fault, &format!("{prefix}?n=1")).await;
            let expected = query.map(|query| format!("<{prefix}?{query}>; rel=\"next\""));
            assert_eq!(reply.header("link"), expected.as_deref(), "{link}");
        }
    }
    // Without a page size in the request there is none in the link.
    setup.registry.change_preset(|preset| {
        preset.lists.tags.link = LinkForm::RequestedN;
        preset.lists.tags.default_n = Some(1);
    });
    assert_eq!(setup.regpass.get(TAGS).await.header("link"), Some("</v2/acme/app/tags/list?last=1>; rel=\"next\""));
    // A link on anything but a list is dropped.
    let reply = setup.get_with_fault(Fault::with_header("link", "</x?a=b>; rel=\"next\""), TAG).await;
    assert_eq!(reply.header("link"), None);
}

#[tokio::test(start_paused = true)]
async fn following_the_links_lists_every_tag_once() {
    let setup = Setup::start("").await;
    let (mut next, mut tags) = (Some(format!("{TAGS}?n=2")), Vec::new());
    while let Some(target) = next {
        let reply = setup.regpass.get(&target).await;
        tags.extend(reply.json()["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()));
        next = reply.header("link").map(|link| link[1..link.find('>').unwrap()].to_owned());
    }
    assert_eq!(tags, ["1", "2", "3"]);
    assert_eq!(setup.sim.ledger().take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn page_size_is_limited_and_an_invalid_one_is_rejected() {
    let setup = Setup::start("").await;
    // Before the first catalog request regpass identifies the registry with a GET of `/v2/`.
    setup.regpass.get("/v2/_catalog").await;
    setup.sim.ledger().expect(&["registry GET /v2/ anonymous 200", "registry GET /v2/_catalog anonymous 200"]);
    for (n, forwarded) in [("0", "0"), ("1", "1"), ("1000", "1000"), ("1001", "1000"), ("99999999999", "1000")] {
        let reply = setup.regpass.get(&format!("/v2/_catalog?n={n}")).await;
        assert_eq!(reply.status, 200, "{n}");
        setup.sim.ledger().expect(&[&format!("registry GET /v2/_catalog?n={forwarded} anonymous 200")]);
    }
    for n in ["-1", "x", "", "1.5", "+1", "%31%20", "99999999999999999999999", "1;drop"] {
        for target in [format!("{TAGS}?n={n}"), format!("/v2/_catalog?n={n}")] {
            assert_eq!(setup.regpass.get(&target).await.status_and_code(), "400 PAGINATION_NUMBER_INVALID", "{target}");
        }
    }
    setup.sim.ledger().expect(&[]);
    // The limit cannot be evaded with a second `n`.
    setup.regpass.get("/v2/_catalog?n=5&n=5000").await;
    assert!(setup.sim.ledger().take().iter().all(|entry| !entry.query.contains("5000")));
}

#[tokio::test(start_paused = true)]
async fn referrers_are_forwarded_and_a_missing_api_is_404_unsupported() {
    let setup = Setup::start("").await;
    setup.registry.change_preset(|preset| preset.lists.referrers = Referrers::Index);
    let signature = Image::artifact("application/vnd.example.signature", setup.image.top());
    setup.registry.publish("acme/app", "sig", &signature);
    let target = format!("/v2/acme/app/referrers/{}", setup.image.digest());
    let reply = setup.regpass.get(&format!("{target}?artifactType=application/vnd.example.signature")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(media::OCI_INDEX)));
    assert_eq!(reply.header("oci-filters-applied"), Some("artifactType"));
    assert_eq!(reply.json()["manifests"][0]["digest"], signature.digest());
    for (fault, case) in [
        (Fault::text(429, "Too many"), "429 TOOMANYREQUESTS"),
        (
            Fault::answer(sim::Reply::error(429, "TOOMANYREQUESTS", "slow").header("retry-after", "3")),
            "429 TOOMANYREQUESTS",
        ),
        (Fault::html(503), "503 UNAVAILABLE"),
        (Fault::html(403), "403 DENIED"),
    ] {
        assert_eq!(setup.get_with_fault(fault, &target).await.status_and_code(), case);
    }
    assert_eq!(setup.regpass.send(request(Method::POST, &target)).await.status, 405);
    for (fault, case) in [
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
        let setup = Setup::start("").await;
        let reply = setup.get_with_fault(fault.path("/referrers/"), &target).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{case}");
        assert_eq!((reply.error().0.as_str(), reply.header("location")), ("UNSUPPORTED", None), "{case}");
        assert_eq!(setup.sim.ledger().take().len(), 2, "{case}: the API, then the referrers tag");
    }
}
