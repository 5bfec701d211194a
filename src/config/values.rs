//! Parses single values. Flags, environment variables and the file share these functions.

use std::collections::BTreeSet;
use std::time::Duration;

use bytesize::ByteSize;

use super::hub_remote::HubRemote;
use super::model::Redirects;
use super::patterns::RepositoryPattern;
use super::problem::{Fault, quoted_list};
use super::trusted_host::TrustedHost;
use crate::base::client_name::ClientName;
use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::{BadUrl, Origin, Url};
use crate::oci::operation::Access;
use crate::profile::{self, Profile};

/// A registry by any of its names, such as `docker.io` or `index.docker.io`.
pub(super) fn registry(text: &str) -> Result<RegistryHost, Fault> {
    let host = RegistryHost::parse(text).map_err(|_| not_a_host(text))?;
    Ok(profile::canonical_host(&host))
}

/// A registry by any of its names, `*.example.com` for the registries of a domain, or `*` for all.
pub(super) fn pattern(text: &str) -> Result<HostPattern, Fault> {
    match HostPattern::parse(text) {
        Ok(HostPattern::Exact(host)) => Ok(HostPattern::Exact(profile::canonical_host(&host))),
        Ok(pattern) => Ok(pattern),
        Err(_) => Err(not_a_host(text)),
    }
}

/// The name in a `Host` header, without its port, lower case.
pub(super) fn host_name(text: &str) -> Result<Box<str>, Fault> {
    let origin = authority(text)?;
    if has_port(text) {
        return Err(
            Fault::new("the host name has a port").hint("write the name without a port; it is valid for every port")
        );
    }
    Ok(origin.host)
}

/// A host with or without a port, or an origin.
pub(super) fn trusted_host(text: &str) -> Result<TrustedHost, Fault> {
    let hint = "write `host`, `host:port` or `https://host:port`, without a path";
    if text.contains('*') {
        return Err(Fault::new("the value has a wildcard").hint(format!("name each host: {hint}")));
    }
    let has_scheme = text.contains("://");
    let origin = if has_scheme { origin(text)? } else { authority(text).map_err(|fault| fault.hint(hint))? };
    let port = (has_scheme || has_port(text)).then_some(origin.port);
    Ok(TrustedHost { scheme: has_scheme.then_some(origin.scheme), host: origin.host, port })
}

/// The part of a registry that mirrors Docker Hub.
pub(super) fn hub_remote(text: &str) -> Result<HubRemote, Fault> {
    HubRemote::parse(text).map_err(|_| {
        let hint = "write the name of the project or the repository key, such as `\"hubproxy\"`, or `\"/\"` for the \
                    whole registry";
        Fault::new("the value is not a repository name").hint(hint)
    })
}

/// A URL of scheme, host and port. It has no path, because the distribution specification fixes the paths of an API.
pub(super) fn origin(text: &str) -> Result<Origin, Fault> {
    let url = Url::parse(text).map_err(|error| {
        let fault = Fault::new(format!("invalid URL: {error}"));
        if error == BadUrl::UserInfo {
            fault.hint("remove the user name and password, and set them as the registry's `credential`")
        } else {
            fault
        }
    })?;
    if &*url.path != "/" || url.query.is_some() || text.contains('#') {
        let fault = Fault::new("the URL has more than scheme, host and port");
        return Err(fault.hint("end the URL after the host and port"));
    }
    Ok(url.origin)
}

/// The URL under which an API has its paths: scheme, host, port and perhaps a path.
pub(super) fn base_url(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).map_err(|error| {
        let fault = Fault::new(format!("invalid URL: {error}"));
        if error == BadUrl::UserInfo { fault.hint("remove the user name and password") } else { fault }
    })?;
    if url.query.is_some() || text.contains('#') {
        return Err(Fault::new("the URL has a query or a fragment").hint("end the URL after the path"));
    }
    Ok(url)
}

/// An alias is used as a path component of image names and as a label of host names, so it must be valid as both.
pub(super) fn alias(text: &str) -> Result<Box<str>, Fault> {
    let bytes = text.as_bytes();
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_valid = bytes.len() <= MAX_LABEL_LENGTH
        && bytes.first().copied().is_some_and(alphanumeric)
        && bytes.last().copied().is_some_and(alphanumeric)
        && bytes.iter().all(|&b| alphanumeric(b) || b == b'-' || b == b'_');
    if !is_valid {
        return Err(Fault::new("an alias is one word of at most 63 lower-case letters, digits, `-` and `_`"));
    }
    if matches!(text, "v2" | "localhost") {
        return Err(
            Fault::new("the word is reserved, because it has a meaning in image names").hint("choose another alias")
        );
    }
    Ok(text.into())
}

pub(super) fn profile(text: &str) -> Result<&'static Profile, Fault> {
    profile::by_name(text).ok_or_else(|| {
        let names = quoted_list(profile::ALL.iter().map(|profile| profile.name));
        Fault::new("unknown profile").hint(format!("the profiles are {names}"))
    })
}

pub(super) fn redirects(text: &str) -> Result<Redirects, Fault> {
    match text {
        "follow" => Ok(Redirects::Follow),
        "pass" => Ok(Redirects::Pass),
        _ => Err(Fault::new("expected `follow` or `pass`")),
    }
}

pub(super) fn access(text: &str) -> Result<Access, Fault> {
    [Access::Pull, Access::Push, Access::Delete]
        .into_iter()
        .find(|access| access.as_str() == text)
        .ok_or_else(|| Fault::new("expected `pull`, `push` or `delete`"))
}

/// A list of actions as flags and environment variables write it: `pull,push`.
pub(super) fn access_list(text: &str) -> Result<BTreeSet<Access>, Fault> {
    text.split(',')
        .map(|word| access(word.trim()))
        .collect::<Result<_, _>>()
        .map_err(|fault| fault.hint("write `pull`, `pull,push` or `pull,push,delete`"))
}

pub(super) fn repository_pattern(text: &str) -> Result<RepositoryPattern, Fault> {
    RepositoryPattern::parse(text).map_err(|error| Fault::new(format!("invalid repository pattern: {error}")))
}

pub(super) fn helper_name(text: &str) -> Result<Box<str>, Fault> {
    // The name is appended to `docker-credential-`: with a `/` it could name any program of the machine.
    let is_valid = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !is_valid {
        return Err(Fault::new("invalid name of a credential helper")
            .hint("write what follows `docker-credential-` in the program's name: `name = \"pass\"`"));
    }
    Ok(text.into())
}

pub(super) fn variable(text: &str) -> Result<Box<str>, Fault> {
    let is_valid = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if is_valid { Ok(text.into()) } else { Err(Fault::new("invalid name of an environment variable")) }
}

/// A file mode in octal digits, as `chmod` reads it.
pub(super) fn mode(text: &str) -> Result<u32, Fault> {
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match u32::from_str_radix(text, 8) {
        Ok(mode) if is_octal && mode <= 0o777 => Ok(mode),
        _ => Err(Fault::new("invalid file mode").hint("write it in octal digits: `mode = \"0660\"`")),
    }
}

/// The name of a client, as an identity's `clients` has it.
pub(super) fn client_name(text: &str) -> Result<ClientName, Fault> {
    ClientName::parse(text).ok_or_else(|| {
        Fault::new("invalid client name").hint(
            "write a user name, the name in a certificate, `\"bearer\"`, or `\"uid:1000\"` for a user of this machine",
        )
    })
}

/// A duration with its units, above zero and at most ten minutes.
pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    match humantime::parse_duration(text) {
        Err(_) => Err(Fault::new("invalid duration")),
        Ok(Duration::ZERO) => Err(Fault::new("the duration is zero, so every attempt would time out")),
        Ok(duration) if duration > MAX_DURATION => {
            Err(Fault::new("the duration is longer than ten minutes, the most that is allowed"))
        }
        Ok(duration) => Ok(duration),
    }
}

/// A number of bytes, with a unit or without.
pub(super) fn size(text: &str) -> Result<u64, Fault> {
    let size: Result<ByteSize, _> = text.trim().parse();
    // The error of `bytesize` quotes the text, which may be a secret.
    size.map(|size| size.as_u64()).map_err(|_| Fault::new("invalid size"))
}

fn not_a_host(text: &str) -> Fault {
    let fault = Fault::new("the value is not a host name");
    if text.contains('/') {
        fault.hint("write the host alone, without scheme and path: `registry.example.com`, `localhost:5000`")
    } else {
        fault.hint("write a host, with its port if it has one: `registry.example.com`, `localhost:5000`")
    }
}

/// A host with or without a port. A URL parser would accept a path, a query or a fragment after it; these are rejected.
fn authority(text: &str) -> Result<Origin, Fault> {
    let origin = Origin::https(text).ok().filter(|_| !text.contains(['/', '?', '#']));
    origin.ok_or_else(|| not_a_host(text))
}

fn has_port(authority: &str) -> bool {
    authority.contains(':') && !authority.ends_with(']')
}

const MAX_LABEL_LENGTH: usize = 63;
const MAX_DURATION: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::origin::Scheme;

    #[test]
    fn hosts_lose_their_port_only_where_they_may() {
        assert_eq!(&*host_name("GHCR.Corp.example").unwrap(), "ghcr.corp.example");
        assert_eq!(&*host_name("[::1]").unwrap(), "[::1]");
        for bad in ["a.io:80", "https://a.io", "a.io/x", "", "u@a.io", "a?b"] {
            assert!(host_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_trusted_host_is_a_host_a_host_and_port_or_an_origin() {
        let (http, https) = (Some(Scheme::Http), Some(Scheme::Https));
        for (text, scheme, host, port) in [
            ("token.example", None, "token.example", None),
            ("Token.example:443", None, "token.example", Some(443)),
            ("[::1]", None, "[::1]", None),
            ("[::1]:8080", None, "[::1]", Some(8080)),
            ("https://Token.example", https, "token.example", Some(443)),
            ("http://token.example/", http, "token.example", Some(80)),
            ("HTTPS://[::1]:8443", https, "[::1]", Some(8443)),
        ] {
            assert_eq!(trusted_host(text).unwrap(), TrustedHost { scheme, host: host.into(), port }, "{text}");
        }
        for (text, what) in [
            ("a.io/v2", "not a host name"),
            ("a.io?x", "not a host name"),
            ("u:hunter2@a.io", "not a host name"),
            ("a.io:0", "not a host name"),
            ("a.io:", "not a host name"),
            (":443", "not a host name"),
            ("", "not a host name"),
            ("https:a.io", "not a host name"),
            ("*", "wildcard"),
            ("*.a.io", "wildcard"),
            ("https://*.a.io", "wildcard"),
            ("https://a.io/v2/", "more than scheme"),
            ("https://u:hunter2@a.io", "user information"),
            ("ftp://a.io", "neither http nor https"),
            ("https://", "no host"),
        ] {
            let fault = trusted_host(text).expect_err(text);
            assert!(fault.what.contains(what) && !format!("{fault:?}").contains("hunter2"), "{text}: {fault:?}");
        }
    }

    #[test]
    fn every_name_of_a_registry_parses_to_its_canonical_name() {
        assert_eq!(registry("index.docker.io").unwrap().as_str(), "docker.io");
        assert_eq!(pattern("Hub.docker.com").unwrap().to_string(), "docker.io");
        assert_eq!(pattern("*.azurecr.io").unwrap().to_string(), "*.azurecr.io");
        assert!(registry("*.azurecr.io").is_err());
        assert!(registry("https://ghcr.io").unwrap_err().hint.unwrap().contains("without scheme"));
    }

    #[test]
    fn an_origin_is_a_url_of_scheme_host_and_port() {
        assert_eq!(origin("http://localhost:5000/").unwrap().to_string(), "http://localhost:5000");
        for (text, what) in [
            ("https://a.io/v2/", "more than scheme"),
            ("https://a.io/?x", "more than scheme"),
            ("https://a.io#x", "more than scheme"),
            ("a.io", "not an absolute URL"),
            ("ftp://a.io", "neither http nor https"),
            ("https://user:hunter2@a.io", "user information"),
        ] {
            let fault = origin(text).unwrap_err();
            assert!(fault.what.contains(what) && !format!("{fault:?}").contains("hunter2"), "{text}: {fault:?}");
        }
    }

    #[test]
    fn names_outside_their_grammar_are_rejected() {
        for good in ["gh", "a", "a-b_c", "0"] {
            assert!(alias(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "A", "a.b", "a:1", "-a", "a-", "a/b", "v2", "_catalog", "localhost", "ä", long.as_str()] {
            assert!(alias(bad).is_err(), "{bad}");
        }
        for (name, good) in [("pass", true), ("ecr-login", true), ("../sh", false), ("a b", false), ("", false)] {
            assert_eq!(helper_name(name).is_ok(), good, "{name}");
        }
        for (name, good) in [("GHCR_TOKEN", true), ("_x1", true), ("1x", false), ("A=B", false), ("", false)] {
            assert_eq!(variable(name).is_ok(), good, "{name}");
        }
        for (text, value) in [("0600", Some(0o600)), ("660", Some(0o660)), ("0777", Some(0o777))] {
            assert_eq!(mode(text).ok(), value, "{text}");
        }
        for bad in ["", "600 ", "0o600", "+600", "4755", "0888", "u=rw", "00600", "66"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
        assert_eq!(access_list("push, pull").unwrap(), BTreeSet::from([Access::Pull, Access::Push]));
        assert!(access_list("pull,write").is_err() && access_list("").is_err());
        assert!(profile("hub").unwrap_err().hint.unwrap().contains("docker-hub"));
    }

    #[test]
    fn a_size_is_a_number_of_bytes_with_or_without_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("5", 5),
            ("64MiB", 64 << 20),
            (" 64 mib ", 64 << 20),
            ("1.5KiB", 1536),
            ("1k", 1000),
            ("2GB", 2_000_000_000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1MiB", "64 apples", "1,5GiB", "1e3", "64 MiB of hunter2", "ä"] {
            assert_eq!(size(bad), Err(Fault::new("invalid size")), "{bad}");
        }
    }

    #[test]
    fn a_duration_is_above_zero_and_at_most_ten_minutes() {
        assert_eq!(duration("1m 30s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        for (text, what) in [("5", "invalid"), ("", "invalid"), ("0s", "zero"), ("11m", "longer"), ("-1s", "invalid")] {
            assert!(duration(text).unwrap_err().what.contains(what), "{text}");
        }
    }
}
