//! Operations that a registry does not support, over the API that its vendor has for them: deletes of manifests, and
//! the catalog of the credential's own namespaces.
//!
//! The registry itself gets no request. The credential goes to the API's host only: the profile's, or the one that the
//! configuration names.

mod client;
mod login;
mod namespaces;
mod packages;

use http::{Response, StatusCode};

use super::Proxy;
use super::classify::Call;
use super::error_response::ErrorResponse;
use crate::credential::ResolvedCredential;
use crate::net::body::StreamBody;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::Operation;
use crate::profile::VendorApi;

pub use login::ApiTokens;

/// Handles a call over its registry's vendor API. `None` if the registry handles the call itself.
pub async fn serve(
    proxy: &Proxy,
    call: &Call,
    record: &mut Record,
) -> Option<Result<Response<StreamBody>, ErrorResponse>> {
    match (call.vendor_api?, &call.operation) {
        (VendorApi::Packages(api), Operation::DeleteManifest(name, reference)) => {
            Some(packages::delete(proxy, call, &api, (name, reference), record).await)
        }
        (VendorApi::Namespaces(api), Operation::ListRepositories) => {
            Some(namespaces::list(proxy, call, &api, record).await)
        }
        _ => None,
    }
}

/// The credential for the API: that of the registry.
async fn credential(proxy: &Proxy, call: &Call, record: &mut Record) -> Result<ResolvedCredential, ErrorResponse> {
    let resolved = proxy.authorizer.credential(&call.ask).await;
    let resolved = resolved.map_err(|error| ErrorResponse::from_auth(&error, call.registry()))?;
    record.grant = if resolved.is_anonymous() { "none" } else { "direct" };
    Ok(resolved)
}

/// The error for a call without a credential that the API takes. It is the one for an operation that the registry does
/// not support: nothing was sent.
fn unsupported(call: &Call, what: &str, hint: &str) -> ErrorResponse {
    let registry = call.registry();
    let message = format!("{registry} does not support {what} itself, so regpass sent it no request: {hint}");
    ErrorResponse::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, Blame::Registry, Step::Classify, message)
        .with_header(http::header::ALLOW, "")
}
