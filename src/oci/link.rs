//! `Link` headers of paginated lists (RFC 8288).

use http::HeaderMap;
use http::header::LINK;

use super::query::Query;
use crate::base::url_escape::escape_reference;

/// The query of the `rel="next"` link, or of the first link if it has no relation, as some clients read it: a list has no
/// other link than that to its next page. Its host and path are ignored: registries get them wrong, and they must not
/// decide where a client sends its next request.
pub fn next_query(headers: &HeaderMap) -> Option<Query> {
    let links = || headers.get_all(LINK).iter().flat_map(|value| Links(value.as_bytes()));
    let next = links().find(Link::is_next).or_else(|| links().next().filter(|first| first.rel.is_none()))?;
    let target = escape_reference(next.target);
    let query = target.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or(query));
    Some(Query::parse(query))
}

/// One link: `<target>; rel="next"; title="…"`.
#[derive(Debug, Default)]
struct Link<'a> {
    target: &'a [u8],
    /// The value of the first `rel`; later ones do not count (RFC 8288, section 3.3).
    rel: Option<&'a [u8]>,
}

impl Link<'_> {
    fn is_next(&self) -> bool {
        let is_separator = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\'';
        let mut relations = self.rel.unwrap_or_default().split(is_separator);
        relations.any(|relation| relation.eq_ignore_ascii_case(b"next"))
    }
}

/// The links of the rest of a header value (RFC 8288, appendix B.2). It ends at the first one without a target in angle
/// brackets.
struct Links<'a>(&'a [u8]);

impl<'a> Iterator for Links<'a> {
    type Item = Link<'a>;

    fn next(&mut self) -> Option<Link<'a>> {
        let rest = skip(self.0, b" \t,").strip_prefix(b"<")?;
        let end = rest.iter().position(|byte| *byte == b'>')?;
        let mut link = Link { target: &rest[..end], rel: None };
        self.0 = &rest[end + 1..];
        loop {
            // Anything before the next delimiter is not part of a parameter.
            let at = self.0.iter().position(|byte| matches!(byte, b';' | b',')).unwrap_or(self.0.len());
            self.0 = &self.0[at..];
            let Some(parameter) = self.0.strip_prefix(b";") else { return Some(link) };
            let (name, value, rest) = split_parameter(parameter);
            self.0 = rest;
            if name.eq_ignore_ascii_case(b"rel") {
                link.rel = link.rel.or(value);
            }
        }
    }
}

/// The name of the first parameter, its value without quotes, and the bytes after it. Escapes in a quoted value stay:
/// relation types have none.
fn split_parameter(text: &[u8]) -> (&[u8], Option<&[u8]>, &[u8]) {
    let end = text.iter().position(|byte| matches!(byte, b'=' | b';' | b',')).unwrap_or(text.len());
    let (name, rest) = (text[..end].trim_ascii(), &text[end..]);
    let Some(value) = rest.strip_prefix(b"=") else { return (name, None, rest) };
    let Some(quoted) = skip(value, b" \t").strip_prefix(b"\"") else {
        let end = value.iter().position(|byte| matches!(byte, b';' | b',')).unwrap_or(value.len());
        return (name, Some(value[..end].trim_ascii()), &value[end..]);
    };
    let mut is_escaped = false;
    let end = quoted.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    let end = end.unwrap_or(quoted.len());
    (name, Some(&quoted[..end]), quoted.get(end + 1..).unwrap_or_default())
}

/// `text` without the bytes of `unwanted` at its start.
fn skip<'a>(text: &'a [u8], unwanted: &[u8]) -> &'a [u8] {
    let start = text.iter().position(|byte| !unwanted.contains(byte)).unwrap_or(text.len());
    &text[start..]
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn next_query_is_found_in_every_form_of_the_header() {
        for (value, query) in [
            (r#"</v2/_catalog?last=0b2ce%2Fcoreutils&n=0>; rel="next""#, Some("last=0b2ce%2Fcoreutils&n=0")),
            (r#"<https://quay.io/v2/a/tags/list?n=100&last=x>; rel="next""#, Some("n=100&last=x")),
            ("</v2/_catalog?last=a&n=2&orderby=>; rel=next", Some("last=a&n=2&orderby=")),
            (r#"<?next_page=gAAA,x>; title="a"; rel="prev next""#, Some("next_page=gAAA,x")),
            (r#"</a?x=1>; rel="prev", </a?x=2>; rel="next""#, Some("x=2")),
            (r#"</a?x=1>; rel="prev""#, None),
            (r#"</a?x=1>; title="a<b>, c; rel=prev"; rel="next""#, Some("x=1")),
            (r#"</a?x=1>; title="a \"b\", </c?x=9>; rel=\"next\""; rel=prev, </a?x=2>; rel=next"#, Some("x=2")),
            (r#"</a?x=1>; title="ends with a backslash \\"; rel=next"#, Some("x=1")),
            ("</a?x=1>;rel=next;title=a;;foo , </a?x=2>;rel=prev", Some("x=1")),
            (r#"</a?x=1> ; REL = "NEXT" ; rel="prev""#, Some("x=1")),
            (r#"</a?x=1>; rel="prev"; rel="next""#, None),
            ("</a?x=1>; title*=UTF-8''a%22; rel=nextpage", None),
            (r#", ,</a?x=1>; rel="next"#, Some("x=1")),
            ("</a?last=my tag>; rel=next", Some("last=my%20tag")),
            ("</a?x=1>; rel='next'", Some("x=1")),
            ("</a?x=1>", Some("x=1")),
            ("</a?x=1>, </a?x=2>; rel=next", Some("x=2")),
            ("garbage", None),
            ("<unterminated", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, value.parse().unwrap());
            assert_eq!(next_query(&headers).map(|query| query.to_string()).as_deref(), query, "{value}");
        }
    }

    #[test]
    fn next_query_is_found_beside_text_that_is_not_ascii() {
        for (value, query) in [
            (&b"</a?x=1>; title=\"caf\xe9\"; rel=next"[..], "x=1"),
            ("</a?last=caf\u{e9}>; rel=next".as_bytes(), "last=caf%C3%A9"),
        ] {
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_bytes(value).unwrap())]);
            assert_eq!(next_query(&headers).unwrap().to_string(), query);
        }
    }
}
