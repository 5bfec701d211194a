//! Query strings that pass through: kept pair by pair as they were written, because cursors are opaque.

use std::fmt;

/// The pairs of a query string in order, with their values undecoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(Box<str>, Option<Box<str>>)>);

impl Query {
    pub fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let split = |pair: &str| match pair.split_once('=') {
            Some((key, value)) => (plain(key).into(), Some(escaped(value).into())),
            None => (plain(pair).into(), None),
        };
        Self(pairs.map(split).collect())
    }

    /// The first value of `key`, percent-decoded.
    pub fn value(&self, key: &str) -> Option<String> {
        let raw = self.raw(key)?.replace('+', " ");
        Some(percent_encoding::percent_decode_str(&raw).decode_utf8_lossy().into_owned())
    }

    /// The first value of `key` as it was written.
    pub fn raw(&self, key: &str) -> Option<&str> {
        self.0.iter().filter(|(k, _)| &**k == key).find_map(|(_, v)| v.as_deref())
    }

    /// Drops all but the first value of `key`: registries differ in which of several they take.
    pub fn keep_first(&mut self, key: &str) {
        if let Some(first) = self.raw(key).map(ToOwned::to_owned) {
            self.set(key, &first);
        }
    }

    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(k, _)| &**k != key);
    }

    /// Drops pairs without a value, which some registries send along.
    pub fn drop_empty(&mut self) {
        self.0.retain(|(_, v)| v.as_ref().is_some_and(|v| !v.is_empty()));
    }

    /// Sets `key` to a value that needs no encoding, in place when it is there, and drops its repetitions.
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

    /// `path`, with the query when there is one.
    pub fn after(&self, path: &str) -> String {
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

/// A key as everybody reads it: `%66rom` is `from` to the registry, so it has to be to us.
fn plain(key: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
    let is_plain =
        |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    if is_plain(&decoded) { decoded.into_owned() } else { escaped(key) }
}

/// Without the other separator of pairs, which some registries still know.
fn escaped(text: &str) -> String {
    text.replace(';', "%3B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_their_spelling() {
        let mut query = Query::parse(Some("last=0b2ce%2Fcoreutils&n=0&next_page=gAAA%3D%3D&orderby=&ns=docker.io"));
        assert_eq!(query.value("last").as_deref(), Some("0b2ce/coreutils"));
        assert_eq!(query.value("ns").as_deref(), Some("docker.io"));
        query.remove("ns");
        query.drop_empty();
        query.set("n", "1000");
        assert_eq!(query.after("/v2/_catalog"), "/v2/_catalog?last=0b2ce%2Fcoreutils&n=1000&next_page=gAAA%3D%3D");
        assert_eq!(Query::parse(Some("a=&b&c=1")).after("/"), "/?a=&b&c=1");
        assert_eq!(Query::parse(None).after("/v2/"), "/v2/");
    }

    #[test]
    fn pairs_are_told_apart_as_any_registry_does() {
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
