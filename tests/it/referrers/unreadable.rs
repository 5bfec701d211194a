//! A list of referrers that cannot be read is an error, of the API and of the tag. "No referrers" would hide signatures.

use http::Method;

use super::{SIGNATURE, publish_list, referrers_path, start, start_with_api, tag_path, types};
use crate::sim::{Fault, Reply, media};

const FILTER: &str = "?artifactType=application/vnd.example.signature";
/// What is left of an index after a broken write.
const TRUNCATED: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manif"#;
const PAGE: &str = "<html><h1>Sign in</h1></html>";

#[tokio::test(start_paused = true)]
async fn only_a_404_of_the_tag_means_that_there_is_none() {
    let setup = start().await;
    setup.warm().await;
    publish_list(&setup);
    let (referrers, tag) = (referrers_path(&setup), tag_path(&setup));
    setup.get(&referrers).await;
    setup.sim.ledger().take();
    let index = |body: &str| Reply::new(200).body(media::OCI_INDEX, body.to_owned());
    let untyped = |body: &str| index(body).without_header("content-type");
    let cannot_read = "the list of referrers cannot be read";
    for (case, answer, outcome, message) in [
        ("404", Reply::error(404, "MANIFEST_UNKNOWN", "unknown"), "404 UNSUPPORTED", "no referrers tag"),
        ("400", Reply::error(400, "TAG_INVALID", "bad tag"), "400 TAG_INVALID", "bad tag"),
        ("410", Reply::new(410), "410 UNKNOWN", "410"),
        ("204", Reply::new(204), "502 UNAVAILABLE", "204"),
        ("truncated", index(TRUNCATED), "502 UNAVAILABLE", cannot_read),
        ("empty", index(""), "502 UNAVAILABLE", cannot_read),
        ("page as index", index(PAGE), "502 UNAVAILABLE", cannot_read),
        ("no list", index("{}"), "502 UNAVAILABLE", cannot_read),
        ("truncated, no type", untyped(TRUNCATED), "502 UNAVAILABLE", cannot_read),
        ("page", Reply::new(200).html(PAGE), "502 UNAVAILABLE", "web page"),
    ] {
        let status = answer.status.as_u16();
        let fault = setup.registry.api().inject(Fault::answer(answer).path("/manifests/sha256-"));
        for query in ["", FILTER] {
            let reply = setup.get(&format!("{referrers}{query}")).await;
            assert_eq!(reply.status_and_code(), outcome, "{case}: {reply:?}");
            assert!(reply.error().1.contains(message), "{case}: {reply:?}");
            setup.expect(&[&format!("registry GET {tag} bearer#1 {status}")]);
        }
        fault.remove();
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_index_under_the_tag_needs_no_content_type() {
    let setup = start().await;
    setup.warm().await;
    publish_list(&setup);
    let fault = setup.registry.api().inject(Fault::without_header("content-type").path("/manifests/sha256-"));
    assert_eq!(types(&setup.get(&referrers_path(&setup)).await).len(), 2);
    assert_eq!(types(&setup.get(&format!("{}{FILTER}", referrers_path(&setup))).await), [SIGNATURE]);
    fault.remove();
    // The image itself, or another image, is still no list.
    let image = Reply::new(200).json(r#"{"schemaVersion":2,"layers":[]}"#).without_header("content-type");
    setup.registry.api().inject(Fault::answer(image).path("/manifests/sha256-"));
    assert_eq!(setup.get(&referrers_path(&setup)).await.status_and_code(), "404 UNSUPPORTED");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_list_of_the_api_that_cannot_be_read_is_a_502_without_a_request_for_the_tag() {
    let setup = start_with_api().await;
    setup.warm().await;
    publish_list(&setup);
    let referrers = referrers_path(&setup);
    let index = |body: &str| Reply::new(200).body(media::OCI_INDEX, body.to_owned());
    for (case, answer) in [
        ("truncated", index(TRUNCATED)),
        ("truncated, in chunks", index(TRUNCATED).chunked()),
        ("empty", index("")),
        ("page", index(PAGE)),
        ("no list", index("{}")),
        // The registry has shown its API, so this is no other registry's answer.
        ("text", Reply::new(200).text("ok")),
    ] {
        let fault = setup.registry.api().inject(Fault::answer(answer).path("/referrers/"));
        for query in ["", FILTER] {
            let reply = setup.get(&format!("{referrers}{query}")).await;
            assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{case}: {reply:?}");
            assert!(reply.error().1.contains("the list of referrers cannot be read"), "{case}: {reply:?}");
            setup.expect(&[&format!("registry GET {referrers}{query} bearer#1 200")]);
        }
        fault.remove();
    }
    setup.sim.finish();
}

/// The limit of a web page says nothing about this list where the API exists.
#[tokio::test(start_paused = true)]
async fn a_limit_of_a_registry_that_showed_its_api_stays_a_429() {
    let setup = start_with_api().await;
    setup.warm().await;
    let referrers = referrers_path(&setup);
    assert!(types(&setup.get(&referrers).await).is_empty());
    setup.sim.ledger().take();
    setup.registry.api().inject(Fault::html(429).path("/referrers/"));
    assert_eq!(setup.get(&referrers).await.status_and_code(), "429 TOOMANYREQUESTS");
    setup.expect(&[&format!("registry GET {referrers} bearer#1 429")]);
    setup.sim.finish();
}

/// Above what regpass reads whole, a list passes as it comes.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_too_large_to_read_passes() {
    let setup = start_with_api().await;
    setup.warm().await;
    let list = format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"a":"{}"}}}}"#, "b".repeat(33 << 20));
    let answer = Reply::new(200).body(media::OCI_INDEX, list.clone());
    setup.registry.api().inject(Fault::answer(answer).path("/referrers/"));
    let reply = setup.send(Method::GET, &referrers_path(&setup)).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, list.len()));
    assert_eq!(setup.sim.ledger().take().len(), 1);
    setup.sim.finish();
}
