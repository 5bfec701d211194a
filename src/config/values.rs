//! From the text of one value to the value. What a flag, a variable and the file share.

use std::collections::BTreeSet;
use std::time::Duration;

use bytesize::ByteSize;

use super::hub_remote::HubRemote;
use super::model::Redirects;
use super::patterns::RepositoryPattern;
use super::problem::Fault;
use super::trusted_host::TrustedHost;
use crate::base::client_name::ClientName;
use crate::base::host::{HostPattern, RegistryHost};
use crate::base::origin::{BadUrl, Origin, Url};
use crate::oci::operation::Access;
use crate::profile::{self, Profile};

/// A registry by any of its names.
pub(super) fn registry(text: &str) -> Result<RegistryHost, Fault> {
    let host = RegistryHost::parse(text).map_err(|_| not_a_host(text))?;
    Ok(profile::canonical_host(&host))
}

/// A registry by any of its names, a family of registries, or all.
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
        return Err(Fault::new("it has a port").hint("write the name alone; it is good for every port"));
    }
    Ok(origin.host)
}

/// A host with or without a port, or an origin.
pub(super) fn trusted_host(text: &str) -> Result<TrustedHost, Fault> {
    let hint = "write host, host:port or https://host:port, and nothing behind it";
    if text.contains('*') {
        return Err(Fault::new("it has a wildcard").hint(format!("name each host: {hint}")));
    }
    let has_scheme = text.contains("://");
    let origin = if has_scheme { origin(text)? } else { authority(text).map_err(|fault| fault.hint(hint))? };
    let port = (has_scheme || has_port(text)).then_some(origin.port);
    Ok(TrustedHost { scheme: has_scheme.then_some(origin.scheme), host: origin.host, port })
}

/// Where a registry stands for Docker Hub.
pub(super) fn hub_remote(text: &str) -> Result<HubRemote, Fault> {
    HubRemote::parse(text).map_err(|_| {
        let hint =
            "write the name of the project or repository key, like \"hubproxy\", or \"/\" for the whole registry";
        Fault::new("it is no name that images live below").hint(hint)
    })
}

/// Scheme, host and port. What an API has below them is the distribution specification's business.
pub(super) fn origin(text: &str) -> Result<Origin, Fault> {
    let url = Url::parse(text).map_err(|why| {
        let fault = Fault::new(why.to_string());
        if why == BadUrl::UserInfo {
            fault.hint("take the login out; a registry's login is its credential")
        } else {
            fault
        }
    })?;
    if &*url.path != "/" || url.query.is_some() || text.contains('#') {
        return Err(Fault::new("it has more than scheme, host and port").hint("end it after the host and port"));
    }
    Ok(url.origin)
}

/// One path component of an image name and one label of a host name at once.
pub(super) fn alias(text: &str) -> Result<Box<str>, Fault> {
    let bytes = text.as_bytes();
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let fits = bytes.len() <= LONGEST_LABEL
        && bytes.first().copied().is_some_and(alphanumeric)
        && bytes.last().copied().is_some_and(alphanumeric)
        && bytes.iter().all(|&b| alphanumeric(b) || b == b'-' || b == b'_');
    if !fits {
        return Err(Fault::new("it is not one word of lower-case letters, digits, '-' and '_'"));
    }
    if matches!(text, "v2" | "localhost") {
        return Err(Fault::new("the word has a meaning of its own in image names").hint("choose another"));
    }
    Ok(text.into())
}

pub(super) fn profile(text: &str) -> Result<&'static Profile, Fault> {
    profile::by_name(text).ok_or_else(|| {
        let names: Vec<&str> = profile::ALL.iter().map(|profile| profile.name).collect();
        Fault::new("there is no such profile").hint(format!("profiles are {}", names.join(", ")))
    })
}

pub(super) fn redirects(text: &str) -> Result<Redirects, Fault> {
    match text {
        "follow" => Ok(Redirects::Follow),
        "pass" => Ok(Redirects::Pass),
        _ => Err(Fault::new("it is neither follow nor pass")),
    }
}

pub(super) fn access(text: &str) -> Result<Access, Fault> {
    [Access::Pull, Access::Push, Access::Delete]
        .into_iter()
        .find(|access| access.as_str() == text)
        .ok_or_else(|| Fault::new("it is none of pull, push and delete"))
}

/// `pull,push`, as flags and variables spell a list.
pub(super) fn access_list(text: &str) -> Result<BTreeSet<Access>, Fault> {
    text.split(',')
        .map(|word| access(word.trim()))
        .collect::<Result<_, _>>()
        .map_err(|fault| fault.hint("write pull, or pull,push, or pull,push,delete"))
}

pub(super) fn repository_pattern(text: &str) -> Result<RepositoryPattern, Fault> {
    RepositoryPattern::parse(text).map_err(|why| Fault::new(format!("it is no repository pattern: {why}")))
}

pub(super) fn helper_name(text: &str) -> Result<Box<str>, Fault> {
    // The name becomes part of a program's: a separator would lead out of the search path.
    let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !fits {
        return Err(Fault::new("it is no helper's name")
            .hint("write what follows docker-credential- in the program's name: name = \"pass\""));
    }
    Ok(text.into())
}

pub(super) fn variable(text: &str) -> Result<Box<str>, Fault> {
    let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if fits { Ok(text.into()) } else { Err(Fault::new("it is no name of an environment variable")) }
}

/// Of a file, in octal, as `chmod` takes it.
pub(super) fn mode(text: &str) -> Result<u32, Fault> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match u32::from_str_radix(text, 8) {
        Ok(mode) if digits && mode <= 0o777 => Ok(mode),
        _ => Err(Fault::new("it is no mode of a file").hint("write it in octal digits: mode = \"0660\"")),
    }
}

/// A client as a rule names it.
pub(super) fn client_name(text: &str) -> Result<ClientName, Fault> {
    ClientName::parse(text).ok_or_else(|| {
        Fault::new("it is no client").hint(
            "write a user's name, the name in a certificate, \"bearer\", or \"uid:1000\" for a user of this machine",
        )
    })
}

pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    match humantime::parse_duration(text) {
        Err(_) => Err(Fault::new("it is no duration")),
        Ok(Duration::ZERO) => Err(Fault::new("it is zero: nothing could ever succeed")),
        Ok(duration) if duration > LONGEST_WAIT => Err(Fault::new("it is longer than ten minutes")),
        Ok(duration) => Ok(duration),
    }
}

/// Bytes, with a unit or without.
pub(super) fn size(text: &str) -> Result<u64, Fault> {
    let size: Result<ByteSize, _> = text.trim().parse();
    // The crate's error quotes the text.
    size.map(|size| size.as_u64()).map_err(|_| Fault::new("it is no size"))
}

fn not_a_host(text: &str) -> Fault {
    let fault = Fault::new("it is not a host name");
    if text.contains('/') {
        fault.hint("write the host alone, without scheme and path: registry.example.com, localhost:5000")
    } else {
        fault.hint("write a host, with its port where it has one: registry.example.com, localhost:5000")
    }
}

/// A host with or without a port, and nothing that a parser of URLs would take for a path behind it.
fn authority(text: &str) -> Result<Origin, Fault> {
    let origin = Origin::https(text).ok().filter(|_| !text.contains(['/', '?', '#']));
    origin.ok_or_else(|| not_a_host(text))
}

fn has_port(authority: &str) -> bool {
    authority.contains(':') && !authority.ends_with(']')
}

const LONGEST_LABEL: usize = 63;
const LONGEST_WAIT: Duration = Duration::from_secs(600);

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
    fn trust_names_a_host_a_port_or_an_origin() {
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
            ("https://", "names no host"),
        ] {
            let fault = trusted_host(text).expect_err(text);
            assert!(fault.what.contains(what) && !format!("{fault:?}").contains("hunter2"), "{text}: {fault:?}");
        }
    }

    #[test]
    fn registries_are_known_by_one_name() {
        assert_eq!(registry("index.docker.io").unwrap().as_str(), "docker.io");
        assert_eq!(pattern("Hub.docker.com").unwrap().to_string(), "docker.io");
        assert_eq!(pattern("*.azurecr.io").unwrap().to_string(), "*.azurecr.io");
        assert!(registry("*.azurecr.io").is_err());
        assert!(registry("https://ghcr.io").unwrap_err().hint.unwrap().contains("without scheme"));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
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
    fn words_keep_to_their_grammar() {
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
    fn sizes_are_bytes_with_a_unit_or_without() {
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
            assert_eq!(size(bad), Err(Fault::new("it is no size")), "{bad}");
        }
    }

    #[test]
    fn waits_are_neither_nothing_nor_for_ever() {
        assert_eq!(duration("1m 30s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        for (text, what) in
            [("5", "no duration"), ("", "no duration"), ("0s", "zero"), ("11m", "longer"), ("-1s", "no duration")]
        {
            assert!(duration(text).unwrap_err().what.contains(what), "{text}");
        }
    }
}
