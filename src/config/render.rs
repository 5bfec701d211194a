//! Renders the configuration as TOML for `regpass check`: with every default, and with secrets redacted.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::path::Path;

use bytesize::ByteSize;

use super::model::{
    CertificateFiles, ClientRule, Config, CredentialSource, Identity, Listener, Redirects, Registry, RepositoryRules,
    SecretSource, Timeouts, ValueSource,
};
use super::patterns::RepositoryPatterns;
use crate::base::host::HostPattern;
use crate::oci::operation::Access;
use crate::profile;

/// The configuration as TOML. Decoded again it gives the same configuration, except for literal secrets.
pub fn render(config: &Config) -> String {
    let mut out = String::new();
    write_config(&mut out, config).expect("writing to a String does not fail");
    out
}

fn write_config(out: &mut String, config: &Config) -> fmt::Result {
    match &config.file {
        Some(file) => writeln!(out, "# configuration file: {}", file.display().to_string().escape_debug())?,
        None => writeln!(out, "# no configuration file: defaults, flags and environment variables")?,
    }
    writeln!(out, "default_registry = {}", quoted(config.default_registry.as_str()))?;
    writeln!(out, "credential = {}", credential(&config.defaults.credential))?;
    writeln!(out, "allow = {}", access_list(&config.defaults.allow))?;
    writeln!(out, "verify = {}", config.defaults.verify)?;
    write_upload(out, config)?;
    write_timeouts(out, &config.timeouts)?;
    for listener in &config.listeners {
        writeln!(out, "\n[[listener]]")?;
        write_listener(out, listener)?;
        writeln!(out, "absolute_locations = {}", listener.absolute_locations)?;
    }
    if let Some(admin) = &config.admin {
        writeln!(out, "\n[admin]")?;
        write_listener(out, &admin.listener)?;
    }
    config.registries.iter().try_for_each(|registry| write_registry(out, registry))
}

fn write_upload(out: &mut String, config: &Config) -> fmt::Result {
    if config.upload_keys.is_empty() {
        writeln!(
            out,
            "# upload_key is unset: uploads begun in one process cannot continue in another, nor after a restart"
        )?;
    } else {
        let keys: Vec<String> = config.upload_keys.iter().map(secret).collect();
        writeln!(out, "upload_key = [{}]", keys.join(", "))?;
    }
    writeln!(out, "upload_spool = {}", size(config.upload_spool))
}

fn write_timeouts(out: &mut String, timeouts: &Timeouts) -> fmt::Result {
    writeln!(out, "\n[timeouts]")?;
    for (key, timeout) in [
        ("connect", timeouts.connect),
        ("token", timeouts.token),
        ("response_head", timeouts.response_head),
        ("body_idle", timeouts.body_idle),
    ] {
        writeln!(out, "{key} = \"{}\"", humantime::format_duration(timeout))?;
    }
    Ok(())
}

fn write_listener(out: &mut String, listener: &Listener) -> fmt::Result {
    let optional = if listener.optional { " # optional: skipped when the address cannot be used" } else { "" };
    writeln!(out, "address = {}{optional}", quoted(&listener.address.to_string()))?;
    if listener.address.is_unix() {
        writeln!(out, "mode = \"{:04o}\"", listener.mode)?;
    }
    if let Some(uids) = &listener.uids {
        let uids: Vec<String> = uids.iter().map(u32::to_string).collect();
        writeln!(out, "uids = [{}]", uids.join(", "))?;
    }
    if let Some(CertificateFiles { certificate, key }) = &listener.tls {
        writeln!(out, "tls = {{ certificate = {}, key = {} }}", path(certificate), path(key))?;
    }
    match &listener.clients {
        Some(ClientRule::Htpasswd(file)) => writeln!(out, "clients = {{ htpasswd = {} }}", path(file))?,
        Some(ClientRule::Bearer(source)) => writeln!(out, "clients = {{ bearer = {} }}", secret(source))?,
        Some(ClientRule::MutualTls(file)) => writeln!(out, "clients = {{ mtls_ca = {} }}", path(file))?,
        None => {}
    }
    if let Some(registry) = &listener.registry {
        writeln!(out, "registry = {}", quoted(registry.as_str()))?;
    }
    write_hosts(out, &listener.hosts)?;
    writeln!(out, "insecure_open = {}", listener.insecure_open)?;
    writeln!(out, "max_connections = {}", listener.max_connections)
}

fn write_registry(out: &mut String, registry: &Registry) -> fmt::Result {
    let table = format!("registry.{}", quoted(&registry.pattern.to_string()));
    writeln!(out, "\n[{table}]")?;
    if let Some(url) = &registry.url {
        writeln!(out, "url = {}", quoted(&url.to_string()))?;
    }
    if let Some(alias) = &registry.alias {
        writeln!(out, "alias = {}", quoted(alias))?;
    }
    let profile = match (&registry.profile, &registry.pattern) {
        (Some(profile), _) => Some(profile.name),
        (None, HostPattern::Exact(host)) => profile::by_host(host).map(|profile| profile.name),
        (None, HostPattern::Subdomains(_) | HostPattern::Any) => None,
    };
    if let Some(profile) = profile {
        writeln!(out, "profile = {}", quoted(profile))?;
    }
    writeln!(out, "allow = {}", access_list(&registry.allow))?;
    write_rules(out, &registry.repositories)?;
    write_hosts(out, &registry.hosts)?;
    writeln!(out, "credential = {}", credential(&registry.credential))?;
    let redirects = match registry.redirects {
        Redirects::Follow => "follow",
        Redirects::Pass => "pass",
    };
    writeln!(out, "redirects = \"{redirects}\"")?;
    writeln!(out, "verify = {}", registry.verify)?;
    for (key, hosts) in [("realm_hosts", &registry.realm_hosts), ("upload_hosts", &registry.upload_hosts)] {
        if !hosts.is_empty() {
            writeln!(out, "{key} = {}", list(hosts.iter().map(ToString::to_string)))?;
        }
    }
    if let Some(url) = &registry.vendor_api {
        writeln!(out, "vendor_api = {}", quoted(&url.to_string()))?;
    }
    if !registry.hub_remotes.is_empty() {
        writeln!(out, "hub_remotes = {}", list(registry.hub_remotes.iter().map(ToString::to_string)))?;
    }
    if let Some(ca) = &registry.ca {
        writeln!(out, "ca = {}", path(ca))?;
    }
    if let Some(pair) = &registry.client_certificate {
        let (certificate, key) = (path(&pair.certificate), path(&pair.key));
        writeln!(out, "client_certificate = {{ certificate = {certificate}, key = {key} }}")?;
    }
    registry.identities.iter().try_for_each(|identity| write_identity(out, &table, identity))
}

fn write_identity(out: &mut String, table: &str, identity: &Identity) -> fmt::Result {
    writeln!(out, "\n[[{table}.identity]]")?;
    if let Some(repositories) = &identity.repositories {
        writeln!(out, "repositories = {}", patterns(repositories))?;
    }
    if !identity.clients.is_empty() {
        writeln!(out, "clients = {}", list(identity.clients.iter().map(ToString::to_string)))?;
    }
    writeln!(out, "credential = {}", credential(&identity.credential))
}

fn write_rules(out: &mut String, RepositoryRules(rules): &RepositoryRules) -> fmt::Result {
    let mut distinct: Vec<&RepositoryPatterns> = rules.values().collect();
    distinct.dedup();
    match (rules.len(), distinct.as_slice()) {
        (0, _) => Ok(()),
        (3, [same]) => writeln!(out, "repositories = {}", patterns(same)),
        _ => {
            let rule =
                |(access, list): (&Access, &RepositoryPatterns)| format!("{} = {}", access.as_str(), patterns(list));
            let rules: Vec<String> = rules.iter().map(rule).collect();
            writeln!(out, "repositories = {{ {} }}", rules.join(", "))
        }
    }
}

fn write_hosts(out: &mut String, hosts: &BTreeSet<Box<str>>) -> fmt::Result {
    if hosts.is_empty() { Ok(()) } else { writeln!(out, "hosts = {}", list(hosts)) }
}

fn credential(source: &CredentialSource) -> String {
    let mut pairs = Vec::new();
    match source {
        CredentialSource::Anonymous => {}
        CredentialSource::Password { username, password } => {
            pairs.push(("username", secret(username)));
            pairs.push(("password", secret(password)));
        }
        CredentialSource::Identity { token, username } => {
            pairs.push(("token", secret(token)));
            pairs.extend(username.as_ref().map(|username| ("username", secret(username))));
        }
        CredentialSource::Bearer { token } => {
            pairs.push(("token", secret(token)));
        }
        CredentialSource::Docker { file } => {
            pairs.extend(file.as_deref().map(|file| ("file", path(file))));
        }
        CredentialSource::Helper { name, timeout } => {
            pairs.push(("name", quoted(name)));
            pairs.push(("timeout", format!("\"{}\"", humantime::format_duration(*timeout))));
        }
        CredentialSource::Cloud(cloud) => {
            pairs.extend(cloud.settings().into_iter().map(|(key, value)| (key, quoted(&value))));
        }
    }
    pairs.insert(0, ("source", quoted(source.name())));
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn secret(source: &SecretSource) -> String {
    match source {
        SecretSource::Value { source: ValueSource::Literal, .. } => "\"[redacted]\"".to_owned(),
        SecretSource::Value { source: ValueSource::Variable(name), .. } => format!("{{ env = {} }}", quoted(name)),
        SecretSource::File(file) => format!("{{ file = {} }}", path(file)),
    }
}

/// A size with its unit if that is exact, else the number of bytes.
fn size(bytes: u64) -> String {
    let text = ByteSize(bytes).to_string();
    if text.parse() == Ok(ByteSize(bytes)) { quoted(&text) } else { bytes.to_string() }
}

fn access_list(allow: &BTreeSet<Access>) -> String {
    list(allow.iter().map(|access| access.as_str()))
}

fn patterns(patterns: &RepositoryPatterns) -> String {
    list(patterns.iter().map(ToString::to_string))
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| quoted(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// Encodes a basic string (TOML 1.0, "String").
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => write!(out, "\\u{:04X}", u32::from(c)).expect("writing to a String does not fail"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
