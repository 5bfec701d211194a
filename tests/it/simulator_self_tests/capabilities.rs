//! The capabilities of every preset, compared with its behaviour.

use tokio::time::advance;

use crate::sim::{AuthKind, Capabilities, Catalog, ExpiryReply, Image, ImageFormat, Preset, Rule, sha256};
use crate::simulator_self_tests::{TestBench, basic, resolve, with_digest};

type Credential = Option<(&'static str, &'static str)>;

async fn with_sample_content(mut preset: Preset) -> (TestBench, Capabilities, Image) {
    preset.tokens.chunked = false;
    let bench = Box::pin(TestBench::start(preset)).await;
    let image = Image::single("app", ImageFormat::Oci);
    bench.registry.add_sample_content("1", &image);
    let can = bench.registry.preset().capabilities.clone();
    (bench, can, image)
}

/// Sends a request with the credential as the preset expects it, Basic or a token for `scope`; returns status and Location.
async fn send(
    bench: &TestBench,
    method: &str,
    target: &str,
    credential: Credential,
    scope: &str,
    body: &[u8],
) -> (u16, Option<String>) {
    let line = match (bench.registry.preset().capabilities.auth_kind, credential) {
        (AuthKind::None, _) | (AuthKind::Basic, None) => "x-a: b".to_owned(),
        (AuthKind::Basic, Some((user, password))) => basic(user, password),
        (AuthKind::Token, _) => bench.bearer(scope, credential).await,
    };
    let kind = "content-type: application/vnd.oci.image.manifest.v1+json";
    let lines: &[&str] =
        if target.contains("/manifests/") && method == "PUT" { &[&line, kind] } else { &[&line, ACCEPT] };
    let reply = bench.send(method, target, lines, body).await;
    let location = reply.header("location").map(|_| resolve(target, &reply));
    (reply.status.as_u16(), location)
}

const ACCEPT: &str = "accept: application/vnd.oci.image.manifest.v1+json";

/// The scope as the registry expects it: Artifactory leaves the key `docker-local` in the path out of scopes.
fn scope(name: &str, actions: &str) -> String {
    format!("repository:{}:{actions}", name.strip_prefix("docker-local/").unwrap_or(name))
}

fn presets_and_variants() -> Vec<(&'static str, Preset)> {
    let variants = Preset::variants().into_iter().map(|(name, _, preset)| (name, preset));
    Preset::all().into_iter().chain(variants).collect()
}

#[test]
fn every_profile_has_a_preset_with_valid_repository_names() {
    let all = Preset::all();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let expected = "acr alibaba artifactory chainguard dhi digitalocean distribution docker-hub ecr ecr-public elastic ghcr gitea gitlab google harbor huawei ibm kubernetes mcr ngc oracle quay redhat scaleway scarf zot generic";
    assert_eq!(names.join(" "), expected);
    for (name, preset) in presets_and_variants() {
        assert!(
            preset.allows_name(preset.capabilities.public_repository)
                && preset.allows_name(preset.capabilities.private_repository),
            "{name}"
        );
    }
    assert!(!Preset::google().allows_name("project/app") && !Preset::quay().allows_name("app"));
}

#[tokio::test(start_paused = true)]
async fn pulls_with_and_without_a_credential_match_the_capabilities() {
    for (name, preset) in presets_and_variants() {
        let (bench, can, _) = with_sample_content(preset).await;
        let manifest = |repository: &str| format!("/v2/{repository}/manifests/1");
        let anonymous = match (can.anonymous_pull, can.auth_kind) {
            (false, AuthKind::Token) => continue,
            _ => {
                send(&bench, "GET", &manifest(can.public_repository), None, &scope(can.public_repository, "pull"), b"")
                    .await
                    .0
            }
        };
        assert_eq!(matches!(anonymous, 200 | 307), can.anonymous_pull, "{name}: {anonymous}");
        if can.credential.is_some() {
            let private = send(
                &bench,
                "GET",
                &manifest(can.private_repository),
                can.credential,
                &scope(can.private_repository, "pull"),
                b"",
            )
            .await
            .0;
            assert_eq!(private, 200, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pushes_and_deletes_match_the_capabilities() {
    for (name, preset) in presets_and_variants() {
        let (bench, can, image) = with_sample_content(preset).await;
        let repository = can.private_repository;
        let target = |rest: &str| format!("/v2/{repository}/{rest}");
        let push = scope(repository, "pull,push");
        let (begun, location) = send(&bench, "POST", &target("blobs/uploads/"), can.credential, &push, b"").await;
        assert_eq!(begun == 202, can.push, "{name}: {begun}");
        if let Some(location) = location.filter(|_| can.push) {
            let (sent, location) = send(&bench, "PATCH", &location, can.credential, &push, b"new").await;
            assert!(matches!(sent, 201 | 202), "{name}: {sent}");
            let end = with_digest(&location.unwrap(), &sha256(b"new"));
            assert_eq!(send(&bench, "PUT", &end, can.credential, &push, b"").await.0, 201, "{name}");
            let tagged = send(&bench, "PUT", &target("manifests/2"), can.credential, &push, &image.top().bytes).await.0;
            assert_eq!(tagged, 201, "{name}");
        }
        let new = format!("{repository}-new");
        let made =
            send(&bench, "POST", &format!("/v2/{new}/blobs/uploads/"), can.credential, &scope(&new, "pull,push"), b"")
                .await
                .0;
        assert_eq!(made == 202, can.push_creates_repository, "{name}: {made}");
        let is_quay = bench.registry.preset().tokens.push_creates_repository;
        let delete = scope(repository, if is_quay { "pull,push" } else { "pull,push,delete" });
        for (rest, allowed) in [
            ("manifests/1", can.delete_tags),
            (&*format!("manifests/{}", image.digest()), can.delete_manifests),
            (&*format!("blobs/{}", image.blobs[0].digest), can.delete_blobs),
        ] {
            let deleted = send(&bench, "DELETE", &target(rest), can.credential, &delete, b"").await.0;
            assert_eq!(deleted == 202, allowed, "{name} {rest}: {deleted}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn catalog_and_referrers_match_the_capabilities() {
    for (name, preset) in presets_and_variants() {
        let (bench, can, image) = with_sample_content(preset).await;
        let (mut credential, mut kind) = (can.credential, can.auth_kind);
        let is_listable = match can.catalog {
            Catalog::AdminByToken { user } | Catalog::AdminByBasic { user } => {
                bench.registry.add_user(user, "admins");
                let by =
                    if matches!(can.catalog, Catalog::AdminByToken { .. }) { AuthKind::Token } else { AuthKind::Basic };
                (credential, kind) = (Some((user, "admins")), by);
                true
            }
            Catalog::AnyUser | Catalog::Everyone => true,
            Catalog::Unsupported | Catalog::OwnNamespaces => false,
        };
        bench.registry.change_preset(|preset| preset.capabilities.auth_kind = kind);
        if is_listable || kind != AuthKind::Token {
            let scope = match name {
                "quay" | "gitea" => "",
                "ghcr" => "repository:toddysm/python:pull",
                "zot" => "repository::pull",
                _ => "registry:catalog:*",
            };
            let listed = send(&bench, "GET", "/v2/_catalog", credential, scope, b"").await.0;
            assert_eq!(listed == 200, is_listable, "{name}: {listed}");
        }
        bench.registry.change_preset(|preset| preset.capabilities.auth_kind = can.auth_kind);
        // registry.k8s.io redirects the request with 307 to its region.
        let referrers = format!("/v2/{}/referrers/{}", can.public_repository, image.digest());
        let found = send(&bench, "GET", &referrers, can.credential, &scope(can.public_repository, "pull"), b"").await.0;
        assert_eq!(matches!(found, 200 | 307), can.referrers, "{name}: {found}");
    }
}

/// Every preset, whatever its real lifetime, gets the lifetime of this test.
#[tokio::test(start_paused = true)]
async fn reply_to_an_expired_token_matches_the_capabilities() {
    let lifetime = std::time::Duration::from_secs(90);
    let further = [
        ExpiryReply::OtherRealm,
        ExpiryReply::OtherScheme,
        ExpiryReply::BareUnauthorized,
        ExpiryReply::Denied403,
        ExpiryReply::Denied400,
    ];
    let generic = further.map(|expiry| ("generic", Preset::generic().expiry_reply(expiry)));
    for (name, preset) in presets_and_variants().into_iter().chain(generic) {
        let (bench, can, _) = with_sample_content(preset.lifetime(lifetime)).await;
        let Some(expiry) = can.expiry else { continue };
        let line = match (can.auth_kind, can.credential) {
            (AuthKind::Basic, Some((user, password))) => basic(user, password),
            _ => bench.bearer(&scope(can.private_repository, "pull"), can.credential).await,
        };
        let get = async |line: &str| {
            bench.send("GET", &format!("/v2/{}/manifests/1", can.private_repository), &[line, ACCEPT], b"").await
        };
        let first = get("x-a: b").await.header("www-authenticate").unwrap_or_default().to_owned();
        advance(lifetime.saturating_sub(std::time::Duration::from_secs(1))).await;
        assert_eq!(get(&line).await.status, 200, "{name}");
        advance(std::time::Duration::from_secs(1)).await;
        let reply = get(&line).await;
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        let realm = |challenge: &str| challenge.split('"').nth(1).unwrap_or_default().to_owned();
        let (same_scheme, same_realm) = (challenge.get(..6) == first.get(..6), realm(challenge) == realm(&first));
        let actual = match (reply.status.as_u16(), challenge) {
            (401, "") => ExpiryReply::BareUnauthorized,
            (403, "") => ExpiryReply::Denied403,
            (400, "") => ExpiryReply::Denied400,
            (401, _) if !same_scheme => ExpiryReply::OtherScheme,
            (401, _) if !same_realm => ExpiryReply::OtherRealm,
            _ => ExpiryReply::Challenge,
        };
        assert_eq!(actual, expiry, "{name}: {reply:?}");
    }
    let never: Vec<&str> = presets_and_variants()
        .into_iter()
        .filter(|(_, preset)| preset.capabilities.expiry.is_none())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(never, ["kubernetes", "mcr", "distribution", "distribution", "zot", "zot"]);
}

#[tokio::test(start_paused = true)]
async fn basic_breaks_a_rule_only_where_it_is_not_accepted() {
    for (name, preset) in presets_and_variants() {
        let (bench, can, _) = with_sample_content(preset).await;
        let Some((user, password)) = can.credential else { continue };
        bench.send("GET", "/v2/", &[&basic(user, password)], b"").await;
        let violations = bench.sim.take_violations();
        let allowed = bench.registry.preset().access.accepts_basic;
        assert_eq!(violations.is_empty(), allowed, "{name}: {violations:?}");
        assert!(
            violations.iter().all(|line| line.starts_with(&format!("{:?}", Rule::BasicAtRegistry))),
            "{violations:?}"
        );
    }
}
