//! A routed request, understood: which operation it is, and whether it may be done here.

use std::sync::Arc;
use std::time::Duration;

use http::header::ALLOW;
use http::{Method, StatusCode};

use super::failure::Failure;
use super::route::Routed;
use crate::auth::ask::Ask;
use crate::auth::scopes::{self, Lacking, Requirements};
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::operation::{Access, NotOci, Operation, Start};
use crate::oci::query::Query;
use crate::oci::reference::BadReference;
use crate::upstream::Upstream;

/// One request of the API to one registry.
#[derive(Clone, Debug)]
pub struct Call {
    pub routed: Arc<Routed>,
    pub operation: Operation,
    pub method: Method,
    /// What of the client's query goes to the registry.
    pub query: Query,
    pub ask: Ask,
    /// Whether the registry takes digests only for what is asked.
    pub by_digest: bool,
}

impl Call {
    pub fn registry(&self) -> &str {
        self.routed.upstream.host.as_str()
    }

    pub fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }
}

/// Recognises the operation and checks it against grammar, registry and configuration, in this order. What is refused
/// is recorded by its name all the same.
pub fn classify(routed: Routed, method: &Method, record: &mut Record) -> Result<Call, Failure> {
    let upstream = routed.upstream.clone();
    let (operation, query) = recognise(&routed, method)?;
    record.means(&operation);
    let required = requirements(&upstream, &operation)?;
    check_permission(&routed, &operation)?;
    let query = upstream_query(query, &operation)?;
    let ask = Ask {
        repository: operation.repository().cloned(),
        scopes: required.scopes,
        access: operation.access(),
        lists_tags: matches!(operation, Operation::ListTags(_)),
        login: routed.terms.credentials.choose(routed.client.as_ref(), operation.repository()).clone(),
        wants: required.login,
        lasting: Duration::ZERO,
        upstream,
    };
    let by_digest = required.by_digest;
    Ok(Call { routed: Arc::new(routed), operation, method: method.clone(), query, ask, by_digest })
}

/// The operation, and the query without a mount's source that may not be read: it is not to be had by mounting it
/// either, though the blob may be sent.
fn recognise(routed: &Routed, method: &Method) -> Result<(Operation, Query), Failure> {
    let (upstream, terms) = (&routed.upstream, &routed.terms);
    let parse = |query: &Query| Operation::parse(method, &routed.path, query, &|name| upstream.known_as(name));
    let mut query = routed.query.clone();
    let mut operation = parse(&query).map_err(|why| {
        // Whoever may not push at all need not get the details of an upload right first.
        let pushes = matches!(*method, Method::POST | Method::PATCH | Method::PUT);
        let refused = pushes && !why.is_about_the_path() && !terms.allow.contains(&Access::Push);
        if refused { not_allowed(upstream, Access::Push) } else { not_oci(why) }
    })?;
    if let Operation::StartUpload(_, Start::Mount { from: Some(from), .. }) = &operation {
        if terms.allow.contains(&Access::Pull) && terms.permits(Access::Pull, from) {
            query.set("from", from.as_str());
        } else {
            query.remove("mount");
            query.remove("from");
            operation = parse(&query).map_err(not_oci)?;
        }
    }
    Ok((operation, query))
}

fn not_oci(why: NotOci) -> Failure {
    let (status, code) = match why {
        NotOci::Name(_) => (StatusCode::BAD_REQUEST, ErrorCode::NameInvalid),
        NotOci::Reference(BadReference::Digest) => (StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid),
        NotOci::Reference(BadReference::Tag) => (StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid),
        NotOci::Endpoint => (StatusCode::NOT_FOUND, ErrorCode::Unsupported),
        NotOci::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported),
    };
    let failure = Failure::new(status, code, Blame::Client, Step::Classify, why.to_string());
    match why {
        NotOci::Method { allow } => failure.with_header(ALLOW, allow),
        _ => failure,
    }
}

/// What the registry wants; what it cannot do is refused without asking it.
pub(super) fn requirements(upstream: &Upstream, operation: &Operation) -> Result<Requirements, Failure> {
    scopes::for_operation(upstream.profile(), operation).map_err(|Lacking { what, hint }| {
        let message = format!("{} does not support {what}: {hint}", upstream.host);
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, Blame::Registry, Step::Classify, message)
            .with_header(ALLOW, "")
    })
}

/// What the configuration does not allow is refused by name of the setting.
fn check_permission(routed: &Routed, operation: &Operation) -> Result<(), Failure> {
    // Answered without the registry, so there is nothing to allow; clients that only push ask for it first.
    if *operation == Operation::Ping {
        return Ok(());
    }
    let (upstream, terms) = (&routed.upstream, &routed.terms);
    let access = operation.access();
    if !terms.allow.contains(&access) {
        return Err(not_allowed(upstream, access));
    }
    let permitted = operation.repository().is_none_or(|name| terms.permits(access, name));
    if !permitted {
        let host = &upstream.host;
        let name = operation.repository().map(ToString::to_string).unwrap_or_default();
        return Err(denied(format!(
            "the configuration does not allow '{}' of {name} on {host}; see 'repositories' of [registry.\"{host}\"]",
            access.as_str()
        )));
    }
    Ok(())
}

fn not_allowed(upstream: &Upstream, access: Access) -> Failure {
    let (host, word) = (&upstream.host, access.as_str());
    denied(format!(
        "the configuration does not allow '{word}' on {host}; add \"{word}\" to 'allow' of [registry.\"{host}\"], or start with --allow"
    ))
}

fn denied(message: String) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Configuration, Step::Classify, message)
}

/// Listings pass their cursors on; everything else has no query a registry needs.
fn upstream_query(mut query: Query, operation: &Operation) -> Result<Query, Failure> {
    match operation {
        Operation::ListTags(_) | Operation::ListRepositories => {
            if let Some(n) = query.value("n") {
                let wanted: u64 = n.parse().map_err(|_| {
                    let message = "'n' is the number of entries a page may have: a whole number, not negative";
                    Failure::new(
                        StatusCode::BAD_REQUEST,
                        ErrorCode::PaginationNumberInvalid,
                        Blame::Client,
                        Step::Classify,
                        message,
                    )
                })?;
                // ECR answers 405 above 1000, distribution 400.
                query.set("n", &wanted.min(LARGEST_PAGE).to_string());
            }
            Ok(query)
        }
        Operation::ListReferrers(..) => Ok(query),
        _ if operation.access() == Access::Push => Ok(query),
        _ => Ok(Query::default()),
    }
}

const LARGEST_PAGE: u64 = 1000;
