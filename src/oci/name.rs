//! Repository names.

use std::fmt;

/// A valid repository name (distribution specification, "Pulling manifests", `<name>`): path components of lower-case
/// letters and digits with single separators, at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Box<str>);

/// A text that is not a repository name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a repository name has components of lower-case letters and digits, separated by '/', with '.', '_', '__' or '-' inside a component, and at most 255 bytes"
)]
pub struct InvalidRepositoryName;

impl RepositoryName {
    pub fn parse(text: &str) -> Result<Self, InvalidRepositoryName> {
        let is_valid = text.len() <= MAX_BYTES && text.split('/').all(is_component);
        if is_valid { Ok(Self(text.into())) } else { Err(InvalidRepositoryName) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Puts a name of one component into `namespace`; returns every other name unchanged.
    pub fn in_namespace(self, namespace: Option<&str>) -> Self {
        match namespace {
            Some(namespace) if !self.0.contains('/') => Self(format!("{namespace}/{}", self.0).into()),
            _ => self,
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const MAX_BYTES: usize = 255;

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !bytes.first().copied().is_some_and(is_alphanumeric) || !bytes.last().copied().is_some_and(is_alphanumeric) {
        return false;
    }
    text.split(|c: char| c.is_ascii() && is_alphanumeric(c as u8))
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_specifications_grammar_are_accepted() {
        let long = "a".repeat(255);
        for good in ["a", "python", "library/python", "a/b/c", "a.b_c__d-e--f/0", long.as_str()] {
            assert!(RepositoryName::parse(good).is_ok(), "{good}");
        }
        let longer = "a".repeat(256);
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a..b",
            "a___b",
            "a._b",
            "-a",
            "a-",
            "a/../b",
            "..",
            ".",
            "a b",
            "ä",
            "a:b",
            "a%2fb",
            "a\\b",
            "_catalog",
            longer.as_str(),
        ] {
            assert!(RepositoryName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_name_of_one_component_gets_the_namespace() {
        let name = |text| RepositoryName::parse(text).unwrap();
        assert_eq!(name("python").in_namespace(Some("library")).as_str(), "library/python");
        assert_eq!(name("toddysm/python").in_namespace(Some("library")).as_str(), "toddysm/python");
        assert_eq!(name("python").in_namespace(None).as_str(), "python");
    }
}
