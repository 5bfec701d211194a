//! The catalog of a credential's own namespaces, over an API that lists the repositories of one namespace.
//!
//! A page of the catalog is a page of the API. The `Link` to the next one has the last name, as usual, and `page`: the
//! API's page and its size, so that regpass needs no state between two pages of a client.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, LINK};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::client::{ApiClient, ApiResponse};
use super::login::{ApiToken, ApiTokens, Login};
use super::{credential, unsupported};
use crate::credential::Credential;
use crate::net::body::{self, StreamBody};
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::name::RepositoryName;
use crate::profile::NamespaceListing;
use crate::proxy::Proxy;
use crate::proxy::classify::Call;
use crate::proxy::error_response::ErrorResponse;
use crate::proxy::{paging, response_body};
use crate::upstream::SharedUpstream;

/// A page of the repositories in the namespaces of the credential's user and its organizations.
pub(super) async fn list(
    proxy: &Proxy,
    call: &Call,
    api: &NamespaceListing,
    record: &mut Record,
) -> Result<Response<StreamBody>, ErrorResponse> {
    let resolved = credential(proxy, call, record).await?;
    let Credential::Password { username, password } = &resolved.credential else {
        return Err(unsupported(call, "listing its repositories", api.hint));
    };
    let cursor = Cursor::of(call)?;
    let login = Arc::new(Login {
        api: *api,
        user: username.clone(),
        password: password.clone(),
        credential: resolved.id,
        source: resolved.source.clone(),
        metrics: proxy.metrics.clone(),
        clock: proxy.clock,
    });
    let page = page(&proxy.api_tokens, &call.routed.upstream, &login, &cursor, record).await?;
    let document = json!({ "repositories": page.names }).to_string();
    let document = response_body::filter_catalog(call, document.into()).map_err(|why| call.unusable_response(why))?;
    let mut response = Response::new(if call.is_head() { body::empty() } else { body::full(document) });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(next) = page.next {
        let link =
            HeaderMap::from_iter(HeaderValue::from_str(&format!("<?{next}>; rel=\"next\"")).map(|link| (LINK, link)));
        paging::rewrite_link(call, &link, headers);
    }
    Ok(response)
}

/// The page at the cursor. If the API rejects a token from an earlier login, regpass logs in again, once.
async fn page(
    tokens: &ApiTokens,
    upstream: &SharedUpstream,
    login: &Arc<Login>,
    cursor: &Cursor,
    record: &mut Record,
) -> Result<Page, ErrorResponse> {
    let mut is_first = true;
    loop {
        let obtained = tokens.get(upstream, login, record).await?;
        let mut client = login.client(upstream)?;
        client.authorize(&obtained.lease.value.secret)?;
        let mut listing = Listing { client, login, token: &obtained.lease.value, is_rejected: false };
        let page = listing.page(cursor, record).await;
        if !listing.is_rejected {
            return page;
        }
        tokens.reject(upstream, &obtained.lease);
        if obtained.is_newly_fetched || !is_first {
            return page;
        }
        is_first = false;
    }
}

/// Where a page begins.
struct Cursor {
    size: u32,
    /// The last name of the page before.
    last: Option<RepositoryName>,
    /// The page of the last name's namespace to continue with; 0 after the namespace's end. `None` if a client
    /// made the `last` itself: regpass then finds the page.
    page: Option<u32>,
}

impl Cursor {
    /// The cursor of the client's query. An unreadable `page` is ignored: `last` alone leads to the same place. An
    /// invalid `last` is a 400.
    fn of(call: &Call) -> Result<Self, ErrorResponse> {
        let requested = call.query.value("n").and_then(|n| n.parse().ok());
        let size = requested.unwrap_or(MAX_PAGE_SIZE).min(MAX_PAGE_SIZE);
        let last = call.query.value("last").filter(|last| !last.is_empty());
        let last = last.map(|last| RepositoryName::parse(&last)).transpose().map_err(|why| {
            let message = format!("invalid `last`: {why}");
            ErrorResponse::new(StatusCode::BAD_REQUEST, ErrorCode::NameInvalid, Blame::Client, Step::Classify, message)
        })?;
        let page = call.query.value("page").and_then(|page| {
            let (page, size) = page.split_once('.')?;
            Some((page.parse().ok()?, size.parse().ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size))?))
        });
        Ok(match page {
            Some((page, size)) if last.as_ref().is_some_and(|last| last.as_str().contains('/')) => {
                Self { size, last, page: Some(page) }
            }
            _ => Self { size, last, page: None },
        })
    }

    /// Where the last name is among the namespaces: its own, with the `/`, or a name without one, itself.
    fn position(&self) -> Option<&str> {
        let last = self.last.as_ref()?.as_str();
        Some(last.find('/').map_or(last, |slash| &last[..=slash]))
    }
}

/// A page of the catalog, and the query of the link to the next one.
#[derive(Default)]
struct Page {
    names: Vec<String>,
    next: Option<String>,
}

/// The requests for one page. A namespace is written with the `/` that ends it, because the names of repositories are
/// sorted with it: those of `me-corp/` come before those of `me/`.
struct Listing<'a> {
    client: ApiClient<'a>,
    login: &'a Login,
    token: &'a ApiToken,
    /// Whether the API rejected the token.
    is_rejected: bool,
}

impl Listing<'_> {
    /// The page at the cursor: the first of the API's pages that has names after `last`.
    async fn page(&mut self, cursor: &Cursor, record: &mut Record) -> Result<Page, ErrorResponse> {
        if cursor.size == 0 {
            return Ok(Page::default());
        }
        let namespaces = self.namespaces(cursor, record).await?;
        let current = cursor.position();
        // A client may have written the name. A namespace that is not the login's own is not its business.
        let own = current.and_then(|current| namespaces.iter().find(|namespace| *namespace == current));
        if let (Some(namespace), Some(number @ 1..)) = (own, cursor.page) {
            let (names, has_more) = self.repositories(namespace, number, cursor.size, record).await?;
            if let (false, Some(last)) = (names.is_empty(), names.last().cloned()) {
                let is_end = !has_more && namespaces.last() == Some(namespace);
                let next = if has_more { number + 1 } else { 0 };
                let next = (!is_end).then(|| next_query(&last, next, cursor.size));
                return Ok(Page { names, next });
            }
        }
        let is_ahead = |namespace: &&String| match (current, cursor.page) {
            (None, _) => true,
            (Some(current), Some(_)) => namespace.as_str() > current,
            (Some(current), None) => namespace.as_str() >= current,
        };
        let ahead: Vec<&String> = namespaces.iter().filter(is_ahead).collect();
        for (at, namespace) in ahead.iter().enumerate() {
            for number in 1..=MAX_PAGES {
                let (mut names, has_more) = self.repositories(namespace, number, cursor.size, record).await?;
                names.retain(|name| cursor.last.as_ref().is_none_or(|last| name.as_str() > last.as_str()));
                if let Some(last) = names.last().cloned() {
                    let is_end = !has_more && at + 1 == ahead.len();
                    let next = if has_more { number + 1 } else { 0 };
                    let next = (!is_end).then(|| next_query(&last, next, cursor.size));
                    return Ok(Page { names, next });
                }
                if !has_more {
                    break;
                }
            }
        }
        Ok(Page::default())
    }

    /// The user's own namespace and those of its organizations, sorted. A token that may not list the organizations
    /// has the user's own only. Asks for them for the first page; a later page has those that are known.
    async fn namespaces(&mut self, cursor: &Cursor, record: &mut Record) -> Result<Arc<Vec<String>>, ErrorResponse> {
        let known = self.token.namespaces.load_full().filter(|_| cursor.last.is_some());
        if let Some(known) = known {
            return Ok(known);
        }
        let api = &self.login.api;
        let mut namespaces = vec![self.login.user.to_lowercase()];
        for page in 1..=MAX_PAGES {
            let target = format!("{}?page={page}&page_size={MAX_PAGE_SIZE}", api.organizations_path);
            let response = self.get(&target, record).await?;
            if matches!(response.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
                break;
            }
            let (organizations, has_more) = self.results(&response, api.organization_member)?;
            namespaces.extend(organizations);
            if !has_more {
                break;
            }
        }
        // An e-mail address is a user name, too, but no namespace.
        namespaces.retain(|name| !name.contains('/') && RepositoryName::parse(name).is_ok());
        for namespace in &mut namespaces {
            namespace.push('/');
        }
        namespaces.sort_unstable();
        namespaces.dedup();
        let namespaces = Arc::new(namespaces);
        self.token.namespaces.store(Some(namespaces.clone()));
        Ok(namespaces)
    }

    /// A page of a namespace's repositories by name, and whether there is another. A namespace that does not exist has
    /// none.
    async fn repositories(
        &mut self,
        namespace: &str,
        page: u32,
        size: u32,
        record: &mut Record,
    ) -> Result<(Vec<String>, bool), ErrorResponse> {
        let segment = utf8_percent_encode(namespace.trim_end_matches('/'), IN_SEGMENT).to_string();
        let path = self.login.api.repositories_path.replace("{namespace}", &segment);
        let response = self.get(&format!("{path}?ordering=name&page={page}&page_size={size}"), record).await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok((Vec::new(), false));
        }
        let (names, has_more) = self.results(&response, "name")?;
        let full = names.into_iter().map(|name| format!("{namespace}{name}"));
        Ok((full.filter(|name| RepositoryName::parse(name).is_ok()).collect(), has_more))
    }

    /// Sends a GET. Notes if the API rejects the token, although it should still be valid.
    async fn get(&mut self, target: &str, record: &mut Record) -> Result<ApiResponse, ErrorResponse> {
        let response = self.client.send(Method::GET, target, record).await?;
        self.is_rejected |= response.status == StatusCode::UNAUTHORIZED;
        Ok(response)
    }

    /// This member of each result, and whether there is another page.
    fn results(&self, response: &ApiResponse, member: &str) -> Result<(Vec<String>, bool), ErrorResponse> {
        if response.status != StatusCode::OK {
            return Err(self.client.refused(response, self.login.api.right));
        }
        let document: Map<String, Value> = self.client.document(response)?;
        let Some(results) = document.get("results").and_then(Value::as_array) else {
            return Err(self.client.unusable("its list has no results"));
        };
        let names = results.iter().filter_map(|result| result.get(member)?.as_str()).map(ToOwned::to_owned);
        Ok((names.collect(), document.get("next").is_some_and(Value::is_string)))
    }
}

fn next_query(last: &str, page: u32, size: u32) -> String {
    format!("last={}&page={page}.{size}", last.replace('/', "%2F"))
}

/// Encoded in a path segment: everything but unreserved characters.
const IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The largest page that the API returns.
const MAX_PAGE_SIZE: u32 = 100;
/// Pages that regpass reads for one page of the catalog, at most.
const MAX_PAGES: u32 = 100;
