//! Deletes a manifest over an API of package versions: finds the version by its digest or its tag, then deletes it.

use http::header::LINK;
use http::{HeaderMap, Method, Response, StatusCode};
use serde::Deserialize;

use super::client::{ApiClient, ApiResponse};
use super::{credential, unsupported};
use crate::base::secret::Secret;
use crate::credential::Credential;
use crate::net::body::{self, StreamBody};
use crate::observe::blame::Blame;
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::link;
use crate::oci::name::RepositoryName;
use crate::oci::reference::Reference;
use crate::profile::PackageVersions;
use crate::proxy::Proxy;
use crate::proxy::classify::Call;
use crate::proxy::error_response::ErrorResponse;

/// Deletes the version that has this digest or tag.
///
/// A version goes with all its tags. So a tag that shares its version with others is not deleted: its client would
/// remove more than it named.
pub(super) async fn delete(
    proxy: &Proxy,
    call: &Call,
    api: &PackageVersions,
    (name, reference): (&RepositoryName, &Reference),
    record: &mut Record,
) -> Result<Response<StreamBody>, ErrorResponse> {
    let resolved = credential(proxy, call, record).await?;
    let Some(token) = token_of(&resolved.credential) else { return Err(unsupported(call, "deleting", api.hint)) };
    let mut client = ApiClient::new(&call.routed.upstream, api.host, (token, &resolved.source), &proxy.metrics)?
        .with_headers(api.headers);
    client.authorize(token)?;
    let deletion = Deletion { client, api, name, reference };
    let (path, version) = deletion.find(record).await?;
    deletion.check_other_tags(&version)?;
    let response = deletion.client.send(Method::DELETE, &format!("{path}/{}", version.id), record).await?;
    match response.status {
        StatusCode::NO_CONTENT | StatusCode::OK | StatusCode::ACCEPTED => {
            let mut accepted = Response::new(body::empty());
            *accepted.status_mut() = StatusCode::ACCEPTED;
            Ok(accepted)
        }
        _ => Err(deletion.delete_refused(&response, &version)),
    }
}

/// The secret of a password or an identity token. A bearer token is one for the registry.
fn token_of(credential: &Credential) -> Option<&Secret> {
    match credential {
        Credential::Password { password: secret, .. } | Credential::Identity { token: secret, .. } => Some(secret),
        Credential::Anonymous | Credential::Bearer { .. } => None,
    }
}

struct Deletion<'a> {
    client: ApiClient<'a>,
    api: &'a PackageVersions,
    name: &'a RepositoryName,
    reference: &'a Reference,
}

/// A version of a package, as far as it matters.
#[derive(Deserialize)]
struct Version {
    id: u64,
    name: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    container: Container,
}

#[derive(Default, Deserialize)]
struct Container {
    #[serde(default)]
    tags: Vec<String>,
}

impl Deletion<'_> {
    /// The path of the package's versions, and the version with the digest or tag, over all pages.
    async fn find(&self, record: &mut Record) -> Result<(String, Version), ErrorResponse> {
        let Some((owner, package)) = self.name.as_str().split_once('/') else {
            let message = format!("the name {} has no owner before a `/`", self.name);
            return Err(self.client.error(StatusCode::BAD_REQUEST, ErrorCode::NameInvalid, Blame::Client, &message));
        };
        let package = package.replace('/', "%2F");
        let mut last_404 = None;
        for template in self.api.paths {
            let path = template.replace("{owner}", owner).replace("{package}", &package);
            match self.find_at(&path, record).await? {
                Ok(version) => return Ok((path, version)),
                Err(response) => last_404 = Some(response),
            }
        }
        Err(self.unknown_package(last_404.as_ref()))
    }

    /// The version at this path; the inner error is a 404 for the first page.
    async fn find_at(&self, path: &str, record: &mut Record) -> Result<Result<Version, ApiResponse>, ErrorResponse> {
        for page in 1..=MAX_PAGES {
            let target = format!("{path}?per_page={PAGE_SIZE}&page={page}");
            let response = self.client.send(Method::GET, &target, record).await?;
            match response.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND if page == 1 => return Ok(Err(response)),
                _ => return Err(self.client.refused(&response, &self.right(self.api.list_right, &response.headers))),
            }
            let versions: Vec<Version> = self.client.document(&response)?;
            if let Some(version) = versions.into_iter().find(|version| self.is_wanted(version)) {
                return Ok(Ok(version));
            }
            if !response.headers.contains_key(LINK) || link::next_query(&response.headers).is_none() {
                let message = format!("{} has no version {}", self.name, self.reference.as_str());
                let (status, code) = (StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown);
                return Err(self.client.error(status, code, Blame::Client, &message));
            }
        }
        let searched = MAX_PAGES * PAGE_SIZE;
        Err(self.client.unusable(&format!(
            "the newest {searched} versions of {} do not include {}",
            self.name,
            self.reference.as_str()
        )))
    }

    fn is_wanted(&self, version: &Version) -> bool {
        match self.reference {
            Reference::Digest(digest) => version.name == digest.as_str(),
            Reference::Tag(_) => version.metadata.container.tags.iter().any(|tag| tag == self.reference.as_str()),
        }
    }

    /// Fails if the client named a tag, and the version has others.
    fn check_other_tags(&self, version: &Version) -> Result<(), ErrorResponse> {
        let own = self.reference.as_str();
        let others: Vec<&str> =
            version.metadata.container.tags.iter().map(String::as_str).filter(|tag| *tag != own).take(5).collect();
        if matches!(self.reference, Reference::Digest(_)) || others.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the tag {own} of {} cannot be deleted alone: the version {} also has {}; delete that digest to delete all of them",
            self.name,
            version.name,
            others.join(", ")
        );
        let (status, code) = (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported);
        Err(self.client.error(status, code, Blame::Registry, &message).with_header(http::header::ALLOW, ""))
    }

    fn unknown_package(&self, response: Option<&ApiResponse>) -> ErrorResponse {
        let rights = response.map(|response| self.right(self.api.list_right, &response.headers)).unwrap_or_default();
        let message = format!(
            "the API knows no package {}, or does not show it to the credential from {}, which needs {rights}",
            self.name,
            self.client.source()
        );
        self.client.error(StatusCode::NOT_FOUND, ErrorCode::NameUnknown, Blame::Credential, &message)
    }

    /// The API answers 404 as well as 403 to a credential that may list and not delete.
    fn delete_refused(&self, response: &ApiResponse, version: &Version) -> ErrorResponse {
        let reason = response.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        match response.status {
            StatusCode::NOT_FOUND => self.client.denied(&format!(
                "the API does not let the credential from {} delete the version {} of {}: it needs {}{reason}",
                self.client.source(),
                version.name,
                self.name,
                self.right(self.api.delete_right, &response.headers)
            )),
            // A package's last version, and versions with many downloads, cannot be deleted.
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                let message = format!("the version {} of {} cannot be deleted{reason}", version.name, self.name);
                let (status, code) = (StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported);
                self.client.error(status, code, Blame::Registry, &message).with_header(http::header::ALLOW, "")
            }
            _ => self.client.refused(response, &self.right(self.api.delete_right, &response.headers)),
        }
    }

    /// The missing right for a message, with those that the API says the credential has.
    fn right(&self, needed: &str, headers: &HeaderMap) -> String {
        let has = headers.get(self.api.rights_header).and_then(|rights| rights.to_str().ok());
        match has {
            Some("") => format!("{needed} (it has no rights)"),
            Some(rights) => format!("{needed} (it has {rights})"),
            None => needed.to_owned(),
        }
    }
}

/// The largest page that the API returns.
const PAGE_SIZE: u32 = 100;
/// Pages searched, newest versions first.
const MAX_PAGES: u32 = 100;
