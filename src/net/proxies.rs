//! The proxies that the environment puts between this machine and the world: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
//! `NO_PROXY`, in capitals or not, as curl and Go programs read them.

use std::fmt;
use std::net::IpAddr;
use std::sync::OnceLock;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::dial::{bare_host, port_of};
use super::direct::Direct;
use super::tls::TlsFiles;

/// Which proxy leads to which host.
pub struct Proxies {
    matcher: Matcher,
    /// Hosts of `NO_PROXY` with a port, which the matcher knows nothing of.
    direct: Vec<(Box<str>, u16)>,
    /// What the variables say, for people, without logins.
    told: String,
    /// Made on first use.
    over_tls: OnceLock<Result<HttpsConnector<Direct>, String>>,
}

/// A variable that names no proxy.
#[derive(Debug, PartialEq, Eq)]
pub struct BadProxy {
    pub variable: String,
    pub why: &'static str,
}

impl Proxies {
    /// What the variables say; `None` where they say nothing.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, BadProxy> {
        let either = |name: &str| {
            let lower = name.to_ascii_lowercase();
            [name.to_owned(), lower].into_iter().find_map(|name| Some((variable(&name)?, name)))
        };
        let proxy = |name: &str| match either(name) {
            Some((url, variable)) => checked(url).map_err(|why| BadProxy { variable, why }),
            None => Ok(String::new()),
        };
        let (https, http, all) = (proxy("HTTPS_PROXY")?, proxy("HTTP_PROXY")?, proxy("ALL_PROXY")?);
        if [&https, &http, &all].iter().all(|url| url.is_empty()) {
            return Ok(None);
        }
        let no = either("NO_PROXY").map(|(list, _)| list).unwrap_or_default();
        let told = [("HTTPS_PROXY", &https), ("HTTP_PROXY", &http), ("ALL_PROXY", &all)]
            .into_iter()
            .filter_map(|(name, url)| Some(format!("{name}={}", without_login(url)?)))
            .chain((!no.is_empty()).then(|| format!("NO_PROXY={no}")));
        let told = told.collect::<Vec<_>>().join(" ");
        let entries = || no.split(',').map(|entry| bare_entry(entry.trim()));
        let direct = entries().filter_map(with_port).collect();
        let hosts: Vec<&str> = entries().filter(|entry| with_port(entry).is_none()).collect();
        let matcher = Matcher::builder().https(https).http(http).all(all).no(hosts.join(",")).build();
        Ok(Some(Self { matcher, direct, told, over_tls: OnceLock::new() }))
    }

    /// The proxy that leads to `target`; this machine needs none.
    pub(super) fn towards(&self, target: &Uri) -> Option<Intercept> {
        let host = bare_host(target).to_ascii_lowercase();
        let port = port_of(target);
        let is_here = host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        let is_direct = |(name, at): &(Box<str>, u16)| *at == port && is_below(&host, name);
        if is_here || self.direct.iter().any(is_direct) {
            return None;
        }
        self.matcher.intercept(target)
    }

    /// The way to proxies that speak TLS themselves.
    pub(super) fn over_tls(&self) -> Result<HttpsConnector<Direct>, String> {
        let made = self.over_tls.get_or_init(|| {
            let tls = TlsFiles::default().client_config(false).map_err(|error| error.to_string())?;
            let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
            Ok(builder.wrap_connector(Direct::default()))
        });
        made.clone()
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxies({self})")
    }
}

impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

/// A proxy's URL with its scheme written out, or why it is none. Nothing of it is repeated: it may hold a password.
fn checked(url: String) -> Result<String, &'static str> {
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    let parsed: Uri = url.parse().map_err(|_| "it is no URL")?;
    match parsed.scheme_str() {
        Some("http" | "https" | "socks5" | "socks5h") => {}
        _ => return Err("its scheme is none of http, https, socks5 and socks5h"),
    }
    match parsed.host() {
        Some(host) if !host.is_empty() => Ok(url),
        _ => Err("it names no host"),
    }
}

/// Where a proxy is; `None` where none is named.
fn without_login(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{}://{}{port}", url.scheme_str()?, url.host()?))
}

/// `*.corp.example` as `.corp.example`, which Go programs take as well, and `[fd00::1]` as `fd00::1`.
fn bare_entry(entry: &str) -> &str {
    let below = entry.strip_prefix('*').filter(|rest| rest.starts_with('.'));
    below.or_else(|| entry.strip_prefix('[')?.strip_suffix(']')).unwrap_or(entry)
}

/// `host:port`, but not an IPv6 address.
fn with_port(entry: &str) -> Option<(Box<str>, u16)> {
    let (host, port) = entry.rsplit_once(':')?;
    let is_name = !host.contains(':') || host.ends_with(']');
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_start_matches('.').to_ascii_lowercase();
    is_name.then_some((host.into(), port.parse().ok()?))
}

fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Option<Proxies>, BadProxy> {
        Proxies::read(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn each_target_goes_the_way_the_variables_say() {
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
            let found = proxies.towards(&target.parse().unwrap());
            assert_eq!(found.as_ref().and_then(|found| found.uri().host()), proxy, "{target}");
        }
    }

    #[test]
    fn they_are_told_without_their_logins() {
        let proxies = proxies(&[
            ("https_proxy", "http://user:secret@secure.example:3128"),
            ("ALL_PROXY", "socks5://user:secret@[fd00::1]"),
            ("no_proxy", "direct.example"),
        ]);
        let told = "HTTPS_PROXY=http://secure.example:3128 ALL_PROXY=socks5://[fd00::1] NO_PROXY=direct.example";
        assert_eq!(proxies.unwrap().unwrap().to_string(), told);
    }

    #[test]
    fn one_variable_may_do_for_all_and_a_star_for_none() {
        let all = proxies(&[("ALL_PROXY", "socks5h://socks.example")]).unwrap().unwrap();
        for target in ["https://ghcr.io/", "http://r.example/"] {
            assert_eq!(all.towards(&target.parse().unwrap()).unwrap().uri().host(), Some("socks.example"));
        }
        let none = proxies(&[("ALL_PROXY", "http://p.example"), ("no_proxy", "*")]).unwrap().unwrap();
        assert!(none.towards(&Uri::from_static("https://ghcr.io/")).is_none());
        assert!(proxies(&[("NO_PROXY", "x")]).unwrap().is_none());
    }

    #[test]
    fn what_names_no_proxy_is_named_without_being_repeated() {
        for url in ["ftp://user:secret@p.example", "http://", "http://user:secret@", "not a url"] {
            let bad = proxies(&[("https_proxy", url)]).unwrap_err();
            assert_eq!(bad.variable, "https_proxy", "{url}");
            assert!(!bad.why.contains("secret"), "{url}");
        }
    }
}
