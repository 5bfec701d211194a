//! Mounts of blobs that another repository of the same registry has. If one fails, the client gets a plain upload instead.

use std::sync::Arc;

use http::Method;

use super::{PUSHER, PushSetup, UPLOADS, location_of, request_with_body, token_registry, with_query};
use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{
    Blob, Fault, MountRules, MountSource, MountWithoutFrom, Policy, Preset, Registry, Reply as Answer, Sim,
    TokenFormat, sha256,
};

const BLOB: &[u8] = b"a blob of another repository";
/// The token call for `team/app` and for `team/base`, from which the blob is mounted, without its status.
const TOKEN_WITH_SOURCE: &str = "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push&scope=repository:team/base:pull basic:alice";
/// The token call for `team/app` only, which succeeds.
const TOKEN_WITHOUT_SOURCE: &str =
    "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200";
const POST: &str = "registry POST /v2/team/app/blobs/uploads/";
const CHALLENGE: &str = "registry GET /v2/ anonymous 401";

/// The target that a client requests to mount the blob from this repository; with `None` from any.
fn mount_target(from: Option<&str>) -> String {
    let target = with_query(UPLOADS, &format!("mount={}", sha256(BLOB)));
    from.map_or(target.clone(), |from| with_query(&target, &format!("from={from}")))
}

/// The ledger's line for a mount of the blob from this repository, without authorization and status.
fn mount_line(from: Option<&str>) -> String {
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    format!("{POST}?mount={}{from}", sha256(BLOB))
}

/// A setup whose registry has the blob in `team/base`.
async fn setup_with_source(preset: Preset, more: &str) -> PushSetup {
    let setup = PushSetup::start(preset, more).await;
    setup.registry.store().write("team/base", |repository| {
        repository.blobs.insert(sha256(BLOB), Blob::new(BLOB));
    });
    setup
}

impl PushSetup {
    async fn mount(&self, from: Option<&str>) -> Reply {
        self.send(Method::POST, &mount_target(from), "").await
    }

    /// Asserts that the reply to a mount started an upload, that this upload and a further one can be finished, and that no
    /// request in the ledger has a 401 or 403.
    async fn assert_upload_instead(&self, reply: &Reply) {
        assert_eq!(reply.status, 202, "{reply:?}");
        assert_eq!((reply.header("range"), reply.body.len()), (Some("0-0"), 0));
        self.finish_upload(&location_of(reply), BLOB, BLOB).await;
        let next = self.start_upload("team/app").await;
        self.finish_upload(&next, "more", b"more").await;
        let lines = self.sim.ledger().lines();
        let rejected = lines.iter().filter(|line| line.ends_with("401") || line.ends_with("403"));
        assert_eq!(rejected.collect::<Vec<_>>(), [] as [&String; 0]);
    }
}

/// A registry whose token service answers a request for more than one scope with this error.
fn one_scope_per_token(status: u16, code: &'static str) -> Preset {
    let mut preset = token_registry();
    preset.tokens.grant = Arc::new(move |request| match request.scopes.len() {
        1 => Ok(request.permitted_scopes()),
        _ => Err(Answer::error(status, code, "one repository at a time")),
    });
    preset
}

#[tokio::test(start_paused = true)]
async fn a_mount_uses_one_token_for_both_repositories() {
    let setup = setup_with_source(token_registry(), "").await;
    let reply = setup.mount(Some("team/base")).await;
    setup.assert_created(&reply, BLOB);
    setup.expect(&[
        CHALLENGE,
        &format!("{TOKEN_WITH_SOURCE} 200"),
        &format!("{} bearer#1 201", mount_line(Some("team/base"))),
    ]);
    // The same token serves plain uploads.
    setup.start_upload("team/app").await;
    setup.expect(&[&format!("{POST} bearer#1 202")]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_mount_from_a_repository_without_the_blob_starts_an_upload() {
    let setup = PushSetup::start(token_registry(), "").await;
    let reply = setup.mount(Some("team/base")).await;
    setup.expect(&[
        CHALLENGE,
        &format!("{TOKEN_WITH_SOURCE} 200"),
        &format!("{} bearer#1 202", mount_line(Some("team/base"))),
    ]);
    setup.assert_upload_instead(&reply).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_denied_token_for_the_source_starts_an_upload_with_a_token_without_it() {
    for status in [400, 401, 403] {
        let setup = setup_with_source(one_scope_per_token(status, "DENIED"), "").await;
        let reply = setup.mount(Some("team/base")).await;
        setup.expect(&[
            CHALLENGE,
            &format!("{TOKEN_WITH_SOURCE} {status}"),
            TOKEN_WITHOUT_SOURCE,
            &format!("{POST} bearer#1 202"),
        ]);
        setup.assert_upload_instead(&reply).await;
        // The denial is cached for some seconds.
        setup.clear_ledger();
        assert_eq!(setup.mount(Some("team/base")).await.status, 202);
        setup.expect(&[&format!("{POST} bearer#1 202")]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_token_request_for_the_source_starts_an_upload_with_a_token_without_it() {
    for status in [404, 405, 500] {
        let setup = setup_with_source(one_scope_per_token(status, "UNKNOWN"), "").await;
        let reply = setup.mount(Some("team/base")).await;
        assert_eq!(reply.status, 202, "{status}: {reply:?}");
        let lines = setup.sim.ledger().lines();
        assert_eq!(
            lines[lines.len() - 2..],
            [TOKEN_WITHOUT_SOURCE.to_owned(), format!("{POST} bearer#1 202")],
            "{lines:?}"
        );
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_the_token_does_not_grant_is_omitted() {
    let mut preset = token_registry();
    preset.policy = Policy::Namespaces;
    let setup = setup_with_source(preset, "").await;
    setup.registry.store().write("team/app", |repository| repository.members.insert("alice".to_owned()));
    let reply = setup.mount(Some("team/base")).await;
    // The token shows what it grants, so regpass does not wait for the registry's rejection.
    setup.expect(&[CHALLENGE, &format!("{TOKEN_WITH_SOURCE} 200"), &format!("{POST} bearer#1 202")]);
    setup.assert_upload_instead(&reply).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_mount_that_the_registry_denies_starts_an_upload_and_one_that_fails_does_not() {
    for status in [401, 403, 404] {
        let setup = setup_with_source(token_registry(), "").await;
        let rejection =
            if status == 401 { setup.registry.invalid_token_reply() } else { Answer::error(status, "DENIED", "no") };
        setup.registry.api().inject(Fault::answer(rejection).when(|entry| entry.query_value("from").is_some()));
        let reply = setup.mount(Some("team/base")).await;
        let mount = format!("{} bearer#1 {status}", mount_line(Some("team/base")));
        setup.expect(&[CHALLENGE, &format!("{TOKEN_WITH_SOURCE} 200"), &mount, &format!("{POST} bearer#1 202")]);
        setup.assert_upload_instead(&reply).await;
        setup.sim.finish();
    }
    // If the registry is broken, or busy for long, regpass sends no second request.
    for (status, verdict) in [(500, "500 UNAVAILABLE"), (503, "503 UNAVAILABLE"), (429, "429 TOOMANYREQUESTS")] {
        let setup = setup_with_source(token_registry(), "").await;
        let busy = Answer::new(status).text("not now").header("retry-after", "60");
        setup.registry.api().inject(Fault::answer(busy.clone()).method(Method::POST));
        let reply = setup.mount(Some("team/base")).await;
        assert_eq!(reply.status_and_code(), verdict);
        let mount = format!("{} bearer#1 {status}", mount_line(Some("team/base")));
        setup.expect(&[CHALLENGE, &format!("{TOKEN_WITH_SOURCE} 200"), &mount]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_needs_a_source_scope_or_never_mounts_starts_an_upload() {
    for source in [MountSource::ScopeAndSourceRequired, MountSource::Optional, MountSource::Never] {
        let preset = token_registry()
            .with_push_rules(|push| push.mounts = MountRules { source, without_from: MountWithoutFrom::OpensSession });
        let setup = PushSetup::start(preset, "").await;
        let reply = setup.mount(Some("team/gone")).await;
        setup.clear_ledger();
        setup.assert_upload_instead(&reply).await;
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_mount_without_source_is_forwarded_and_a_rejection_starts_an_upload() {
    let rejection = Answer::error(400, "UNSUPPORTED", "a source is required");
    for (without_from, status, requests) in [
        (MountWithoutFrom::OpensSession, 202, 1),
        (MountWithoutFrom::AnyReadable, 201, 1),
        (MountWithoutFrom::Rejected(rejection), 202, 2),
    ] {
        let rules = MountRules { source: MountSource::Optional, without_from };
        let mut preset = token_registry().with_push_rules(|push| push.mounts = rules);
        preset.tokens.format = TokenFormat::UserOpaque;
        let setup = setup_with_source(preset, "").await;
        setup.warm().await;
        let reply = setup.mount(None).await;
        assert_eq!(reply.status, status, "{reply:?}");
        let lines = setup.sim.ledger().lines();
        assert_eq!((lines.len(), lines[0].starts_with(&mount_line(None))), (requests, true), "{lines:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_is_recognized_in_every_spelling_and_omitted_if_on_another_registry() {
    for (from, source) in [
        ("team%2Fbase", Some("team/base")),
        ("distribution.test/team/base", Some("team/base")),
        ("distribution.test%2Fteam%2Fbase", Some("team/base")),
        ("home/team/base", Some("team/base")),
        ("ghcr.io/team/base", None),
        ("far/team/base", None),
        ("unknown.example/team/base", None),
    ] {
        let config = |registry: &Registry, far: &Registry| {
            let own = PushSetup::config_text("", registry, "alias = \"home\"");
            format!("{own}{}", registry_table("far.test", far, "alias = \"far\""))
        };
        let far = token_registry().named("far");
        let (setup, _far) = Box::pin(PushSetup::start_beside(token_registry(), far, config)).await;
        setup.registry.store().write("team/base", |base| base.blobs.insert(sha256(BLOB), Blob::new(BLOB)));
        let reply = setup.mount(Some(from)).await;
        if let Some(source) = source {
            setup.assert_created(&reply, BLOB);
            let line = format!("{} bearer#1 201", mount_line(Some(source)));
            setup.expect(&[CHALLENGE, &format!("{TOKEN_WITH_SOURCE} 200"), &line]);
        } else {
            setup.expect(&[CHALLENGE, TOKEN_WITHOUT_SOURCE, &format!("{POST} bearer#1 202")]);
            setup.assert_upload_instead(&reply).await;
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_without_registry_is_at_the_default_registry_or_at_that_of_ns() {
    let config = |registry: &Registry, far: &Registry| {
        format!("{}{}", PushSetup::config_text("", registry, ""), registry_table("far.test", far, PUSHER))
    };
    let (setup, _far) = PushSetup::start_beside(token_registry(), token_registry().named("far"), config).await;
    // If the path names the registry, a `from` that names none is at the default registry. With `ns`, `from` is at the
    // registry of `ns`.
    for (target, mounts) in
        [("/v2/far.test/team/app/blobs/uploads/", false), ("/v2/team/app/blobs/uploads/?ns=far.test", true)]
    {
        setup.clear_ledger();
        let target = with_query(target, &format!("mount={}&from=team/base", sha256(BLOB)));
        let reply = setup.send(Method::POST, &target, "").await;
        assert_eq!(reply.status, 202, "{reply:?}");
        let lines = setup.sim.ledger().lines();
        assert_eq!(lines.iter().any(|line| line.contains("team/base")), mounts, "{target}: {lines:?}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn registry_named_again_in_the_source_is_removed_beside_ns() {
    let setup = setup_with_source(token_registry(), "alias = \"home\"").await;
    setup.warm().await;
    for (from, forwarded) in [
        ("distribution.test/team/base", "team/base"),
        ("team/base", "team/base"),
        // A repository of the registry itself, whatever its first component means elsewhere.
        ("home/base", "home/base"),
        ("ghcr.io/team/base", "ghcr.io/team/base"),
    ] {
        let target =
            format!("/v2/distribution.test/team/app/blobs/uploads/?ns=distribution.test&mount={}", sha256(BLOB));
        let reply = setup.send(Method::POST, &format!("{target}&from={from}"), "").await;
        assert!(matches!(reply.status.as_u16(), 201 | 202), "{from}: {reply:?}");
        let location = reply.header("location").unwrap();
        assert!(location.starts_with("/v2/distribution.test/team/app/blobs/"), "{location}");
        assert!(location.ends_with("ns=distribution.test"), "{location}");
        let lines = setup.sim.ledger().take();
        let sources: Vec<_> = lines.iter().filter_map(|entry| entry.query_value("from")).collect();
        assert!(!sources.is_empty() && sources.iter().all(|source| source == forwarded), "{from}: {sources:?}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_source_that_the_configuration_does_not_allow_to_pull_is_omitted() {
    for (allow, repositories) in [
        ("[\"push\"]", "[\"team/**\"]"),
        ("[\"pull\", \"push\"]", "[\"team/app\"]"),
        ("[\"pull\", \"push\"]", "{ pull = [\"team/app\"] }"),
    ] {
        let sim = Sim::memory();
        let registry = sim.start(token_registry()).await;
        registry.add_user("alice", "alices password");
        let text = PushSetup::config_text("", &registry, &format!("repositories = {repositories}"))
            .replace("[\"pull\", \"push\", \"delete\"]", allow);
        let setup = PushSetup { regpass: Regpass::start(&sim, &text), sim, registry };
        let reply = setup.mount(Some("team/base")).await;
        setup.expect(&[CHALLENGE, TOKEN_WITHOUT_SOURCE, &format!("{POST} bearer#1 202")]);
        setup.assert_upload_instead(&reply).await;
        setup.sim.finish();
    }
}

/// A registry may decode parameter names, or use the last of several values, and so read a `from` that regpass did not.
#[tokio::test(start_paused = true)]
async fn a_source_hidden_by_encoding_or_repetition_is_not_forwarded() {
    let digest = sha256(BLOB);
    for (query, forwarded) in [
        (format!("%6dount={digest}&%66rom=team/base"), ""),
        (format!("mount={digest}&%66rom=team/base"), ""),
        (format!("mount={digest}&from&from=team/base"), ""),
        (format!("mount={digest}&from=team/app&from=team/base"), &*format!("?mount={digest}&from=team/app")),
    ] {
        let setup = setup_with_source(token_registry(), "repositories = { pull = [\"team/app\"] }").await;
        setup.warm().await;
        assert_eq!(setup.send(Method::POST, &with_query(UPLOADS, &query), "").await.status, 202, "{query}");
        setup.expect(&[&format!("{POST}{forwarded} bearer#1 202")]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_name_or_digest_of_a_mount_is_a_400() {
    let setup = PushSetup::start(token_registry(), "").await;
    for (query, verdict) in [
        ("mount=sha256:12&from=team/base".to_owned(), "400 DIGEST_INVALID"),
        ("mount=latest".to_owned(), "400 DIGEST_INVALID"),
        (format!("mount={}&from=Team/Base", sha256(BLOB)), "400 NAME_INVALID"),
        (format!("mount={}&from=team/..%2Fbase", sha256(BLOB)), "400 NAME_INVALID"),
    ] {
        let request = request_with_body(Method::POST, &with_query(UPLOADS, &query), "");
        setup.assert_rejected_by_regpass(request, verdict, &query).await;
    }
    setup.sim.finish();
}
