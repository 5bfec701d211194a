//! The trace that a client's request belongs to (W3C Trace Context). A valid one is forwarded unchanged to the registry,
//! and never to another origin. regpass starts no trace of its own.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A valid `traceparent`, with the `tracestate` that belongs to it.
#[derive(Debug)]
pub struct TraceContext<'a> {
    parent: &'a HeaderValue,
    id: &'a str,
    state: Vec<&'a HeaderValue>,
}

impl<'a> TraceContext<'a> {
    /// Parses the trace headers. An invalid `traceparent` is ignored together with `tracestate` (section 3.2.2); an
    /// invalid `tracestate` is ignored alone.
    pub fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
        let id = trace_id(parent.to_str().ok()?)?;
        let state: Vec<&HeaderValue> = headers.get_all(TRACESTATE).iter().collect();
        let state = if is_state(&state) { state } else { Vec::new() };
        Some(Self { parent, id, state })
    }

    /// The trace id: 32 hexadecimal digits.
    pub fn id(&self) -> &'a str {
        self.id
    }

    /// Adds the trace to the headers of an upstream request.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.parent.clone());
        for state in &self.state {
            headers.append(TRACESTATE, (*state).clone());
        }
    }
}

/// Removes the trace from a request to another origin than the registry's.
pub fn remove(headers: &mut HeaderMap) {
    headers.remove(TRACEPARENT);
    headers.remove(TRACESTATE);
}

/// The trace id of a `traceparent`: `version-trace_id-parent_id-flags`. Later versions may append fields.
fn trace_id(parent: &str) -> Option<&str> {
    let mut parts = parent.splitn(5, '-');
    let mut hex = |digits: usize| {
        let is_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        parts.next().filter(|part| part.len() == digits && part.bytes().all(is_hex))
    };
    let (version, trace, span, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let has_more = parts.next().is_some();
    let is_nonzero = |id: &str| id.bytes().any(|c| c != b'0');
    let is_valid_version = version != "ff" && (version != "00" || !has_more);
    (is_valid_version && is_nonzero(trace) && is_nonzero(span)).then_some(trace)
}

/// Whether `tracestate` is valid: at most 32 members `key=value`, each key once (section 3.3.1).
fn is_state(lines: &[&HeaderValue]) -> bool {
    let mut keys = Vec::new();
    for line in lines {
        let Ok(line) = line.to_str() else { return false };
        for member in line.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
        {
            match member.split_once('=') {
                Some((key, value)) if is_key(key) && is_value(value) && !keys.contains(&key) => keys.push(key),
                _ => return false,
            }
        }
    }
    keys.len() <= 32
}

fn is_key(key: &str) -> bool {
    let is_punctuation = |c: u8| matches!(c, b'_' | b'-' | b'*' | b'/');
    let is_word = |word: &str, most: usize| {
        (1..=most).contains(&word.len())
            && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || is_punctuation(c))
    };
    match key.split_once('@') {
        Some((tenant, system)) => {
            is_word(tenant, 241)
                && is_word(system, 14)
                && !tenant.starts_with(['_', '-', '*', '/'])
                && starts_lowercase(system)
        }
        None => is_word(key, 256) && starts_lowercase(key),
    }
}

fn starts_lowercase(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|c| (b' '..=b'~').contains(&c) && !matches!(c, b',' | b'='))
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn traceparent_is_validated_as_the_specification_says() {
        for (parent, valid) in [
            ("00-ID-00f067aa0ba902b7-01", true),
            ("00-ID-00f067aa0ba902b7-ff", true),
            ("cc-ID-00f067aa0ba902b7-01", true),
            ("cc-ID-00f067aa0ba902b7-01-what-the-future-will-be-like", true),
            ("cc-ID-00f067aa0ba902b7-01.what", false),
            ("00-ID-00f067aa0ba902b7-01-more", false),
            ("00-ID-00f067aa0ba902b7-01-", false),
            ("ff-ID-00f067aa0ba902b7-01", false),
            ("00-ID-0000000000000000-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-ID-00f067aa0ba902b7", false),
            ("00-ID-00f067aa0ba902b-01", false),
            ("0-ID-00f067aa0ba902b7-01", false),
            ("", false),
        ] {
            assert_eq!(trace_id(&parent.replace("ID", ID)), valid.then_some(ID), "{parent}");
        }
    }

    #[test]
    fn tracestate_keys_and_values_are_validated() {
        let many = |count: usize| (0..count).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join(",");
        for (state, valid) in [
            ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true),
            ("foo=1 , ,\tbar=2", true),
            ("0tenant@vendor=1", true),
            ("", true),
            (many(32).as_str(), true),
            (many(33).as_str(), false),
            ("foo=1,foo=2", false),
            ("Foo=1", false),
            ("0foo=1", false),
            ("foo", false),
            ("foo=", false),
            ("foo=a=b", false),
            ("tenant@0vendor=1", false),
        ] {
            assert_eq!(is_state(&[&HeaderValue::from_str(state).unwrap()]), valid, "{state}");
        }
    }
}
