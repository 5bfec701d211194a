//! registry.k8s.io, section 16 of registries.md: it has nothing itself, and leads to a regional host of Google's.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{Ask, Denial, Route, Scope};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Delivery, Hop, Other, Place, Policy, Preset};

const REGION: &str = "region";
const PREFIX: &str = "k8s-artifacts-prod/images/";

impl Preset {
    pub fn kubernetes() -> Self {
        let mut preset = Self::plain("k8s.test");
        preset.title_case = true;
        preset.gate.open = true;
        preset.policy = Policy::Everyone;
        preset.oddities = Arc::new(lead_on);
        preset.base = Arc::new(|_| Reply::new(200));
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.others = vec![Other { name: REGION, prefix: PREFIX, trusted: false, preset: region() }];
        preset.can = Abilities {
            public: "pause",
            private: "pause",
            catalog: Catalog::Never,
            referrers: true,
            ..Abilities::open()
        };
        preset
    }
}

/// Public content needs no token there, although `/v2/` asks for one.
fn region() -> Preset {
    let mut preset = Preset::google();
    preset.oddities = Arc::new(|_| None);
    let refuse = Arc::clone(&preset.gate.refuse);
    preset.gate.refuse = Arc::new(move |denial| {
        let whole = |scope: &Scope| Scope { name: format!("{PREFIX}{}", scope.name), ..scope.clone() };
        let (ask, why, realm, service) = (denial.ask, denial.why, denial.realm.clone(), denial.service.clone());
        refuse(&Denial { ask, why, needs: denial.needs.iter().map(whole).collect(), realm, service })
    });
    preset
}

/// With the path only: queries are dropped (kubernetes/registry.k8s.io#326).
fn lead_on(ask: &Ask<'_>) -> Option<Reply> {
    if !matches!(ask.entry.method, Method::GET | Method::HEAD) {
        return Some(Reply::new(405).text("Only GET and HEAD are allowed.\n"));
    }
    let has_blob = |name: &str, digest: &str| {
        ask.registry.store().read(name, |repository| repository.blobs.contains_key(digest)).unwrap_or(false)
    };
    match ask.route {
        Route::Catalog => Some(Reply::new(404).text("404 page not found\n")),
        Route::Root | Route::BareBase | Route::Base => None,
        Route::Blob { name, digest } if has_blob(name, digest) => None,
        _ => {
            let rest = ask.entry.path.strip_prefix("/v2/").unwrap_or_default();
            Some(Reply::redirect(307, &format!("{}/v2/{PREFIX}{rest}", ask.registry.origins().other(REGION))))
        }
    }
}
