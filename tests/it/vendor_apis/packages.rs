//! GHCR's manifests are versions of GitHub's packages.

use http::Method;

use super::{registry_with_user, regpass_for};
use crate::harness::{Regpass, Reply, request};
use crate::proxied_registry::{assert_no_upstream_headers, assert_rejected};
use crate::sim::{Entry, Fault, Image, ImageFormat, Owner, PackagesApi, Preset, Registry, Reply as Answer, Sim};

const TOKEN: &str = "ghp_0123456789abcdef";
const ALLOW: &str = "allow = [\"pull\", \"delete\"]";
const CREDENTIAL: &str =
    "credential = { source = \"password\", username = \"alice\", password = \"ghp_0123456789abcdef\" }";
const PACKAGE: &str = "acme/tools/app";
const ORG: &str = "/orgs/acme/packages/container/tools%2Fapp/versions";
const USER: &str = "/users/acme/packages/container/tools%2Fapp/versions";

/// A package `acme/tools/app` with the images `old` (tags `1` and `stable`) and `new` (tag `2`).
struct Setup {
    sim: Sim,
    registry: Registry,
    api: PackagesApi,
    regpass: Regpass,
    old: Image,
    new: Image,
}

impl Setup {
    async fn start(owner: Owner, scopes: &[&'static str], lines: &[&str]) -> Self {
        Self::start_in(Sim::memory(), owner, scopes, lines).await
    }

    async fn start_in(sim: Sim, owner: Owner, scopes: &[&'static str], lines: &[&str]) -> Self {
        let registry = registry_with_user(&sim, Preset::ghcr(), "alice", TOKEN).await;
        let api = PackagesApi::start(&sim, &registry).await;
        api.add_token(TOKEN, scopes);
        api.add_owner("acme", owner);
        let [old, new] = ["old", "new"].map(|name| Image::single(name, ImageFormat::Oci));
        registry.publish_private(PACKAGE, "1", &old);
        registry.publish_private(PACKAGE, "stable", &old);
        registry.publish_private(PACKAGE, "2", &new);
        let regpass = regpass_for(&sim, "ghcr.io", &registry, &[&[ALLOW, &api.table_line()], lines].concat());
        Self { sim, registry, api, regpass, old, new }
    }

    async fn delete(&self, reference: &str) -> Reply {
        let target = format!("/v2/ghcr.io/{PACKAGE}/manifests/{reference}");
        let reply = self.regpass.send(request(Method::DELETE, &target)).await;
        assert!(!String::from_utf8_lossy(&reply.body).contains(TOKEN), "{reply:?}");
        reply
    }

    fn has(&self, reference: &str) -> bool {
        self.registry.store().read(PACKAGE, |package| package.manifest(reference).is_some()).unwrap_or_default()
    }

    #[track_caller]
    fn expect(&self, lines: &[&str]) {
        self.sim.ledger().expect(lines);
    }
}

fn line(method: &str, target: &str, status: u16) -> String {
    format!("api {method} {target} bearer#unknown {status}")
}

const PAGE: &str = "?per_page=100&page=1";

/// The registry itself is asked nothing, and the token service neither. An organization takes two requests, a user three.
#[tokio::test(start_paused = true)]
async fn a_manifest_is_deleted_as_a_version_of_the_package() {
    for owner in [Owner::Organization, Owner::User] {
        let setup = Setup::start(owner, &["write:packages", "delete:packages"], &[CREDENTIAL]).await;
        let digest = setup.old.digest().to_owned();
        let reply = setup.delete(&digest).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{reply:?}");
        assert_no_upstream_headers(&reply);
        // All tags of the version are gone with it.
        assert_eq!(["1", "stable", "2"].map(|tag| setup.has(tag)), [false, false, true]);
        let entries: Vec<Entry> = setup.sim.ledger().take();
        let lines: Vec<String> = entries.iter().map(ToString::to_string).collect();
        let versions = if owner == Owner::User { USER } else { ORG };
        let mut expected = vec![line("GET", &format!("{versions}{PAGE}"), 200)];
        if owner == Owner::User {
            expected.insert(0, line("GET", &format!("{ORG}{PAGE}"), 404));
        }
        assert_eq!(lines[..lines.len() - 1], expected[..], "{owner:?}");
        let deletion = lines.last().unwrap();
        assert!(deletion.starts_with(&format!("api DELETE {versions}/10")) && deletion.ends_with(" 204"), "{deletion}");
        for entry in &entries {
            let header = |name: &str| entry.headers.get(name).and_then(|value| value.to_str().ok());
            assert_eq!(header("accept"), Some("application/vnd.github+json"), "{entry}");
            assert!(header("user-agent").is_some_and(|agent| agent.starts_with("regpass/")), "{entry}");
        }
        let again = setup.delete(&digest).await;
        assert_rejected(&again, "404 MANIFEST_UNKNOWN", &[PACKAGE, &digest]);
        setup.sim.finish();
    }
}

/// The operator chose the address of the API, so it may be private although nothing is known about the registry's own.
#[tokio::test]
async fn the_first_request_of_a_process_may_go_to_an_api_at_a_private_address() {
    let rights = ["read:packages", "delete:packages"];
    let setup = Setup::start_in(Sim::loopback(), Owner::Organization, &rights, &[CREDENTIAL]).await;
    let reply = setup.delete("2").await;
    assert_eq!(reply.status, 202, "{reply:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_version_is_found_on_any_page() {
    let setup = Setup::start(Owner::Organization, &["read:packages", "delete:packages"], &[CREDENTIAL]).await;
    setup.api.limit_pages(2);
    for number in 0..5 {
        let image = Image::single(&format!("later {number}"), ImageFormat::Oci);
        setup.registry.publish_private(PACKAGE, &format!("later-{number}"), &image);
    }
    // The API knows the versions in the order of their digests here, newest first.
    let digests: Vec<String> =
        setup.registry.store().read(PACKAGE, |package| package.manifests.keys().cloned().collect()).unwrap();
    let oldest = digests.first().unwrap().clone();
    assert_eq!(setup.delete(&oldest).await.status, 202);
    let pages: Vec<String> = setup.sim.ledger().take().iter().filter_map(|entry| entry.query_value("page")).collect();
    assert_eq!(pages, ["1", "2", "3", "4"]);
    assert!(!setup.has(&oldest));
    setup.sim.finish();
}

/// A version goes with all its tags, so a tag is deleted only if it is the version's only one.
#[tokio::test(start_paused = true)]
async fn a_tag_that_shares_its_version_is_not_deleted() {
    let setup = Setup::start(Owner::Organization, &["read:packages", "delete:packages"], &[CREDENTIAL]).await;
    let shared = setup.delete("1").await;
    assert_rejected(&shared, "405 UNSUPPORTED", &["cannot be deleted alone", "stable", setup.old.digest()]);
    assert_eq!(shared.header("allow"), Some(""));
    assert!(setup.has("1") && setup.has("stable"));
    setup.expect(&[&line("GET", &format!("{ORG}{PAGE}"), 200)]);
    assert_eq!(setup.delete("2").await.status, 202);
    assert!(!setup.has(setup.new.digest()) && setup.has("1"));
    assert_rejected(&setup.delete("none").await, "404 MANIFEST_UNKNOWN", &["none"]);
    setup.sim.finish();
}

/// GitHub hides what a token may not do, so the message names the right and those that the token has.
#[tokio::test(start_paused = true)]
async fn a_missing_right_is_a_403_that_names_it() {
    for (scopes, words) in [
        (&["repo"][..], ["with read:packages", "it has repo"]),
        (&[], ["with read:packages", "it has no rights"]),
        (&["read:packages"], ["with delete:packages", "it has read:packages"]),
        (&["write:packages"], ["with delete:packages", "it has write:packages"]),
    ] {
        let setup = Setup::start(Owner::Organization, scopes, &[CREDENTIAL]).await;
        let reply = setup.delete(setup.old.digest()).await;
        assert_rejected(&reply, "403 DENIED", &words);
        assert_rejected(&reply, "403 DENIED", &["see `credential` in [registry.\"ghcr.io\"]"]);
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "credential");
        assert!(setup.has("1"));
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_credential_a_delete_is_a_405_that_says_what_it_needs() {
    let setup = Setup::start(Owner::Organization, &[], &[]).await;
    for reference in ["1", setup.old.digest()] {
        let reply = setup.delete(reference).await;
        assert_rejected(&reply, "405 UNSUPPORTED", &["ghcr.io", "`credential`", "delete:packages"]);
    }
    setup.expect(&[]);
    setup.sim.finish();
    // A token that GHCR's token service issued is not one for the API.
    let bearer = "credential = { source = \"bearer\", token = \"Z2hwX3RvZGR5c20=\" }";
    let setup = Setup::start(Owner::Organization, &[], &[bearer]).await;
    assert_rejected(&setup.delete("1").await, "405 UNSUPPORTED", &["delete:packages"]);
    setup.expect(&[]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_configuration_decides_before_the_api_is_asked() {
    let setup = Setup::start(Owner::Organization, &["delete:packages"], &[CREDENTIAL]).await;
    let target = "/v2/ghcr.io/acme/tools/app/manifests/1";
    for (more, words) in [("", "`delete`"), ("repositories = [\"acme/other\"]\nallow = [\"delete\"]", "`repositories`")]
    {
        let lines = [&*setup.api.table_line(), CREDENTIAL, more].map(str::to_owned);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let regpass = regpass_for(&setup.sim, "ghcr.io", &setup.registry, &lines);
        let reply = regpass.send(request(Method::DELETE, target)).await;
        assert_rejected(&reply, "403 DENIED", &[words]);
    }
    setup.expect(&[]);
    // Blobs go with their manifests; the API has no such operation.
    let blob = format!("/v2/ghcr.io/{PACKAGE}/blobs/{}", setup.old.blobs[0].digest);
    let reply = setup.regpass.send(request(Method::DELETE, &blob)).await;
    assert_rejected(&reply, "405 UNSUPPORTED", &["deleting blobs"]);
    setup.expect(&[]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn what_the_api_rejects_is_the_clients_clear_error() {
    for (answer, verdict, words) in [
        (Answer::new(401).json(r#"{"message":"Bad credentials"}"#), "403 DENIED", "rejected the credential"),
        (Answer::new(403).json(r#"{"message":"no"}"#), "403 DENIED", "with read:packages"),
        (
            Answer::new(403).header("x-ratelimit-remaining", "0").json(r#"{"message":"API rate limit exceeded"}"#),
            "429 TOOMANYREQUESTS",
            "rate limit",
        ),
        (Answer::new(429).header("retry-after", "60").text("slow down"), "429 TOOMANYREQUESTS", "rate limit"),
        (Answer::new(500).html("<html>oops</html>"), "502 UNAVAILABLE", "500"),
        (Answer::new(200).text("not json"), "502 UNAVAILABLE", "not the expected document"),
        (Answer::redirect(307, "http://elsewhere.test/versions"), "502 UNAVAILABLE", "307"),
        (
            Answer::new(403).json(format_args!(r#"{{"message":"bad token {TOKEN}"}}"#)),
            "403 DENIED",
            "with read:packages",
        ),
    ] {
        let setup = Setup::start(Owner::Organization, &["delete:packages"], &[CREDENTIAL]).await;
        setup.api.server().inject(Fault::answer(answer.clone()));
        let reply = setup.delete("1").await;
        assert_rejected(&reply, verdict, &["ghcr.io", words]);
        assert_eq!(setup.sim.ledger().take().len(), 1, "{answer:?}");
        setup.sim.finish();
    }
}

/// The last tagged version cannot be deleted over the API; its message says what to do.
#[tokio::test(start_paused = true)]
async fn a_version_that_may_not_go_is_a_405_with_the_message_of_the_api() {
    let setup = Setup::start(Owner::Organization, &["read:packages", "delete:packages"], &[CREDENTIAL]).await;
    assert_eq!(setup.delete("2").await.status, 202);
    let last = setup.delete(setup.old.digest()).await;
    assert_rejected(&last, "405 UNSUPPORTED", &["You must delete the package instead"]);
    assert!(setup.has("1"));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_unknown_package_is_a_404_that_mentions_the_right_to_see_it() {
    let setup = Setup::start(Owner::User, &["read:packages", "delete:packages"], &[CREDENTIAL]).await;
    for target in ["/v2/ghcr.io/acme/none/manifests/1", "/v2/ghcr.io/nobody/app/manifests/1"] {
        let reply = setup.regpass.send(request(Method::DELETE, target)).await;
        assert_rejected(&reply, "404 NAME_UNKNOWN", &["read:packages"]);
        assert_eq!(setup.sim.ledger().take().len(), 2);
    }
    setup.sim.finish();
}
