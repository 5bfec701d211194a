//! The version of a client, and what follows from it for the client's configuration.

use std::fmt;
use std::str::FromStr;

/// The first two numbers of a client's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientVersion {
    major: u32,
    minor: u32,
}

impl ClientVersion {
    pub(super) const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The version in what a client prints with `--version`, such as `Docker version 29.1.3, build abc` or
    /// `containerd github.com/containerd/containerd/v2 v2.2.0 abc`.
    pub fn from_output(output: &str) -> Option<Self> {
        output.split_whitespace().find_map(|word| word.parse().ok())
    }
}

impl FromStr for ClientVersion {
    type Err = String;

    /// Accepts `29`, `29.1`, `v2.2.0` and versions with a suffix, such as `28.5.2+dfsg4,`.
    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{}` is not a version such as 29.1", text.escape_debug());
        let mut numbers = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
        let mut next = |needs_end: bool| {
            let part = numbers.next()?;
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            // `2nd` is no version, `2.1-rc1` is one.
            if end < part.len() && needs_end { None } else { part[..end].parse().ok() }
        };
        let major = next(true).ok_or_else(invalid)?;
        Ok(Self { major, minor: next(false).unwrap_or(0) })
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_found_in_what_clients_print() {
        for (output, expected) in [
            ("Docker version 28.5.2+dfsg4, build 3ef3c07c883be49a2e8097bcf6d2952fce1d70eb", (28, 5)),
            ("Docker version 29.1.3, build f52814d", (29, 1)),
            ("Docker version 20.10.24+dfsg1, build afdd53b", (20, 10)),
            ("containerd github.com/containerd/containerd/v2 2.1.9+unknown \n", (2, 1)),
            ("containerd github.com/containerd/containerd/v2 v2.2.0 1c4457e00facac03ce1d75f7b6777a7a851e5c41", (2, 2)),
            ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u1", (1, 6)),
            ("containerd containerd.io 1.7.29 442cb34bda9a6a0fed82a2ca7cade05c5c749582", (1, 7)),
        ] {
            assert_eq!(
                ClientVersion::from_output(output),
                Some(ClientVersion::new(expected.0, expected.1)),
                "{output}"
            );
        }
        assert_eq!(ClientVersion::from_output("command not found"), None);
    }

    #[test]
    fn version_given_by_the_user_may_be_short() {
        for (text, expected) in [("29", (29, 0)), ("29.1", (29, 1)), ("v2.3.0", (2, 3)), ("2.3-rc1", (2, 3))] {
            assert_eq!(text.parse(), Ok(ClientVersion::new(expected.0, expected.1)), "{text}");
        }
        for text in ["", "latest", "v", "2nd", "-1"] {
            assert!(text.parse::<ClientVersion>().is_err(), "{text}");
        }
    }
}
