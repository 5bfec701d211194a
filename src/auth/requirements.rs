//! Which scopes and which kind of authorization an operation needs, by the registry's profile.

use super::ask::CredentialUse;
use crate::oci::name::RepositoryName;
use crate::oci::operation::{Access, Operation, UploadStart, UploadStep};
use crate::oci::scope::{Action, Resource, ScopeSet};
use crate::profile::{Catalog, Delete, Profile, VendorApi};

/// What a registry requires for one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The scopes to request a token for.
    pub scopes: ScopeSet,
    pub credential_use: CredentialUse,
    /// Whether a tag has to be resolved to its digest first, because the registry deletes only by digest.
    pub needs_digest: bool,
    /// The API that does this instead of the registry's.
    pub vendor_api: Option<VendorApi>,
}

/// An operation that the registry does not support, with a hint what to do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported {
    pub what: &'static str,
    pub hint: &'static str,
}

impl Requirements {
    /// Reads need `pull`, uploads and manifest writes `pull,push` (distribution, registry/handlers/app.go); a mount
    /// also needs `pull` on the repository it mounts from, unless every token covers it anyway. The profile determines
    /// the scopes of deletes and of the catalog, and adds some for tag lists. A ping needs none.
    pub fn of(profile: &Profile, operation: &Operation) -> Result<Self, Unsupported> {
        if let (Access::Push | Access::Delete, Some(hint)) = (operation.access(), profile.read_only_reason) {
            return Err(Unsupported { what: "writing", hint });
        }
        Ok(match operation {
            Operation::Ping => Self::default(),
            Operation::ListRepositories => Self::catalog(profile)?,
            Operation::ListTags(name) => {
                let mut required = Self::on(name, &[Action::Pull]);
                let extra = profile.extra_tag_list_actions.iter().map(|action| Action::parse(action));
                required.scopes.add(Resource::repository(name), extra);
                required
            }
            Operation::ListReferrers(name, _)
            | Operation::ReadManifest(name, _)
            | Operation::ReadBlob(name, _)
            | Operation::ReadExtension(name, _) => Self::on(name, &[Action::Pull]),
            Operation::StartUpload(name, UploadStart::Mount { from: Some(from), .. }) => {
                let mut required = Self::push(name);
                if !profile.tokens_cover_every_repository {
                    required.scopes.add(Resource::repository(from), [Action::Pull]);
                }
                required
            }
            Operation::DeleteManifest(name, _) => Self::delete(profile, name)?,
            Operation::DeleteBlob(name, _) => {
                Self::delete(profile, name)?.without_vendor_api("deleting blobs, which go with their manifests")?
            }
            // Registries that support deletes want the delete scope for the cancellation of an upload, too.
            Operation::ContinueUpload(name, _, UploadStep::Cancel) => {
                let required = Self::delete(profile, name).ok().filter(|required| required.vendor_api.is_none());
                required.unwrap_or_else(|| Self::push(name))
            }
            Operation::WriteManifest(name, _)
            | Operation::StartUpload(name, _)
            | Operation::ContinueUpload(name, ..) => Self::push(name),
        })
    }

    fn catalog(profile: &Profile) -> Result<Self, Unsupported> {
        let (scopes, credential_use) = match profile.catalog {
            Catalog::Standard => (ScopeSet::of(Resource::catalog(), [Action::All]), CredentialUse::Optional),
            Catalog::Scoped { scope, needs_credential: true } => (ScopeSet::parse(scope), CredentialUse::Required),
            Catalog::Scoped { scope, needs_credential: false } => (ScopeSet::parse(scope), CredentialUse::Optional),
            Catalog::DirectCredential => (ScopeSet::default(), CredentialUse::Direct),
            Catalog::Namespaces(api) => return Ok(Self::over(VendorApi::Namespaces(api))),
            Catalog::Unsupported { hint } => return Err(Unsupported { what: "listing its repositories", hint }),
        };
        Ok(Self { scopes, credential_use, ..Self::default() })
    }

    fn delete(profile: &Profile, name: &RepositoryName) -> Result<Self, Unsupported> {
        match profile.delete {
            Delete::Actions(actions) => Ok(Self::on(name, actions)),
            Delete::ByDigest(actions) => Ok(Self { needs_digest: true, ..Self::on(name, actions) }),
            Delete::Packages(api) => Ok(Self::over(VendorApi::Packages(api))),
            Delete::Unsupported { hint } => Err(Unsupported { what: "deleting", hint }),
        }
    }

    fn over(api: VendorApi) -> Self {
        Self { vendor_api: Some(api), ..Self::default() }
    }

    /// Fails if only the vendor's API could do it, which has no such operation.
    fn without_vendor_api(self, what: &'static str) -> Result<Self, Unsupported> {
        match self.vendor_api {
            Some(api) => Err(Unsupported { what, hint: api.hint() }),
            None => Ok(self),
        }
    }

    fn push(name: &RepositoryName) -> Self {
        Self::on(name, &[Action::Pull, Action::Push])
    }

    fn on(name: &RepositoryName, actions: &[Action]) -> Self {
        let scopes = ScopeSet::of(Resource::repository(name), actions.iter().cloned());
        Self { scopes, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::oci::path::ApiPath;
    use crate::oci::query::Query;
    use crate::profile;

    fn operation(method: &Method, path: &str) -> Operation {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        Operation::parse(method, &ApiPath::parse(path).unwrap(), &Query::parse(query), &|name| name).unwrap()
    }

    #[test]
    fn scopes_depend_on_operation_and_profile() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (profile, method, path, scopes) in [
            ("generic", Method::HEAD, "/v2/a/b/manifests/x".to_owned(), "repository:a/b:pull"),
            ("generic", Method::GET, format!("/v2/a/b/blobs/{digest}"), "repository:a/b:pull"),
            ("generic", Method::GET, "/v2/a/b/tags/list".to_owned(), "repository:a/b:pull"),
            ("generic", Method::GET, format!("/v2/a/b/referrers/{digest}"), "repository:a/b:pull"),
            ("generic", Method::GET, "/v2/a/b/_oci/ext/discover".to_owned(), "repository:a/b:pull"),
            ("generic", Method::PUT, "/v2/a/b/manifests/x".to_owned(), "repository:a/b:pull,push"),
            ("generic", Method::POST, "/v2/a/b/blobs/uploads/".to_owned(), "repository:a/b:pull,push"),
            (
                "generic",
                Method::POST,
                format!("/v2/a/b/blobs/uploads/?mount={digest}&from=c"),
                "repository:a/b:pull,push repository:c:pull",
            ),
            ("generic", Method::DELETE, "/v2/a/b/blobs/uploads/x".to_owned(), "repository:a/b:delete"),
            ("ghcr", Method::DELETE, "/v2/a/b/blobs/uploads/x".to_owned(), "repository:a/b:pull,push"),
            ("generic", Method::DELETE, "/v2/a/b/manifests/x".to_owned(), "repository:a/b:delete"),
            ("generic", Method::GET, "/v2/_catalog".to_owned(), "registry:catalog:*"),
            ("ghcr", Method::GET, "/v2/_catalog".to_owned(), "repository:user/image:pull"),
            ("generic", Method::GET, "/v2/".to_owned(), ""),
        ] {
            let row = profile::by_name(profile).unwrap();
            let required = Requirements::of(row, &operation(&method, &path)).unwrap();
            assert_eq!(required.scopes.to_string(), scopes, "{profile} {method} {path}");
        }
    }

    #[test]
    fn unsupported_operations_are_named() {
        let digest = format!("/v2/a/b/blobs/sha256:{}", "0".repeat(64));
        for (profile, method, path, what) in [
            ("ecr-public", Method::GET, "/v2/_catalog", "listing its repositories"),
            ("kubernetes", Method::DELETE, "/v2/a/b/manifests/x", "writing"),
            ("ghcr", Method::DELETE, &*digest, "deleting blobs, which go with their manifests"),
            ("mcr", Method::PUT, "/v2/a/b/manifests/x", "writing"),
            ("mcr", Method::DELETE, "/v2/a/b/blobs/uploads/x", "writing"),
        ] {
            let row = profile::by_name(profile).unwrap();
            let unsupported = Requirements::of(row, &operation(&method, path)).unwrap_err();
            assert_eq!(unsupported.what, what, "{profile} {method} {path}");
        }
    }
}
