//! Repository patterns: globs that match whole path segments.

use std::fmt;

use crate::oci::name::RepositoryName;

/// A list of patterns. It matches a repository when one of the patterns does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryPatterns(Vec<RepositoryPattern>);

/// A glob for repository names: `acme/app`, `acme/*` (one segment), `acme/app-*` (within a segment), `acme/**` (any
/// number of segments, including none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryPattern(Box<[Box<str>]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("path segments have lower-case letters, digits, `.`, `_`, `-` and `*`; `**` stands alone in its segment")]
pub struct InvalidPattern;

impl RepositoryPatterns {
    pub fn new(patterns: Vec<RepositoryPattern>) -> Self {
        Self(patterns)
    }

    pub fn matches(&self, name: &RepositoryName) -> bool {
        self.specificity(name).is_some()
    }

    /// How specifically the list matches `name`: the number of literal bytes in the most specific pattern that matches;
    /// `None` where no pattern matches.
    pub fn specificity(&self, name: &RepositoryName) -> Option<usize> {
        self.0.iter().filter(|pattern| pattern.matches(name)).map(RepositoryPattern::literal_bytes).max()
    }

    pub fn iter(&self) -> impl Iterator<Item = &RepositoryPattern> {
        self.0.iter()
    }
}

impl RepositoryPattern {
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let is_valid = |segment: &str| {
            let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-*".contains(&b);
            segment == "**" || (!segment.is_empty() && segment.bytes().all(is_allowed) && !segment.contains("**"))
        };
        let segments: Vec<Box<str>> = text.split('/').map(Into::into).collect();
        if segments.iter().all(|segment| is_valid(segment)) { Ok(Self(segments.into())) } else { Err(InvalidPattern) }
    }

    fn matches(&self, name: &RepositoryName) -> bool {
        let segments: Vec<&str> = name.components().collect();
        path_matches(&self.0, &segments)
    }

    fn literal_bytes(&self) -> usize {
        self.0.iter().map(|segment| segment.bytes().filter(|&b| b != b'*').count() + 1).sum()
    }
}

impl fmt::Display for RepositoryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

fn path_matches(pattern: &[Box<str>], name: &[&str]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if &**first == "**" => {
            path_matches(rest, name) || name.split_first().is_some_and(|(_, name)| path_matches(pattern, name))
        }
        (Some((first, pattern)), Some((segment, name))) => {
            segment_matches(first.as_bytes(), segment.as_bytes()) && path_matches(pattern, name)
        }
        _ => false,
    }
}

fn segment_matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| segment_matches(rest, &text[skip..])),
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(first, text)| first == byte && segment_matches(rest, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_segments() {
        for (pattern, matching, other) in [
            ("toddysm/**", &["toddysm/python", "toddysm/a/b", "toddysm"][..], &["toddysm2/python"][..]),
            ("acme/*", &["acme/app"], &["acme/app/x", "acme"]),
            ("acme/app-*", &["acme/app-1"], &["acme/app"]),
            ("**", &["a/b/c"], &[]),
            ("**/base", &["a/b/base", "base"], &[]),
            ("a/**/z", &["a/b/c/z", "a/z"], &[]),
            ("acme/app", &["acme/app"], &["acme/apps"]),
        ] {
            let pattern = RepositoryPatterns::new(vec![RepositoryPattern::parse(pattern).unwrap()]);
            let matches = |name: &str| pattern.matches(&RepositoryName::parse(name).unwrap());
            for name in matching {
                assert!(matches(name), "{pattern:?} matches {name}");
            }
            for name in other {
                assert!(!matches(name), "{pattern:?} does not match {name}");
            }
        }
        for bad in ["", "/", "a//b", "A/b", "a/***", "a/b**", "a b"] {
            assert_eq!(RepositoryPattern::parse(bad), Err(InvalidPattern), "{bad}");
        }
    }

    #[test]
    fn the_pattern_with_more_literal_bytes_is_more_specific() {
        let name = RepositoryName::parse("acme/app/web").unwrap();
        let specificity =
            |text| RepositoryPatterns::new(vec![RepositoryPattern::parse(text).unwrap()]).specificity(&name);
        assert!(specificity("acme/app/**") > specificity("acme/**"));
        assert!(specificity("acme/app/web") > specificity("acme/app/*"));
        assert_eq!(specificity("other/**"), None);
    }
}
