//! Escapes the characters that servers leave unescaped in the URLs of `Location` and `Link`.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// Escapes what must not stand in a URL reference (RFC 3986), as Go's net/url and browsers do before they send the
/// request: blanks, quotes, angle brackets and all bytes that are not ASCII, byte by byte, whatever their encoding.
/// Existing escapes and everything else keep their spelling, so that the signature of a signed URL stays valid.
///
/// More is escaped in the path than in the query. In the query Go and browsers send `|`, `\`, `^`, `` ` ``, `{` and `}`
/// unchanged, and a signature may depend on it. `[` and `]` stay in both.
pub fn escape_reference(reference: &[u8]) -> String {
    let path_end = reference.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(reference.len());
    let (path, query) = reference.split_at(path_end);
    [percent_encode(path, IN_PATH), percent_encode(query, IN_QUERY)].into_iter().flatten().collect()
}

/// What the URL standard's "query percent-encode set" contains, without `#`, which begins the fragment.
const IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');
/// What Go's `URL.EscapedPath` escapes, of the characters that can be in a header.
const IN_PATH: &AsciiSet = &IN_QUERY.add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_url_cannot_contain_is_escaped() {
        for (reference, escaped) in [
            (&b"https://cdn.io/a%20b/%2f?sig=%2B%3d&x=a+b"[..], "https://cdn.io/a%20b/%2f?sig=%2B%3d&x=a+b"),
            (b"/my layer", "/my%20layer"),
            (b"/a\"b<c>d\\e^f`g{h|i}j", "/a%22b%3Cc%3Ed%5Ce%5Ef%60g%7Bh%7Ci%7Dj"),
            (b"/x[1]?y[2]=3", "/x[1]?y[2]=3"),
            (b"?file=\"my layer\"&x=<1>", "?file=%22my%20layer%22&x=%3C1%3E"),
            (b"?a|b\\c^d`e{f}", "?a|b\\c^d`e{f}"),
            ("/caf\u{e9}?caf\u{e9}".as_bytes(), "/caf%C3%A9?caf%C3%A9"),
            (b"/caf\xe9", "/caf%E9"),
            (b"/100%/x?y=%", "/100%/x?y=%"),
            (b"/x#my part", "/x#my%20part"),
            (b"//[::1]:80/~a/!$&'()*+,;=:@-._", "//[::1]:80/~a/!$&'()*+,;=:@-._"),
        ] {
            assert_eq!(escape_reference(reference), escaped, "{:?}", String::from_utf8_lossy(reference));
        }
    }
}
