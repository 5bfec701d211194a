//! Repository patterns: globs by whole path segments.

use std::fmt;

use crate::oci::name::RepositoryName;

/// A list of patterns; a repository matches the list when it matches one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryPatterns(Vec<RepositoryPattern>);

/// `acme/app`, `acme/*` (one segment), `acme/app-*` (within a segment), `acme/**` (any number, also none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryPattern(Box<[Box<str>]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pattern is path segments of lower-case letters, digits, '.', '_', '-' and '*', with '**' as a whole segment"
)]
pub struct BadPattern;

impl RepositoryPatterns {
    pub fn new(patterns: Vec<RepositoryPattern>) -> Self {
        Self(patterns)
    }

    pub fn matches(&self, name: &RepositoryName) -> bool {
        self.specificity(name).is_some()
    }

    /// How closely the list names `name`: the most literal bytes among its matching patterns.
    pub fn specificity(&self, name: &RepositoryName) -> Option<usize> {
        self.0.iter().filter(|pattern| pattern.matches(name)).map(RepositoryPattern::literal_bytes).max()
    }

    pub fn iter(&self) -> impl Iterator<Item = &RepositoryPattern> {
        self.0.iter()
    }
}

impl RepositoryPattern {
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let fits = |segment: &str| {
            let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-*".contains(&b);
            segment == "**" || (!segment.is_empty() && segment.bytes().all(letter) && !segment.contains("**"))
        };
        let segments: Vec<Box<str>> = text.split('/').map(Into::into).collect();
        if segments.iter().all(|segment| fits(segment)) { Ok(Self(segments.into())) } else { Err(BadPattern) }
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
    fn patterns_match_by_whole_segments() {
        for (pattern, name, matches) in [
            ("toddysm/**", "toddysm/python", true),
            ("toddysm/**", "toddysm/a/b", true),
            ("toddysm/**", "toddysm", true),
            ("toddysm/**", "toddysm2/python", false),
            ("acme/*", "acme/app", true),
            ("acme/*", "acme/app/x", false),
            ("acme/*", "acme", false),
            ("acme/app-*", "acme/app-1", true),
            ("acme/app-*", "acme/app", false),
            ("**", "a/b/c", true),
            ("**/base", "a/b/base", true),
            ("**/base", "base", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/z", true),
            ("acme/app", "acme/app", true),
            ("acme/app", "acme/apps", false),
        ] {
            let pattern = RepositoryPatterns::new(vec![RepositoryPattern::parse(pattern).unwrap()]);
            assert_eq!(pattern.matches(&RepositoryName::parse(name).unwrap()), matches, "{pattern:?} {name}");
        }
        for bad in ["", "/", "a//b", "A/b", "a/***", "a/b**", "a b"] {
            assert_eq!(RepositoryPattern::parse(bad), Err(BadPattern), "{bad}");
        }
    }

    #[test]
    fn the_more_literal_pattern_is_closer() {
        let name = RepositoryName::parse("acme/app/web").unwrap();
        let closeness =
            |text| RepositoryPatterns::new(vec![RepositoryPattern::parse(text).unwrap()]).specificity(&name);
        assert!(closeness("acme/app/**") > closeness("acme/**"));
        assert!(closeness("acme/app/web") > closeness("acme/app/*"));
        assert_eq!(closeness("other/**"), None);
    }
}
