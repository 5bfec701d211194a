//! `Link` headers of paginated lists (RFC 8288).

use http::HeaderMap;
use http::header::LINK;

use super::query::Query;

/// The query of the `rel="next"` link. Its host and path are ignored: registries get them wrong, and they must not
/// decide where a client sends its next request.
pub fn next_query(headers: &HeaderMap) -> Option<Query> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(|value| {
        links(value).find(|(_, params)| is_next(params)).map(|(target, _)| {
            let query = target.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or(query));
            Query::parse(query)
        })
    })
}

/// The `<target>; params` entries of one header value.
fn links(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let end = after.find('<').unwrap_or(after.len());
        let (params, next) = after.split_at(end);
        rest = next;
        Some((target, params))
    })
}

fn is_next(params: &str) -> bool {
    params.split([';', ',']).any(|param| {
        let (key, value) = param.split_once('=').unwrap_or((param, ""));
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        key.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
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
            ("garbage", None),
            ("<unterminated", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, value.parse().unwrap());
            assert_eq!(next_query(&headers).map(|query| query.to_string()).as_deref(), query, "{value}");
        }
    }
}
