use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::time::{advance, sleep};

use super::*;
use crate::base::secret::Secret;
use crate::base::tests::CapturedLog;
use crate::credential::cloud::failure::Step;
use crate::credential::tests::fetch;

const ISSUING: Step = Step::new("asking the test cloud", "ask better");

/// Issues one credential for each registry, valid for an hour. Each call takes 100 ms.
#[derive(Debug, Default)]
struct TestCloud {
    calls: AtomicUsize,
    is_down: AtomicBool,
    /// Issues the same credential again and again.
    repeats_itself: bool,
}

impl CredentialIssuer for Arc<TestCloud> {
    type Key = Box<str>;

    async fn key(&self, request: &CredentialRequest<'_>) -> Result<Box<str>, CredentialError> {
        Ok(request.registry.as_str().into())
    }

    async fn issue(self: Arc<Self>, key: Box<str>) -> Result<IssuedCredential, Failure> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        sleep(Duration::from_millis(100)).await;
        if self.is_down.load(Ordering::Relaxed) {
            return Err(ISSUING.failed("cloud.test", "it is down"));
        }
        let number = if self.repeats_itself { 1 } else { call };
        let credential = Credential::Bearer { token: Secret::new(format!("{key}#{number}")) };
        Ok(IssuedCredential { credential, lifetime: Duration::from_secs(3600), source: "the test cloud".to_owned() })
    }
}

struct TestProvider {
    cloud: Arc<TestCloud>,
    provider: LeasedProvider<Arc<TestCloud>>,
}

impl TestProvider {
    fn new(cloud: TestCloud) -> Self {
        let cloud = Arc::new(cloud);
        Self { provider: LeasedProvider::new(cloud.clone(), &["generic"]), cloud }
    }

    async fn token(&self, registry: &str) -> Result<String, CredentialError> {
        Ok(match fetch(&self.provider, registry).await?.credential {
            Credential::Bearer { token } => token.expose().to_owned(),
            other => format!("{other:?}"),
        })
    }

    async fn id(&self) -> CredentialId {
        fetch(&self.provider, "a.io").await.unwrap().id
    }

    fn calls(&self) -> usize {
        self.cloud.calls.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_share_one_call_for_each_key() {
    let test = TestProvider::new(TestCloud::default());
    let all = join_all((0..100).map(|n| test.token(if n % 2 == 0 { "a.io" } else { "b.io" }))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(test.calls(), 2);
    assert_eq!(test.token("docker.io").await.unwrap(), "Anonymous");
    assert_eq!(test.calls(), 2, "none for a registry of another profile");
}

#[tokio::test(start_paused = true)]
async fn a_credential_in_use_is_renewed_in_the_background() {
    let test = TestProvider::new(TestCloud::default());
    test.id().await;
    for _ in 0..24 * 60 {
        sleep(Duration::from_secs(60)).await;
        let now = Instant::now();
        test.id().await;
        assert_eq!(Instant::now(), now, "no request waits");
    }
    assert_eq!(test.calls(), 1 + 32, "every 45 minutes");
}

#[tokio::test(start_paused = true)]
async fn while_the_cloud_is_down_the_cached_credential_is_used_until_it_expires() {
    let (log, _guard) = CapturedLog::start();
    let test = TestProvider::new(TestCloud::default());
    let started = Instant::now();
    test.id().await;
    test.cloud.is_down.store(true, Ordering::Relaxed);
    while started.elapsed() < Duration::from_secs(3560) {
        assert_eq!(test.token("a.io").await.unwrap(), "a.io#1", "{:?}", started.elapsed());
        sleep(Duration::from_secs(10)).await;
    }
    advance(Duration::from_secs(60)).await;
    let error = test.token("a.io").await.unwrap_err().message;
    assert_eq!(error, "asking the test cloud at cloud.test failed: it is down");
    assert_eq!(log.lines("used until it expires").len(), 1, "logged once");
    test.cloud.is_down.store(false, Ordering::Relaxed);
    assert!(test.token("a.io").await.is_ok(), "a failure is not cached");
    assert_eq!(log.lines("issues credentials again").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_credential_is_renewed_and_concurrent_requests_wait_for_it() {
    let test = TestProvider::new(TestCloud::default());
    let rejected = test.id().await;
    sleep(Duration::from_secs(10)).await;
    test.provider.note_rejected(rejected);
    let all = join_all((0..50).map(|_| test.token("a.io"))).await;
    assert!(all.iter().all(|token| token.as_ref().is_ok_and(|token| token == "a.io#2")), "{all:?}");
    assert_eq!(test.calls(), 2);
    test.provider.note_rejected(rejected);
    assert_eq!(
        test.token("a.io").await.unwrap(),
        "a.io#2",
        "a late rejection of the old one does not renew the new one"
    );
    assert_eq!(test.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_repeatedly_rejected_credential_is_renewed_once_a_minute() {
    let test = TestProvider::new(TestCloud { repeats_itself: true, ..TestCloud::default() });
    let rejected = test.id().await;
    for _ in 0..600 {
        test.provider.note_rejected(rejected);
        assert_eq!(test.id().await, rejected);
        sleep(Duration::from_secs(1)).await;
    }
    assert!((10..=12).contains(&test.calls()), "{} calls in ten minutes", test.calls());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_rejects_every_new_credential_causes_one_renewal_a_minute() {
    let test = TestProvider::new(TestCloud::default());
    for _ in 0..600 {
        test.provider.note_rejected(test.id().await);
        sleep(Duration::from_secs(1)).await;
    }
    assert!((10..=12).contains(&test.calls()), "{} calls in ten minutes", test.calls());
}

#[tokio::test(start_paused = true)]
async fn a_rejected_credential_is_kept_while_the_cloud_is_down() {
    let test = TestProvider::new(TestCloud::default());
    let rejected = test.id().await;
    test.cloud.is_down.store(true, Ordering::Relaxed);
    test.provider.note_rejected(rejected);
    assert_eq!(test.id().await, rejected);
}
