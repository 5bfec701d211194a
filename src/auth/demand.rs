//! What a registry is known to ask for, pinned from its first unauthenticated answer.
//!
//! Later challenges are not believed: with an expired token NGC names another realm, Harbor and ACR another scheme.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::corrections::Corrections;
use super::realm::{RealmRefused, TrustedRealm, admit};
use crate::oci::challenge::Challenge;
use crate::upstream::Upstream;

#[derive(Clone, Debug)]
pub enum Demand {
    /// It answered without authorization. A challenge may still come, for another repository.
    Open,
    Basic,
    Bearer(Arc<Bearer>),
}

#[derive(Debug)]
pub struct Bearer {
    /// Or why no token service may be asked. A login that is a token itself needs none.
    pub realm: Result<TrustedRealm, RealmRefused>,
    /// Absent for registries that name none (NGC, Artifact Registry).
    pub service: Option<Box<str>>,
    /// Whether the registry takes the login itself, too.
    pub or_basic: bool,
    /// Whether its token service was seen to refuse POST and to take the same login by GET.
    pub wants_get: AtomicBool,
}

impl Demand {
    /// Reads the challenges of a 401. Bearer is preferred, one without a realm counts for nothing, and one whose realm
    /// may not be called counts only where there is no Basic beside it.
    pub fn read(upstream: &Upstream, challenges: &[Challenge]) -> Option<Self> {
        let or_basic = challenges.iter().any(|challenge| challenge.scheme == "basic");
        let mut bearer = challenges.iter().filter(|challenge| challenge.scheme == "bearer");
        let Some((challenge, realm)) = bearer.find_map(|one| Some((one, one.param("realm")?))) else {
            return or_basic.then_some(Self::Basic);
        };
        let realm = admit(upstream, realm);
        if realm.is_err() && or_basic {
            return Some(Self::Basic);
        }
        let service = challenge.param("service").map(Into::into);
        let wants_get = AtomicBool::new(false);
        Some(Self::Bearer(Arc::new(Bearer { realm, service, or_basic, wants_get })))
    }

    /// Whether it can be met by everybody. What asks for a token that nobody may fetch is pinned for those only who have one.
    pub fn leads_somewhere(&self) -> bool {
        self.bearer().is_none_or(|bearer| bearer.realm.is_ok())
    }

    pub fn bearer(&self) -> Option<&Arc<Bearer>> {
        match self {
            Self::Bearer(bearer) => Some(bearer),
            Self::Open | Self::Basic => None,
        }
    }
}

impl Bearer {
    /// Whether a login had better go to the registry itself: its token service may not see it.
    pub fn leaves_logins_to_basic(&self) -> bool {
        self.or_basic && !self.realm.as_ref().is_ok_and(TrustedRealm::sees_credentials)
    }

    /// Whether it is the same token service as `other`'s.
    pub fn leads_where(&self, other: &Self) -> bool {
        (&self.realm, &self.service) == (&other.realm, &other.service)
    }
}

/// What is known of one registry's demands.
#[derive(Debug)]
pub struct Standing {
    demand: ArcSwapOption<Demand>,
    /// Held by the one request that goes out unauthorized to learn the demand.
    lesson: Arc<Semaphore>,
    /// What its challenges said about scopes.
    pub(super) corrections: Corrections,
    /// When a demand that leads nowhere was last looked at again.
    looked: Mutex<Option<Instant>>,
}

/// The right to ask without authorization while others wait. Given back when dropped.
#[derive(Debug)]
pub struct Lesson(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl Default for Standing {
    fn default() -> Self {
        Self {
            demand: ArcSwapOption::empty(),
            lesson: Arc::new(Semaphore::new(1)),
            corrections: Corrections::default(),
            looked: Mutex::default(),
        }
    }
}

impl Standing {
    pub fn demand(&self) -> Option<Demand> {
        self.demand.load().as_deref().cloned()
    }

    /// Waits for a turn to learn; by then somebody else may have learned.
    pub async fn lesson(&self) -> Option<Lesson> {
        self.lesson.clone().acquire_owned().await.ok().map(Lesson)
    }

    pub fn pin(&self, demand: Demand) -> Demand {
        self.demand.store(Some(Arc::new(demand.clone())));
        demand
    }

    /// Pins what leads somewhere, and only that.
    pub fn pin_usable(&self, demand: Demand) -> Demand {
        if demand.leads_somewhere() { self.pin(demand) } else { demand }
    }

    /// Pins what an answer without a challenge shows, unless more is known.
    pub fn answered_openly(&self) {
        let nothing: Option<Arc<Demand>> = None;
        self.demand.compare_and_swap(&nothing, Some(Arc::new(Demand::Open)));
    }

    /// Whether a demand that leads nowhere may be looked at again. Says so to one caller only.
    pub fn is_time_to_look_again(&self) -> bool {
        let now = Instant::now();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = looked.is_none_or(|looked| now >= looked + LOOK_INTERVAL);
        if is_time {
            *looked = Some(now);
        }
        is_time
    }
}

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
