use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{advance, sleep};

use super::*;

/// A key that covers every smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Level(u8);

impl Covers for Level {
    fn covers(&self, requested: &Self) -> bool {
        self.0 >= requested.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    FetchAborted,
    Transient,
    Denied,
    /// With a renewal delay of a year.
    Delayed,
}

impl From<FetchAborted> for Failure {
    fn from(_: FetchAborted) -> Self {
        Self::FetchAborted
    }
}

impl FetchError for Failure {
    fn negative_ttl(&self) -> Option<Duration> {
        (*self == Self::Denied).then_some(Duration::from_secs(5))
    }

    fn min_renewal_delay(&self) -> Option<Duration> {
        (*self == Self::Delayed).then_some(Duration::from_secs(365 * 24 * 60 * 60))
    }
}

type Cache = Arc<LeaseCache<&'static str, Level, usize, Failure>>;

/// A server that grants leases and counts fetches. Each fetch takes 100 ms and returns a lease of `lifetime` whose
/// value is the number of the fetch.
#[derive(Clone)]
struct Issuer {
    fetches: Arc<AtomicUsize>,
    lifetime: Duration,
    /// How many fetches succeed, and the error of those after.
    failure: Option<(usize, Failure)>,
}

impl Issuer {
    fn new(seconds: u64) -> Self {
        Self { fetches: Arc::default(), lifetime: Duration::from_secs(seconds), failure: None }
    }

    /// As [`new`](Self::new), but fails after this many fetches.
    fn failing_after(fetches: usize, seconds: u64, failure: Failure) -> Self {
        Self { failure: Some((fetches, failure)), ..Self::new(seconds) }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    async fn fetch(self) -> Result<Lease<usize>, Failure> {
        let number = self.fetches.fetch_add(1, Ordering::Relaxed) + 1;
        let start = Instant::now();
        sleep(Duration::from_millis(100)).await;
        match self.failure {
            Some((successes, failure)) if number > successes => Err(failure),
            _ => Ok(Lease::new(number, start, self.lifetime)),
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
    assert!(all.iter().all(|one| one.as_ref().is_ok_and(|one| one.lease.value == 1 && one.is_newly_fetched)));
    assert!(!issuer.get(&cache, 1).await.unwrap().is_newly_fetched);
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_also_serves_narrower_keys_but_not_wider_ones() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    issuer.get(&cache, 2).await.unwrap();
    issuer.get(&cache, 1).await.unwrap();
    assert_eq!(issuer.fetches(), 1);
    issuer.get(&cache, 3).await.unwrap();
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_any_key_is_found_or_waited_for_where_the_caller_accepts_it() {
    let any = async |cache: &Cache, issuer: &Issuer, level| {
        let issuer = issuer.clone();
        cache.get_any_or_fetch(&"group", &Level(level), move || issuer.clone().fetch()).await
    };
    let (cache, issuer) = (cache(), Issuer::new(300));
    // The second caller waits for the fetch of the first, although that is for a narrower key.
    let (first, second) = tokio::join!(any(&cache, &issuer, 1), any(&cache, &issuer, 2));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.is_newly_fetched, first.is_of_other_key), (true, false));
    assert_eq!((second.is_newly_fetched, second.is_of_other_key), (false, true));
    assert!(any(&cache, &issuer, 3).await.unwrap().is_of_other_key);
    assert!(!any(&cache, &issuer, 1).await.unwrap().is_of_other_key);
    assert_eq!(issuer.fetches(), 1);
    // A lease of its own is preferred.
    let own = issuer.get(&cache, 2).await.unwrap().lease.value;
    let found = any(&cache, &issuer, 2).await.unwrap();
    assert_eq!((found.lease.value, found.is_of_other_key), (own, false));
}

#[tokio::test(start_paused = true)]
async fn a_denial_of_another_key_is_not_shared() {
    let (cache, issuer) = (cache(), Issuer::failing_after(0, 300, Failure::Denied));
    let good = Issuer::new(300);
    let any = async |issuer: &Issuer, level| {
        let issuer = issuer.clone();
        cache.get_any_or_fetch(&"group", &Level(level), move || issuer.clone().fetch()).await
    };
    let (denied, served) = tokio::join!(any(&issuer, 1), any(&good, 2));
    assert_eq!(*denied.unwrap_err(), Failure::Denied);
    assert!(!served.unwrap().is_of_other_key);
    assert!(any(&good, 5).await.unwrap().is_of_other_key);
    assert_eq!((issuer.fetches(), good.fetches()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_first_caller_does_not_cancel_the_fetch() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    let first = tokio::spawn({
        let (cache, issuer) = (cache.clone(), issuer.clone());
        async move { issuer.get(&cache, 1).await.map(drop) }
    });
    advance(Duration::from_millis(10)).await;
    first.abort();
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1);
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_in_steady_use_is_always_cached() {
    for seconds in [1, 60, 300, 3600, 43200] {
        let (cache, issuer) = (cache(), Issuer::new(seconds));
        issuer.get(&cache, 1).await.unwrap();
        for _ in 0..1000 {
            sleep(Duration::from_secs(seconds) / 5).await;
            assert!(!issuer.get(&cache, 1).await.unwrap().is_newly_fetched, "{seconds} s");
        }
        let lifetimes = 1000 / 5;
        assert!((lifetimes..=2 * lifetimes).contains(&issuer.fetches()), "{seconds} s: {} fetches", issuer.fetches());
    }
}

#[tokio::test(start_paused = true)]
async fn an_unused_lease_is_removed_at_its_end() {
    for (seconds, fetches) in [(1, 2), (60, 2), (300, 1), (43200, 1)] {
        let (cache, issuer) = (cache(), Issuer::new(seconds));
        issuer.get(&cache, 1).await.unwrap();
        sleep(Duration::from_secs(100_000)).await;
        assert_eq!(issuer.fetches(), fetches, "{seconds} s: renewed only if the single use was recent");
        assert!(cache.snapshot().is_empty());
        assert!(cache.groups.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_lease_unused_for_half_of_its_lifetime_is_not_renewed() {
    for (seconds, used_for, fetches) in [(43200, 2700, 1), (43200, 20_000, 2), (4500, 1000, 1), (300, 60, 2)] {
        let (cache, issuer) = (cache(), Issuer::new(seconds));
        for _ in 0..=used_for / 60 {
            issuer.get(&cache, 1).await.unwrap();
            sleep(Duration::from_secs(60)).await;
        }
        sleep(Duration::from_secs(100_000)).await;
        assert_eq!(issuer.fetches(), fetches, "{seconds} s, used for {used_for} s");
        assert!(cache.snapshot().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_every_minute_always_finds_a_short_lease() {
    let (cache, issuer) = (cache(), Issuer::new(60));
    issuer.get(&cache, 1).await.unwrap();
    for _ in 0..1000 {
        sleep(Duration::from_secs(60)).await;
        assert!(!issuer.get(&cache, 1).await.unwrap().is_newly_fetched);
    }
}

#[tokio::test(start_paused = true)]
async fn a_due_lease_is_served_while_its_successor_is_fetched() {
    let (cache, issuer) = (cache(), Issuer::new(100));
    issuer.get(&cache, 1).await.unwrap();
    sleep(Duration::from_secs(80)).await; // renewed at 75 s, because the first call counts as a use
    sleep(Duration::from_secs(74)).await; // the second lease is due at 150 s, unused
    let due = issuer.get(&cache, 1).await.unwrap();
    assert_eq!((due.lease.value, due.is_newly_fetched), (2, false));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 3);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_expires_too_early_is_renewed_first() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    let lasting = async |seconds| {
        let issuer = issuer.clone();
        let fetch = move || issuer.clone().fetch();
        cache
            .get_or_fetch_valid_for(&"group", &Level(1), Duration::from_secs(seconds), fetch)
            .await
            .unwrap()
            .lease
            .value
    };
    assert_eq!(lasting(1000).await, 1, "a new lease is used even if it is too short");
    sleep(Duration::from_secs(100)).await;
    assert_eq!(lasting(100).await, 1, "valid for long enough");
    assert_eq!(lasting(250).await, 2, "renewed first");
    assert_eq!(lasting(1000).await, 2, "a new lease is not renewed again");
    assert_eq!(issuer.fetches(), 2);
}

/// If the server asks to retry only after the lease has expired, lease and task end with the lease.
#[tokio::test(start_paused = true)]
async fn a_renewal_delayed_beyond_the_lease_ends_with_it() {
    let (cache, issuer) = (cache(), Issuer::failing_after(1, 100, Failure::Delayed));
    issuer.get(&cache, 1).await.unwrap();
    sleep(Duration::from_secs(80)).await;
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1);
    sleep(Duration::from_secs(30)).await;
    assert!(cache.snapshot().is_empty(), "{:?}", cache.snapshot());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_served_until_it_expires_while_its_renewal_fails() {
    let (cache, issuer) = (cache(), Issuer::failing_after(1, 100, Failure::Transient));
    issuer.get(&cache, 1).await.unwrap();
    sleep(Duration::from_secs(85)).await;
    let late = issuer.get(&cache, 1).await.unwrap();
    assert_eq!((late.lease.value, late.is_newly_fetched), (1, false));
    let tries = issuer.fetches();
    assert!((2..=6).contains(&tries), "{tries} tries: there are delays between failed renewals");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(*issuer.get(&cache, 1).await.unwrap_err(), Failure::Transient);
}

#[tokio::test(start_paused = true)]
async fn a_denied_renewal_is_retried_only_if_a_caller_needs_it() {
    let (cache, issuer) = (cache(), Issuer::failing_after(1, 1000, Failure::Denied));
    for _ in 0..16 {
        assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1, "served until it expires");
        sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(issuer.fetches(), 2, "a single renewal attempt");
    let held = issuer.get(&cache, 1).await.unwrap().lease;
    let again = issuer.clone();
    cache.get_or_fetch_newer(&"group", &Level(1), &held, move || again.clone().fetch()).await.unwrap();
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn denials_are_cached_for_seconds_and_transient_errors_not_at_all() {
    for (failure, shared) in [(Failure::Denied, 1), (Failure::Transient, 2)] {
        let (cache, issuer) = (cache(), Issuer::failing_after(0, 300, failure));
        for _ in 0..2 {
            assert_eq!(*issuer.get(&cache, 1).await.unwrap_err(), failure);
        }
        assert_eq!(issuer.fetches(), shared, "{failure:?}");
        sleep(Duration::from_secs(6)).await;
        issuer.get(&cache, 1).await.unwrap_err();
        assert_eq!(issuer.fetches(), shared + 1, "{failure:?}: no longer cached");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_fetch_returns_an_error_to_its_callers() {
    let cache = cache();
    let fetch = || async { if true { panic!("broken issuer") } else { Err(Failure::Transient) } };
    assert_eq!(*cache.get_or_fetch(&"group", &Level(1), fetch).await.unwrap_err(), Failure::FetchAborted);
    let issuer = Issuer::new(60);
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1);
}

#[tokio::test(start_paused = true)]
async fn reject_removes_only_the_given_lease() {
    let (cache, issuer) = (cache(), Issuer::new(300));
    let old = issuer.get(&cache, 1).await.unwrap().lease;
    cache.reject(&"group", &old);
    let new = issuer.get(&cache, 1).await.unwrap().lease;
    cache.reject(&"group", &old);
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, new.value);
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_already_expired_serves_only_the_waiting_callers() {
    let (cache, issuer) = (cache(), Issuer::new(0));
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 1);
    assert_eq!(issuer.get(&cache, 1).await.unwrap().lease.value, 2);
    assert!(cache.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn groups_and_leases_per_group_are_bounded() {
    let issuer = Issuer::new(300);
    let cache: Arc<LeaseCache<u32, Level, usize, Failure>> = LeaseCache::new(4, 4);
    for group in 0..40 {
        for level in (0..10).rev() {
            let lifetime = issuer.lifetime;
            let fetch = move || async move { Ok(Lease::new(0, Instant::now(), lifetime)) };
            // Each level is higher than the ones before, because a higher level would cover the lower ones.
            cache.get_or_fetch(&group, &Level(9 - level), fetch).await.unwrap();
        }
    }
    assert!(cache.groups.len() <= 4);
    assert!(cache.snapshot().len() <= 16);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_needs_a_successor_ends_the_delay_after_a_failure() {
    let (cache, issuer) = (cache(), Issuer::new(40_000));
    let newer = async || {
        let issuer = issuer.clone();
        let fetch = move || {
            let issuer = issuer.clone();
            async move {
                let outcome = issuer.clone().fetch().await;
                if issuer.fetches() == 2 { Err(Failure::Transient) } else { outcome }
            }
        };
        let held = cache.get_or_fetch(&"group", &Level(1), fetch.clone()).await.unwrap().lease;
        cache.get_or_fetch_newer(&"group", &Level(1), &held, fetch).await.unwrap().lease.value
    };
    let start = Instant::now();
    assert_eq!(newer().await, 1, "the first renewal fails");
    assert_eq!(newer().await, 3);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}
