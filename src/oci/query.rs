//! Query strings that regpass forwards. Values keep their spelling, except that `;` is encoded, because pagination
//! cursors are opaque.

use std::fmt;

/// The key-value pairs of a query string in order. Values are not decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(Box<str>, Option<Box<str>>)>);

impl Query {
    pub fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let split = |pair: &str| match pair.split_once('=') {
            Some((key, value)) => (normalize_key(key).into(), Some(escape_semicolons(value).into())),
            None => (normalize_key(pair).into(), None),
        };
        Self(pairs.map(split).collect())
    }

    /// The first value of `key`, decoded as in forms: `%2F` is `/`, `+` is a blank.
    pub fn value(&self, key: &str) -> Option<String> {
        let raw = self.raw(key)?.replace('+', " ");
        Some(percent_encoding::percent_decode_str(&raw).decode_utf8_lossy().into_owned())
    }

    /// The first value of `key`, not decoded.
    pub fn raw(&self, key: &str) -> Option<&str> {
        self.0.iter().filter(|(k, _)| &**k == key).find_map(|(_, v)| v.as_deref())
    }

    /// All values of `key`, not decoded.
    pub fn raw_values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(k, _)| &**k == key).filter_map(|(_, value)| value.as_deref())
    }

    /// Encodes each `+` in the values of `key`, which a registry would read as a blank.
    pub fn escape_plus(&mut self, key: &str) {
        for (_, value) in self.0.iter_mut().filter(|(k, _)| &**k == key) {
            *value = value.as_ref().map(|value| value.replace('+', "%2B").into());
        }
    }

    /// Adds the values that `other` has of `key`, if this query has none.
    pub fn complete_from(&mut self, other: &Self, key: &str) {
        if !self.0.iter().any(|(k, _)| &**k == key) {
            self.0.extend(other.0.iter().filter(|(k, _)| &**k == key).cloned());
        }
    }

    /// Removes all but the first value of `key`. Registries differ in which of several values they use.
    pub fn keep_first(&mut self, key: &str) {
        if let Some(first) = self.raw(key).map(ToOwned::to_owned) {
            self.set(key, &first);
        }
    }

    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(k, _)| &**k != key);
    }

    /// Removes pairs without a value (`a`, `a=`), which some registries add to their links.
    pub fn remove_empty(&mut self) {
        self.0.retain(|(_, v)| v.as_ref().is_some_and(|v| !v.is_empty()));
    }

    /// Sets `key` to a value that needs no encoding, in place if the key exists, and removes its repetitions.
    pub fn set(&mut self, key: &str, value: &str) {
        let mut found = false;
        self.0.retain_mut(|(k, v)| {
            if &**k != key {
                return true;
            }
            *v = Some(value.into());
            !std::mem::replace(&mut found, true)
        });
        if !found {
            self.0.push((key.into(), Some(value.into())));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `path`, followed by `?` and the query unless the query is empty.
    pub fn append_to(&self, path: &str) -> String {
        if self.is_empty() { path.to_owned() } else { format!("{path}?{self}") }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            let joint = if at == 0 { "" } else { "&" };
            match value {
                Some(value) => write!(f, "{joint}{key}={value}")?,
                None => write!(f, "{joint}{key}")?,
            }
        }
        Ok(())
    }
}

/// Removes needless percent-encoding from a key: a registry reads `%66rom` as `from`, so regpass must, too.
fn normalize_key(key: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
    let is_plain =
        |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    if is_plain(&decoded) { decoded.into_owned() } else { escape_semicolons(key) }
}

/// Encodes `;`, which some registries still read as a separator of pairs.
fn escape_semicolons(text: &str) -> String {
    text.replace(';', "%3B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_spelling() {
        let mut query = Query::parse(Some("last=0b2ce%2Fcoreutils&n=0&next_page=gAAA%3D%3D&orderby=&ns=docker.io"));
        assert_eq!(query.value("last").as_deref(), Some("0b2ce/coreutils"));
        assert_eq!(query.value("ns").as_deref(), Some("docker.io"));
        query.remove("ns");
        query.remove_empty();
        query.set("n", "1000");
        assert_eq!(query.append_to("/v2/_catalog"), "/v2/_catalog?last=0b2ce%2Fcoreutils&n=1000&next_page=gAAA%3D%3D");
        assert_eq!(Query::parse(Some("a=&b&c=1")).append_to("/"), "/?a=&b&c=1");
        assert_eq!(Query::parse(None).append_to("/v2/"), "/v2/");
    }

    #[test]
    fn plus_is_escaped_and_missing_values_are_completed_by_key() {
        let mut query = Query::parse(Some("artifactType=a/b+json&last=x+y&artifactType=c%2Bd"));
        query.escape_plus("artifactType");
        assert_eq!(query.to_string(), "artifactType=a/b%2Bjson&last=x+y&artifactType=c%2Bd");
        assert_eq!(query.raw_values("artifactType").collect::<Vec<_>>(), ["a/b%2Bjson", "c%2Bd"]);
        for (link, completed) in [
            ("last=z", "last=z&artifactType=a/b%2Bjson&artifactType=c%2Bd"),
            ("artifactType=e&last=z", "artifactType=e&last=z"),
        ] {
            let mut link = Query::parse(Some(link));
            link.complete_from(&query, "artifactType");
            assert_eq!(link.to_string(), completed);
        }
    }

    #[test]
    fn keys_and_separators_are_read_as_any_registry_reads_them() {
        for (text, from, passes) in [
            ("%66rom=a%2Fb", Some("a/b"), "from=a%2Fb"),
            ("x=1;from=a", None, "x=1%3Bfrom=a"),
            ("x;from=a", None, "x%3Bfrom=a"),
            ("x%26from=a", None, "x%26from=a"),
            ("x%3Dfrom=a", None, "x%3Dfrom=a"),
            ("from&from=a&from=b", Some("a"), "from=a"),
            ("from=a&%66rom=b&y", Some("a"), "from=a&y"),
        ] {
            let mut query = Query::parse(Some(text));
            assert_eq!(query.value("from").as_deref(), from, "{text}");
            query.keep_first("from");
            assert_eq!(query.to_string(), passes, "{text}");
        }
    }
}
