//! A registry without the referrers API is answered from the referrers tag, and only from a real one.

use http::Method;

use super::{SBOM, SIGNATURE, publish_list, referrers_path, referrers_tag, start, start_with, tag_path, types};
use crate::harness::{request, with_header};
use crate::registry_setup::RegistrySetup;
use crate::sim::{AuthMode, Fault, Image, ImageFormat, Manifest, Preset, Reply, media};

#[tokio::test(start_paused = true)]
async fn list_comes_from_the_tag_with_one_request_once_the_api_is_known_to_be_missing() {
    let setup = start().await;
    // Distribution does not challenge requests for paths that it does not have.
    setup.registry.api().inject(Fault::answer(Reply::page_not_found()).path("/referrers/"));
    let list = publish_list(&setup);
    let (referrers, tag) = (referrers_path(&setup), tag_path(&setup));
    let name = setup.private_repository();
    let cold = setup.get(&referrers).await;
    assert_eq!(types(&cold), [SIGNATURE, SBOM]);
    assert_eq!(cold.body, list.top().bytes);
    assert_eq!((cold.header("docker-content-digest"), cold.header("etag")), (None, None), "{cold:?}");
    assert_eq!(cold.header("oci-filters-applied"), None);
    let host = setup.registry.authority();
    let warning = format!("299 - \"{host} has no referrers API; list from the tag {}\"", referrers_tag(&setup));
    assert_eq!(cold.header("warning"), Some(&*warning));
    setup.expect(&[
        &format!("registry GET {referrers} anonymous 404"),
        &format!("registry GET {tag} anonymous 401"),
        &format!("token GET /auth/token?service=Docker registry&scope=repository:{name}:pull basic:acme 200"),
        &format!("registry GET {tag} bearer#1 200"),
    ]);
    assert_eq!(setup.get(&referrers).await.body, list.top().bytes);
    setup.expect(&[&format!("registry GET {tag} bearer#1 200")]);
    let head = setup.send(Method::HEAD, &referrers).await;
    assert_eq!(head.header("content-length"), Some(&*list.top().bytes.len().to_string()));
    assert_eq!((head.header("content-type"), head.body.len()), (Some(media::OCI_INDEX), 0));
    setup.expect(&[&format!("registry GET {tag} bearer#1 200")]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn list_from_the_tag_is_filtered_by_artifact_type() {
    let setup = start().await;
    publish_list(&setup);
    let referrers = referrers_path(&setup);
    for (query, expected) in [
        ("artifactType=application/vnd.example.sbom%2Bjson", &[SBOM][..]),
        // Clients that do not encode the plus mean it.
        ("artifactType=application/vnd.example.sbom+json", &[SBOM]),
        ("artifactType=application%2Fvnd.example.signature", &[SIGNATURE]),
        ("artifactType=application/vnd.example.nothing", &[]),
    ] {
        let reply = setup.get(&format!("{referrers}?{query}")).await;
        assert_eq!(types(&reply), expected, "{query}");
        assert_eq!(reply.header("oci-filters-applied"), Some("artifactType"), "{query}");
    }
    let all = setup.get(&format!("{referrers}?artifactType=")).await;
    assert_eq!((types(&all).len(), all.header("oci-filters-applied")), (2, None));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn every_answer_of_a_registry_without_the_api_leads_to_the_tag() {
    for (case, answer, is_certain) in [
        ("404 text", Reply::page_not_found(), true),
        ("404 page", Reply::new(404).html("<h1>Not Found</h1>"), true),
        ("404 empty", Reply::new(404), true),
        ("404 code", Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry"), false),
        ("404 UNSUPPORTED", Reply::error(404, "UNSUPPORTED", "The operation is unsupported."), true),
        ("400 UNSUPPORTED", Reply::error(400, "UNSUPPORTED", "The operation is unsupported."), true),
        ("405", Reply::error(405, "UNSUPPORTED", "The operation is unsupported."), true),
        ("405 empty", Reply::new(405), true),
        ("406", Reply::new(406), false),
        ("501", Reply::new(501), true),
        ("303", Reply::redirect(303, "https://github.com/-/v2/packages/container/package/x"), true),
        ("302", Reply::redirect(302, "https://elsewhere.test/login"), true),
        ("200 page", Reply::new(200).html("<h1>Sign in</h1>"), true),
        ("200 JSON", Reply::new(200).json("{}"), false),
        ("429 page", Reply::new(429).html("<h1>Too many requests</h1>"), false),
    ] {
        let setup = start().await;
        setup.warm().await;
        publish_list(&setup);
        setup.registry.api().inject(Fault::answer(answer.clone()).path("/referrers/"));
        let (referrers, tag) = (referrers_path(&setup), tag_path(&setup));
        let (api_request, tag_request) = (
            format!("registry GET {referrers} bearer#1 {}", answer.status.as_u16()),
            format!("registry GET {tag} bearer#1 200"),
        );
        assert_eq!(types(&setup.get(&referrers).await), [SIGNATURE, SBOM], "{case}");
        setup.expect(&[&api_request, &tag_request]);
        assert_eq!(types(&setup.get(&referrers).await), [SIGNATURE, SBOM], "{case}");
        setup.expect(&if is_certain { vec![&*tag_request] } else { vec![&*api_request, &tag_request] });
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn other_errors_of_the_api_reach_the_client_without_a_request_for_the_tag() {
    let setup = start().await;
    setup.warm().await;
    publish_list(&setup);
    for (answer, outcome) in [
        (Reply::error(400, "DIGEST_INVALID", "invalid digest"), "400 DIGEST_INVALID"),
        (Reply::new(400).text("bad request"), "400 UNKNOWN"),
        (Reply::error(403, "DENIED", "no"), "403 DENIED"),
        (Reply::new(500).html("<h1>Oops</h1>"), "500 UNAVAILABLE"),
    ] {
        let fault = setup.registry.api().inject(Fault::answer(answer).path("/referrers/"));
        assert_eq!(setup.get(&referrers_path(&setup)).await.status_and_code(), outcome);
        assert_eq!(setup.sim.ledger().take().len(), 1, "{outcome}");
        fault.remove();
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn without_a_tag_the_registrys_404_stays() {
    let setup = start().await;
    setup.warm().await;
    let (referrers, tag) = (referrers_path(&setup), tag_path(&setup));
    let missing = setup.get(&referrers).await;
    assert_eq!(missing.status_and_code(), "404 UNSUPPORTED");
    assert!(missing.error().1.contains("no referrers API"), "{missing:?}");
    setup.expect(&[&format!("registry GET {referrers} bearer#1 404"), &format!("registry GET {tag} bearer#1 404")]);
    assert_eq!(setup.get(&referrers).await.status_and_code(), "404 UNSUPPORTED");
    setup.expect(&[&format!("registry GET {tag} bearer#1 404")]);

    // A 404 of the API itself, about a manifest that does not exist.
    let setup = start().await;
    setup.warm().await;
    let unknown = Reply::error(404, "MANIFEST_UNKNOWN", "no such manifest here");
    setup.registry.api().inject(Fault::answer(unknown).path("/referrers/"));
    let reply = setup.get(&referrers).await;
    assert_eq!(reply.status_and_code(), "404 MANIFEST_UNKNOWN");
    assert!(reply.error().1.contains("no such manifest here"), "{reply:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn only_an_index_of_other_manifests_under_the_tag_counts() {
    let app = Image::multi_arch("app", ImageFormat::Oci);
    let docker_list = Image::multi_arch("list", ImageFormat::Docker);
    let single = Image::single("other", ImageFormat::Oci);
    for (case, tagged) in [("the subject", &app), ("a list in docker's type", &docker_list), ("an image", &single)] {
        let setup = start().await;
        setup.warm().await;
        setup.registry.publish_private(setup.private_repository(), &referrers_tag(&setup), tagged);
        assert_eq!(setup.get(&referrers_path(&setup)).await.status_and_code(), "404 UNSUPPORTED", "{case}");
        setup.sim.finish();
    }
    // GitLab returns the subject for the tag.
    let setup = start_with(Preset::gitlab()).await;
    setup.warm().await;
    assert_eq!(setup.get(&tag_path(&setup)).await.status, 404);
    assert_eq!(setup.get(&referrers_path(&setup)).await.status_and_code(), "404 UNSUPPORTED");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn tag_of_a_sha512_subject_is_cut_to_64_digits() {
    let setup = start().await;
    setup.warm().await;
    let hex = "ab".repeat(64);
    let signature = Image::artifact(SIGNATURE, &Manifest::new(media::OCI_MANIFEST, "{}"));
    let list = Image::referrers(&[&signature]);
    setup.registry.publish_private(setup.private_repository(), &format!("sha512-{}", &hex[..64]), &list);
    let reply = setup.get(&setup.private_path(&format!("referrers/sha512:{hex}"))).await;
    assert_eq!(types(&reply), [SIGNATURE]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_cannot_be_read_is_an_error_and_not_an_empty_list() {
    let setup = start().await;
    setup.warm().await;
    publish_list(&setup);
    let is_tag = |entry: &crate::sim::Entry| entry.path.contains("/manifests/sha256-");
    for (fault, outcome) in [
        (Fault::html(503), "503 UNAVAILABLE"),
        (Fault::text(500, "oops"), "500 UNAVAILABLE"),
        (Fault::text(429, "slow down"), "429 TOOMANYREQUESTS"),
        (Fault::truncated(40), "502 UNAVAILABLE"),
    ] {
        let fault = setup.registry.api().inject(fault.when(is_tag));
        assert_eq!(setup.get(&referrers_path(&setup)).await.status_and_code(), outcome);
        fault.remove();
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn conditions_and_accept_of_the_client_do_not_reach_the_tag() {
    let setup = start().await;
    setup.warm().await;
    let list = publish_list(&setup);
    let conditional = with_header(request(Method::GET, &referrers_path(&setup)), "accept", media::OCI_MANIFEST);
    let conditional = with_header(conditional, "if-none-match", &format!("\"{}\"", list.digest()));
    assert_eq!(types(&setup.regpass.send(conditional).await), [SIGNATURE, SBOM]);
    let entry = setup.sim.ledger().take().pop().unwrap();
    assert_eq!(entry.headers.get("accept").unwrap(), media::OCI_INDEX);
    assert!(!entry.headers.contains_key("if-none-match"));
    setup.sim.finish();
}

/// Clients made with oras-go take a list for proof of the API, and fail at the next 404. They read the tag themselves.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_list_for_the_api_gets_the_registrys_404() {
    let setup = start().await;
    setup.warm().await;
    let list = publish_list(&setup);
    let (referrers, tag) = (referrers_path(&setup), tag_path(&setup));
    let as_oras = with_header(request(Method::GET, &referrers), "accept-encoding", "gzip");
    for _ in 0..2 {
        assert_eq!(setup.regpass.send(as_oras.clone()).await.status_and_code(), "404 UNSUPPORTED");
        setup.expect(&[&format!("registry GET {referrers} bearer#1 404")]);
    }
    assert_eq!(setup.get(&tag).await.body, list.top().bytes);
    setup.sim.ledger().take();
    // Other clients of the same library for HTTP say what they accept.
    let as_docker = with_header(as_oras, "accept", media::OCI_INDEX);
    assert_eq!(types(&setup.regpass.send(as_docker).await), [SIGNATURE, SBOM]);
    setup.expect(&[&format!("registry GET {tag} bearer#1 200")]);
    setup.sim.finish();
}

/// A repository that clients may not pull has no referrers for them either, under no tag.
#[tokio::test(start_paused = true)]
async fn repositories_that_may_not_be_pulled_are_denied_without_a_request() {
    let preset = Preset::distribution(AuthMode::Open);
    let image = Image::single("app", ImageFormat::Oci);
    let setup = RegistrySetup::start(preset, image, "repositories = [\"other/**\"]").await;
    publish_list(&setup);
    assert_eq!(setup.get(&referrers_path(&setup)).await.status_and_code(), "403 DENIED");
    setup.expect(&[]);
    setup.sim.finish();
}

/// Signatures that cosign stores under tags of its own are neither referrers nor touched.
#[tokio::test(start_paused = true)]
async fn tags_of_signatures_are_forwarded_as_they_are() {
    let setup = start().await;
    setup.warm().await;
    let signature = Image::single("signature", ImageFormat::Oci);
    let tag = format!("{}.sig", referrers_tag(&setup));
    setup.registry.publish_private(setup.private_repository(), &tag, &signature);
    let reply = setup.get(&setup.private_path(&format!("manifests/{tag}"))).await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &signature.top().bytes));
    assert_eq!(setup.get(&referrers_path(&setup)).await.status, 404);
    setup.sim.finish();
}
