//! The catalog of a credential's own namespaces, over an API that lists the repositories of one namespace.
//!
//! A page of the catalog is a page of the API. The `Link` to the next one has the last name, as usual, and `page`: the
//! API's page and its size, so that regpass needs no state between two pages of a client.

use http::header::{CONTENT_TYPE, LINK};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::client::{ApiClient, ApiResponse};
use super::{credential, unsupported};
use crate::base::secret::Secret;
use crate::credential::{Credential, CredentialId};
use crate::net::body::{self, StreamBody};
use crate::observe::record::Record;
use crate::oci::name::RepositoryName;
use crate::oci::token::UnverifiedClaims;
use crate::profile::NamespaceListing;
use crate::proxy::Proxy;
use crate::proxy::classify::Call;
use crate::proxy::error_response::ErrorResponse;
use crate::proxy::{paging, response_body};
use crate::upstream::UpstreamId;

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
    let client = ApiClient::new(&call.routed.upstream, api.host, (password, &resolved.source), &proxy.metrics)?;
    let key = (call.routed.upstream.id, resolved.id);
    let mut listing = Listing { proxy, client, api, user: username, password, key };
    let (cursor, had_token) = (Cursor::of(call), proxy.api_tokens.get(key).is_some());
    listing.log_in(record).await?;
    let mut page = listing.page(&cursor, record).await;
    // The API rejected a token from an earlier login.
    if page.is_err() && had_token && proxy.api_tokens.get(key).is_none() {
        listing.log_in(record).await?;
        page = listing.page(&cursor, record).await;
    }
    let page = page?;
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

/// Where a page begins.
struct Cursor {
    size: u32,
    /// The last name of the page before.
    last: Option<String>,
    /// The page of the last name's namespace to continue with; 0 after the namespace's end. `None` if a client
    /// made the `last` itself: regpass then finds the page.
    page: Option<u32>,
}

impl Cursor {
    /// The cursor of the client's query. An unreadable `page` is ignored: `last` alone leads to the same place.
    fn of(call: &Call) -> Self {
        let requested = call.query.value("n").and_then(|n| n.parse().ok());
        let size = requested.unwrap_or(MAX_PAGE_SIZE).min(MAX_PAGE_SIZE);
        let last = call.query.value("last").filter(|last| !last.is_empty());
        let page = call.query.value("page").and_then(|page| {
            let (page, size) = page.split_once('.')?;
            Some((page.parse().ok()?, size.parse().ok().filter(|size| (1..=MAX_PAGE_SIZE).contains(size))?))
        });
        match page {
            Some((page, size)) if last.is_some() => Self { size, last, page: Some(page) },
            _ => Self { size, last, page: None },
        }
    }
}

/// A page of the catalog, and the query of the link to the next one.
#[derive(Default)]
struct Page {
    names: Vec<String>,
    next: Option<String>,
}

struct Listing<'a> {
    proxy: &'a Proxy,
    client: ApiClient<'a>,
    api: &'a NamespaceListing,
    user: &'a str,
    password: &'a Secret,
    key: (UpstreamId, CredentialId),
}

impl Listing<'_> {
    /// Exchanges user name and password for a token, unless there is one from before.
    async fn log_in(&mut self, record: &mut Record) -> Result<(), ErrorResponse> {
        let tokens = &self.proxy.api_tokens;
        if let Some(token) = tokens.get(self.key) {
            return self.client.authorize(&token);
        }
        let begun = Instant::now();
        let (user, secret) = self.api.login_members;
        let login = json!({ user: self.user, secret: self.password.expose() });
        let response = self.client.post(self.api.login_path, &login, record).await?;
        if response.status != StatusCode::OK {
            return Err(self.client.refused(&response, self.api.right));
        }
        let answer: Map<String, Value> = self.client.document(&response)?;
        let token = answer.get(self.api.token_member).and_then(Value::as_str).map(Secret::new);
        let token = token.ok_or_else(|| self.client.unusable("its response has no token"))?;
        let lifetime = UnverifiedClaims::decode(&token).lifetime(self.proxy.clock.unix_time());
        if let Some(lifetime) = lifetime {
            tokens.insert(self.key, token.clone(), (begun, lifetime));
        }
        self.client.authorize(&token)
    }

    /// The page at the cursor: the first of the API's pages that has names after `last`.
    async fn page(&self, cursor: &Cursor, record: &mut Record) -> Result<Page, ErrorResponse> {
        if cursor.size == 0 {
            return Ok(Page::default());
        }
        let current = cursor.last.as_deref().map(|last| last.split('/').next().unwrap_or_default());
        if let (Some(namespace), Some(number @ 1..)) = (current, cursor.page) {
            let (names, has_more) = self.repositories(namespace, number, cursor.size, record).await?;
            if let (false, Some(last)) = (names.is_empty(), names.last().cloned()) {
                let next = if has_more { number + 1 } else { 0 };
                return Ok(Page { next: Some(next_query(&last, next, cursor.size)), names });
            }
        }
        let namespaces = self.namespaces(record).await?;
        let is_ahead = |namespace: &&String| match (current, cursor.page) {
            (None, _) => true,
            (Some(current), Some(_)) => namespace.as_str() > current,
            (Some(current), None) => namespace.as_str() >= current,
        };
        let ahead: Vec<&String> = namespaces.iter().filter(is_ahead).collect();
        for (at, namespace) in ahead.iter().enumerate() {
            for number in 1..=MAX_PAGES {
                let (mut names, has_more) = self.repositories(namespace, number, cursor.size, record).await?;
                names.retain(|name| cursor.last.as_ref().is_none_or(|last| name > last));
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
    /// has the user's own only.
    async fn namespaces(&self, record: &mut Record) -> Result<Vec<String>, ErrorResponse> {
        let mut namespaces = vec![self.user.to_lowercase()];
        for page in 1..=MAX_PAGES {
            let target = format!("{}?page={page}&page_size={MAX_PAGE_SIZE}", self.api.organizations_path);
            let response = self.get(&target, record).await?;
            if matches!(response.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
                break;
            }
            let (organizations, has_more) = self.results(&response, self.api.organization_member)?;
            namespaces.extend(organizations);
            if !has_more {
                break;
            }
        }
        namespaces.sort_unstable();
        namespaces.dedup();
        Ok(namespaces)
    }

    /// A page of a namespace's repositories by name, and whether there is another. A namespace that does not exist has
    /// none.
    async fn repositories(
        &self,
        namespace: &str,
        page: u32,
        size: u32,
        record: &mut Record,
    ) -> Result<(Vec<String>, bool), ErrorResponse> {
        let path = self.api.repositories_path.replace("{namespace}", namespace);
        let response = self.get(&format!("{path}?ordering=name&page={page}&page_size={size}"), record).await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok((Vec::new(), false));
        }
        let (names, has_more) = self.results(&response, "name")?;
        let full = names.into_iter().map(|name| format!("{namespace}/{name}"));
        Ok((full.filter(|name| RepositoryName::parse(name).is_ok()).collect(), has_more))
    }

    /// Sends a GET. A token that the API rejects although it should still be valid is not used again.
    async fn get(&self, target: &str, record: &mut Record) -> Result<ApiResponse, ErrorResponse> {
        let response = self.client.send(Method::GET, target, record).await?;
        if response.status == StatusCode::UNAUTHORIZED {
            self.proxy.api_tokens.remove(self.key);
        }
        Ok(response)
    }

    /// This member of each result, and whether there is another page.
    fn results(&self, response: &ApiResponse, member: &str) -> Result<(Vec<String>, bool), ErrorResponse> {
        if response.status != StatusCode::OK {
            return Err(self.client.refused(response, self.api.right));
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

/// The largest page that the API returns.
const MAX_PAGE_SIZE: u32 = 100;
/// Pages that regpass reads for one page of the catalog, at most.
const MAX_PAGES: u32 = 100;
