//! `regpass check --egress`: the hosts that each registry needs, for the rules of a firewall.

use std::io::{self, Write};
use std::sync::Arc;

use crate::base::clock::WallClock;
use crate::credential::environment::Environment;
use crate::credential::sources::Sources;
use crate::net::dial::Network;
use crate::profile;
use crate::proxy::routes::ConfiguredRegistry;
use crate::serve::build::Registries;
use crate::serve::load::Loaded;

/// Prints `host:port` lines under a heading for each registry: the configured ones first, then the other well-known
/// ones. Connects to nothing.
pub(super) fn print(loaded: Loaded, out: &mut dyn Write) -> io::Result<()> {
    if let Network::Proxied(proxies) = &loaded.network {
        writeln!(out, "# through {proxies}\n")?;
    }
    let sources = Arc::new(Sources::new(Environment::process(), loaded.network.clone(), WallClock::System));
    let routes = Registries::new(sources, loaded.network).routes(&loaded.config, loaded.tls);
    let configured = routes.registries();
    let is_configured =
        |one: &ConfiguredRegistry| configured.iter().any(|other| other.upstream.host == one.upstream.host);
    let known = profile::well_known();
    let others = known.iter().filter_map(|host| routes.registry(host).ok()).filter(|one| !is_configured(one));
    for registry in &configured {
        print_registry(registry, "", out)?;
    }
    for pattern in &routes.patterns {
        writeln!(out, "# {pattern}: each registry that matches, once it is used, is on the status page\n")?;
    }
    for registry in others {
        print_registry(&registry, " (well-known, not configured)", out)?;
    }
    Ok(())
}

fn print_registry(registry: &ConfiguredRegistry, note: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# {}{note}", registry.upstream.host)?;
    for host in registry.upstream.egress() {
        writeln!(out, "{:<44} # {}", host.address, host.purpose.as_str())?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::Variables;
    use crate::config::overrides::Overrides;
    use crate::serve::load;

    fn printed(configuration: &str, variables: &[(&str, &str)]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, configuration).unwrap();
        let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
        let read = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        let loaded = load::read(&overrides, Variables::new(&read)).outcome.unwrap();
        let mut out = Vec::new();
        print(loaded, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The lines below the heading of a registry.
    fn hosts_of<'a>(printed: &'a str, heading: &str) -> Vec<(&'a str, &'a str)> {
        let lines = printed.lines().skip_while(|line| *line != heading).skip(1);
        let pairs = lines.take_while(|line| !line.is_empty()).map(|line| line.split_once(" # ").unwrap());
        pairs.map(|(address, purpose)| (address.trim_end(), purpose)).collect()
    }

    #[test]
    fn every_host_of_a_registry_is_listed_once() {
        let text = printed("", &[]);
        let hub = [
            ("registry-1.docker.io:443", "API"),
            ("auth.docker.io:443", "token service"),
            ("hub.docker.com:443", "vendor's own API"),
            ("production.cloudfront.docker.com:443", "blob store"),
        ];
        assert_eq!(hosts_of(&text, "# docker.io"), hub);
        let page = include_str!("../../docs/network.md");
        let first = text.split("\n\n").next().unwrap();
        assert!(page.contains(&format!("$ regpass check --egress\n{first}\n```")), "docs/network.md shows other lines");
        let ghcr = [
            ("ghcr.io:443", "API"),
            ("api.github.com:443", "vendor's own API"),
            ("pkg-containers.githubusercontent.com:443", "blob store"),
        ];
        assert_eq!(hosts_of(&text, "# ghcr.io (well-known, not configured)"), ghcr);
        assert_eq!(
            text.matches("# docker.io").count(),
            1,
            "Docker Hub's aliases are no registries of their own: {text}"
        );
    }

    #[test]
    fn configured_hosts_are_listed_and_secrets_are_not() {
        let configuration = "[registry.'corp.example:5000']\nurl = 'http://10.0.0.7:5000'\nrealm_hosts = ['sso.example', 'corp.example:5000']\n\
                             upload_hosts = ['https://up.example:8443']\ncredential = { source = 'password', username = 'u', password = 'hunter2' }\n\
                             [registry.'*.team.example']\n";
        let text = printed(configuration, &[("HTTPS_PROXY", "http://me:hunter2@proxy.example:3128")]);
        let expected = [
            ("10.0.0.7:5000", "API"),
            ("sso.example:80", "token service"),
            ("corp.example:5000", "token service"),
            ("up.example:8443", "uploads"),
        ];
        assert_eq!(hosts_of(&text, "# corp.example:5000"), expected);
        assert!(text.contains("# *.team.example: ") && text.starts_with("# through "), "{text}");
        assert!(text.contains("proxy.example:3128") && !text.contains("hunter2"), "{text}");
    }
}
