//! Patterns of hosts in the keys of pull secrets, such as `*.jfrog.io`, as the kubelet matches them
//! (kubernetes/kubernetes, `pkg/credentialprovider/keyring.go`, `URLsMatch`; the syntax is in the Kubernetes documentation,
//! "Images", "Interpretation of config.json").

use crate::base::host::RegistryHost;

/// The pattern of a host: one for each part between dots, and a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HostPattern {
    parts: Box<[Box<str>]>,
    port: Box<str>,
}

impl HostPattern {
    /// `None` if the text is a host without wildcards, or no pattern of hosts.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let is_pattern = text.contains(['*', '?', '[']) && !text.starts_with('[');
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*?[]^:".contains(&byte);
        if !is_pattern || !text.bytes().all(is_host) {
            return None;
        }
        let (host, port) = split_port(&text)?;
        Some(Self { parts: host.split('.').map(Into::into).collect(), port: port.into() })
    }

    /// Whether the pattern has as many parts as the host, each matches, and the ports are equal.
    pub(super) fn matches(&self, host: &RegistryHost) -> bool {
        let Some((name, port)) = split_port(host.as_str()) else { return false };
        let parts: Vec<&str> = name.split('.').collect();
        *self.port == *port
            && self.parts.len() == parts.len()
            && self.parts.iter().zip(parts).all(|(pattern, part)| matches_part(pattern.as_bytes(), part.as_bytes()))
    }
}

/// The host and its port, which is empty for the default port of https, as in [`RegistryHost`]. `None` for a host with
/// other colons, such as an IPv6 address.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.split_once(':').unwrap_or((text, ""));
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    is_port.then_some((host, if port == "443" { "" } else { port }))
}

/// Matches as Go's `filepath.Match` does: `*` any characters, `?` one, `[a-c]` and `[^a-c]` one of a class.
fn matches_part(pattern: &[u8], part: &[u8]) -> bool {
    let (mut rest, mut at) = (pattern, 0);
    // What follows the last `*`, and where it is tried next. Earlier ones need not be tried again.
    let mut after_star: Option<(&[u8], usize)> = None;
    while at < part.len() {
        if let [b'*', after @ ..] = rest {
            after_star = Some((after, at));
            rest = after;
        } else if let Some(after) = after_one(rest, part[at]) {
            (rest, at) = (after, at + 1);
        } else if let Some((after, tried)) = after_star {
            after_star = Some((after, tried + 1));
            (rest, at) = (after, tried + 1);
        } else {
            return false;
        }
    }
    rest.iter().all(|byte| *byte == b'*')
}

/// The pattern after its first element, if that matches the byte.
fn after_one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', after @ ..] => Some(after),
        [b'[', class @ ..] => {
            let end = class.iter().skip(1).position(|byte| *byte == b']')? + 1;
            class_contains(&class[..end], byte).then_some(&class[end + 1..])
        }
        [literal, after @ ..] => (*literal == byte).then_some(after),
        [] => None,
    }
}

fn class_contains(class: &[u8], byte: u8) -> bool {
    let (mut rest, is_negated) = match class {
        [b'^', rest @ ..] => (rest, true),
        rest => (rest, false),
    };
    let mut is_in = false;
    while let [low, after @ ..] = rest {
        let (high, after) = match after {
            [b'-', high, after @ ..] => (high, after),
            _ => (low, after),
        };
        is_in |= (*low..=*high).contains(&byte);
        rest = after;
    }
    is_in != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        HostPattern::parse(pattern).is_some_and(|pattern| pattern.matches(&RegistryHost::parse(host).unwrap()))
    }

    #[test]
    fn patterns_match_part_by_part() {
        for (pattern, host) in [
            ("*.jfrog.io", "acme.jfrog.io"),
            ("*.JFrog.io", "acme.jfrog.io"),
            ("prefix.*.io", "prefix.kubernetes.io"),
            ("prefix.kubernetes.*", "prefix.kubernetes.io"),
            ("*-good.kubernetes.io", "prefix-good.kubernetes.io"),
            ("a*b*c.io", "aXbYbZc.io"),
            ("*.dkr.ecr.*.amazonaws.com", "123456789012.dkr.ecr.eu-west-2.amazonaws.com"),
            ("*.kubernetes.io:1111", "prefix.kubernetes.io:1111"),
            ("*.kubernetes.io:443", "prefix.kubernetes.io"),
            ("10.*.*.1:5000", "10.0.7.1:5000"),
            ("*", "localhost"),
            ("reg?.example", "reg1.example"),
            ("reg[1-3].example", "reg2.example"),
            ("reg[^1-3].example", "reg4.example"),
        ] {
            assert!(matches(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn patterns_do_not_match_other_hosts() {
        for (pattern, host) in [
            ("*.kubernetes.io", "kubernetes.io"),
            ("*.kubernetes.io", "a.b.kubernetes.io"),
            ("*.*.kubernetes.io", "prefix.kubernetes.io"),
            ("k*.io", "quay.io"),
            ("*.kubernetes.io", "prefix.kubernetes.io.evil.com"),
            ("*.kubernetes.io:1234", "prefix.kubernetes.io:1111"),
            ("prefix.*.io", "prefix.kubernetes.io:1111"),
            ("*", "a.io"),
            ("*.io", "[::1]:5000"),
            ("reg?.example", "reg.example"),
            ("reg?.example", "reg12.example"),
            ("reg[1-3].example", "reg4.example"),
            ("reg[1-3.example", "reg1.example"),
            ("reg[].example", "reg].example"),
        ] {
            let host = RegistryHost::parse(host);
            let is_match =
                |host: &RegistryHost| HostPattern::parse(pattern).is_some_and(|pattern| pattern.matches(host));
            assert!(!host.as_ref().is_ok_and(is_match), "{pattern} {host:?}");
        }
        for text in ["", "ghcr.io", "[::1]:5000", "u:p@*.io", "*.io:port", "a b*.io", "*.ä.io"] {
            assert_eq!(HostPattern::parse(text), None, "{text}");
        }
    }
}
