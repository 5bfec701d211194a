use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::advance;

use super::*;
use crate::credential::tests::{Log, password};

/// A helper that says what it is told to, and the last of it for ever after.
#[derive(Clone, Default)]
struct Told {
    says: Arc<Mutex<VecDeque<Result<&'static str, &'static str>>>>,
    asked: Arc<AtomicUsize>,
}

impl Told {
    fn says(&self, answer: Result<&'static str, &'static str>) {
        *self.says.lock().unwrap() = [answer].into();
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }

    async fn get(&self, answers: &Answers) -> Result<Found, CredentialError> {
        let told = self.clone();
        let ask = move || {
            told.asked.fetch_add(1, Ordering::Relaxed);
            let answer = *told.says.lock().unwrap().front().unwrap();
            async move {
                match answer {
                    Ok("") => Ok(Found::anonymous()),
                    Ok(secret) => Ok(Found::new(password("u", secret), "docker-credential-told")),
                    Err(what) => Err(Failure { error: CredentialError::new(what), pause: Some(PAUSE) }),
                }
            }
        };
        answers.get("told", "ghcr.io", ask).await
    }
}

fn found(secret: &str) -> CredentialId {
    Found::new(password("u", secret), "").id
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

const SECOND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn an_answer_in_use_is_renewed_ahead() {
    let (answers, told) = (Answers::new(), Told::default());
    told.says(Ok("one"));
    let mut renewals = 0;
    for second in 0..3600 {
        if second == 1800 {
            told.says(Ok("two"));
        }
        let id = told.get(&answers).await.unwrap().id;
        assert_eq!(told.asked(), usize::from(second == 0), "second {second}: the caller does not wait for the helper");
        assert!(id == found("one") || second > 1800);
        assert!(id == found("two") || second < 1800 + 5 * 60);
        advance(SECOND).await;
        settle().await;
        renewals += told.asked();
    }
    assert!(matches!(renewals, 14..=16), "{renewals}: about every four minutes");
}

#[tokio::test(start_paused = true)]
async fn an_unused_answer_is_forgotten() {
    let (answers, told) = (Answers::new(), Told::default());
    told.says(Ok("one"));
    told.get(&answers).await.unwrap();
    for _ in 0..3600 {
        advance(SECOND).await;
        settle().await;
    }
    assert!(told.asked() <= 2);
    told.get(&answers).await.unwrap();
    assert_eq!(told.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_answer_is_asked_for_again_at_once() {
    let (answers, told) = (Answers::new(), Told::default());
    told.says(Ok("old"));
    let old = told.get(&answers).await.unwrap();
    told.says(Ok("new"));
    assert_eq!(told.get(&answers).await.unwrap().id, old.id);
    answers.refused(old.id);
    assert_eq!(told.get(&answers).await.unwrap().id, found("new"));
    answers.refused(old.id);
    assert_eq!(told.get(&answers).await.unwrap().id, found("new"), "a late refusal of the old one changes nothing");
    assert_eq!(told.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_insists_is_asked_less_and_less() {
    let (answers, told) = (Answers::new(), Told::default());
    told.says(Ok("bad"));
    let mut asked_at = Vec::new();
    for second in 0..200 {
        let answer = told.get(&answers).await.unwrap();
        answers.refused(answer.id);
        if told.asked() > 0 {
            asked_at.push(second);
        }
        advance(SECOND).await;
    }
    assert_eq!(asked_at, [0, 1, 5, 15, 35, 75, 135, 195]);
    told.says(Ok("good"));
    let mut until_noticed = 0;
    while told.get(&answers).await.unwrap().id == found("bad") {
        advance(SECOND).await;
        until_noticed += 1;
    }
    assert!(until_noticed <= 60, "{until_noticed} s, without another word of refusal");
}

#[tokio::test(start_paused = true)]
async fn having_no_login_is_no_lasting_answer_and_cannot_be_refused() {
    let (answers, told) = (Answers::new(), Told::default());
    told.says(Ok(""));
    let none = told.get(&answers).await.unwrap();
    assert!(none.is_anonymous());
    answers.refused(none.id);
    told.get(&answers).await.unwrap();
    assert_eq!(told.asked(), 1);
    told.says(Ok("new"));
    advance(LIFETIME_OF_NONE).await;
    assert_eq!(told.get(&answers).await.unwrap().id, found("new"));
    told.says(Ok("newer"));
    answers.forget("another");
    assert_eq!(told.get(&answers).await.unwrap().id, found("new"));
    answers.forget("told");
    assert_eq!(told.get(&answers).await.unwrap().id, found("newer"));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_answer_outlives_a_failing_helper() {
    let (log, _guard) = Log::listen();
    let (answers, told) = (Answers::new(), Told::default());
    told.says(Ok("good"));
    told.get(&answers).await.unwrap();
    told.says(Err("locked"));
    for _ in 0..3600 {
        advance(SECOND).await;
        settle().await;
        assert_eq!(told.get(&answers).await.unwrap().id, found("good"));
    }
    assert_eq!(log.lines("locked").len(), 1, "{:?}", log.lines(""));
    told.says(Ok("new"));
    advance(STOPGAP).await;
    settle().await;
    assert_eq!(told.get(&answers).await.unwrap().id, found("new"));
    answers.refused(found("new"));
    told.says(Err("locked"));
    let error = told.get(&answers).await.unwrap_err();
    assert_eq!(error.what, "locked", "what was refused is not good any more");
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_says_no_is_left_alone_for_a_moment() {
    let (answers, told) = (Answers::new(), Told::default());
    told.says(Err("locked"));
    for _ in 0..10 {
        assert_eq!(told.get(&answers).await.unwrap_err().what, "locked");
    }
    assert_eq!(told.asked(), 1);
    told.says(Ok("good"));
    advance(PAUSE).await;
    assert_eq!(told.get(&answers).await.unwrap().id, found("good"));
}

#[test]
fn memories_are_bounded() {
    let mut map = HashMap::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        for key in 0..2 * REMEMBERED {
            insert_bounded(&mut map, key, Instant::now(), |at| *at);
            advance(SECOND).await;
        }
    });
    assert_eq!(map.len(), REMEMBERED);
    assert!(map.keys().all(|&key| key >= REMEMBERED), "the oldest went");
}
