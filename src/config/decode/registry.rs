//! Decodes the tables of the registries.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::credential;
use super::document::{Entry, Section};
use super::identity::identities;
use super::repositories::rules;
use super::secret::{certificate_files, path};
use super::table_keys::Keys;
use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::{Scheme, Url};
use crate::config::hub_remote::HubRemote;
use crate::config::model::{CredentialSource, Defaults, Redirects, Registry};
use crate::config::problem::{Fault, Location};
use crate::config::trusted_host::TrustedHost;
use crate::config::values;
use crate::oci::operation::Access;
use crate::profile::{self, Profile};

/// Every registry of the file, the most specific pattern first.
pub(super) fn registries(root: &Section<'_>, defaults: &Defaults) -> Vec<Registry> {
    let children = root.get("registry").and_then(|entry| entry.children()).unwrap_or_default();
    let mut names = UniqueNames::default();
    let mut registries: Vec<Registry> =
        children.into_iter().filter_map(|(key, entry)| registry(key, entry, defaults, &mut names)).collect();
    registries.sort_by_cached_key(|registry| match &registry.pattern {
        HostPattern::Exact(host) => (0, Reverse(0), host.to_string()),
        HostPattern::Subdomains(domain) => (1, Reverse(domain.len()), domain.to_string()),
        HostPattern::Any => (2, Reverse(0), String::new()),
    });
    registries
}

/// Names that only one registry may have, each with the key of that registry's table.
#[derive(Default)]
struct UniqueNames {
    patterns: BTreeMap<HostPattern, String>,
    aliases: BTreeMap<Box<str>, String>,
    hosts: BTreeMap<Box<str>, String>,
}

fn registry(key: &str, entry: Entry<'_>, defaults: &Defaults, names: &mut UniqueNames) -> Option<Registry> {
    let pattern = pattern(key, &entry, names)?;
    let section = entry.section(REGISTRY)?;
    let profile = section.get("profile").and_then(|entry| entry.parse(values::profile));
    let effective_profile = profile.or(match &pattern {
        HostPattern::Exact(host) => Some(profile::by_host(host).unwrap_or_else(profile::fallback)),
        HostPattern::Subdomains(_) | HostPattern::Any => None,
    });
    let registry = Registry {
        url: single_registry_only(&section, "url", &pattern).and_then(|entry| entry.parse(values::origin)),
        alias: single_registry_only(&section, "alias", &pattern)
            .and_then(|entry| alias(&entry, section.entry(), names)),
        profile,
        allow: section.get("allow").and_then(|entry| access(&entry)).unwrap_or_else(|| defaults.allow.clone()),
        repositories: section.get("repositories").map(|entry| rules(entry, effective_profile)).unwrap_or_default(),
        hosts: single_registry_only(&section, "hosts", &pattern)
            .map(|entry| hosts(&entry, section.entry(), names))
            .unwrap_or_default(),
        credential: registry_credential(&section, &pattern, effective_profile, defaults),
        redirects: section
            .get("redirects")
            .and_then(|entry| entry.parse(values::redirects))
            .unwrap_or(Redirects::Follow),
        verify: section.get("verify").and_then(|entry| entry.boolean()).unwrap_or(defaults.verify),
        realm_hosts: trusted_hosts(&section, "realm_hosts"),
        upload_hosts: trusted_hosts(&section, "upload_hosts"),
        vendor_api: single_registry_only(&section, "vendor_api", &pattern)
            .and_then(|entry| vendor_api(&section, &entry)),
        hub_remotes: hub_remotes(&section),
        ca: section.get("ca").and_then(|entry| path(&entry)),
        client_certificate: section.get("client_certificate").and_then(certificate_files),
        identities: section
            .get("identity")
            .map(|entry| identities(&entry, &pattern, effective_profile))
            .unwrap_or_default(),
        pattern,
    };
    Some(registry)
}

/// The base URL of the vendor's API. Like a token service, it is not reached in plain text by the credential of a
/// registry that uses https.
fn vendor_api(section: &Section<'_>, entry: &Entry<'_>) -> Option<Url> {
    let url = entry.parse(values::base_url)?;
    let registry = section.get("url").and_then(|entry| entry.parse(values::origin));
    let is_registry_plain = registry.is_some_and(|origin| origin.scheme == Scheme::Http);
    if url.origin.scheme == Scheme::Http && !is_registry_plain {
        entry
            .report(Fault::new("the URL is plain http, but the registry uses https").hint("write a URL with https://"));
        return None;
    }
    Some(url)
}

fn pattern(key: &str, entry: &Entry<'_>, names: &mut UniqueNames) -> Option<HostPattern> {
    let pattern = match values::pattern(key) {
        Ok(pattern) => pattern,
        Err(fault) => {
            // The message does not quote the key: a URL written here by mistake may contain a password.
            let location = Location { key: "registry".to_owned(), ..entry.location() };
            let hint = format!("{}, `*.example.com`, `*`", fault.hint.unwrap_or_default());
            entry.document.report(&location, Fault::new("a key of this table is not a host name").hint(hint));
            return None;
        }
    };
    if !key.contains('.') && has_unquoted_host(entry) {
        let fault = Fault::new("the host name is not in quotes, so its dots separate keys")
            .hint("put the host name in quotes: `[registry.\"registry.example.com\"]`");
        entry.report(fault);
        return None;
    }
    if let Some(other) = names.patterns.insert(pattern.clone(), entry.key.clone()) {
        let fault = Fault::new(format!("the table `{other}` is for the same registry, `{pattern}`"))
            .hint("merge the two tables into one");
        entry.report(fault);
    }
    Some(pattern)
}

/// Whether the header is `[registry.ghcr.io]` where `[registry."ghcr.io"]` is meant.
fn has_unquoted_host(entry: &Entry<'_>) -> bool {
    let known = |name: &str| REGISTRY.iter().any(|(known, _)| *known == name);
    entry.is_table() && entry.children().into_iter().flatten().any(|(name, child)| child.is_table() && !known(name))
}

/// An entry that the table of one registry may have, and a table for many registries may not.
fn single_registry_only<'a>(section: &Section<'a>, name: &str, pattern: &HostPattern) -> Option<Entry<'a>> {
    let entry = section.get(name)?;
    if matches!(pattern, HostPattern::Exact(_)) {
        return Some(entry);
    }
    let fault = Fault::new(format!("`{pattern}` stands for many registries, which cannot share `{name}`"))
        .hint("give the one registry its own table: `[registry.\"team.example.com\"]`");
    entry.report(fault);
    None
}

fn alias(entry: &Entry<'_>, table: &Entry<'_>, names: &mut UniqueNames) -> Option<Box<str>> {
    let alias = entry.parse(values::alias)?;
    if let Some(other) = names.aliases.insert(alias.clone(), table.key.clone()) {
        entry.report(Fault::new(format!("the table `{other}` already has this alias")).hint("choose another alias"));
    }
    Some(alias)
}

fn hosts(entry: &Entry<'_>, table: &Entry<'_>, names: &mut UniqueNames) -> BTreeSet<Box<str>> {
    let mut hosts = BTreeSet::new();
    for item in entry.list().unwrap_or_default() {
        let Some(host) = item.parse(values::host_name) else { continue };
        match names.hosts.insert(host.clone(), table.key.clone()) {
            Some(other) if other != table.key => {
                let fault = Fault::new(format!("the table `{other}` already has the host name `{host}`"))
                    .hint("remove it from one of the two lists");
                item.report(fault);
            }
            _ => {}
        }
        hosts.insert(host);
    }
    hosts
}

fn trusted_hosts(section: &Section<'_>, name: &str) -> Vec<TrustedHost> {
    section.get(name).and_then(|entry| entry.parse_list(values::trusted_host)).unwrap_or_default()
}

fn hub_remotes(section: &Section<'_>) -> Vec<HubRemote> {
    section.get("hub_remotes").and_then(|entry| entry.parse_list(values::hub_remote)).unwrap_or_default()
}

fn registry_credential(
    section: &Section<'_>,
    pattern: &HostPattern,
    profile: Option<&'static Profile>,
    defaults: &Defaults,
) -> CredentialSource {
    let Some(entry) = section.get("credential") else {
        if let Some(fault) = credential::exposed_to_any_host(&defaults.credential, pattern) {
            section.entry().report(fault);
        }
        return defaults.credential.clone();
    };
    let credential = credential::credential(&entry).unwrap_or(CredentialSource::Anonymous);
    if let Some(fault) = credential::misfit(&credential, pattern, profile) {
        entry.report(fault);
    }
    credential
}

/// The actions of an `allow` list.
pub(super) fn access(entry: &Entry<'_>) -> Option<BTreeSet<Access>> {
    entry.parse_list(values::access).map(BTreeSet::from_iter)
}

/// The registry that an entry names; it must be well-known or configured, so that requests may be sent to it.
pub(super) fn known_registry(entry: &Entry<'_>, registries: &[Registry]) -> Option<RegistryHost> {
    let host = entry.parse(values::registry)?;
    if is_known(&host, registries) {
        return Some(host);
    }
    let fault = Fault::new(format!("the registry `{host}` is neither well-known nor configured"))
        .hint(format!("add a table for it: `[registry.\"{host}\"]`"));
    entry.report(fault);
    None
}

pub(super) fn is_known(host: &RegistryHost, registries: &[Registry]) -> bool {
    profile::is_well_known(host) || registries.iter().any(|registry| registry.pattern.matches(host))
}

pub(super) const REGISTRY: Keys = &[
    ("url", "\"http://localhost:5000\""),
    ("alias", "\"gh\""),
    ("profile", "\"generic\""),
    ("allow", "[\"pull\", \"push\"]"),
    ("repositories", "[\"acme/**\"]"),
    ("hosts", "[\"registry.corp.example\"]"),
    ("credential", "{ source = \"docker\" }"),
    ("redirects", "\"follow\""),
    ("verify", "true"),
    ("realm_hosts", "[\"token.example.com\"]"),
    ("upload_hosts", "[\"uploads.example.com\"]"),
    ("vendor_api", "\"https://github.corp.example/api/v3\""),
    ("hub_remotes", "[\"hubproxy\"]"),
    ("ca", "\"/etc/regpass/ca.pem\""),
    ("client_certificate", "{ certificate = \"/path/cert.pem\", key = \"/path/key.pem\" }"),
    ("identity", "[{ repositories = [\"acme/**\"], credential = { source = \"docker\" } }]"),
];
