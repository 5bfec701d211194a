use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::advance;

use super::*;
use crate::base::tests::CapturedLog;
use crate::credential::tests::password;

/// A helper with a configurable answer: a password, `""` for no credential, or an error.
#[derive(Clone)]
struct TestHelper {
    answer: Arc<Mutex<Result<&'static str, &'static str>>>,
    calls: Arc<AtomicUsize>,
}

impl TestHelper {
    fn new(answer: Result<&'static str, &'static str>) -> (AnswerCache, Self) {
        let helper = Self { answer: Arc::new(Mutex::new(answer)), calls: Arc::default() };
        (AnswerCache::new(), helper)
    }

    fn set(&self, answer: Result<&'static str, &'static str>) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The number of calls since the last look.
    fn take_calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }

    async fn get(&self, cache: &AnswerCache) -> Result<ResolvedCredential, CredentialError> {
        let helper = self.clone();
        let call = move || {
            helper.calls.fetch_add(1, Ordering::Relaxed);
            let answer = *helper.answer.lock().unwrap();
            async move {
                match answer {
                    Ok("") => Ok(ResolvedCredential::anonymous()),
                    Ok(secret) => Ok(ResolvedCredential::new(password("u", secret), "docker-credential-test")),
                    Err(what) => {
                        Err(HelperFailure { error: CredentialError::new(what), negative_ttl: Some(NEGATIVE_TTL) })
                    }
                }
            }
        };
        cache.get("test", "ghcr.io", call).await
    }
}

/// The id of the credential with this password.
fn id_of(secret: &str) -> CredentialId {
    ResolvedCredential::new(password("u", secret), "").id
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

const SECOND: Duration = Duration::from_secs(1);
const NEGATIVE_TTL: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn an_answer_in_use_is_renewed_in_the_background() {
    let (cache, helper) = TestHelper::new(Ok("one"));
    let mut renewals = 0;
    for second in 0..3600 {
        if second == 1800 {
            helper.set(Ok("two"));
        }
        let id = helper.get(&cache).await.unwrap().id;
        assert_eq!(
            helper.take_calls(),
            usize::from(second == 0),
            "second {second}: the caller does not wait for the helper"
        );
        assert!(id == id_of("one") || second > 1800);
        assert!(id == id_of("two") || second < 1800 + 5 * 60);
        advance(SECOND).await;
        settle().await;
        renewals += helper.take_calls();
    }
    assert!(matches!(renewals, 14..=16), "{renewals}: about every four minutes");
}

#[tokio::test(start_paused = true)]
async fn an_unused_answer_expires() {
    let (cache, helper) = TestHelper::new(Ok("one"));
    helper.get(&cache).await.unwrap();
    for _ in 0..3600 {
        advance(SECOND).await;
        settle().await;
    }
    assert!(helper.take_calls() <= 2);
    helper.get(&cache).await.unwrap();
    assert_eq!(helper.take_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_rejection_the_helper_is_called_again_at_once() {
    let (cache, helper) = TestHelper::new(Ok("old"));
    let old = helper.get(&cache).await.unwrap();
    helper.set(Ok("new"));
    assert_eq!(helper.get(&cache).await.unwrap().id, old.id);
    cache.note_rejected(old.id);
    assert_eq!(helper.get(&cache).await.unwrap().id, id_of("new"));
    cache.note_rejected(old.id);
    assert_eq!(
        helper.get(&cache).await.unwrap().id,
        id_of("new"),
        "a late rejection of the old credential changes nothing"
    );
    assert_eq!(helper.take_calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_repeats_a_rejected_credential_is_called_less_and_less_often() {
    let (cache, helper) = TestHelper::new(Ok("bad"));
    let mut called_at = Vec::new();
    for second in 0..200 {
        let answer = helper.get(&cache).await.unwrap();
        cache.note_rejected(answer.id);
        if helper.take_calls() > 0 {
            called_at.push(second);
        }
        advance(SECOND).await;
    }
    assert_eq!(called_at, [0, 1, 5, 15, 35, 75, 135, 195]);
    helper.set(Ok("good"));
    let mut until_noticed = 0;
    while helper.get(&cache).await.unwrap().id == id_of("bad") {
        advance(SECOND).await;
        until_noticed += 1;
    }
    assert!(until_noticed <= 60, "{until_noticed} s, without another rejection");
}

#[tokio::test(start_paused = true)]
async fn no_credential_is_cached_briefly_and_cannot_be_rejected() {
    let (cache, helper) = TestHelper::new(Ok(""));
    let none = helper.get(&cache).await.unwrap();
    assert!(none.is_anonymous());
    cache.note_rejected(none.id);
    helper.get(&cache).await.unwrap();
    assert_eq!(helper.take_calls(), 1);
    helper.set(Ok("new"));
    advance(ANONYMOUS_LIFETIME).await;
    assert_eq!(helper.get(&cache).await.unwrap().id, id_of("new"));
    helper.set(Ok("newer"));
    cache.forget("another");
    assert_eq!(helper.get(&cache).await.unwrap().id, id_of("new"));
    cache.forget("test");
    assert_eq!(helper.get(&cache).await.unwrap().id, id_of("newer"));
}

#[tokio::test(start_paused = true)]
async fn while_the_helper_fails_its_last_good_answer_is_used() {
    let (log, _guard) = CapturedLog::start();
    let (cache, helper) = TestHelper::new(Ok("good"));
    helper.get(&cache).await.unwrap();
    helper.set(Err("locked"));
    for _ in 0..3600 {
        advance(SECOND).await;
        settle().await;
        assert_eq!(helper.get(&cache).await.unwrap().id, id_of("good"));
    }
    assert_eq!(log.lines("locked").len(), 1, "{:?}", log.lines(""));
    helper.set(Ok("new"));
    advance(LAST_GOOD_LIFETIME).await;
    settle().await;
    assert_eq!(helper.get(&cache).await.unwrap().id, id_of("new"));
    cache.note_rejected(id_of("new"));
    helper.set(Err("locked"));
    let error = helper.get(&cache).await.unwrap_err();
    assert_eq!(error.message, "locked", "a rejected answer is not a good one");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_cached_for_a_moment() {
    let (cache, helper) = TestHelper::new(Err("locked"));
    for _ in 0..10 {
        assert_eq!(helper.get(&cache).await.unwrap_err().message, "locked");
    }
    assert_eq!(helper.take_calls(), 1);
    helper.set(Ok("good"));
    advance(NEGATIVE_TTL).await;
    assert_eq!(helper.get(&cache).await.unwrap().id, id_of("good"));
}

#[test]
fn the_history_is_bounded() {
    let mut map = HashMap::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        for key in 0..2 * MAX_ENTRIES {
            insert_bounded(&mut map, key, Instant::now(), |at| *at);
            advance(SECOND).await;
        }
    });
    assert_eq!(map.len(), MAX_ENTRIES);
    assert!(map.keys().all(|&key| key >= MAX_ENTRIES), "the oldest entries were removed");
}
