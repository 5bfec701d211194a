//! Docker Hub's catalog: the repositories of the credential's own namespaces.

use std::time::Duration;

use http::Method;
use tokio::time::advance;

use super::{registry_with_user, regpass_for};
use crate::harness::{Regpass, Reply};
use crate::proxied_registry::{assert_no_upstream_headers, assert_rejected};
use crate::sim::{Fault, HubApi, Image, ImageFormat, Preset, Registry, Reply as Answer, Sim};

pub const PASSWORD: &str = "dckr_pat_0123456789";
pub const CREDENTIAL: &str =
    "credential = { source = \"password\", username = \"Alice\", password = \"dckr_pat_0123456789\" }";
const LOGIN: &str = "api POST /v2/auth/token anonymous 200";
const ORGANIZATIONS: &str = "api GET /v2/user/orgs/?page=1&page_size=100 bearer#unknown 200";

/// Docker Hub with repositories of alice, of her organizations `acme` and `zoo`, and of others.
pub struct Setup {
    pub sim: Sim,
    registry: Registry,
    pub api: HubApi,
    pub regpass: Regpass,
}

impl Setup {
    pub async fn start(lines: &[&str]) -> Self {
        let sim = Sim::memory();
        let registry = registry_with_user(&sim, Preset::docker_hub(), "Alice", PASSWORD).await;
        let api = HubApi::start(&sim, &registry).await;
        let image = Image::single("app", ImageFormat::Oci);
        for name in ["alice/app", "alice/tool", "acme/base", "acme/secret", "zoo/lion", "bob/app"] {
            registry.publish_private(name, "1", &image);
        }
        registry.publish("library/python", "1", &image);
        let regpass = regpass_for(&sim, "docker.io", &registry, &[&[&*api.table_line()], lines].concat());
        Self { sim, registry, api, regpass }
    }

    pub async fn names(&self, target: &str) -> Vec<String> {
        let reply = self.regpass.get(target).await;
        names(&reply)
    }

    /// The names of all pages from this one on, page by page.
    async fn pages(&self, first: &str) -> Vec<String> {
        let (mut pages, mut target) = (Vec::new(), first.to_owned());
        loop {
            let reply = self.regpass.get(&target).await;
            pages.push(names(&reply).join(" "));
            let Some(link) = reply.header("link") else { return pages };
            assert!(link.starts_with("</v2/_catalog?") && link.ends_with(">; rel=\"next\""), "{link}");
            link.trim_start_matches('<').split('>').next().unwrap().clone_into(&mut target);
            assert!(pages.len() < 50, "{target}");
        }
    }

    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        self.sim.ledger().expect(lines);
    }
}

#[track_caller]
pub fn names(reply: &Reply) -> Vec<String> {
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/json")), "{reply:?}");
    assert_no_upstream_headers(reply);
    let json = reply.json();
    json["repositories"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn repositories(namespace: &str, page: u32, size: u32) -> String {
    format!(
        "api GET /v2/namespaces/{namespace}/repositories?ordering=name&page={page}&page_size={size} bearer#unknown 200"
    )
}

/// The registry itself is asked nothing. The token of one login serves the requests of ten minutes.
#[tokio::test(start_paused = true)]
async fn the_catalog_has_the_repositories_of_the_users_own_namespaces() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    setup.api.set_organizations("Alice", &["acme", "zoo"]);
    assert_eq!(
        setup.pages("/v2/_catalog").await,
        ["acme/base acme/secret", "alice/app alice/tool", "zoo/lion"],
        "a page ends with its namespace"
    );
    setup.expect(&[
        LOGIN,
        ORGANIZATIONS,
        &repositories("acme", 1, 100),
        &repositories("alice", 1, 100),
        &repositories("zoo", 1, 100),
    ]);
    let head = setup.regpass.head("/v2/_catalog").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    setup.expect(&[ORGANIZATIONS, &repositories("acme", 1, 100)]);
    advance(Duration::from_secs(601)).await;
    setup.names("/v2/_catalog").await;
    setup.expect(&[LOGIN, ORGANIZATIONS, &repositories("acme", 1, 100)]);
    setup.sim.finish();
}

/// An organization access token, and a token without the right, may not list organizations.
#[tokio::test(start_paused = true)]
async fn without_the_organizations_the_catalog_is_that_of_the_user() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    assert_eq!(setup.pages("/v2/_catalog").await, ["alice/app alice/tool"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pages_follow_the_links_whatever_their_size() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    setup.api.set_organizations("Alice", &["acme", "zoo"]);
    let image = Image::single("app", ImageFormat::Oci);
    for number in 0..7 {
        setup.registry.publish_private(&format!("acme/x{number}"), "1", &image);
    }
    let all = setup.pages("/v2/_catalog?n=100").await.join(" ");
    assert_eq!(all.split(' ').count(), 12, "{all}");
    for size in [1, 2, 3, 4, 12, 5000] {
        let pages = setup.pages(&format!("/v2/_catalog?n={size}")).await;
        assert_eq!(pages.join(" "), all, "{size}");
        assert!(pages.iter().all(|page| page.split(' ').count() <= size), "{size}: {pages:?}");
    }
    assert_eq!(setup.names("/v2/_catalog?n=0").await, Vec::<String>::new());
    // Within a namespace, a page costs one request.
    setup.names("/v2/_catalog?n=2").await;
    setup.sim.ledger().take();
    assert_eq!(setup.names("/v2/_catalog?n=2&last=acme%2Fsecret&page=2.2").await, ["acme/x0", "acme/x1"]);
    setup.expect(&[&repositories("acme", 2, 2)]);
    setup.sim.finish();
}

/// `-` and `.` come before the `/` that ends a namespace: `me-corp/a` comes before `me/a`.
#[tokio::test(start_paused = true)]
async fn a_walk_over_all_links_yields_every_repository_once_and_in_order() {
    let setup = Setup::start(&[&CREDENTIAL.replace("Alice", "me")]).await;
    setup.registry.add_user("me", PASSWORD);
    setup.api.set_organizations("me", &["me-corp", "me.old", "mealy", "zed"]);
    let image = Image::single("app", ImageFormat::Oci);
    let mut expected = Vec::new();
    for namespace in ["me", "me-corp", "me.old", "mealy", "zed"] {
        for name in ["a", "a-b", "a.c", "b0", "b_1"] {
            expected.push(format!("{namespace}/{name}"));
            setup.registry.publish_private(&format!("{namespace}/{name}"), "1", &image);
        }
    }
    expected.sort_unstable();
    for query in ["", "?n=1", "?n=2", "?n=100"] {
        let pages = setup.pages(&format!("/v2/_catalog{query}")).await;
        assert_eq!(pages.join(" "), expected.join(" "), "{query}");
    }
    // Without `page`, as clients write it themselves.
    for (at, last) in expected.iter().enumerate() {
        let rest = setup.pages(&format!("/v2/_catalog?last={last}")).await.join(" ");
        assert_eq!(rest, expected[at + 1..].join(" "), "{last}");
    }
    assert_eq!(setup.pages("/v2/_catalog?last=me").await.join(" "), expected.join(" "));
    setup.sim.finish();
}

/// The operator's token reads the API at no path that the client chooses.
#[tokio::test(start_paused = true)]
async fn the_last_name_of_a_client_never_becomes_a_path_of_the_api() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    setup.api.set_organizations("Alice", &["acme", "zoo"]);
    for last in ["..%252F..%252Fusers%252Fx", "..%2F..%2Fusers%2Fx", "other%3Fa%3Db/x", "a%23b/x", "%20", "Alice/app"] {
        for page in ["", "&page=1.100"] {
            let reply = setup.regpass.get(&format!("/v2/_catalog?last={last}{page}")).await;
            assert_rejected(&reply, "400 NAME_INVALID", &["`last`"]);
        }
    }
    setup.expect(&[]);
    // What is known of the login's own namespaces serves the later pages, but a link works without it, too.
    assert_eq!(setup.names("/v2/_catalog?last=alice%2Fapp&page=2.1").await, ["alice/tool"]);
    setup.expect(&[LOGIN, ORGANIZATIONS, &repositories("alice", 2, 1)]);
    assert_eq!(setup.names("/v2/_catalog?last=bitnami/x&page=1.100").await, ["zoo/lion"]);
    setup.expect(&[&repositories("zoo", 1, 100)]);
    assert_eq!(setup.names("/v2/_catalog?last=bob/app&page=1.100").await, ["zoo/lion"]);
    setup.expect(&[&repositories("zoo", 1, 100)]);
    setup.sim.finish();
}

/// What the API says is not trusted either: no organization has such a name.
#[tokio::test(start_paused = true)]
async fn organizations_that_cannot_be_namespaces_are_ignored() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    setup.api.set_organizations("Alice", &["..", "a/b", "a?b", "acme", "%2e%2e"]);
    assert_eq!(setup.pages("/v2/_catalog").await, ["acme/base acme/secret", "alice/app alice/tool"]);
    setup.expect(&[LOGIN, ORGANIZATIONS, &repositories("acme", 1, 100), &repositories("alice", 1, 100)]);
    setup.sim.finish();
}

/// Some clients write `last` themselves.
#[tokio::test(start_paused = true)]
async fn a_last_name_without_a_page_is_found() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    setup.api.set_organizations("Alice", &["acme", "zoo"]);
    for (query, expected) in [
        ("last=acme/base", &["acme/secret"][..]),
        ("last=acme/secret", &["alice/app", "alice/tool"]),
        ("n=1&last=alice%2Fapp", &["alice/tool"]),
        ("last=alice/app&page=x.y", &["alice/tool"]),
        ("last=alice/app&page=1.1000", &["alice/tool"]),
        ("last=zoo/lion", &[]),
        ("last=zzz/none", &[]),
        ("last=a", &["acme/base", "acme/secret"]),
    ] {
        assert_eq!(setup.names(&format!("/v2/_catalog?{query}")).await, expected, "{query}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_catalog_omits_what_clients_may_not_pull() {
    let setup = Setup::start(&[CREDENTIAL, "repositories = [\"alice/app\", \"zoo/**\"]"]).await;
    setup.api.set_organizations("Alice", &["acme", "zoo"]);
    assert_eq!(setup.pages("/v2/_catalog").await, ["", "alice/app", "zoo/lion"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn without_a_credential_the_catalog_is_a_405_that_says_what_it_needs() {
    let identity = "credential = { source = \"identity\", token = \"an identity token\" }";
    for lines in [&[][..], &[identity]] {
        let setup = Setup::start(lines).await;
        let reply = setup.regpass.get("/v2/_catalog").await;
        let words = ["docker.io", "`credential`", "personal access token", "hub.docker.com/v2/namespaces"];
        assert_rejected(&reply, "405 UNSUPPORTED", &words);
        setup.expect(&[]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_or_a_limit_of_the_api_is_a_clear_error() {
    for (answer, verdict) in [
        (Answer::new(429).header("retry-after", "30").text("slow down"), "429 TOOMANYREQUESTS"),
        (Answer::new(500).text("oops"), "502 UNAVAILABLE"),
        (Answer::new(200).json("[]"), "502 UNAVAILABLE"),
        (Answer::new(200).json("{}"), "502 UNAVAILABLE"),
    ] {
        let setup = Setup::start(&[CREDENTIAL]).await;
        setup.api.server().inject(Fault::answer(answer.clone()).method(Method::GET));
        let reply = setup.regpass.get("/v2/_catalog").await;
        assert_rejected(&reply, verdict, &["docker.io", "http://api.hub.test"]);
        setup.sim.finish();
    }
}
