//! Key paths, and the key a person may have meant.

/// A table's keys, each with an example of its value.
pub(super) type Keys = &'static [(&'static str, &'static str)];

/// `registry` and `ghcr.io` make `registry."ghcr.io"`.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let cut: String = key.chars().take(LONGEST).collect();
    let cut = if cut.len() < key.len() { cut + "…" } else { cut };
    let key = if bare { cut } else { format!("{cut:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The candidate that `word` is a slip of the hand for: within one change per three letters.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
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

/// Insertions, deletions and substitutions that turn `a` into `b` (Levenshtein), row by row.
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

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_quote_what_toml_would() {
        assert_eq!(join("", "listener"), "listener");
        assert_eq!(join("registry", "ghcr.io"), "registry.\"ghcr.io\"");
        assert_eq!(join("a", "b\n\"c"), "a.\"b\\n\\\"c\"");
        assert!(join("", &"x".repeat(1000)).chars().count() == LONGEST + 1);
    }

    #[test]
    fn slips_find_their_key() {
        let keys = ["address", "hosts", "insecure_open", "registry", "url", "ca"];
        for (word, key) in [
            ("adress", Some("address")),
            ("host", Some("hosts")),
            ("insecure-open", Some("insecure_open")),
            ("URL", Some("url")),
            ("uri", Some("url")),
            ("tls", None),
            ("password", None),
        ] {
            assert_eq!(nearest(word, keys.into_iter()), key, "{word}");
        }
    }
}
