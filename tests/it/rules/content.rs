//! Rules 29 to 33: manifests, blobs, referrers and deletes.

use http::Method;

use super::{World, everyone, get_with, registries, step};
use crate::harness::{Reply as Answer, request};
use crate::sim::{Delivery, Family, Fault, Image, Mode, Preset, Referrers, Reply, Untyped, media};

#[tokio::test(start_paused = true)]
async fn rule_29_who_names_no_type_gets_the_native_one() {
    for (profile, preset) in everyone() {
        let (host, untyped) = (preset.host.clone(), preset.pull.untyped);
        let world = World::of(profile, preset).await;
        // Docker Hub and Quay would convert it, Distribution would not find it.
        let forced = matches!(profile, "docker-hub" | "quay" | "distribution");
        assert_eq!(untyped != Untyped::Native, forced, "{host}");
        let plain = request(Method::GET, &world.private());
        for request in [plain, get_with(&world.private(), "accept", "*/*")] {
            let reply = world.regpass.send(request).await;
            assert_eq!(reply.header("content-type"), Some(&*world.image.top().media_type), "{host}");
            assert_eq!(reply.header("docker-content-digest"), Some(world.image.digest()), "{host}");
            assert_eq!(reply.body, world.image.top().bytes, "{host}");
        }
        let last = world.sim.ledger().take().pop().unwrap();
        let accepts: Vec<&str> = last
            .headers
            .get_all("accept")
            .iter()
            .flat_map(|line| line.to_str().unwrap().split(','))
            .map(str::trim)
            .collect();
        for kind in [media::OCI_INDEX, media::OCI_MANIFEST, media::DOCKER_LIST, media::DOCKER_MANIFEST] {
            assert!(accepts.iter().any(|accept| accept.starts_with(kind)), "{host}: {accepts:?}");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_29_who_names_types_is_taken_at_their_word() {
    for (profile, preset) in registries(&["docker-hub", "quay", "distribution"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        for accept in [media::DOCKER_MANIFEST, "application/vnd.oci.image.manifest.v1+json, application/json;q=0.5"] {
            world.regpass.send(get_with(&world.private(), "accept", accept)).await;
            assert_eq!(world.sim.ledger().take().pop().unwrap().headers["accept"], accept, "{host}");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_30_a_head_of_a_blob_is_answered_from_a_get_where_it_has_to_be() {
    for (profile, preset) in registries(&["ecr-public"]) {
        for with_login in [true, false] {
            let preset = preset.clone();
            let world =
                if with_login { World::of(profile, preset).await } else { World::anonymous(profile, preset).await };
            let (name, blob) = (world.can.public, &world.image.blobs[0]);
            let target = format!("/v2/{name}/blobs/{}", blob.digest);
            let reply = world.method(Method::HEAD, &target).await;
            assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "{reply:?}");
            assert_eq!(reply.header("content-length"), Some(&*blob.len().to_string()));
            assert_eq!(reply.header("docker-content-digest"), Some(&*blob.digest));
            assert_eq!(reply.header("content-range"), None);
            let entries = world.sim.ledger().take();
            assert!(entries.iter().all(|entry| entry.method == Method::GET), "{entries:?}");
            let at_store = entries.iter().find(|entry| entry.server == "blobs").unwrap();
            assert_eq!(at_store.headers["range"], "bytes=0-0");
            // Pushers probe for what is not there yet.
            let missing = format!("/v2/{name}/blobs/sha256:{}", "0".repeat(64));
            assert_eq!(world.method(Method::HEAD, &missing).await.status, 404);
            assert_eq!(world.method(Method::HEAD, &super::manifest(name)).await.status, 200);
            assert_eq!(step(world.sim.ledger().take().last().unwrap()), "HEAD bearer#1 200", "manifests have a HEAD");
            world.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_31_a_store_that_knows_no_ranges_sends_the_whole() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let Delivery::Redirect { hops, .. } = &preset.pull.blobs else { continue };
        let elsewhere = hops[0].to == crate::sim::Place::Blobs;
        let world = World::of(profile, preset).await;
        let bytes = world.image.blobs[0].slice().to_bytes();
        let part = world.regpass.send(get_with(&world.layer(), "range", "bytes=1-3")).await;
        assert_eq!((part.status.as_u16(), &part.body), (206, &bytes.slice(1..4)), "{host}");
        // Of several parts none is asked for: stores answer them in forms of their own.
        let several = world.regpass.send(get_with(&world.layer(), "range", "bytes=0-0,2-3")).await;
        assert_eq!((several.status.as_u16(), &several.body), (200, &bytes), "{host}");
        let whole = Reply::new(200).body("application/octet-stream", bytes.clone());
        let store = if elsewhere { world.registry.blobs() } else { world.registry.registry() };
        store.inject(
            Fault::answer(whole).when(|entry| entry.path.contains("signed") || entry.path.contains("downloads")),
        );
        let reply = world.regpass.send(get_with(&world.layer(), "range", "bytes=1-3")).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &bytes), "{host}");
        assert_eq!(reply.header("content-range"), None, "{host}");
        let head = world.method(Method::HEAD, &world.layer()).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{host}");
        world.sim.finish();
    }
}

fn referrers(world: &World) -> String {
    format!("/v2/{}/referrers/{}", world.can.private, world.image.digest())
}

/// What makes clients read the tag that stands for the referrers.
fn assert_unsupported(reply: &Answer, what: &str) {
    assert_eq!(reply.verdict(), "404 UNSUPPORTED", "{what}: {reply:?}");
    assert_eq!(reply.header("location"), None, "{what}");
}

#[tokio::test(start_paused = true)]
async fn rule_32_referrers_that_are_lacking_are_a_404() {
    for (profile, preset) in everyone() {
        let (host, form) = (preset.host.clone(), preset.lists.referrers);
        let world = World::of(profile, preset).await;
        let reply = world.get(&referrers(&world)).await;
        match form {
            Referrers::Index => {
                assert_eq!(
                    (reply.status.as_u16(), reply.header("content-type")),
                    (200, Some(media::OCI_INDEX)),
                    "{host}"
                );
            }
            // It leads to a registry that has them.
            Referrers::Missing if profile == "kubernetes" => {
                assert_eq!(reply.status, 200, "{reply:?}");
                assert_eq!(world.steps(), ["GET anonymous 307", "region GET anonymous 200"]);
            }
            Referrers::Missing | Referrers::GitHubPage => assert_unsupported(&reply, &host),
        }
        let dials = world.sim.network().dials();
        assert!(dials.iter().all(|dial| !dial.contains("github.com")), "{host}: {dials:?}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_32_every_form_of_having_none() {
    for (profile, preset) in registries(&["ghcr", "gitlab", "distribution"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        world.warm().await;
        for (form, fault) in [
            ("404", Fault::text(404, "404 page not found\n")),
            ("303", Fault::redirect(303, "https://github.com/-/v2/packages/container/package/x")),
            ("302", Fault::redirect(302, "https://elsewhere.test/login")),
            ("405", Fault::answer(Reply::error(405, "UNSUPPORTED", "The operation is unsupported."))),
            ("429", Fault::html(429)),
            ("page", Fault::html(200)),
        ] {
            let fault = world.registry.registry().inject(fault.path("/referrers/"));
            assert_unsupported(&world.get(&referrers(&world)).await, &format!("{host}: {form}"));
            assert_eq!(world.steps().len(), 1, "{host}: {form}");
            fault.lift();
        }
        // An outage is none of them: to call it "no referrers" would hide signatures.
        let fault = world.registry.registry().inject(Fault::html(500).path("/referrers/"));
        assert_eq!(world.get(&referrers(&world)).await.verdict(), "500 UNAVAILABLE", "{host}");
        fault.lift();
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_32_a_fallback_that_is_the_subject_itself_is_none() {
    for (profile, preset) in everyone() {
        let (host, false_tags) = (preset.host.clone(), preset.pull.digest_tags);
        assert_eq!(false_tags, profile == "gitlab", "{host}");
        let world = World::of(profile, preset).await;
        let name = world.can.private;
        let tag = world.image.digest().replace(':', "-");
        let target = format!("/v2/{name}/manifests/{tag}");
        for method in [Method::GET, Method::HEAD] {
            let reply = world.method(method, &target).await;
            // As Artifactory refuses what is not there.
            let expected = if profile == "artifactory" { 403 } else { 404 };
            assert_eq!(reply.status, expected, "{host}: {reply:?}");
        }
        // A true fallback is an index of something else.
        let index = Image::multi_arch("signatures", Family::Oci);
        world.registry.keep(name, &tag, &index);
        if !false_tags {
            let reply = world.get(&target).await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("docker-content-digest")),
                (200, Some(index.digest())),
                "{host}"
            );
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_33_tags_are_deleted_everywhere_where_anything_is() {
    for (profile, preset) in everyone() {
        let (host, can) = (preset.host.clone(), preset.can.clone());
        let world = World::of(profile, preset).await;
        let target = world.private();
        let reply = world.method(Method::DELETE, &target).await;
        let entries = world.sim.ledger().take();
        if can.delete_tags || can.delete_manifests {
            assert_eq!(reply.status, 202, "{host}: {reply:?}");
            assert_eq!(world.get(&target).await.status, if profile == "artifactory" { 403 } else { 404 }, "{host}");
            let digests = entries.iter().filter(|entry| entry.path.ends_with(world.image.digest())).count();
            assert_eq!(digests, usize::from(!can.delete_tags), "{host}: looked up where it has to be: {entries:?}");
        } else {
            assert_eq!(reply.verdict(), "405 UNSUPPORTED", "{host}");
            assert_eq!(world.get(&target).await.status, 200, "{host}: it is still there");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_33_what_cannot_be_deleted_is_a_405_in_the_one_form() {
    // GHCR is known not to: it is not asked. Distribution's settings are not known: it is.
    let off = Preset::distribution(Mode::Token).without_delete();
    for (profile, preset, asks) in [("ghcr", Preset::ghcr(), false), ("distribution", off, true)] {
        let world = World::of(profile, preset).await;
        let name = world.can.private;
        let by_digest = format!("/v2/{name}/manifests/{}", world.image.digest());
        for target in [world.private(), by_digest, world.layer()] {
            let reply = world.method(Method::DELETE, &target).await;
            assert_eq!(reply.verdict(), "405 UNSUPPORTED", "{profile}: {target}");
            assert!(reply.header("www-authenticate").is_none());
        }
        assert_eq!(world.steps().iter().any(|step| step.starts_with("DELETE")), asks, "{profile}");
        world.sim.finish();
    }
}
