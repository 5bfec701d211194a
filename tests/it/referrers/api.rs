//! A registry with the API: lists pass as they are, and are filtered where the registry does not.

use http::Method;

use super::{SBOM, SIGNATURE, artifacts, referrers_path, start_with_api, types};
use crate::registry_setup::RegistrySetup;
use crate::sim::{Fault, Reply, media};

/// A registry with the API and with two referrers of the image.
async fn start_with_referrers() -> RegistrySetup {
    let setup = start_with_api().await;
    for (artifact, tag) in artifacts(&setup).iter().zip(["signature", "sbom"]) {
        setup.registry.publish_private(setup.private_repository(), tag, artifact);
    }
    setup.warm().await;
    setup
}

/// What a registry sends that ignores the filter, with these headers in addition.
fn unfiltered(headers: &[(&str, &str)]) -> Reply {
    let entry = |kind: &str| format!(r#"{{"mediaType":"{}","artifactType":"{kind}"}}"#, media::OCI_MANIFEST);
    let list = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},{}],"annotations":{{"a":"b"}}}}"#,
        media::OCI_INDEX,
        entry(SIGNATURE),
        entry(SBOM)
    );
    headers.iter().fold(Reply::new(200).body(media::OCI_INDEX, list), |reply, (name, value)| reply.header(name, value))
}

#[tokio::test(start_paused = true)]
async fn a_list_passes_with_one_request_and_says_honestly_what_was_filtered() {
    let setup = start_with_referrers().await;
    let referrers = referrers_path(&setup);
    let all = setup.get(&referrers).await;
    assert_eq!((types(&all).len(), all.header("oci-filters-applied"), all.header("warning")), (2, None, None));
    setup.expect(&[&format!("registry GET {referrers} bearer#1 200")]);
    let filtered = setup.get(&format!("{referrers}?artifactType={SIGNATURE}")).await;
    assert_eq!(types(&filtered), [SIGNATURE]);
    assert_eq!((filtered.header("oci-filters-applied"), filtered.header("warning")), (Some("artifactType"), None));
    setup.expect(&[&format!("registry GET {referrers}?artifactType={SIGNATURE} bearer#1 200")]);
    // A plus is one at the registry, too, which would read it as a blank.
    let filtered = setup.get(&format!("{referrers}?artifactType={SBOM}")).await;
    assert_eq!(types(&filtered), [SBOM]);
    let sent = setup.sim.ledger().take();
    assert_eq!((sent.len(), &*sent[0].query), (1, "artifactType=application/vnd.example.sbom%2Bjson"));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn regpass_filters_where_the_registry_does_not() {
    let setup = start_with_referrers().await;
    let referrers = referrers_path(&setup);
    let digest = format!("sha256:{}", "a".repeat(64));
    for (case, headers, types_left, applied, warns) in [
        ("says nothing", &[][..], &[SIGNATURE][..], Some("artifactType"), true),
        ("claims it", &[("oci-filters-applied", "artifactType")], &[SIGNATURE], Some("artifactType"), true),
        ("other filter", &[("oci-filters-applied", "x, y")], &[SIGNATURE], Some("artifactType,x,y"), true),
        ("digest", &[("docker-content-digest", &*digest)], &[SIGNATURE], Some("artifactType"), true),
    ] {
        let fault = setup.registry.api().inject(Fault::answer(unfiltered(headers)).path("/referrers/"));
        let target = format!("{referrers}?artifactType={SIGNATURE}");
        let reply = setup.get(&target).await;
        assert_eq!(types(&reply), types_left, "{case}");
        assert_eq!(reply.json()["annotations"]["a"], "b", "{case}");
        assert_eq!(reply.header("oci-filters-applied"), applied, "{case}");
        assert_eq!(reply.header("docker-content-digest"), None, "{case}");
        assert_eq!(reply.header("warning").is_some_and(|text| text.starts_with("299 - \"")), warns, "{case}");
        assert_eq!(setup.sim.ledger().take().len(), 1, "{case}");
        let head = setup.send(Method::HEAD, &target).await;
        assert_eq!((head.header("oci-filters-applied"), head.header("content-length")), (applied, None), "{case}");
        assert_eq!(head.header("docker-content-digest"), None, "{case}: it is that of the whole list");
        assert_eq!(setup.sim.ledger().take().len(), 1, "{case}");
        fault.remove();
    }
    // Without a filter the digest is that of the list, for a HEAD as for a GET.
    let fault = setup
        .registry
        .api()
        .inject(Fault::answer(unfiltered(&[("docker-content-digest", &*digest)])).path("/referrers/"));
    for method in [Method::GET, Method::HEAD] {
        let reply = setup.send(method.clone(), &referrers).await;
        assert_eq!(reply.header("docker-content-digest"), Some(&*digest), "{method}");
        assert!(reply.header("content-length").is_some(), "{method}");
        assert_eq!(setup.sim.ledger().take().len(), 1, "{method}");
    }
    fault.remove();
    // No filter was asked for, so none is claimed.
    let claim = unfiltered(&[("oci-filters-applied", "artifactType,x")]);
    let fault = setup.registry.api().inject(Fault::answer(claim).path("/referrers/"));
    let reply = setup.get(&referrers).await;
    assert_eq!((types(&reply).len(), reply.header("oci-filters-applied")), (2, Some("x")));
    fault.remove();
    // A registry that filters without saying so.
    let fault = setup.registry.api().inject(Fault::without_header("oci-filters-applied").path("/referrers/"));
    let reply = setup.get(&format!("{referrers}?artifactType={SBOM}")).await;
    assert_eq!((types(&reply), reply.header("oci-filters-applied")), (vec![SBOM.to_owned()], Some("artifactType")));
    fault.remove();
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pages_keep_the_filter_and_each_page_is_filtered() {
    let setup = start_with_referrers().await;
    let referrers = referrers_path(&setup);
    let encoded = "application/vnd.example.sbom%2Bjson";
    for (link, expected) in [
        ("</v2/x/referrers/y?last=abc>; rel=\"next\"", format!("?last=abc&artifactType={encoded}")),
        (
            "<https://reg.example/v2/x?artifactType=application/vnd.example.sbom%2Bjson&next=q%3D>; rel=next",
            format!("?artifactType={encoded}&next=q%3D"),
        ),
    ] {
        let answer = unfiltered(&[("link", link)]);
        let fault = setup.registry.api().inject(Fault::answer(answer).path("/referrers/"));
        let page = setup.get(&format!("{referrers}?artifactType={SBOM}")).await;
        assert_eq!(types(&page), [SBOM]);
        let next = format!("{referrers}{expected}");
        assert_eq!(page.header("link"), Some(&*format!("<{next}>; rel=\"next\"")));
        setup.sim.ledger().take();
        assert_eq!(types(&setup.get(&next).await), [SBOM]);
        let sent = setup.sim.ledger().take();
        assert_eq!((sent.len(), format!("?{}", sent[0].query)), (1, expected));
        fault.remove();
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn list_gets_its_exact_media_type_and_every_encoding_is_decoded() {
    let setup = start_with_referrers().await;
    let referrers = referrers_path(&setup);
    let list = r#"{"schemaVersion":2,"manifests":null}"#;
    for kind in ["application/json", "application/vnd.oci.image.index.v1+json;charset=utf-8", "text/plain"] {
        let fault = setup.registry.api().inject(Fault::answer(Reply::new(200).body(kind, list)).path("/referrers/"));
        let reply = setup.get(&referrers).await;
        assert_eq!((reply.header("content-type"), &*reply.body), (Some(media::OCI_INDEX), list.as_bytes()), "{kind}");
        let filtered = setup.get(&format!("{referrers}?artifactType=x")).await;
        assert_eq!(filtered.header("oci-filters-applied"), Some("artifactType"), "{kind}");
        fault.remove();
    }
    let fault = setup.registry.api().inject(Fault::gzip().path("/referrers/"));
    assert_eq!(types(&setup.get(&referrers).await).len(), 2);
    assert_eq!(types(&setup.get(&format!("{referrers}?artifactType={SBOM}")).await), [SBOM]);
    fault.remove();
    setup.sim.finish();
}
