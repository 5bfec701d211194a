use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{advance, sleep};

use super::*;

/// A key that covers every smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Level(u8);

impl Covers for Level {
    fn covers(&self, wanted: &Self) -> bool {
        self.0 >= wanted.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    Abandoned,
    Hiccup,
    Refused,
    /// For a year.
    PutOff,
}

impl From<Abandoned> for Failure {
    fn from(_: Abandoned) -> Self {
        Self::Abandoned
    }
}

impl FetchError for Failure {
    fn remembered_for(&self) -> Option<Duration> {
        (*self == Self::Refused).then_some(Duration::from_secs(5))
    }

    fn put_off_for(&self) -> Option<Duration> {
        (*self == Self::PutOff).then_some(Duration::from_secs(365 * 24 * 60 * 60))
    }
}

type Cache = Arc<LeaseCache<&'static str, Level, usize, Failure>>;

/// Counts fetches; each takes 100 ms and yields a lease of `lifetime` whose value is the fetch's number.
#[derive(Clone)]
struct Issuer {
    fetches: Arc<AtomicUsize>,
    lifetime: Duration,
    /// How many fetches go well, and what becomes of those that follow.
    end: Option<(usize, Failure)>,
}

impl Issuer {
    fn new(seconds: u64) -> Self {
        Self { fetches: Arc::default(), lifetime: Duration::from_secs(seconds), end: None }
    }

    /// As [`new`](Self::new), until so many fetches are done.
    fn failing_after(fetches: usize, seconds: u64, failure: Failure) -> Self {
        Self { end: Some((fetches, failure)), ..Self::new(seconds) }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    async fn fetch(self) -> Result<Lease<usize>, Failure> {
        let number = self.fetches.fetch_add(1, Ordering::Relaxed) + 1;
        let begun = Instant::now();
        sleep(Duration::from_millis(100)).await;
        match self.end {
            Some((good, failure)) if number > good => Err(failure),
            _ => Ok(Lease::new(number, begun, self.lifetime)),
        }
    }

    async fn get(&self, cache: &Cache, level: u8) -> Result<Obtained<usize>, Arc<Failure>> {
        let this = self.clone();
        cache.get_or_fetch(&"group", &Level(level), move || this.clone().fetch()).await
    }
}

fn cache() -> Cache {
    LeaseCache::new(8, 8)
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_share_one_fetch() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    let callers = (0..100).map(|_| issuer.get(&cache, 1));
    let all = futures_util::future::join_all(callers).await;
    assert!(all.iter().all(|one| one.as_ref().is_ok_and(|one| one.lease.value == 1 && one.fresh)));
    assert!(!issuer.get(&cache, 1).await.unwrap().fresh);
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wider_lease_serves_a_narrower_wish_and_not_the_reverse() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    issuer.get(&cache, 2).await.unwrap();
    issuer.get(&cache, 1).await.unwrap();
    assert_eq!(issuer.fetches(), 1);
    issuer.get(&cache, 3).await.unwrap();
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_leader_may_leave() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    let leader = tokio::spawn({
        let (cache, issuer) = (cache.clone(), issuer.clone());
        async move { issuer.get(&cache, 1).await.map(drop) }
    });
    advance(Duration::from_millis(10)).await;
    leader.abort();
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1);
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn in_steady_use_nobody_waits_again() {
    for seconds in [1, 60, 300, 3600, 43200] {
        let (cache, issuer) = (cache(), Issuer::new(seconds));
        issuer.get(&cache, 1).await.unwrap();
        for _ in 0..1000 {
            sleep(Duration::from_secs(seconds) / 5).await;
            assert!(!issuer.get(&cache, 1).await.unwrap().fresh, "{seconds} s");
        }
        let lives = 1000 / 5;
        assert!((lives..=2 * lives).contains(&issuer.fetches()), "{seconds} s: {} fetches", issuer.fetches());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_used_again_is_forgotten() {
    for (seconds, fetches) in [(1, 2), (60, 2), (300, 1), (43200, 1)] {
        let (cache, issuer) = (cache(), Issuer::new(seconds));
        issuer.get(&cache, 1).await.unwrap();
        sleep(Duration::from_secs(100_000)).await;
        assert_eq!(issuer.fetches(), fetches, "{seconds} s: renewed only where the one use was just before");
        assert!(cache.held().is_empty());
        assert!(cache.groups.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_lease_that_was_used_for_a_while_and_then_no_more_is_not_renewed() {
    for (seconds, used_for, fetches) in [(43200, 2700, 1), (43200, 20_000, 2), (4500, 1000, 1), (300, 60, 2)] {
        let (cache, issuer) = (cache(), Issuer::new(seconds));
        for _ in 0..=used_for / 60 {
            issuer.get(&cache, 1).await.unwrap();
            sleep(Duration::from_secs(60)).await;
        }
        sleep(Duration::from_secs(100_000)).await;
        assert_eq!(issuer.fetches(), fetches, "{seconds} s, used for {used_for} s");
        assert!(cache.held().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_every_minute_does_not_wait_for_a_short_lease() {
    let (cache, issuer) = (cache(), Issuer::new(60));
    issuer.get(&cache, 1).await.unwrap();
    for _ in 0..1000 {
        sleep(Duration::from_secs(60)).await;
        assert!(!issuer.get(&cache, 1).await.unwrap().fresh);
    }
}

#[tokio::test(start_paused = true)]
async fn a_due_lease_is_served_while_its_successor_is_fetched() {
    let (cache, issuer) = (cache(), Issuer::new(100));
    issuer.get(&cache, 1).await.unwrap();
    sleep(Duration::from_secs(80)).await; // renewed at 75 s because the first call used it
    sleep(Duration::from_secs(74)).await; // the second life falls due at 150 s, unused
    let due = issuer.get(&cache, 1).await.unwrap();
    assert_eq!((due.lease.value, due.fresh), (2, false));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 3);
}

#[tokio::test(start_paused = true)]
async fn who_needs_a_long_life_has_the_lease_renewed_first() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    let lasting = async |seconds| {
        let issuer = issuer.clone();
        let fetch = move || issuer.clone().fetch();
        cache.get_or_fetch_lasting(&"group", &Level(1), Duration::from_secs(seconds), fetch).await.unwrap().lease.value
    };
    assert_eq!(lasting(1000).await, 1, "as new as it gets");
    sleep(Duration::from_secs(100)).await;
    assert_eq!(lasting(100).await, 1, "long enough");
    assert_eq!(lasting(250).await, 2, "renewed first");
    assert_eq!(lasting(1000).await, 2, "not again at once");
    assert_eq!(issuer.fetches(), 2);
}

/// Who is told to come back after the end of the lease has nothing to wait for: lease and task go with it.
#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_put_off_for_long_ends_with_the_lease() {
    let (cache, issuer) = (cache(), Issuer::failing_after(1, 100, Failure::PutOff));
    issuer.get(&cache, 1).await.unwrap();
    sleep(Duration::from_secs(80)).await;
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1);
    sleep(Duration::from_secs(30)).await;
    assert!(cache.held().is_empty(), "{:?}", cache.held());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failing_renewal_keeps_the_lease_to_its_end() {
    let (cache, issuer) = (cache(), Issuer::failing_after(1, 100, Failure::Hiccup));
    issuer.get(&cache, 1).await.unwrap();
    sleep(Duration::from_secs(85)).await;
    let late = issuer.get(&cache, 1).await.unwrap();
    assert_eq!((late.lease.value, late.fresh), (1, false));
    let tries = issuer.fetches();
    assert!((2..=6).contains(&tries), "{tries} tries: pauses lie between failed renewals");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(*issuer.get(&cache, 1).await.unwrap_err(), Failure::Hiccup);
}

#[tokio::test(start_paused = true)]
async fn a_refused_renewal_is_tried_again_only_when_somebody_needs_it() {
    let (cache, issuer) = (cache(), Issuer::failing_after(1, 1000, Failure::Refused));
    for _ in 0..16 {
        assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1, "it is good to its end");
        sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(issuer.fetches(), 2, "one renewal, however long is left");
    let held = issuer.get(&cache, 1).await.unwrap().lease;
    let again = issuer.clone();
    cache.get_or_fetch_newer(&"group", &Level(1), &held, move || again.clone().fetch()).await.unwrap();
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn refusals_last_for_seconds_and_hiccups_not_at_all() {
    for (failure, shared) in [(Failure::Refused, 1), (Failure::Hiccup, 2)] {
        let (cache, issuer) = (cache(), Issuer::failing_after(0, 300, failure));
        for _ in 0..2 {
            assert_eq!(*issuer.get(&cache, 1).await.unwrap_err(), failure);
        }
        assert_eq!(issuer.fetches(), shared, "{failure:?}");
        sleep(Duration::from_secs(6)).await;
        issuer.get(&cache, 1).await.unwrap_err();
        assert_eq!(issuer.fetches(), shared + 1, "{failure:?}: forgotten");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_fetch_does_not_hang_its_callers() {
    let cache = cache();
    let fetch = || async { if true { panic!("broken issuer") } else { Err(Failure::Hiccup) } };
    assert_eq!(*cache.get_or_fetch(&"group", &Level(1), fetch).await.unwrap_err(), Failure::Abandoned);
    let issuer = Issuer::new(60);
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1);
}

#[tokio::test(start_paused = true)]
async fn reject_removes_only_the_lease_it_names() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    let old = issuer.get(&cache, 1).await.unwrap().lease;
    cache.reject(&"group", &old);
    let new = issuer.get(&cache, 1).await.unwrap().lease;
    cache.reject(&"group", &old);
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, new.value);
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_over_at_birth_serves_its_waiters_only() {
    let (cache, issuer) = (cache(), Issuer::new(0));
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1);
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 2);
    assert!(cache.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_bounded_both_ways() {
    let issuer = Issuer::new(300);
    let cache: Arc<LeaseCache<u32, Level, usize, Failure>> = LeaseCache::new(4, 4);
    for group in 0..40 {
        for level in (0..10).rev() {
            let lifetime = issuer.lifetime;
            let fetch = move || async move { Ok(Lease::new(0, Instant::now(), lifetime)) };
            // Descending levels are covered by the first, so ask for rising ones.
            cache.get_or_fetch(&group, &Level(9 - level), fetch).await.unwrap();
        }
    }
    assert!(cache.groups.len() <= 4);
    assert!(cache.held().len() <= 16);
}

#[tokio::test(start_paused = true)]
async fn whoever_needs_a_successor_ends_the_pause_after_a_failure() {
    let (cache, issuer) = (cache(), Issuer::new(40_000));
    let newer = async || {
        let issuer = issuer.clone();
        let fetch = move || {
            let issuer = issuer.clone();
            async move {
                let outcome = issuer.clone().fetch().await;
                if issuer.fetches() == 2 { Err(Failure::Hiccup) } else { outcome }
            }
        };
        let held = cache.get_or_fetch(&"group", &Level(1), fetch.clone()).await.unwrap().lease;
        cache.get_or_fetch_newer(&"group", &Level(1), &held, fetch).await.unwrap().lease.value
    };
    let begun = Instant::now();
    assert_eq!(newer().await, 1, "the first successor fails");
    assert_eq!(newer().await, 3);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
