//! Mounting: a blob that another repository of the same registry has need not be sent. Whatever stands in the way, the
//! client gets an upload instead.

use http::Method;

use super::{Stage, UPLOADS, and, location, plain};
use crate::harness::{Regpass, Reply, table};
use crate::sim::{Blob, Fault, Mounts, Policy, Preset, Reply as Answer, Sim, Source, WithoutFrom, sha256};

const BLOB: &[u8] = b"a blob of another repository";
const WIDE: &str = "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push&scope=repository:team/base:pull basic:alice";
const NARROW: &str =
    "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200";
const POST: &str = "registry POST /v2/team/app/blobs/uploads/";
const CHALLENGE: &str = "registry GET /v2/ anonymous 401";

fn mount(from: Option<&str>) -> String {
    let target = and(UPLOADS, &format!("mount={}", sha256(BLOB)));
    from.map_or(target.clone(), |from| and(&target, &format!("from={from}")))
}

fn mounting(from: Option<&str>) -> String {
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    format!("{POST}?mount={}{from}", sha256(BLOB))
}

async fn stage(preset: Preset, more: &str) -> Stage {
    let stage = Stage::set(preset, more).await;
    stage.registry.store().write("team/base", |repository| {
        repository.blobs.insert(sha256(BLOB), Blob::new(BLOB));
    });
    stage
}

impl Stage {
    async fn mount(&self, from: Option<&str>) -> Reply {
        self.send(Method::POST, &mount(from), "").await
    }

    /// The upload that came of a mount is one like any other, and so is the next.
    async fn assert_usable(&self, reply: &Reply) {
        assert_eq!(reply.status, 202, "{reply:?}");
        assert_eq!((reply.header("range"), reply.body.len()), (Some("0-0"), 0));
        self.finish(&location(reply), BLOB, BLOB).await;
        let next = self.begin("team/app").await;
        self.finish(&next, "more", b"more").await;
        let refused =
            self.sim.ledger().lines().into_iter().filter(|line| line.ends_with("401") || line.ends_with("403"));
        assert_eq!(refused.collect::<Vec<_>>(), [] as [String; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_is_in_the_same_token() {
    let stage = stage(plain(), "").await;
    let reply = stage.mount(Some("team/base")).await;
    stage.assert_created(&reply, BLOB);
    stage.expect(&[CHALLENGE, &format!("{WIDE} 200"), &format!("{} bearer#1 201", mounting(Some("team/base")))]);
    // That token serves the plain uploads, too.
    stage.begin("team/app").await;
    stage.expect(&[&format!("{POST} bearer#1 202")]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_source_without_the_blob_is_an_upload() {
    let stage = Stage::set(plain(), "").await;
    let reply = stage.mount(Some("team/base")).await;
    stage.expect(&[CHALLENGE, &format!("{WIDE} 200"), &format!("{} bearer#1 202", mounting(Some("team/base")))]);
    stage.assert_usable(&reply).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_refuses_the_source_gets_asked_without_it() {
    for status in [400, 401, 403] {
        let mut preset = plain();
        preset.tokens.grant = std::sync::Arc::new(move |ask| match ask.scopes.len() {
            1 => Ok(ask.reduced()),
            _ => Err(Answer::error(status, "DENIED", "one repository at a time")),
        });
        let stage = stage(preset, "").await;
        let reply = stage.mount(Some("team/base")).await;
        stage.expect(&[CHALLENGE, &format!("{WIDE} {status}"), NARROW, &format!("{POST} bearer#1 202")]);
        stage.assert_usable(&reply).await;
        // The refusal is remembered for a moment.
        stage.forget();
        assert_eq!(stage.mount(Some("team/base")).await.status, 202);
        stage.expect(&[&format!("{POST} bearer#1 202")]);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_stumbles_over_the_source_gets_asked_without_it() {
    for status in [404, 405, 500] {
        let mut preset = plain();
        preset.tokens.grant = std::sync::Arc::new(move |ask| match ask.scopes.len() {
            1 => Ok(ask.reduced()),
            _ => Err(Answer::error(status, "UNKNOWN", "what is the second one?")),
        });
        let stage = stage(preset, "").await;
        let reply = stage.mount(Some("team/base")).await;
        assert_eq!(reply.status, 202, "{status}: {reply:?}");
        let lines = stage.sim.ledger().lines();
        assert_eq!(lines[lines.len() - 2..], [NARROW.to_owned(), format!("{POST} bearer#1 202")], "{lines:?}");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_was_not_granted_is_left_out() {
    let mut preset = plain();
    preset.policy = Policy::Namespaces;
    let stage = stage(preset, "").await;
    stage.registry.store().write("team/app", |repository| repository.members.insert("alice".to_owned()));
    let reply = stage.mount(Some("team/base")).await;
    // The token says what it is good for, so the registry need not refuse it.
    stage.expect(&[CHALLENGE, &format!("{WIDE} 200"), &format!("{POST} bearer#1 202")]);
    stage.assert_usable(&reply).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_refuses_the_source_gets_an_upload() {
    for status in [401, 403, 404] {
        let stage = stage(plain(), "").await;
        let refusal =
            if status == 401 { stage.registry.invalid_token() } else { Answer::error(status, "DENIED", "no") };
        stage.registry.registry().inject(Fault::answer(refusal).when(|entry| entry.query_value("from").is_some()));
        let reply = stage.mount(Some("team/base")).await;
        let tried = format!("{} bearer#1 {status}", mounting(Some("team/base")));
        stage.expect(&[CHALLENGE, &format!("{WIDE} 200"), &tried, &format!("{POST} bearer#1 202")]);
        stage.assert_usable(&reply).await;
        stage.sim.finish();
    }
    // A registry that is broken, or busy for long, is not asked again.
    for (status, verdict) in [(500, "500 UNAVAILABLE"), (503, "503 UNAVAILABLE"), (429, "429 TOOMANYREQUESTS")] {
        let stage = stage(plain(), "").await;
        let busy = Answer::new(status).text("not now").header("retry-after", "60");
        stage.registry.registry().inject(Fault::answer(busy.clone()).method(Method::POST));
        let reply = stage.mount(Some("team/base")).await;
        assert_eq!(reply.verdict(), verdict);
        let tried = format!("{} bearer#1 {status}", mounting(Some("team/base")));
        stage.expect(&[CHALLENGE, &format!("{WIDE} 200"), &tried]);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn registries_that_challenge_for_the_source_or_never_mount_give_an_upload() {
    for source in [Source::Challenged, Source::Optional, Source::Never] {
        let preset = plain().pushes(|push| push.mounts = Mounts { source, without_from: WithoutFrom::Ignored });
        let stage = Stage::set(preset, "").await;
        let reply = stage.mount(Some("team/gone")).await;
        stage.forget();
        stage.assert_usable(&reply).await;
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_source_it_is_the_registrys_to_find_one() {
    let refusal = Answer::error(400, "UNSUPPORTED", "name a source");
    for (without_from, status, requests) in
        [(WithoutFrom::Ignored, 202, 1), (WithoutFrom::Anywhere, 201, 1), (WithoutFrom::Refused(refusal), 202, 2)]
    {
        let preset = plain().pushes(|push| push.mounts = Mounts { source: Source::Optional, without_from });
        let mut preset = preset;
        preset.tokens.mint = crate::sim::Mint::Unbound;
        let stage = stage(preset, "").await;
        stage.warm().await;
        let reply = stage.mount(None).await;
        assert_eq!(reply.status, status, "{reply:?}");
        let lines = stage.sim.ledger().lines();
        assert_eq!((lines.len(), lines[0].starts_with(&mounting(None))), (requests, true), "{lines:?}");
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_is_understood_in_every_spelling() {
    for (from, seen) in [
        ("team%2Fbase", Some("team/base")),
        ("distribution.test/team/base", Some("team/base")),
        ("distribution.test%2Fteam%2Fbase", Some("team/base")),
        ("home/team/base", Some("team/base")),
        ("ghcr.io/team/base", None),
        ("far/team/base", None),
        ("unknown.example/team/base", None),
    ] {
        let sim = Sim::memory();
        let registry = sim.start(plain()).await;
        let far = sim.start(plain().named("far")).await;
        registry.user("alice", "alices password");
        let text =
            format!("{}{}", Stage::text("", &registry, "alias = \"home\""), table("far.test", &far, "alias = \"far\""));
        let stage = Stage { regpass: Regpass::start(&sim, &text), sim, registry };
        stage.registry.store().write("team/base", |base| base.blobs.insert(sha256(BLOB), Blob::new(BLOB)));
        let reply = stage.mount(Some(from)).await;
        if let Some(seen) = seen {
            stage.assert_created(&reply, BLOB);
            let line = format!("{} bearer#1 201", mounting(Some(seen)));
            stage.expect(&[CHALLENGE, &format!("{WIDE} 200"), &line]);
        } else {
            stage.expect(&[CHALLENGE, NARROW, &format!("{POST} bearer#1 202")]);
            stage.assert_usable(&reply).await;
        }
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_bare_source_belongs_to_the_default_registry() {
    let sim = Sim::memory();
    let registry = sim.start(plain()).await;
    let far = sim.start(plain().named("far")).await;
    far.user("alice", "alices password");
    let more = "allow = [\"pull\", \"push\"]\ncredential = { source = \"password\", username = \"alice\", password = \"alices password\" }";
    let text = format!("{}{}", Stage::text("", &registry, ""), table("far.test", &far, more));
    let regpass = Regpass::start(&sim, &text);
    // By path, the client's names hold the registry, so a bare one is of the default registry; by `ns`, they do not.
    for (target, mounts) in
        [("/v2/far.test/team/app/blobs/uploads/", false), ("/v2/team/app/blobs/uploads/?ns=far.test", true)]
    {
        sim.ledger().take();
        let target = and(target, &format!("mount={}&from=team/base", sha256(BLOB)));
        let reply = regpass.send(super::carrying(Method::POST, &target, "")).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        let asked = sim.ledger().lines().iter().any(|line| line.contains("team/base"));
        assert_eq!(asked, mounts, "{target}: {:?}", sim.ledger().lines());
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_pulled_is_not_to_be_had_by_mounting() {
    for (allow, repositories) in [
        ("[\"push\"]", "[\"team/**\"]"),
        ("[\"pull\", \"push\"]", "[\"team/app\"]"),
        ("[\"pull\", \"push\"]", "{ pull = [\"team/app\"] }"),
    ] {
        let sim = Sim::memory();
        let registry = sim.start(plain()).await;
        registry.user("alice", "alices password");
        let text = Stage::text("", &registry, &format!("repositories = {repositories}"))
            .replace("[\"pull\", \"push\", \"delete\"]", allow);
        let stage = Stage { regpass: Regpass::start(&sim, &text), sim, registry };
        let reply = stage.mount(Some("team/base")).await;
        stage.expect(&[CHALLENGE, NARROW, &format!("{POST} bearer#1 202")]);
        stage.assert_usable(&reply).await;
        stage.sim.finish();
    }
}

/// A registry decodes what it reads, or takes the last of several values.
#[tokio::test(start_paused = true)]
async fn a_source_that_may_not_be_pulled_cannot_be_hidden_from_regpass() {
    let digest = sha256(BLOB);
    for (query, seen) in [
        (format!("%6dount={digest}&%66rom=team/base"), ""),
        (format!("mount={digest}&%66rom=team/base"), ""),
        (format!("mount={digest}&from&from=team/base"), ""),
        (format!("mount={digest}&from=team/app&from=team/base"), &*format!("?mount={digest}&from=team/app")),
    ] {
        let stage = stage(plain(), "repositories = { pull = [\"team/app\"] }").await;
        stage.warm().await;
        assert_eq!(stage.send(Method::POST, &and(UPLOADS, &query), "").await.status, 202, "{query}");
        stage.expect(&[&format!("{POST}{seen} bearer#1 202")]);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn names_and_digests_of_a_mount_are_judged_before_the_registry_sees_them() {
    let stage = Stage::set(plain(), "").await;
    for (query, verdict) in [
        ("mount=sha256:12&from=team/base".to_owned(), "400 DIGEST_INVALID"),
        ("mount=latest".to_owned(), "400 DIGEST_INVALID"),
        (format!("mount={}&from=Team/Base", sha256(BLOB)), "400 NAME_INVALID"),
        (format!("mount={}&from=team/..%2Fbase", sha256(BLOB)), "400 NAME_INVALID"),
    ] {
        let reply = stage.send(Method::POST, &and(UPLOADS, &query), "").await;
        assert_eq!(reply.verdict(), verdict, "{query}");
        stage.expect(&[]);
    }
    stage.sim.finish();
}
