//! Pages of tag lists that a registry does not cut itself, although the request says which page it wants.

use super::reference::Tag;

/// A page cut out of a list of tags.
#[derive(Debug, PartialEq, Eq)]
pub struct TagPage {
    pub tags: Vec<String>,
    /// The `last` of the request for the next page, if there is one.
    pub next: Option<String>,
}

/// The page of at most `n` tags after `last` (distribution specification, "Listing Tags"), if the registry ignored these
/// parameters: the list then has more than `n` tags, or `last` itself. `None` if the list is the page already.
///
/// The page is cut in lexical order, whatever the registry's is: distribution 2 lists in the order of its file system, which
/// changes with every push, so that pages by place would lose tags.
pub fn cut(mut tags: Vec<String>, n: Option<usize>, last: Option<&str>) -> Option<TagPage> {
    let n = n.filter(|n| *n > 0);
    let has_last = last.is_some_and(|last| tags.iter().any(|tag| tag == last));
    if !has_last && n.is_none_or(|n| tags.len() <= n) {
        return None;
    }
    tags.sort_unstable();
    let start = last.map_or(0, |last| tags.partition_point(|tag| tag.as_str() <= last));
    let mut page = tags.split_off(start);
    let has_more = n.is_some_and(|n| page.len() > n);
    page.truncate(n.unwrap_or(page.len()));
    let next = page.last().filter(|tag| has_more && Tag::parse(tag).is_ok()).cloned();
    Some(TagPage { tags: page, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_only_where_the_registry_did_not() {
        let list = |tags: &str| tags.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
        for (tags, n, last, page) in [
            // The registry cut the page, or there is nothing to cut.
            ("a b", Some(2), None, None),
            ("c d", Some(2), Some("b"), None),
            ("c d", None, Some("b"), None),
            ("a b c", None, None, None),
            ("a b c", Some(0), None, None),
            ("", Some(1), Some("x"), None),
            // It ignored the parameters.
            ("a b c d", Some(2), None, Some(("a b", Some("b")))),
            ("a b c d", Some(2), Some("b"), Some(("c d", None))),
            ("a b c d", Some(1), Some("b"), Some(("c", Some("c")))),
            ("a b c d", None, Some("b"), Some(("c d", None))),
            ("a b c d", None, Some("d"), Some(("", None))),
            // `last` was deleted.
            ("a b c d", Some(2), Some("bb"), Some(("c d", None))),
            ("a b c d", Some(2), Some("z"), Some(("", None))),
            // In another order.
            ("b c a d", Some(2), None, Some(("a b", Some("b")))),
            ("d c a b", Some(2), Some("b"), Some(("c d", None))),
            ("b a", Some(2), None, None),
        ] {
            let tags = list(tags);
            let expected = page.map(|(page, next)| TagPage { tags: list(page), next: next.map(ToOwned::to_owned) });
            assert_eq!(cut(tags.clone(), n, last), expected, "{tags:?} {n:?} {last:?}");
        }
    }
}
