//! Keys of tables: their paths, and the message about an unknown one with a suggestion.

use crate::config::problem::{Fault, quoted_list};

/// The keys a table may have, each with an example of its value in TOML.
pub(super) type Keys = &'static [(&'static str, &'static str)];

/// Appends a key to a path: `registry` and `ghcr.io` give `registry."ghcr.io"`. A long key is cut.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let cut: String = key.chars().take(MAX_LENGTH).collect();
    let cut = if cut.len() < key.len() { cut + "…" } else { cut };
    let key = if bare { cut } else { format!("{cut:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The message about a key that its table may not have.
pub(super) fn unknown(key: &str, keys: Keys) -> Fault {
    let known = || keys.iter().map(|(known, _)| *known);
    let hint = match nearest(key, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys of this table are {}", quoted_list(known())),
    };
    Fault::new("unknown key").hint(hint)
}

/// The candidate closest to `word`, if it differs by at most one edit per three letters (always one is allowed).
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_LENGTH {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let near = |candidate: &str| distance(word.as_bytes(), candidate.as_bytes());
    candidates
        .map(|candidate| (near(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.len() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance: the insertions, deletions and substitutions that turn `a` into `b`. Keeps one row of the
/// table.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Longest key that is shown whole, in characters, and for which a suggestion is looked up, in bytes.
const MAX_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_bare_are_quoted_in_paths() {
        assert_eq!(join("", "listener"), "listener");
        assert_eq!(join("registry", "ghcr.io"), "registry.\"ghcr.io\"");
        assert_eq!(join("a", "b\n\"c"), "a.\"b\\n\\\"c\"");
        assert!(join("", &"x".repeat(1000)).chars().count() == MAX_LENGTH + 1);
    }

    #[test]
    fn misspelt_keys_get_the_nearest_key() {
        let keys = ["address", "hosts", "insecure_open", "registry", "url", "ca"];
        for (word, key) in [
            ("adress", "address"),
            ("host", "hosts"),
            ("insecure-open", "insecure_open"),
            ("URL", "url"),
            ("uri", "url"),
        ] {
            assert_eq!(nearest(word, keys.into_iter()), Some(key), "{word}");
        }
        for word in ["tls", "password"] {
            assert_eq!(nearest(word, keys.into_iter()), None, "{word}");
        }
    }
}
