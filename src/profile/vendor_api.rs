//! The APIs beside the distribution API over which some vendors delete and list, as data.

/// The API of a vendor for what its registry does not do itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorApi {
    Packages(PackageVersions),
    Namespaces(NamespaceListing),
}

impl VendorApi {
    /// The host of the API, over https at the default port. It is the only one that gets the registry's credential,
    /// unless the configuration names another.
    pub fn host(&self) -> &'static str {
        match self {
            Self::Packages(api) => api.host,
            Self::Namespaces(api) => api.host,
        }
    }

    /// What to do where the API cannot be used.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Packages(api) => api.hint,
            Self::Namespaces(api) => api.hint,
        }
    }
}

/// An API that lists and deletes the versions of a package. A package is a repository, a version is a manifest with
/// its tags: its name is the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageVersions {
    pub host: &'static str,
    /// The paths at which the versions of `{owner}`'s `{package}` may be. regpass tries them in order until one is not
    /// a 404: an owner is an organization or a user.
    pub paths: &'static [&'static str],
    /// Headers of every request.
    pub headers: &'static [(&'static str, &'static str)],
    /// The response header that lists the rights of the credential.
    pub rights_header: &'static str,
    /// The rights that listing and deleting need, for messages.
    pub list_right: &'static str,
    pub delete_right: &'static str,
    /// What to do without a credential for the API, for messages.
    pub hint: &'static str,
}

/// An API that lists the repositories of a namespace. The login yields a token; the namespaces are the user's own and
/// those of its organizations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamespaceListing {
    pub host: &'static str,
    /// Where user name and password are exchanged for a token, as members of a JSON object with these names.
    pub login_path: &'static str,
    pub login_members: (&'static str, &'static str),
    pub token_member: &'static str,
    pub organizations_path: &'static str,
    pub organization_member: &'static str,
    /// The path of the repositories of `{namespace}`.
    pub repositories_path: &'static str,
    /// What the credential has to be, for messages.
    pub right: &'static str,
    /// What to do without a credential for the API, for messages.
    pub hint: &'static str,
}
