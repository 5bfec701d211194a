//! Which scopes an operation needs, and what to believe of a challenge's own.

use crate::oci::name::RepositoryName;
use crate::oci::operation::{Access, Operation, Start, UploadStep};
use crate::oci::scope::{Action, Resource, ScopeSet};
use crate::profile::{Catalog, Delete, Profile};

/// What a registry wants for an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// What to ask a token for.
    pub scopes: ScopeSet,
    pub login: Login,
    /// Whether a tag has to be looked up first, because only digests are taken.
    pub by_digest: bool,
}

/// What a login is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// It may be needed.
    #[default]
    Welcome,
    /// Whoever has none is refused.
    Needed,
    /// The same, and it is shown itself in place of a token.
    Itself,
}

/// What a registry cannot do at all, and where to turn instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking {
    pub what: &'static str,
    pub hint: &'static str,
}

/// What to meet before an operation. Reads need `pull`, uploads and manifest writes `pull,push`, deletes what the profile
/// says (distribution, registry/handlers/app.go).
pub fn for_operation(profile: &Profile, operation: &Operation) -> Result<Requirements, Lacking> {
    if let (Access::Push | Access::Delete, Some(hint)) = (operation.access(), profile.read_only) {
        return Err(Lacking { what: "writing", hint });
    }
    let pushing = |name| Requirements::on(name, &[Action::Pull, Action::Push]);
    Ok(match operation {
        Operation::Ping => Requirements::default(),
        Operation::ListRepositories => catalog(profile)?,
        Operation::ListTags(name) => {
            let mut required = Requirements::on(name, &[Action::Pull]);
            required
                .scopes
                .add(Resource::repository(name), profile.tag_actions.iter().map(|action| Action::parse(action)));
            required
        }
        Operation::ListReferrers(name, _) | Operation::ReadManifest(name, _) | Operation::ReadBlob(name, _) => {
            Requirements::on(name, &[Action::Pull])
        }
        Operation::StartUpload(name, Start::Mount { from: Some(from), .. }) => {
            let mut required = pushing(name);
            required.scopes.add(Resource::repository(from), [Action::Pull]);
            required
        }
        Operation::DeleteManifest(name, _) | Operation::DeleteBlob(name, _) => delete(profile, name)?,
        // To give an upload up is a delete to the registry's scopes, and no more than a push to everybody else.
        Operation::ContinueUpload(name, _, UploadStep::Cancel) => {
            delete(profile, name).unwrap_or_else(|_| pushing(name))
        }
        Operation::WriteManifest(name, _) | Operation::StartUpload(name, _) | Operation::ContinueUpload(name, ..) => {
            pushing(name)
        }
    })
}

fn catalog(profile: &Profile) -> Result<Requirements, Lacking> {
    let with = |scopes, login| Ok(Requirements { scopes, login, by_digest: false });
    match profile.catalog {
        Catalog::Standard => with(ScopeSet::of(Resource::catalog(), [Action::All]), Login::Welcome),
        Catalog::Scoped { scope, login } => {
            with(ScopeSet::parse(scope), if login { Login::Needed } else { Login::Welcome })
        }
        Catalog::ByLogin => with(ScopeSet::default(), Login::Itself),
        Catalog::Lacking { hint } => Err(Lacking { what: "listing its repositories", hint }),
    }
}

fn delete(profile: &Profile, name: &RepositoryName) -> Result<Requirements, Lacking> {
    match profile.delete {
        Delete::Actions(actions) => Ok(Requirements::on(name, actions)),
        Delete::ByDigest(actions) => Ok(Requirements { by_digest: true, ..Requirements::on(name, actions) }),
        Delete::Lacking { hint } => Err(Lacking { what: "deleting", hint }),
    }
}

impl Requirements {
    fn on(name: &RepositoryName, actions: &[Action]) -> Self {
        let scopes = ScopeSet::of(Resource::repository(name), actions.iter().cloned());
        Self { scopes, ..Self::default() }
    }
}

/// The scopes to ask for once a challenge has spoken.
///
/// Its scope is believed only when it names the requested repository (GHCR answers with a placeholder, ECR Public
/// with `aws`, Gitea with `*`), or the end of its name: Artifactory leaves out the repository key it is reached
/// through, and then wants the short name. A read never asks for more than reading: Quay names `pull,push` for a
/// pull, and asking for `push` there creates repositories.
pub fn believed(
    computed: &ScopeSet,
    challenged: &ScopeSet,
    repository: Option<&RepositoryName>,
    access: Access,
) -> ScopeSet {
    let Some(name) = repository.map(RepositoryName::as_str) else { return computed.clone() };
    let own = computed.resources().find(|(resource, _)| *resource.name == *name);
    let Some((own_resource, own_actions)) = own else { return computed.clone() };
    let is_repository = |resource: &Resource| resource.kind.starts_with("repository");
    let is_named = |resource: &Resource| is_repository(resource) && *resource.name == *name;
    let head_of = |resource: &Resource| name.strip_suffix(&*resource.name).filter(|head| head.ends_with('/'));
    let is_tail = |resource: &Resource| is_repository(resource) && head_of(resource).is_some();
    let named = challenged.resources().find(|(resource, _)| is_named(resource));
    let Some((resource, actions)) = named.or_else(|| challenged.resources().find(|(resource, _)| is_tail(resource)))
    else {
        return computed.clone();
    };
    let further = actions.iter().filter(|action| access != Access::Pull || !action.writes());
    let mut believed = ScopeSet::of(resource.clone(), own_actions.iter().chain(further).cloned());
    for (other, actions) in computed.resources().filter(|(other, _)| *other != own_resource) {
        believed.add(other.without(head_of(resource).unwrap_or_default()), actions.iter().cloned());
    }
    believed
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
    fn scopes_follow_operation_and_profile() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (profile, method, path, scopes) in [
            ("generic", Method::HEAD, "/v2/a/b/manifests/x".to_owned(), "repository:a/b:pull"),
            ("generic", Method::GET, format!("/v2/a/b/blobs/{digest}"), "repository:a/b:pull"),
            ("generic", Method::GET, "/v2/a/b/tags/list".to_owned(), "repository:a/b:pull"),
            ("generic", Method::GET, format!("/v2/a/b/referrers/{digest}"), "repository:a/b:pull"),
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
            let required = for_operation(row, &operation(&method, &path)).unwrap();
            assert_eq!(required.scopes.to_string(), scopes, "{profile} {method} {path}");
        }
    }

    #[test]
    fn what_a_registry_lacks_is_told() {
        let digest = format!("/v2/a/b/blobs/sha256:{}", "0".repeat(64));
        for (profile, method, path, what) in [
            ("docker-hub", Method::GET, "/v2/_catalog", "listing its repositories"),
            ("ghcr", Method::DELETE, "/v2/a/b/manifests/x", "deleting"),
            ("ghcr", Method::DELETE, &*digest, "deleting"),
            ("mcr", Method::PUT, "/v2/a/b/manifests/x", "writing"),
            ("mcr", Method::DELETE, "/v2/a/b/blobs/uploads/x", "writing"),
        ] {
            let row = profile::by_name(profile).unwrap();
            let lacking = for_operation(row, &operation(&method, path)).unwrap_err();
            assert_eq!(lacking.what, what, "{profile} {method} {path}");
        }
    }

    #[test]
    fn a_challenge_is_believed_when_it_names_the_repository() {
        let name = RepositoryName::parse("team/app").unwrap();
        for (computed, challenged, access, believes) in [
            ("repository:team/app:pull", "repository:team/app:pull", Access::Pull, "repository:team/app:pull"),
            ("repository:team/app:pull", "repository:user/image:pull", Access::Pull, "repository:team/app:pull"),
            ("repository:team/app:pull", "repository:other/team/app:pull", Access::Pull, "repository:team/app:pull"),
            ("repository:team/app:pull", "aws", Access::Pull, "repository:team/app:pull"),
            ("repository:team/app:pull", "", Access::Pull, "repository:team/app:pull"),
            ("repository:team/app:pull", "registry:catalog:*", Access::Pull, "repository:team/app:pull"),
            (
                "repository:team/app:pull",
                "repository:team/app:metadata_read",
                Access::Pull,
                "repository:team/app:pull,metadata_read",
            ),
            ("repository:team/app:pull", "repository:team/app:pull,push", Access::Pull, "repository:team/app:pull"),
            ("repository:team/app:pull", "repository:app:pull", Access::Pull, "repository:app:pull"),
            (
                "repository:team/app:pull,push repository:team/base:pull",
                "repository:app:pull,push repository:base:pull",
                Access::Push,
                "repository:app:pull,push repository:base:pull",
            ),
            (
                "repository:team/app:pull,push repository:app:pull",
                "repository:app:pull repository:team/app:pull,push",
                Access::Push,
                "repository:app:pull repository:team/app:pull,push",
            ),
            (
                "repository:team/app:pull",
                "repository(plugin):team/app:pull",
                Access::Pull,
                "repository(plugin):team/app:pull",
            ),
            (
                "repository:team/app:pull,push",
                "repository:team/app:push",
                Access::Push,
                "repository:team/app:pull,push",
            ),
            (
                "repository:team/app:delete",
                "repository:team/app:pull,push",
                Access::Delete,
                "repository:team/app:pull,push,delete",
            ),
        ] {
            let got = believed(&ScopeSet::parse(computed), &ScopeSet::parse(challenged), Some(&name), access);
            assert_eq!(got.to_string(), believes, "{computed} / {challenged}");
        }
    }
}
