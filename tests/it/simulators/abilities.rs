//! What the presets say they can, against what they do.

use tokio::time::advance;

use crate::sim::{Abilities, Catalog, Expiry, Family, Image, Preset, Rule, Shown, sha256};
use crate::simulators::{Bench, basic, resolve, with_digest};

type Login = Option<(&'static str, &'static str)>;

async fn furnished(mut preset: Preset) -> (Bench, Abilities, Image) {
    preset.tokens.chunked = false;
    let bench = Box::pin(Bench::start(preset)).await;
    let image = Image::single("app", Family::Oci);
    bench.registry.furnish("1", &image);
    let can = bench.registry.preset().can.clone();
    (bench, can, image)
}

/// One request with what it needs, as this caller may show it.
async fn status(bench: &Bench, method: &str, target: &str, login: Login, scope: &str, body: &[u8]) -> u16 {
    let (reply, _) = send(bench, method, target, login, scope, body).await;
    reply
}

async fn send(
    bench: &Bench,
    method: &str,
    target: &str,
    login: Login,
    scope: &str,
    body: &[u8],
) -> (u16, Option<String>) {
    let line = match (bench.registry.preset().can.shown, login) {
        (Shown::Nothing, _) | (Shown::Basic, None) => "x-a: b".to_owned(),
        (Shown::Basic, Some((user, password))) => basic(user, password),
        (Shown::Token, _) => bench.bearer(scope, login).await,
    };
    let kind = "content-type: application/vnd.oci.image.manifest.v1+json";
    let lines: &[&str] =
        if target.contains("/manifests/") && method == "PUT" { &[&line, kind] } else { &[&line, ACCEPT] };
    let reply = bench.send(method, target, lines, body).await;
    let location = reply.header("location").map(|_| resolve(target, &reply));
    (reply.status.as_u16(), location)
}

const ACCEPT: &str = "accept: application/vnd.oci.image.manifest.v1+json";

/// The scope as the registry reads it: for Artifactory in a path without its key, for Zot one action.
fn scope(name: &str, actions: &str) -> String {
    format!("repository:{}:{actions}", name.strip_prefix("docker-local/").unwrap_or(name))
}

fn every() -> Vec<(&'static str, Preset)> {
    let variants = Preset::variants().into_iter().map(|(name, _, preset)| (name, preset));
    Preset::all().into_iter().chain(variants).collect()
}

#[test]
fn every_profile_has_a_preset_and_legal_names() {
    let all = Preset::all();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let expected = "acr artifactory distribution docker-hub ecr ecr-public ghcr gitea gitlab google harbor kubernetes mcr ngc quay zot generic";
    assert_eq!(names.join(" "), expected);
    for (name, preset) in every() {
        assert!(preset.is_legal(preset.can.public) && preset.is_legal(preset.can.private), "{name}");
    }
    assert!(!Preset::google().is_legal("project/app") && !Preset::quay().is_legal("app"));
}

#[tokio::test(start_paused = true)]
async fn pulls_with_and_without_a_login() {
    for (name, preset) in every() {
        let (bench, can, _) = furnished(preset).await;
        let manifest = |repository: &str| format!("/v2/{repository}/manifests/1");
        let nobodys = match (can.anonymous, can.shown) {
            (false, Shown::Token) => continue,
            _ => status(&bench, "GET", &manifest(can.public), None, &scope(can.public, "pull"), b"").await,
        };
        assert_eq!(matches!(nobodys, 200 | 307), can.anonymous, "{name}: {nobodys}");
        if can.login.is_some() {
            let private =
                status(&bench, "GET", &manifest(can.private), can.login, &scope(can.private, "pull"), b"").await;
            assert_eq!(private, 200, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pushes_and_deletes() {
    for (name, preset) in every() {
        let (bench, can, image) = furnished(preset).await;
        let repository = can.private;
        let target = |rest: &str| format!("/v2/{repository}/{rest}");
        let push = scope(repository, "pull,push");
        let (begun, location) = send(&bench, "POST", &target("blobs/uploads/"), can.login, &push, b"").await;
        assert_eq!(begun == 202, can.push, "{name}: {begun}");
        if let Some(location) = location.filter(|_| can.push) {
            let (sent, location) = send(&bench, "PATCH", &location, can.login, &push, b"new").await;
            assert!(matches!(sent, 201 | 202), "{name}: {sent}");
            let end = with_digest(&location.unwrap(), &sha256(b"new"));
            assert_eq!(status(&bench, "PUT", &end, can.login, &push, b"").await, 201, "{name}");
            let tagged = status(&bench, "PUT", &target("manifests/2"), can.login, &push, &image.top().bytes).await;
            assert_eq!(tagged, 201, "{name}");
        }
        let new = format!("{repository}-new");
        let made =
            status(&bench, "POST", &format!("/v2/{new}/blobs/uploads/"), can.login, &scope(&new, "pull,push"), b"")
                .await;
        assert_eq!(made == 202, can.creates, "{name}: {made}");
        let refused = bench.registry.preset().tokens.push_creates;
        let delete = scope(repository, if refused { "pull,push" } else { "pull,push,delete" });
        for (rest, allowed) in [
            ("manifests/1", can.delete_tags),
            (&*format!("manifests/{}", image.digest()), can.delete_manifests),
            (&*format!("blobs/{}", image.blobs[0].digest), can.delete_blobs),
        ] {
            let deleted = status(&bench, "DELETE", &target(rest), can.login, &delete, b"").await;
            assert_eq!(deleted == 202, allowed, "{name} {rest}: {deleted}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lists_and_referrers() {
    for (name, preset) in every() {
        let (bench, can, image) = furnished(preset).await;
        let (mut login, mut shown) = (can.login, can.shown);
        let wanted = match can.catalog {
            Catalog::Admin { user } | Catalog::AdminByBasic { user } => {
                bench.registry.user(user, "admins");
                let by = if matches!(can.catalog, Catalog::Admin { .. }) { Shown::Token } else { Shown::Basic };
                (login, shown) = (Some((user, "admins")), by);
                true
            }
            Catalog::Login | Catalog::Everyone => true,
            Catalog::Never => false,
        };
        bench.registry.change(|preset| preset.can.shown = shown);
        if wanted || shown != Shown::Token {
            let scope = match name {
                "quay" | "gitea" => "",
                "ghcr" => "repository:toddysm/python:pull",
                "zot" => "repository::pull",
                _ => "registry:catalog:*",
            };
            let listed = status(&bench, "GET", "/v2/_catalog", login, scope, b"").await;
            assert_eq!(listed == 200, wanted, "{name}: {listed}");
        }
        bench.registry.change(|preset| preset.can.shown = can.shown);
        // registry.k8s.io leads on.
        let referrers = format!("/v2/{}/referrers/{}", can.public, image.digest());
        let found = status(&bench, "GET", &referrers, can.login, &scope(can.public, "pull"), b"").await;
        assert_eq!(matches!(found, 200 | 307), can.referrers, "{name}: {found}");
    }
}

/// Each registry's own way to say that the time is over, after the lifetime that a test chose.
#[tokio::test(start_paused = true)]
async fn expiry_shows_as_they_say() {
    let lifetime = std::time::Duration::from_secs(90);
    let further =
        [Expiry::OtherRealm, Expiry::OtherScheme, Expiry::BareUnauthorized, Expiry::Denied403, Expiry::Denied400];
    let generic = further.map(|expiry| ("generic", Preset::generic().expiry(expiry)));
    for (name, preset) in every().into_iter().chain(generic) {
        let (bench, can, _) = furnished(preset.lifetime(lifetime)).await;
        let Some(expiry) = can.expiry else { continue };
        let line = match (can.shown, can.login) {
            (Shown::Basic, Some((user, password))) => basic(user, password),
            _ => bench.bearer(&scope(can.private, "pull"), can.login).await,
        };
        let get = async |line: &str| {
            bench.send("GET", &format!("/v2/{}/manifests/1", can.private), &[line, ACCEPT], b"").await
        };
        let first = get("x-a: b").await.header("www-authenticate").unwrap_or_default().to_owned();
        advance(lifetime.saturating_sub(std::time::Duration::from_secs(1))).await;
        assert_eq!(get(&line).await.status, 200, "{name}");
        advance(std::time::Duration::from_secs(1)).await;
        let reply = get(&line).await;
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        let realm = |challenge: &str| challenge.split('"').nth(1).unwrap_or_default().to_owned();
        let (same_scheme, same_realm) = (challenge.get(..6) == first.get(..6), realm(challenge) == realm(&first));
        let seen = match (reply.status.as_u16(), challenge) {
            (401, "") => Expiry::BareUnauthorized,
            (403, "") => Expiry::Denied403,
            (400, "") => Expiry::Denied400,
            (401, _) if !same_scheme => Expiry::OtherScheme,
            (401, _) if !same_realm => Expiry::OtherRealm,
            _ => Expiry::Challenge,
        };
        assert_eq!(seen, expiry, "{name}: {reply:?}");
    }
    let never: Vec<&str> =
        every().into_iter().filter(|(_, preset)| preset.can.expiry.is_none()).map(|(name, _)| name).collect();
    assert_eq!(never, ["kubernetes", "mcr", "distribution", "distribution", "zot", "zot"]);
}

/// Where the preset tells nothing else, a test that walks them all need allow nothing.
#[tokio::test(start_paused = true)]
async fn basic_where_it_is_shown_breaks_no_rule() {
    for (name, preset) in every() {
        let (bench, can, _) = furnished(preset).await;
        let Some((user, password)) = can.login else { continue };
        bench.send("GET", "/v2/", &[&basic(user, password)], b"").await;
        let violations = bench.sim.take_violations();
        let allowed = bench.registry.preset().gate.basic;
        assert_eq!(violations.is_empty(), allowed, "{name}: {violations:?}");
        assert!(
            violations.iter().all(|line| line.starts_with(&format!("{:?}", Rule::BasicAtRegistry))),
            "{violations:?}"
        );
    }
}
