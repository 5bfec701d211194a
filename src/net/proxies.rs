//! The proxies of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case,
//! with the meaning that curl and Go programs give them.

use std::fmt;
use std::net::IpAddr;
use std::sync::OnceLock;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::direct_connector::DirectConnector;
use super::tls::TlsFiles;
use super::uri::{bare_host, port_of};

/// The proxies that the environment names, and for which hosts each is used.
pub struct Proxies {
    matcher: Matcher,
    /// Entries of `NO_PROXY` with a port, which the matcher does not support.
    direct: Vec<(Box<str>, u16)>,
    /// The variables without credentials, for messages.
    description: String,
    /// The connector to proxies that speak TLS, created on first use.
    tls_connector: OnceLock<Result<HttpsConnector<DirectConnector>, String>>,
}

/// A variable whose value is not a proxy.
#[derive(Debug, PartialEq, Eq)]
pub struct BadProxy {
    pub variable: String,
    pub why: &'static str,
}

impl Proxies {
    /// Reads the variables; the upper-case name takes precedence. `None` if none of them names a proxy.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, BadProxy> {
        let either = |name: &str| {
            let lower = name.to_ascii_lowercase();
            [name.to_owned(), lower].into_iter().find_map(|name| Some((variable(&name)?, name)))
        };
        let proxy = |name: &str| match either(name) {
            Some((url, variable)) => validate(url).map_err(|why| BadProxy { variable, why }),
            None => Ok(String::new()),
        };
        let (https, http, all) = (proxy("HTTPS_PROXY")?, proxy("HTTP_PROXY")?, proxy("ALL_PROXY")?);
        if [&https, &http, &all].iter().all(|url| url.is_empty()) {
            return Ok(None);
        }
        let no = either("NO_PROXY").map(|(list, _)| list).unwrap_or_default();
        let description = [("HTTPS_PROXY", &https), ("HTTP_PROXY", &http), ("ALL_PROXY", &all)]
            .into_iter()
            .filter_map(|(name, url)| Some(format!("{name}={}", without_credential(url)?)))
            .chain((!no.is_empty()).then(|| format!("NO_PROXY={no}")));
        let description = description.collect::<Vec<_>>().join(" ");
        let entries = || no.split(',').map(|entry| normalize_entry(entry.trim()));
        let direct = entries().filter_map(parse_with_port).collect();
        let hosts: Vec<&str> = entries().filter(|entry| parse_with_port(entry).is_none()).collect();
        let matcher = Matcher::builder().https(https).http(http).all(all).no(hosts.join(",")).build();
        Ok(Some(Self { matcher, direct, description, tls_connector: OnceLock::new() }))
    }

    /// The proxy for `target`. `None` for a direct connection, which is always used for localhost and loopback
    /// addresses.
    pub(super) fn proxy_for(&self, target: &Uri) -> Option<Intercept> {
        let host = bare_host(target).to_ascii_lowercase();
        let port = port_of(target);
        let is_this_machine = host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        let is_direct = |(name, at): &(Box<str>, u16)| *at == port && is_same_or_subdomain(&host, name);
        if is_this_machine || self.direct.iter().any(is_direct) {
            return None;
        }
        self.matcher.intercept(target)
    }

    /// The connector to proxies that speak TLS themselves.
    pub(super) fn tls_connector(&self) -> Result<HttpsConnector<DirectConnector>, String> {
        let connector = self.tls_connector.get_or_init(|| {
            let tls = TlsFiles::none().client_config(false).map_err(|error| error.to_string())?;
            let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
            Ok(builder.wrap_connector(DirectConnector::default()))
        });
        connector.clone()
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxies({self})")
    }
}

impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

/// Validates a proxy's URL and adds a missing scheme. Errors do not quote the URL, which may contain a password.
fn validate(url: String) -> Result<String, &'static str> {
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    let parsed: Uri = url.parse().map_err(|_| "it is not a URL")?;
    match parsed.scheme_str() {
        Some("http" | "https" | "socks5" | "socks5h") => {}
        _ => return Err("its scheme is not http, https, socks5 or socks5h"),
    }
    match parsed.host() {
        Some(host) if !host.is_empty() => Ok(url),
        _ => Err("it has no host"),
    }
}

/// The proxy's URL without the credential. `None` for an empty value.
fn without_credential(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{}://{}{port}", url.scheme_str()?, url.host()?))
}

/// Turns `*.corp.example`, which Go programs accept, into `.corp.example`, and `[fd00::1]` into `fd00::1`.
fn normalize_entry(entry: &str) -> &str {
    let domain = entry.strip_prefix('*').filter(|rest| rest.starts_with('.'));
    domain.or_else(|| entry.strip_prefix('[')?.strip_suffix(']')).unwrap_or(entry)
}

/// Parses `host:port`. `None` without a port; a bare IPv6 address has none.
fn parse_with_port(entry: &str) -> Option<(Box<str>, u16)> {
    let (host, port) = entry.rsplit_once(':')?;
    let is_name = !host.contains(':') || host.ends_with(']');
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_start_matches('.').to_ascii_lowercase();
    is_name.then_some((host.into(), port.parse().ok()?))
}

fn is_same_or_subdomain(host: &str, name: &str) -> bool {
    host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Option<Proxies>, BadProxy> {
        Proxies::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn each_target_gets_the_proxy_of_its_variable() {
        let proxies = proxies(&[
            ("https_proxy", "http://user:secret@secure.example:3128"),
            ("HTTP_PROXY", "plain.example:8080"),
            (
                "NO_PROXY",
                "direct.example,.corp.example, 10.0.0.0/8,ported.example:5000,[fd00::1]:5000,\
              *.star.example,fd11::/16,fd22::7,[fd33::1]",
            ),
        ]);
        let proxies = proxies.unwrap().unwrap();
        for (target, proxy) in [
            ("https://ghcr.io/v2/", Some("secure.example")),
            ("https://ghcr.io:8443/v2/", Some("secure.example")),
            ("http://r.example/v2/", Some("plain.example")),
            ("https://direct.example/", None),
            ("https://sub.direct.example/", None),
            ("https://notdirect.example/", Some("secure.example")),
            ("https://r.corp.example/", None),
            ("https://10.1.2.3/", None),
            ("https://11.1.2.3/", Some("secure.example")),
            ("http://ported.example:5000/", None),
            ("http://sub.ported.example:5000/", None),
            ("http://ported.example/", Some("plain.example")),
            ("http://[fd00::1]:5000/", None),
            ("https://[fd00::1]/", Some("secure.example")),
            ("https://r.star.example/", None),
            ("https://[fd11::5]:5000/", None),
            ("https://[fd22::7]/", None),
            ("https://[fd22::8]/", Some("secure.example")),
            ("https://[fd33::1]/", None),
            ("http://localhost:5000/", None),
            ("http://r.localhost:5000/", None),
            ("http://127.0.0.1:5000/", None),
            ("https://[::1]/", None),
        ] {
            let found = proxies.proxy_for(&target.parse().unwrap());
            assert_eq!(found.as_ref().and_then(|found| found.uri().host()), proxy, "{target}");
        }
    }

    #[test]
    fn description_has_no_credentials() {
        let proxies = proxies(&[
            ("https_proxy", "http://user:secret@secure.example:3128"),
            ("ALL_PROXY", "socks5://user:secret@[fd00::1]"),
            ("no_proxy", "direct.example"),
        ]);
        let description = "HTTPS_PROXY=http://secure.example:3128 ALL_PROXY=socks5://[fd00::1] NO_PROXY=direct.example";
        assert_eq!(proxies.unwrap().unwrap().to_string(), description);
    }

    #[test]
    fn all_proxy_applies_to_every_target_and_a_star_in_no_proxy_to_none() {
        let all = proxies(&[("ALL_PROXY", "socks5h://socks.example")]).unwrap().unwrap();
        for target in ["https://ghcr.io/", "http://r.example/"] {
            assert_eq!(all.proxy_for(&target.parse().unwrap()).unwrap().uri().host(), Some("socks.example"));
        }
        let none = proxies(&[("ALL_PROXY", "http://p.example"), ("no_proxy", "*")]).unwrap().unwrap();
        assert!(none.proxy_for(&Uri::from_static("https://ghcr.io/")).is_none());
        assert!(proxies(&[("NO_PROXY", "x")]).unwrap().is_none());
    }

    #[test]
    fn invalid_values_are_reported_without_quoting_them() {
        for url in ["ftp://user:secret@p.example", "http://", "http://user:secret@", "not a url"] {
            let bad = proxies(&[("https_proxy", url)]).unwrap_err();
            assert_eq!(bad.variable, "https_proxy", "{url}");
            assert!(!bad.why.contains("secret"), "{url}");
        }
    }
}
