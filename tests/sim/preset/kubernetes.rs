//! registry.k8s.io, section 16 of registries.md. It redirects almost every request to a regional host of Google's.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{ApiRequest, Denial, Scope};
use super::super::reply::Reply;
use super::super::route::Route;
use super::{Capabilities, Catalog, Delivery, ExtraHost, Preset};

const REGION: &str = "region";
const PREFIX: &str = "k8s-artifacts-prod/images/";

impl Preset {
    pub fn kubernetes() -> Self {
        let mut preset = Self::open("k8s.test");
        preset.title_case_headers = true;
        preset.early_reply = Arc::new(redirect_to_region);
        preset.base_reply = Arc::new(|_| Reply::new(200));
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(1200));
        preset.extra_hosts = vec![ExtraHost {
            name: REGION,
            repository_prefix: PREFIX,
            may_receive_credentials: false,
            preset: region(),
        }];
        preset.capabilities = Capabilities {
            public_repository: "pause",
            private_repository: "pause",
            catalog: Catalog::Unsupported,
            referrers: true,
            ..preset.capabilities
        };
        preset
    }
}

/// The regional host. Public content needs no token there, although `/v2/` has a challenge.
fn region() -> Preset {
    let mut preset = Preset::google();
    preset.early_reply = Arc::new(|_| None);
    let reject = Arc::clone(&preset.access.reject);
    preset.access.reject = Arc::new(move |denial| {
        let with_prefix = |scope: &Scope| Scope { name: format!("{PREFIX}{}", scope.name), ..scope.clone() };
        let required = denial.required.iter().map(with_prefix).collect();
        let (realm, service) = (denial.realm.clone(), denial.service.clone());
        reject(&Denial { request: denial.request, reason: denial.reason, required, realm, service })
    });
    preset
}

/// Redirects to the regional host, without the query of the request (kubernetes/registry.k8s.io#326).
fn redirect_to_region(request: &ApiRequest<'_>) -> Option<Reply> {
    if !matches!(request.entry.method, Method::GET | Method::HEAD) {
        return Some(Reply::new(405).text("Only GET and HEAD are allowed.\n"));
    }
    let has_blob = |name: &str, digest: &str| {
        request.registry.store().read(name, |repository| repository.blobs.contains_key(digest)).unwrap_or(false)
    };
    match request.route {
        Route::Catalog => Some(Reply::page_not_found()),
        Route::Root | Route::BareBase | Route::Base => None,
        Route::Blob { name, digest } if has_blob(name, digest) => None,
        _ => {
            let rest = request.entry.path.strip_prefix("/v2/").unwrap_or_default();
            Some(Reply::redirect(307, &format!("{}/v2/{PREFIX}{rest}", request.registry.origins().extra_host(REGION))))
        }
    }
}
