//! The registries' tables.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::document::{Entry, Section};
use super::identity::identities;
use super::key::Keys;
use super::{access, credential};
use crate::base::host::HostPattern;
use crate::config::hub_remote::HubRemote;
use crate::config::model::{ClientCertificate, CredentialSource, Defaults, Redirects, Registry, RepositoryRules};
use crate::config::patterns::{RepositoryPattern, RepositoryPatterns};
use crate::config::problem::{Fault, Place};
use crate::config::trusted_host::TrustedHost;
use crate::config::values;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;
use crate::profile::{self, Profile};

/// Every registry of the file, most specific first.
pub(super) fn registries(root: &Section<'_>, defaults: &Defaults) -> Vec<Registry> {
    let children = root.get("registry").and_then(|entry| entry.children()).unwrap_or_default();
    let mut names = Names::default();
    let mut registries: Vec<Registry> =
        children.into_iter().filter_map(|(key, entry)| registry(key, entry, defaults, &mut names)).collect();
    registries.sort_by_cached_key(|registry| match &registry.pattern {
        HostPattern::Exact(host) => (0, Reverse(0), host.to_string()),
        HostPattern::Family(domain) => (1, Reverse(domain.len()), domain.to_string()),
        HostPattern::Any => (2, Reverse(0), String::new()),
    });
    registries
}

/// What may stand in one registry's table only, with the key of that table.
#[derive(Default)]
struct Names {
    patterns: BTreeMap<HostPattern, String>,
    aliases: BTreeMap<Box<str>, String>,
    hosts: BTreeMap<Box<str>, String>,
}

fn registry(key: &str, entry: Entry<'_>, defaults: &Defaults, names: &mut Names) -> Option<Registry> {
    let pattern = pattern(key, &entry, names)?;
    let section = entry.section(REGISTRY)?;
    let profile = section.get("profile").and_then(|entry| entry.parse(values::profile));
    let known_as = profile.or(match &pattern {
        HostPattern::Exact(host) => Some(profile::by_host(host).unwrap_or_else(profile::fallback)),
        HostPattern::Family(_) | HostPattern::Any => None,
    });
    let registry = Registry {
        url: of_one(&section, "url", &pattern).and_then(|entry| entry.parse(values::origin)),
        alias: of_one(&section, "alias", &pattern).and_then(|entry| alias(&entry, section.entry(), names)),
        profile,
        allow: section.get("allow").and_then(|entry| access(&entry)).unwrap_or_else(|| defaults.allow.clone()),
        repositories: section.get("repositories").map(|entry| rules(entry, known_as)).unwrap_or_default(),
        hosts: of_one(&section, "hosts", &pattern)
            .map(|entry| hosts(&entry, section.entry(), names))
            .unwrap_or_default(),
        credential: registry_credential(&section, &pattern, known_as, defaults),
        redirects: section
            .get("redirects")
            .and_then(|entry| entry.parse(values::redirects))
            .unwrap_or(Redirects::Follow),
        realm_hosts: trusted_hosts(&section, "realm_hosts"),
        upload_hosts: trusted_hosts(&section, "upload_hosts"),
        hub_remotes: hub_remotes(&section),
        ca: section.get("ca").and_then(|entry| credential::path(&entry)),
        client_certificate: section.get("client_certificate").and_then(client_certificate),
        identities: section.get("identity").map(|entry| identities(&entry, &pattern, known_as)).unwrap_or_default(),
        pattern,
    };
    Some(registry)
}

fn pattern(key: &str, entry: &Entry<'_>, names: &mut Names) -> Option<HostPattern> {
    let pattern = match values::pattern(key) {
        Ok(pattern) => pattern,
        Err(fault) => {
            // The key is not repeated: a URL put here by mistake may carry a login.
            let place = Place { key: "registry".to_owned(), ..entry.place() };
            let hint = format!("{}, \"*.example.com\" or \"*\"", fault.hint.unwrap_or_default());
            entry.document.report(&place, Fault::new("a key of this table is not a host name").hint(hint));
            return None;
        }
    };
    if !key.contains('.') && is_split(entry) {
        let fault = Fault::new("the dots of a host name make further tables")
            .hint("put the host name in quotes: [registry.\"registry.example.com\"]");
        entry.report(fault);
        return None;
    }
    if let Some(other) = names.patterns.insert(pattern.clone(), entry.key.clone()) {
        entry.report(
            Fault::new(format!("{other} means the same registry, {pattern}")).hint("make one table of the two"),
        );
    }
    Some(pattern)
}

/// Whether `[registry.ghcr.io]` stands where `[registry."ghcr.io"]` is meant.
fn is_split(entry: &Entry<'_>) -> bool {
    let known = |name: &str| REGISTRY.iter().any(|(known, _)| *known == name);
    entry.is_table() && entry.children().into_iter().flatten().any(|(name, child)| child.is_table() && !known(name))
}

/// An entry that makes sense for one registry, not for many.
fn of_one<'a>(section: &Section<'a>, name: &str, pattern: &HostPattern) -> Option<Entry<'a>> {
    let entry = section.get(name)?;
    if matches!(pattern, HostPattern::Exact(_)) {
        return Some(entry);
    }
    let fault = Fault::new(format!("{pattern} stands for many registries, which cannot share this"))
        .hint("give the one registry a table of its own: [registry.\"team.example.com\"]");
    entry.report(fault);
    None
}

fn alias(entry: &Entry<'_>, table: &Entry<'_>, names: &mut Names) -> Option<Box<str>> {
    let alias = entry.parse(values::alias)?;
    if let Some(other) = names.aliases.insert(alias.clone(), table.key.clone()) {
        entry.report(Fault::new(format!("{other} has the alias already")).hint("choose another"));
    }
    Some(alias)
}

fn hosts(entry: &Entry<'_>, table: &Entry<'_>, names: &mut Names) -> BTreeSet<Box<str>> {
    let mut hosts = BTreeSet::new();
    for item in entry.list().unwrap_or_default() {
        let Some(host) = item.parse(values::host_name) else { continue };
        match names.hosts.insert(host.clone(), table.key.clone()) {
            Some(other) if other != table.key => {
                item.report(
                    Fault::new(format!("{other} has the name {host} already"))
                        .hint("leave it out of one of the two lists"),
                );
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
        if let Some(fault) = unfit(&defaults.credential, pattern) {
            section.entry().report(fault);
        }
        return defaults.credential.clone();
    };
    let credential = credential::source(&entry).unwrap_or(CredentialSource::Anonymous);
    if let Some(fault) = wrong(&credential, pattern, profile) {
        entry.report(fault);
    }
    credential
}

/// What speaks against a credential for this registry.
pub(super) fn wrong(
    credential: &CredentialSource,
    pattern: &HostPattern,
    profile: Option<&'static Profile>,
) -> Option<Fault> {
    unfit(credential, pattern).or_else(|| useless(credential, profile))
}

/// A cloud lends nothing for other registries than its own.
fn useless(credential: &CredentialSource, profile: Option<&'static Profile>) -> Option<Fault> {
    let (CredentialSource::Cloud(cloud), Some(profile)) = (credential, profile) else { return None };
    let profiles = cloud.profiles();
    (!profiles.contains(&profile.name)).then(|| {
        let what = format!(
            "{} lends logins for its own registries only, and this one has the profile {}",
            cloud.name(),
            profile.name
        );
        Fault::new(what)
            .hint(format!("if it is one of them under another name, write profile = \"{}\"", profiles.join("\" or \"")))
    })
}

/// `*` is whatever host a client names: a fixed secret would go to all of them.
fn unfit(credential: &CredentialSource, pattern: &HostPattern) -> Option<Fault> {
    let fixed = match credential {
        CredentialSource::Password { .. }
        | CredentialSource::Identity { .. }
        | CredentialSource::Bearer { .. }
        | CredentialSource::Cloud(_) => true,
        CredentialSource::Anonymous | CredentialSource::Docker { .. } | CredentialSource::Helper { .. } => false,
    };
    (fixed && *pattern == HostPattern::Any).then(|| {
        Fault::new("the credential would go to any host that a client names").hint(
            "write credential = { source = \"anonymous\" }, or a source that looks logins up by host: docker, helper",
        )
    })
}

/// One list for everything, or a list for each action.
fn rules(entry: Entry<'_>, profile: Option<&'static Profile>) -> RepositoryRules {
    if entry.is_list() {
        let patterns = patterns(&entry, profile);
        let all = [Access::Pull, Access::Push, Access::Delete];
        return RepositoryRules(all.into_iter().map(|access| (access, patterns.clone())).collect());
    }
    let Some(section) = entry.section(REPOSITORIES) else { return RepositoryRules::default() };
    let rule = |access: Access| Some((access, patterns(&section.get(access.as_str())?, profile)));
    RepositoryRules([Access::Pull, Access::Push, Access::Delete].into_iter().filter_map(rule).collect())
}

pub(super) fn patterns(entry: &Entry<'_>, profile: Option<&'static Profile>) -> RepositoryPatterns {
    // Patterns see the name the registry knows, which has two components at least where short ones are moved.
    let moved = profile.and_then(|profile| Some(profile.place(RepositoryName::parse("short").ok()?)));
    let namespace = moved.as_ref().and_then(|moved| moved.as_str().strip_suffix("/short"));
    let pattern = |text: &str| -> Result<RepositoryPattern, Fault> {
        let pattern = values::repository_pattern(text)?;
        match namespace {
            Some(namespace) if !text.contains('/') && text != "**" => {
                let hint = format!("write \"{namespace}/{pattern}\" or \"{pattern}/**\"");
                Err(Fault::new(format!("it matches nothing: names of one component live below {namespace}/ there"))
                    .hint(hint))
            }
            _ => Ok(pattern),
        }
    };
    RepositoryPatterns::new(entry.parse_list(pattern).unwrap_or_default())
}

fn client_certificate(entry: Entry<'_>) -> Option<ClientCertificate> {
    let section = entry.section(CLIENT_CERTIFICATE)?;
    let certificate = section.required("certificate").and_then(|entry| credential::path(&entry));
    let key = section.required("key").and_then(|entry| credential::path(&entry));
    Some(ClientCertificate { certificate: certificate?, key: key? })
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
    ("realm_hosts", "[\"token.example.com\"]"),
    ("upload_hosts", "[\"uploads.example.com\"]"),
    ("hub_remotes", "[\"hubproxy\"]"),
    ("ca", "\"/etc/regpass/ca.pem\""),
    ("client_certificate", "{ certificate = \"/path/cert.pem\", key = \"/path/key.pem\" }"),
    ("identity", "[{ repositories = [\"acme/**\"], credential = { source = \"docker\" } }]"),
];

pub(super) const REPOSITORIES: Keys =
    &[("pull", "[\"acme/**\"]"), ("push", "[\"acme/**\"]"), ("delete", "[\"acme/**\"]")];

pub(super) const CLIENT_CERTIFICATE: Keys = &[("certificate", "\"/path/cert.pem\""), ("key", "\"/path/key.pem\"")];
