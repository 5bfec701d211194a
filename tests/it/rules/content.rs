//! Manifests, blobs, referrers and deletes.
//!
//! - Rule 29: without `Accept`, or with `*/*`, request all manifest types; Docker Hub and Quay convert to schema 1
//!   otherwise, and Distribution 3 answers 404. Forward any other `Accept` unchanged.
//! - Rule 30: where HEAD of a blob does not work (ECR Public), answer it from a GET of one byte.
//! - Rule 31: a 200 is a valid answer to `Range`. Several ranges pass as they are; many blob stores ignore them.
//! - Rule 32: referrers that are not supported (404, 405, 429, a redirect, a page) come from the referrers tag; without
//!   one they are a 404. A manifest under that tag counts only if it is not the subject itself (GitLab).
//! - Rule 33: to delete a tag where the registry deletes digests only (Harbor), look its digest up. What cannot be
//!   deleted is a 405 `UNSUPPORTED` (GHCR).

use http::Method;
use regpass::profile::{self, Delete};

use super::{all_registries, describe_step, for_each, get_with_header, registries_of};
use crate::harness::{Reply as Answer, request};
use crate::registry_setup::{RegistrySetup, manifest_path};
use crate::sim::{AcceptMismatch, AuthMode, Delivery, Fault, Image, ImageFormat, Preset, Referrers, Reply, media};

#[tokio::test(start_paused = true)]
async fn rule_29_without_a_type_in_accept_a_manifest_comes_in_its_native_type() {
    for (profile, preset) in all_registries() {
        let (host, mismatch) = (preset.host.clone(), preset.pull.accept_mismatch);
        let setup = RegistrySetup::with_profile(profile, preset).await;
        // Docker Hub and Quay convert the manifest if the types are missing, Distribution answers 404.
        let needs_types = matches!(profile, "docker-hub" | "quay" | "distribution");
        assert_eq!(mismatch != AcceptMismatch::ServeStored, needs_types, "{host}");
        let without_accept = request(Method::GET, &setup.private_manifest());
        for request in [without_accept, get_with_header(&setup.private_manifest(), "accept", "*/*")] {
            let reply = setup.regpass.send(request).await;
            assert_eq!(reply.header("content-type"), Some(&*setup.image.top().media_type), "{host}");
            assert_eq!(reply.header("docker-content-digest"), Some(setup.image.digest()), "{host}");
            assert_eq!(reply.body, setup.image.top().bytes, "{host}");
        }
        let last = setup.sim.ledger().take().pop().unwrap();
        let accepts: Vec<&str> = last
            .headers
            .get_all("accept")
            .iter()
            .flat_map(|line| line.to_str().unwrap().split(','))
            .map(str::trim)
            .collect();
        for media_type in [media::OCI_INDEX, media::OCI_MANIFEST, media::DOCKER_LIST, media::DOCKER_MANIFEST] {
            assert!(accepts.iter().any(|accept| accept.starts_with(media_type)), "{host}: {accepts:?}");
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_29_an_accept_that_names_types_is_forwarded_unchanged() {
    for_each(registries_of(&["docker-hub", "quay", "distribution"]), async |host, setup| {
        for accept in [media::DOCKER_MANIFEST, "application/vnd.oci.image.manifest.v1+json, application/json;q=0.5"] {
            setup.regpass.send(get_with_header(&setup.private_manifest(), "accept", accept)).await;
            assert_eq!(setup.sim.ledger().take().pop().unwrap().headers["accept"], accept, "{host}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_30_head_of_a_blob_is_answered_from_a_get_at_ecr_public() {
    for (profile, preset) in registries_of(&["ecr-public"]) {
        let setups = RegistrySetup::with_and_without_credential(profile, &preset).await;
        assert_eq!(setups.len(), 2, "ECR Public allows anonymous pulls");
        for (_, setup) in setups {
            let (name, blob) = (setup.public_repository(), &setup.image.blobs[0]);
            let target = format!("/v2/{name}/blobs/{}", blob.digest);
            let reply = setup.send(Method::HEAD, &target).await;
            assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "{reply:?}");
            assert_eq!(reply.header("content-length"), Some(&*blob.len().to_string()));
            assert_eq!(reply.header("docker-content-digest"), Some(&*blob.digest));
            assert_eq!(reply.header("content-range"), None);
            let entries = setup.sim.ledger().take();
            assert!(entries.iter().all(|entry| entry.method == Method::GET), "{entries:?}");
            let at_store = entries.iter().find(|entry| entry.server == "blobs").unwrap();
            assert_eq!(at_store.headers["range"], "bytes=0-0");
            // Clients that push use HEAD to find missing blobs.
            let missing = format!("/v2/{name}/blobs/sha256:{}", "0".repeat(64));
            assert_eq!(setup.send(Method::HEAD, &missing).await.status, 404);
            assert_eq!(setup.send(Method::HEAD, &manifest_path(name)).await.status, 200);
            assert_eq!(
                describe_step(setup.sim.ledger().take().last().unwrap()),
                "HEAD bearer#1 200",
                "HEAD of a manifest is forwarded"
            );
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_31_a_range_that_the_blob_store_ignores_is_a_200_with_the_whole_blob() {
    for (profile, preset) in all_registries() {
        let host = preset.host.clone();
        let Delivery::Redirect { hops, .. } = &preset.pull.blobs else { continue };
        let is_at_blob_store = hops[0].to == crate::sim::HopTarget::BlobStore;
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let bytes = setup.image.blobs[0].slice().to_bytes();
        let part = setup.regpass.send(get_with_header(&setup.private_layer(), "range", "bytes=1-3")).await;
        assert_eq!((part.status.as_u16(), &part.body), (206, &bytes.slice(1..4)), "{host}");
        // These blob stores send the whole blob for several ranges.
        let several = setup.regpass.send(get_with_header(&setup.private_layer(), "range", "bytes=0-0,2-3")).await;
        assert_eq!((several.status.as_u16(), &several.body), (200, &bytes), "{host}");
        let whole = Reply::new(200).body("application/octet-stream", bytes.clone());
        let store = if is_at_blob_store { setup.registry.blob_store() } else { setup.registry.api() };
        store.inject(
            Fault::answer(whole).when(|entry| entry.path.contains("signed") || entry.path.contains("downloads")),
        );
        let reply = setup.regpass.send(get_with_header(&setup.private_layer(), "range", "bytes=1-3")).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &bytes), "{host}");
        assert_eq!(reply.header("content-range"), None, "{host}");
        let head = setup.send(Method::HEAD, &setup.private_layer()).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{host}");
        setup.sim.finish();
    }
}

fn referrers_path(setup: &RegistrySetup) -> String {
    setup.private_path(&format!("referrers/{}", setup.image.digest()))
}

/// Asserts the 404 after which clients fall back to the referrers tag.
fn assert_unsupported(reply: &Answer, case: &str) {
    assert_eq!(reply.status_and_code(), "404 UNSUPPORTED", "{case}: {reply:?}");
    assert_eq!(reply.header("location"), None, "{case}");
}

#[tokio::test(start_paused = true)]
async fn rule_32_missing_referrers_are_a_404_and_existing_ones_are_forwarded() {
    for (profile, preset) in all_registries() {
        let (host, form) = (preset.host.clone(), preset.lists.referrers);
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let reply = setup.get(&referrers_path(&setup)).await;
        match form {
            Referrers::Index => {
                assert_eq!(
                    (reply.status.as_u16(), reply.header("content-type")),
                    (200, Some(media::OCI_INDEX)),
                    "{host}"
                );
            }
            // registry.k8s.io redirects to a registry that supports referrers.
            Referrers::Missing if profile == "kubernetes" => {
                assert_eq!(reply.status, 200, "{reply:?}");
                assert_eq!(setup.steps(), ["GET anonymous 307", "region GET anonymous 200"]);
            }
            Referrers::Missing | Referrers::GitHubPage => assert_unsupported(&reply, &host),
        }
        let dials = setup.sim.network().dials();
        assert!(dials.iter().all(|dial| !dial.contains("github.com")), "{host}: {dials:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_32_every_form_of_unsupported_referrers_is_a_404_but_an_outage_is_not() {
    let registries = || registries_of(&["ghcr", "gitlab", "distribution"]);
    for (form, answer) in [
        ("404", Reply::page_not_found()),
        ("303", Reply::redirect(303, "https://github.com/-/v2/packages/container/package/x")),
        ("302", Reply::redirect(302, "https://elsewhere.test/login")),
        ("405", Reply::error(405, "UNSUPPORTED", "The operation is unsupported.")),
        ("429", Reply::new(429).html("<h1>Too many requests</h1>")),
        ("page", Reply::new(200).html("<h1>Sign in</h1>")),
    ] {
        for_each(registries(), async |host, setup| {
            setup.warm().await;
            setup.registry.api().inject(Fault::answer(answer.clone()).path("/referrers/"));
            assert_unsupported(&setup.get(&referrers_path(setup)).await, &format!("{host}: {form}"));
            assert_eq!(setup.steps().len(), 2, "{host}: {form}: the API, then the tag");
        })
        .await;
    }
    for_each(registries(), async |host, setup| {
        setup.warm().await;
        // An outage is reported as one: "no referrers" would hide signatures.
        let fault = setup.registry.api().inject(Fault::html(500).path("/referrers/"));
        assert_eq!(setup.get(&referrers_path(setup)).await.status_and_code(), "500 UNAVAILABLE", "{host}");
        fault.remove();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_32_a_referrers_tag_that_is_the_subject_itself_is_a_404() {
    for (profile, preset) in all_registries() {
        let (host, false_tags) = (preset.host.clone(), preset.pull.digest_tags);
        assert_eq!(false_tags, profile == "gitlab", "{host}");
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let name = setup.private_repository();
        let tag = setup.image.digest().replace(':', "-");
        let target = format!("/v2/{name}/manifests/{tag}");
        for method in [Method::GET, Method::HEAD] {
            let reply = setup.send(method, &target).await;
            // Artifactory answers 403 for what does not exist.
            let expected = if profile == "artifactory" { 403 } else { 404 };
            assert_eq!(reply.status, expected, "{host}: {reply:?}");
        }
        // A real referrers tag is an index of other manifests.
        let index = Image::multi_arch("signatures", ImageFormat::Oci);
        setup.registry.publish_private(name, &tag, &index);
        if !false_tags {
            let reply = setup.get(&target).await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("docker-content-digest")),
                (200, Some(index.digest())),
                "{host}"
            );
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_33_a_tag_is_deleted_at_every_registry_that_deletes_manifests() {
    for (profile, preset) in all_registries() {
        let (host, capabilities) = (preset.host.clone(), preset.capabilities.clone());
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let target = setup.private_manifest();
        let reply = setup.send(Method::DELETE, &target).await;
        let entries = setup.sim.ledger().take();
        let looks_up_digest = matches!(profile::by_name(profile).unwrap().delete, Delete::ByDigest(_));
        if capabilities.delete_tags || looks_up_digest {
            assert_eq!(reply.status, 202, "{host}: {reply:?}");
            assert_eq!(setup.get(&target).await.status, if profile == "artifactory" { 403 } else { 404 }, "{host}");
            let digests = entries.iter().filter(|entry| entry.path.ends_with(setup.image.digest())).count();
            assert_eq!(
                digests,
                usize::from(looks_up_digest),
                "{host}: the tag is looked up only if necessary: {entries:?}"
            );
        } else {
            assert_eq!(reply.status_and_code(), "405 UNSUPPORTED", "{host}");
            assert_eq!(setup.get(&target).await.status, 200, "{host}: the tag still exists");
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_33_what_cannot_be_deleted_is_a_405_in_regpasss_form() {
    // GHCR never deletes, so it gets no request. Distribution deletes if its configuration says so, so it gets one.
    let off = Preset::distribution(AuthMode::Token).without_delete();
    for (profile, preset, is_forwarded) in [("ghcr", Preset::ghcr(), false), ("distribution", off, true)] {
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let name = setup.private_repository();
        let by_digest = format!("/v2/{name}/manifests/{}", setup.image.digest());
        for target in [setup.private_manifest(), by_digest, setup.private_layer()] {
            let reply = setup.send(Method::DELETE, &target).await;
            assert_eq!(reply.status_and_code(), "405 UNSUPPORTED", "{profile}: {target}");
            assert!(reply.header("www-authenticate").is_none());
        }
        assert_eq!(setup.steps().iter().any(|step| step.starts_with("DELETE")), is_forwarded, "{profile}");
        setup.sim.finish();
    }
}
