//! Rules 26 to 28: pages of lists, and the names of repositories.

use http::Method;

use super::{World, as_user, asked, everyone, login, registries, token_calls};
use crate::harness::{Regpass, only, request};
use crate::sim::{Entry, Family, Fault, Image, LinkForm, Mode, Preset, Reply, Sim};

/// The target of a `Link` header, which is in the one form.
fn next(reply: &crate::harness::Reply, path: &str) -> Option<String> {
    let link = reply.header("link")?;
    let target = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")).unwrap();
    let query = target.strip_prefix(path).and_then(|rest| rest.strip_prefix('?')).expect(target);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        assert!(!value.is_empty() && (&*key, &*value) != ("n", "0"), "{target}");
    }
    Some(target.to_owned())
}

/// Every entry of the list at `path`, page by page.
async fn all_of(world: &World, path: &str, member: &str, query: &str) -> (Vec<String>, usize) {
    let (mut target, mut entries, mut pages) = (format!("{path}{query}"), Vec::new(), 0);
    loop {
        let reply = world.get(&target).await;
        assert_eq!(reply.status, 200, "{target}: {reply:?}");
        entries.extend(reply.json()[member].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap().to_owned()));
        pages += 1;
        assert!(pages < 20, "{target}: the pages have no end");
        match next(&reply, path) {
            Some(next) => target = next,
            None => return (entries, pages),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_26_links_lead_through_the_whole_list() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let name = world.can.private;
        let mut expected = vec!["1".to_owned()];
        for tag in ["a", "b-2", "c.3", "d_4", "e"] {
            world.registry.keep(name, tag, &world.image);
            expected.push(tag.to_owned());
        }
        let path = format!("/v2/{name}/tags/list");
        // Docker Hub and gcr.io were never seen to say where a list goes on: whoever asks for a part gets one.
        let has_links = world.registry.preset().lists.tags.link != LinkForm::None;
        for query in ["?n=2", ""].into_iter().filter(|query| has_links || query.is_empty()) {
            let (mut tags, pages) = all_of(&world, &path, "tags", query).await;
            tags.sort();
            assert_eq!(tags, expected, "{host}{query}");
            assert!(pages == 1 || pages == 3, "{host}{query}: {pages} pages");
            assert!(query == "?n=2" || pages == 1, "{host}");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_26_catalogs_have_links_of_the_same_form() {
    for (profile, mut preset) in registries(&["ghcr", "acr", "quay", "artifactory", "distribution"]) {
        let host = preset.host.clone();
        // As if a page had two entries: GHCR then repeats the size that nobody gave, Quay has a cursor of its own.
        if let Some(catalog) = &mut preset.lists.catalog {
            (catalog.default, catalog.most) = (Some(2), Some(1000));
        }
        let can = preset.can.clone();
        let world = World::of(profile, preset).await;
        let owner = can.private.rsplit_once('/').unwrap().0;
        for more in ["x", "y", "z"] {
            world.registry.keep(&format!("{owner}/{more}"), "1", &world.image);
        }
        let (mut names, pages) = all_of(&world, "/v2/_catalog", "repositories", "").await;
        names.sort();
        let mut expected = world.registry.store().names();
        expected.sort();
        assert_eq!((names, pages > 1), (expected, true), "{host}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_26_a_link_to_another_host_is_only_its_query() {
    for (profile, preset) in registries(&["ghcr", "acr", "quay", "artifactory", "distribution"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let path = format!("/v2/{}/tags/list", world.can.private);
        for link in ["http://evil.test/v2/x/tags/list?last=1&n=0&orderby=", "//evil.test/?last=1", "/v2/x?n=0&last=1"] {
            let fault =
                world.registry.registry().inject(Fault::with_header("link", &format!("<{link}>; rel=\"next\"")));
            let reply = world.get(&path).await;
            assert_eq!(reply.header("link"), Some(&*format!("<{path}?last=1>; rel=\"next\"")), "{host}: {link}");
            fault.lift();
        }
        let dials = world.sim.network().dials();
        assert!(dials.iter().all(|dial| !dial.contains("evil")), "{host}: {dials:?}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_27_pages_are_no_longer_than_anybody_takes() {
    for (profile, preset) in registries(&["ecr", "distribution", "quay"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        world.warm().await;
        for path in [format!("/v2/{}/tags/list", world.can.private), "/v2/_catalog".to_owned()] {
            for (n, sent) in [("2000", "n=1000"), ("1000", "n=1000"), ("7", "n=7"), ("99999999999", "n=1000")] {
                let reply = world.get(&format!("{path}?n={n}")).await;
                assert_eq!(reply.status, 200, "{host}: {reply:?}");
                let asked = world.sim.ledger().take();
                let last: Vec<&Entry> = asked.iter().filter(|entry| entry.path == path).collect();
                assert_eq!(last.last().unwrap().query, sent, "{host} {path} {n}");
            }
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_27_a_page_size_that_is_refused_is_left_out() {
    let distribution = Reply::error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested");
    for (profile, preset, refusal) in [
        ("distribution", Preset::distribution(Mode::Token), distribution),
        ("ecr", Preset::ecr(), Reply::error(405, "UNSUPPORTED", "Member must have value less than or equal to 100")),
        ("zot", Preset::zot(), Reply::new(400)),
        ("harbor", Preset::harbor(), Reply::error(400, "BAD_REQUEST", "invalid n")),
    ] {
        let world = World::of(profile, preset).await;
        world.warm().await;
        world.registry.registry().inject(Fault::answer(refusal).when(|entry| entry.query.contains("n=")));
        let target = format!("/v2/{}/tags/list", world.can.private);
        // Zot wants to know the last one.
        let rest = if profile == "zot" { "" } else { "last=0" };
        let joint = if rest.is_empty() { "" } else { "&" };
        let reply = world.get(&format!("{target}?n=500{joint}{rest}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["tags"][0]), (200, &"1".into()), "{profile}: {reply:?}");
        let queries: Vec<String> = world
            .sim
            .ledger()
            .take()
            .into_iter()
            .filter(|entry| entry.path == target)
            .map(|entry| entry.query)
            .collect();
        assert_eq!(queries, [format!("n=500{joint}{rest}"), rest.to_owned()], "{profile}");
        // Who was asked for no size refuses something else.
        let refusal = Reply::error(400, "NAME_INVALID", "invalid");
        world.registry.registry().inject(Fault::answer(refusal));
        assert_eq!(world.get(&target).await.verdict(), "400 NAME_INVALID", "{profile}");
        assert_eq!(world.steps().len(), 1, "{profile}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_28_docker_hub_by_all_its_names_with_short_names() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::docker_hub()).await;
    registry.furnish("1", &Image::single("app", Family::Oci));
    let (url, realm) = (registry.origin(), registry.token().authority());
    let text = format!("[registry.\"docker.io\"]\nurl = \"{url}\"\nrealm_hosts = [\"{realm}\"]\n");
    let regpass = Regpass::start(&sim, &text);
    for target in [
        "/v2/python/manifests/1",
        "/v2/library/python/manifests/1",
        "/v2/docker.io/python/manifests/1",
        "/v2/index.docker.io/python/manifests/1",
        "/v2/registry-1.docker.io/library/python/manifests/1",
        "/v2/python/manifests/1?ns=docker.io",
        "/v2/python/manifests/1?ns=index.docker.io",
    ] {
        assert_eq!(regpass.get(target).await.status, 200, "{target}");
        let entries = sim.ledger().take();
        let last = entries.last().unwrap();
        assert_eq!((&*last.path, &*last.query), ("/v2/library/python/manifests/1", ""), "{target}");
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_28_remotes_of_docker_hub_have_official_images_in_library() {
    let harbor = ("harbor", Preset::harbor(), "hubproxy", "hubproxy/library/python");
    let by_path = ("artifactory", Preset::artifactory_by_path(), "docker-local", "docker-local/library/python");
    let whole = ("artifactory", Preset::artifactory(), "/", "library/python");
    for (profile, preset, remote, official) in [harbor, by_path, whole] {
        let login = login(&preset);
        let world = World::with(profile, preset, &format!("{login}\nhub_remotes = [\"{remote}\"]")).await;
        world.registry.publish(official, "1", &world.image);
        let client = official.replace("library/", "");
        for name in [&*client, official] {
            for target in
                [format!("/v2/{name}/manifests/1"), format!("/v2/{name}/blobs/{}", world.image.blobs[0].digest)]
            {
                let reply = world.get(&target).await;
                assert_eq!(reply.status, 200, "{remote}: {target}: {reply:?}");
            }
            let list = world.get(&format!("/v2/{name}/tags/list?n=1")).await;
            assert_eq!(list.status, 200, "{remote}: {list:?}");
            let calls = token_calls(&world.sim);
            for scope in calls.iter().flat_map(asked) {
                assert!(scope.contains("library/python"), "{remote}: {scope}");
            }
        }
        // Whatever else is there keeps its name, in the remote and outside of it.
        let other = world.can.private;
        if other.split('/').count() > 1 && !(remote == "docker-local" && other.split('/').count() == 2) {
            assert_eq!(world.get(&world.private()).await.status, 200, "{remote}: {other}");
            let entries = world.sim.ledger().take();
            assert_eq!(entries.last().unwrap().path, format!("/v2/{other}/manifests/1"));
        }
        world.sim.finish();
    }
    // It is no guess: without the key names are what they are.
    let world = World::of("harbor", Preset::harbor()).await;
    world.registry.publish("hubproxy/library/python", "1", &world.image);
    assert_eq!(world.get("/v2/hubproxy/python/manifests/1").await.verdict(), "403 DENIED");
    assert!(world.sim.ledger().take().iter().all(|entry| !entry.path.contains("library")));
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_28_rules_for_repositories_see_the_name_at_the_remote() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::harbor()).await;
    registry.user("acme", "password");
    registry.publish("hubproxy/library/python", "1", &Image::single("app", Family::Oci));
    let more = "hub_remotes = [\"hubproxy\"]\nrepositories = [\"hubproxy/library/*\"]";
    let more = format!("profile = \"harbor\"\n{}\n{more}", as_user("acme", "password"));
    let regpass = Regpass::start(&sim, &only(&registry, &more));
    assert_eq!(regpass.get("/v2/hubproxy/python/manifests/1").await.status, 200);
    let refused = regpass.send(request(Method::GET, "/v2/hubproxy/team/app/manifests/1")).await;
    assert_eq!(refused.verdict(), "403 DENIED");
    sim.finish();
}
