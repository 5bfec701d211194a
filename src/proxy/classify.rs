//! Determines the API operation of a routed request and checks that it is valid, supported and permitted.

use std::sync::Arc;
use std::time::Duration;

use http::header::ALLOW;
use http::{Method, StatusCode};

use super::error_response::ErrorResponse;
use super::permission::{check_permission, not_allowed};
use super::routing::RoutedRequest;
use crate::auth::ask::Ask;
use crate::auth::requirements::{Requirements, Unsupported};
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::{Access, Operation, OperationError, UploadStart};
use crate::oci::query::Query;
use crate::oci::reference::InvalidReference;
use crate::oci::referrers::ARTIFACT_TYPE;
use crate::profile;
use crate::profile::VendorApi;
use crate::upstream::Upstream;

/// One API request to one registry, permitted by the configuration.
#[derive(Clone, Debug)]
pub struct Call {
    pub routed: Arc<RoutedRequest>,
    pub operation: Operation,
    pub method: Method,
    /// The query of the request to the registry.
    pub query: Query,
    /// What the authorization of the request depends on.
    pub ask: Ask,
    /// Whether the registry accepts only a digest for this operation, not a tag.
    pub needs_digest: bool,
    /// The API of the vendor that handles this call instead of the registry.
    pub vendor_api: Option<VendorApi>,
}

impl Call {
    pub fn registry(&self) -> &str {
        self.routed.upstream.host.as_str()
    }

    pub fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// The 502 for a response of the registry or a redirect target that regpass cannot forward or use.
    pub fn unusable_response(&self, why: &str) -> ErrorResponse {
        let message = format!("unusable response from {}: {why}", self.registry());
        ErrorResponse::new(StatusCode::BAD_GATEWAY, ErrorCode::Unavailable, Blame::Registry, Step::Transfer, message)
    }
}

/// Determines the operation and checks it against the API's grammar, the registry's features and the configuration, in
/// this order. A rejected operation is recorded, too, unless it cannot be parsed.
pub fn classify(routed: RoutedRequest, method: &Method, record: &mut Record) -> Result<Call, ErrorResponse> {
    let upstream = routed.upstream.clone();
    let (operation, query) = parse_operation(&routed, method)?;
    record.set_operation(&operation);
    check_extension(&operation)?;
    let required = requirements(&upstream, &operation)?;
    check_permission(&routed, &operation)?;
    let query = upstream_query(query, &operation)?;
    let ask = Ask {
        repository: operation.repository().cloned(),
        scopes: required.scopes,
        access: operation.access(),
        is_tag_list: matches!(operation, Operation::ListTags(_)),
        credentials: routed.policy.credentials.select(routed.client.as_ref(), operation.repository()).clone(),
        credential_use: required.credential_use,
        min_lifetime: Duration::ZERO,
        upstream,
    };
    let (needs_digest, vendor_api) = (required.needs_digest, required.vendor_api);
    Ok(Call { routed: Arc::new(routed), operation, method: method.clone(), query, ask, needs_digest, vendor_api })
}

/// Parses the operation and its query. A mount from a repository that clients may not pull becomes a plain upload: it
/// must not give access to that repository's blobs.
fn parse_operation(routed: &RoutedRequest, method: &Method) -> Result<(Operation, Query), ErrorResponse> {
    let (upstream, policy) = (&routed.upstream, &routed.policy);
    let parse =
        |query: &Query| Operation::parse(method, &routed.path, query, &|name| upstream.upstream_repository(name));
    let mut query = routed.query.clone();
    let mut operation = parse(&query).map_err(|why| {
        // If the configuration forbids pushes, that is a more useful error than the invalid name, digest or method.
        let pushes = matches!(*method, Method::POST | Method::PATCH | Method::PUT);
        let is_denied = pushes && !why.is_unknown_endpoint() && !policy.allow.contains(&Access::Push);
        if is_denied { not_allowed(upstream, Access::Push) } else { invalid_operation(why) }
    })?;
    if let Operation::StartUpload(_, UploadStart::Mount { from: Some(from), .. }) = &operation {
        if policy.allow.contains(&Access::Pull) && policy.allows_repository(Access::Pull, from) {
            query.set("from", from.as_str());
        } else {
            query.remove("mount");
            query.remove("from");
            operation = parse(&query).map_err(invalid_operation)?;
        }
    }
    Ok((operation, query))
}

fn invalid_operation(why: OperationError) -> ErrorResponse {
    let (status, code) = match why {
        OperationError::Name(_) => (StatusCode::BAD_REQUEST, ErrorCode::NameInvalid),
        OperationError::Reference(InvalidReference::Digest) => (StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid),
        OperationError::Reference(InvalidReference::Tag) => (StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid),
        OperationError::Endpoint | OperationError::Extension(_) => (StatusCode::NOT_FOUND, ErrorCode::Unsupported),
        OperationError::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported),
    };
    let error = ErrorResponse::new(status, code, Blame::Client, Step::Classify, why.to_string());
    match why {
        OperationError::Method { allow } => error.with_header(ALLOW, allow),
        _ => error,
    }
}

/// Rejects an extension that regpass does not know: what it does and which rights it needs is unknown, too.
fn check_extension(operation: &Operation) -> Result<(), ErrorResponse> {
    let Operation::ReadExtension(_, extension) = operation else { return Ok(()) };
    if profile::FORWARDED_EXTENSIONS.contains(&extension.name()) {
        return Ok(());
    }
    let (name, known) = (extension.name(), profile::FORWARDED_EXTENSIONS.join(", "));
    let message = format!(
        "regpass does not forward the extension {name} of the API; below a repository name it forwards reads of {known}"
    );
    Err(ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, Blame::Client, Step::Classify, message))
}

/// What the registry requires for an operation. regpass rejects an operation that the registry does not support,
/// without a request to the registry.
pub(super) fn requirements(upstream: &Upstream, operation: &Operation) -> Result<Requirements, ErrorResponse> {
    Requirements::of(upstream.profile(), operation).map_err(|Unsupported { what, hint }| {
        let message = format!("{} does not support {what}, so regpass sent it no request: {hint}", upstream.host);
        ErrorResponse::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Unsupported,
            Blame::Registry,
            Step::Classify,
            message,
        )
        .with_header(ALLOW, "")
    })
}

/// The query of the request to the registry: the client's for listings and pushes, with the page size limited to
/// [`MAX_PAGE_SIZE`]; empty for other operations.
fn upstream_query(mut query: Query, operation: &Operation) -> Result<Query, ErrorResponse> {
    match operation {
        Operation::ListTags(_) | Operation::ListRepositories => {
            if let Some(n) = query.value("n") {
                let size: u64 = n.parse().map_err(|_| {
                    let message = "the query parameter `n` (entries per page) must be a non-negative integer";
                    ErrorResponse::new(
                        StatusCode::BAD_REQUEST,
                        ErrorCode::PaginationNumberInvalid,
                        Blame::Client,
                        Step::Classify,
                        message,
                    )
                })?;
                // ECR answers 405 above 1000, distribution 400.
                query.set("n", &size.min(MAX_PAGE_SIZE).to_string());
            }
            Ok(query)
        }
        Operation::ListReferrers(..) => {
            query.escape_plus(ARTIFACT_TYPE);
            Ok(query)
        }
        Operation::ReadExtension(..) => Ok(query),
        _ if operation.access() == Access::Push => Ok(query),
        _ => Ok(Query::default()),
    }
}

/// Maximum entries per page that regpass requests from a registry.
const MAX_PAGE_SIZE: u64 = 1000;
