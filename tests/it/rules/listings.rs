//! Pages of lists, and the names of repositories.
//!
//! - Rule 26: a `Link` is relative, below the requested path, without `n=0` and empty parameters; unknown cursors pass
//!   unchanged. A link to another host is never followed.
//! - Rule 27: limit `n` to 1000. If the registry rejects a page size, repeat the request without it.
//! - Rule 28: Docker Hub's names of one component are below `library/`, also behind remote repositories of Harbor and
//!   Artifactory. All of its host names mean the same registry. `ns` is not forwarded.

use http::Method;

use super::{all_registries, for_each, registries_of, scopes_of, token_calls};
use crate::harness::{Regpass, request, single_registry_config};
use crate::registry_setup::{RegistrySetup, password_credential, preset_credential};
use crate::sim::{AuthMode, Entry, Fault, Image, ImageFormat, LinkForm, Preset, Reply, Sim};

/// The target of the `Link` header, which has to be in regpass's form; `None` without the header.
fn next_target(reply: &crate::harness::Reply, path: &str) -> Option<String> {
    let link = reply.header("link")?;
    let target = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")).unwrap();
    let query = target.strip_prefix(path).and_then(|rest| rest.strip_prefix('?')).expect(target);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        assert!(!value.is_empty() && (&*key, &*value) != ("n", "0"), "{target}");
    }
    Some(target.to_owned())
}

/// Reads the list at `path` page by page. Returns its entries and the number of pages.
async fn read_list(setup: &RegistrySetup, path: &str, member: &str, query: &str) -> (Vec<String>, usize) {
    let (mut target, mut entries, mut pages) = (format!("{path}{query}"), Vec::new(), 0);
    loop {
        let reply = setup.get(&target).await;
        assert_eq!(reply.status, 200, "{target}: {reply:?}");
        entries.extend(reply.json()[member].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap().to_owned()));
        pages += 1;
        assert!(pages < 20, "{target}: the list does not end");
        match next_target(&reply, path) {
            Some(next_target) => target = next_target,
            None => return (entries, pages),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_26_links_lead_through_all_pages_of_tags() {
    for_each(all_registries(), async |host, setup| {
        let name = setup.private_repository();
        let mut expected = vec!["1".to_owned()];
        for tag in ["a", "b-2", "c.3", "d_4", "e"] {
            setup.registry.publish_private(name, tag, &setup.image);
            expected.push(tag.to_owned());
        }
        let path = format!("/v2/{name}/tags/list");
        // Docker Hub was not observed to send links: a request with `n` gets one page and no link.
        let has_links = setup.registry.preset().lists.tags.link != LinkForm::None;
        for query in ["?n=2", ""].into_iter().filter(|query| has_links || query.is_empty()) {
            let (mut tags, pages) = read_list(setup, &path, "tags", query).await;
            tags.sort();
            assert_eq!(tags, expected, "{host}{query}");
            assert!(pages == 1 || pages == 3, "{host}{query}: {pages} pages");
            assert!(query == "?n=2" || pages == 1, "{host}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_26_links_lead_through_all_pages_of_a_catalog() {
    for (profile, mut preset) in registries_of(&["ghcr", "acr", "quay", "artifactory", "distribution"]) {
        let host = preset.host.clone();
        // Pages have two entries. GHCR adds a page size that the client did not send, Quay has a cursor of its own.
        if let Some(catalog) = &mut preset.lists.catalog {
            (catalog.default_n, catalog.max_n) = (Some(2), Some(1000));
        }
        let capabilities = preset.capabilities.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let owner = capabilities.private_repository.rsplit_once('/').unwrap().0;
        for more in ["x", "y", "z"] {
            setup.registry.publish_private(&format!("{owner}/{more}"), "1", &setup.image);
        }
        let (mut names, pages) = read_list(&setup, "/v2/_catalog", "repositories", "").await;
        names.sort();
        let mut expected = setup.registry.store().names();
        expected.sort();
        assert_eq!((names, pages > 1), (expected, true), "{host}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_26_of_a_link_to_another_host_only_the_query_is_used() {
    for_each(registries_of(&["ghcr", "acr", "quay", "artifactory", "distribution"]), async |host, setup| {
        let path = setup.private_path("tags/list");
        for link in ["http://evil.test/v2/x/tags/list?last=1&n=0&orderby=", "//evil.test/?last=1", "/v2/x?n=0&last=1"] {
            let fault = setup.registry.api().inject(Fault::with_header("link", &format!("<{link}>; rel=\"next\"")));
            let reply = setup.get(&path).await;
            assert_eq!(reply.header("link"), Some(&*format!("<{path}?last=1>; rel=\"next\"")), "{host}: {link}");
            fault.remove();
        }
        let dials = setup.sim.network().dials();
        assert!(dials.iter().all(|dial| !dial.contains("evil")), "{host}: {dials:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_27_a_page_size_above_1000_is_limited_to_1000() {
    for_each(registries_of(&["ecr", "distribution", "quay"]), async |host, setup| {
        setup.warm().await;
        for path in [setup.private_path("tags/list"), "/v2/_catalog".to_owned()] {
            for (n, sent) in [("2000", "n=1000"), ("1000", "n=1000"), ("7", "n=7"), ("99999999999", "n=1000")] {
                let reply = setup.get(&format!("{path}?n={n}")).await;
                assert_eq!(reply.status, 200, "{host}: {reply:?}");
                let asked = setup.sim.ledger().take();
                let last: Vec<&Entry> = asked.iter().filter(|entry| entry.path == path).collect();
                assert_eq!(last.last().unwrap().query, sent, "{host} {path} {n}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_27_a_request_whose_page_size_is_rejected_is_repeated_without_it() {
    let distribution = Reply::error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested");
    for (profile, preset, rejection) in [
        ("distribution", Preset::distribution(AuthMode::Token), distribution),
        ("ecr", Preset::ecr(), Reply::error(405, "UNSUPPORTED", "Member must have value less than or equal to 100")),
        ("zot", Preset::zot(), Reply::new(400)),
        ("harbor", Preset::harbor(), Reply::error(400, "BAD_REQUEST", "invalid n")),
    ] {
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.warm().await;
        setup.registry.api().inject(Fault::answer(rejection).when(|entry| entry.query.contains("n=")));
        let target = setup.private_path("tags/list");
        // Zot answers a `last` that is no tag with a 404.
        let rest = if profile == "zot" { "" } else { "last=0" };
        let separator = if rest.is_empty() { "" } else { "&" };
        let reply = setup.get(&format!("{target}?n=500{separator}{rest}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["tags"][0]), (200, &"1".into()), "{profile}: {reply:?}");
        let queries: Vec<String> = setup
            .sim
            .ledger()
            .take()
            .into_iter()
            .filter(|entry| entry.path == target)
            .map(|entry| entry.query)
            .collect();
        assert_eq!(queries, [format!("n=500{separator}{rest}"), rest.to_owned()], "{profile}");
        // If the request had no page size, the rejection has another cause.
        let rejection = Reply::error(400, "NAME_INVALID", "invalid");
        setup.registry.api().inject(Fault::answer(rejection));
        assert_eq!(setup.get(&target).await.status_and_code(), "400 NAME_INVALID", "{profile}");
        assert_eq!(setup.steps().len(), 1, "{profile}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_28_short_names_work_with_every_host_name_of_docker_hub() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::docker_hub()).await;
    registry.add_sample_content("1", &Image::single("app", ImageFormat::Oci));
    let (url, realm) = (registry.origin(), registry.token_service().authority());
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
async fn rule_28_short_names_work_behind_remote_repositories_of_docker_hub() {
    let harbor = ("harbor", Preset::harbor(), "hubproxy", "hubproxy/library/python");
    let by_path = ("artifactory", Preset::artifactory_by_path(), "docker-local", "docker-local/library/python");
    let whole = ("artifactory", Preset::artifactory(), "/", "library/python");
    for (profile, preset, remote, official) in [harbor, by_path, whole] {
        let login = preset_credential(&preset);
        let setup = RegistrySetup::with_table(profile, preset, &format!("{login}\nhub_remotes = [\"{remote}\"]")).await;
        setup.registry.publish(official, "1", &setup.image);
        let client = official.replace("library/", "");
        for name in [&*client, official] {
            for target in
                [format!("/v2/{name}/manifests/1"), format!("/v2/{name}/blobs/{}", setup.image.blobs[0].digest)]
            {
                let reply = setup.get(&target).await;
                assert_eq!(reply.status, 200, "{remote}: {target}: {reply:?}");
            }
            let list = setup.get(&format!("/v2/{name}/tags/list?n=1")).await;
            assert_eq!(list.status, 200, "{remote}: {list:?}");
            let calls = token_calls(&setup.sim);
            for scope in calls.iter().flat_map(scopes_of) {
                assert!(scope.contains("library/python"), "{remote}: {scope}");
            }
        }
        // Other names are unchanged, in the remote repository and outside it.
        let other = setup.private_repository();
        if other.split('/').count() > 1 && !(remote == "docker-local" && other.split('/').count() == 2) {
            assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{remote}: {other}");
            let entries = setup.sim.ledger().take();
            assert_eq!(entries.last().unwrap().path, format!("/v2/{other}/manifests/1"));
        }
        setup.sim.finish();
    }
    // Without `hub_remotes` no name is changed.
    let setup = RegistrySetup::with_profile("harbor", Preset::harbor()).await;
    setup.registry.publish("hubproxy/library/python", "1", &setup.image);
    assert_eq!(setup.get("/v2/hubproxy/python/manifests/1").await.status_and_code(), "403 DENIED");
    assert!(setup.sim.ledger().take().iter().all(|entry| !entry.path.contains("library")));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_28_repositories_patterns_match_the_name_with_library() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::harbor()).await;
    registry.add_user("acme", "password");
    registry.publish("hubproxy/library/python", "1", &Image::single("app", ImageFormat::Oci));
    let more = "hub_remotes = [\"hubproxy\"]\nrepositories = [\"hubproxy/library/*\"]";
    let more = format!("profile = \"harbor\"\n{}\n{more}", password_credential("acme", "password"));
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &more));
    assert_eq!(regpass.get("/v2/hubproxy/python/manifests/1").await.status, 200);
    let rejected = regpass.send(request(Method::GET, "/v2/hubproxy/team/app/manifests/1")).await;
    assert_eq!(rejected.status_and_code(), "403 DENIED");
    sim.finish();
}
