use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::time::{advance, sleep};

use super::*;
use crate::base::secret::Secret;
use crate::credential::cloud::failure::Step;
use crate::credential::tests::{Log, fetch};

const LENDING: Step = Step { doing: "asking the test", hint: "ask better" };

/// Lends for an hour, one login for each registry, and takes 100 ms for it.
#[derive(Debug, Default)]
struct Bank {
    calls: AtomicUsize,
    closed: AtomicBool,
    /// Lends the same again and again.
    stubborn: bool,
}

impl Lender for Arc<Bank> {
    type Key = Box<str>;

    async fn key(&self, wanted: &Wanted<'_>) -> Result<Box<str>, CredentialError> {
        Ok(wanted.registry.as_str().into())
    }

    async fn lend(self: Arc<Self>, key: Box<str>) -> Result<Lent, Failure> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        sleep(Duration::from_millis(100)).await;
        if self.closed.load(Ordering::Relaxed) {
            return Err(LENDING.failed("bank.test", "it is closed"));
        }
        let number = if self.stubborn { 1 } else { call };
        let credential = Credential::Bearer { token: Secret::new(format!("{key}#{number}")) };
        Ok(Lent { credential, lifetime: Duration::from_secs(3600), source: "the bank".to_owned() })
    }
}

struct Scene {
    bank: Arc<Bank>,
    leased: Leased<Arc<Bank>>,
}

impl Scene {
    fn new(bank: Bank) -> Self {
        let bank = Arc::new(bank);
        Self { leased: Leased::new(bank.clone(), &["generic"]), bank }
    }

    async fn token(&self, registry: &str) -> Result<String, CredentialError> {
        Ok(match fetch(&self.leased, registry).await?.credential {
            Credential::Bearer { token } => token.expose().to_owned(),
            other => format!("{other:?}"),
        })
    }

    async fn id(&self) -> CredentialId {
        fetch(&self.leased, "a.io").await.unwrap().id
    }

    fn calls(&self) -> usize {
        self.bank.calls.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn many_waiters_cost_one_call_for_each_key() {
    let scene = Scene::new(Bank::default());
    let all = join_all((0..100).map(|n| scene.token(if n % 2 == 0 { "a.io" } else { "b.io" }))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(scene.calls(), 2);
    assert_eq!(scene.token("docker.io").await.unwrap(), "Anonymous");
    assert_eq!(scene.calls(), 2, "nothing is lent for a registry of another kind");
}

#[tokio::test(start_paused = true)]
async fn in_use_a_login_is_renewed_before_anybody_waits() {
    let scene = Scene::new(Bank::default());
    scene.id().await;
    for _ in 0..24 * 60 {
        sleep(Duration::from_secs(60)).await;
        let now = Instant::now();
        scene.id().await;
        assert_eq!(Instant::now(), now, "nobody waits");
    }
    assert_eq!(scene.calls(), 1 + 32, "every 45 minutes");
}

#[tokio::test(start_paused = true)]
async fn what_was_lent_stays_to_its_end_and_then_the_reason_is_told() {
    let (log, _guard) = Log::listen();
    let scene = Scene::new(Bank::default());
    let begun = Instant::now();
    scene.id().await;
    scene.bank.closed.store(true, Ordering::Relaxed);
    while begun.elapsed() < Duration::from_secs(3560) {
        assert_eq!(scene.token("a.io").await.unwrap(), "a.io#1", "{:?}", begun.elapsed());
        sleep(Duration::from_secs(10)).await;
    }
    advance(Duration::from_secs(60)).await;
    let error = scene.token("a.io").await.unwrap_err().what;
    assert_eq!(error, "asking the test at bank.test failed: it is closed");
    assert_eq!(log.lines("stays in force").len(), 1, "told once");
    scene.bank.closed.store(false, Ordering::Relaxed);
    assert!(scene.token("a.io").await.is_ok(), "a failure is not remembered");
    assert_eq!(log.lines("lends logins again").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_asked_for_anew_and_all_wait_for_it() {
    let scene = Scene::new(Bank::default());
    let refused = scene.id().await;
    sleep(Duration::from_secs(10)).await;
    scene.leased.refused(refused);
    let all = join_all((0..50).map(|_| scene.token("a.io"))).await;
    assert!(all.iter().all(|token| token.as_ref().is_ok_and(|token| token == "a.io#2")), "{all:?}");
    assert_eq!(scene.calls(), 2);
    scene.leased.refused(refused);
    assert_eq!(scene.token("a.io").await.unwrap(), "a.io#2", "an old refusal says nothing of the new one");
    assert_eq!(scene.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lender_that_insists_is_left_alone_for_a_while() {
    let scene = Scene::new(Bank { stubborn: true, ..Bank::default() });
    let refused = scene.id().await;
    for _ in 0..600 {
        scene.leased.refused(refused);
        assert_eq!(scene.id().await, refused);
        sleep(Duration::from_secs(1)).await;
    }
    assert!((10..=12).contains(&scene.calls()), "{} calls in ten minutes", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_refuses_everything_does_not_wear_the_lender_out() {
    let scene = Scene::new(Bank::default());
    for _ in 0..600 {
        scene.leased.refused(scene.id().await);
        sleep(Duration::from_secs(1)).await;
    }
    assert!((10..=12).contains(&scene.calls()), "{} calls in ten minutes", scene.calls());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_while_the_lender_fails_takes_nothing_away() {
    let scene = Scene::new(Bank::default());
    let refused = scene.id().await;
    scene.bank.closed.store(true, Ordering::Relaxed);
    scene.leased.refused(refused);
    assert_eq!(scene.id().await, refused);
}
