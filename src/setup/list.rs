//! Lists in brackets with commas between their items, as JSON, TOML and YAML's flow style write them.

use std::ops::Range;

/// Where a list stands in a text.
#[derive(Debug)]
pub(super) struct List {
    /// Behind the opening bracket.
    pub(super) inside: usize,
    pub(super) items: Vec<Range<usize>>,
}

impl List {
    /// The text with another item before the first, spaced like that one.
    pub(super) fn with_first(&self, text: &str, item: &str) -> String {
        let Some(first) = self.items.first() else {
            return [&text[..self.inside], item, &text[self.inside..]].concat();
        };
        let space = &text[self.inside..first.start];
        let space = if space.trim().is_empty() && space.contains('\n') { space } else { " " };
        [&text[..first.start], item, ",", space, &text[first.start..]].concat()
    }

    /// The text without one of the items.
    pub(super) fn without(&self, text: &str, at: usize) -> String {
        let item = &self.items[at];
        let gone = match (self.items.get(at + 1), at.checked_sub(1)) {
            (Some(next), _) => item.start..next.start,
            (None, Some(before)) => self.items[before].end..item.end,
            (None, None) => {
                let behind = &text[item.end..];
                let comma = behind.trim_start().starts_with(',').then(|| behind.find(',')).flatten();
                item.start..item.end + comma.map_or(0, |comma| comma + 1)
            }
        };
        [&text[..gone.start], &text[gone.end..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The items of a list of one-letter words.
    fn list(text: &str) -> List {
        let items = text.char_indices().filter(|(_, c)| c.is_alphabetic()).map(|(at, _)| at..at + 1);
        List { inside: text.find('[').unwrap() + 1, items: items.collect() }
    }

    #[test]
    fn an_item_comes_first_and_goes_without_a_trace() {
        for (text, with) in [
            ("[]", "[x]"),
            ("[a]", "[x, a]"),
            ("[ a , b]", "[ x, a , b]"),
            ("[\n  a,\n  b,\n]", "[\n  x,\n  a,\n  b,\n]"),
            ("[\n]", "[x\n]"),
        ] {
            let added = list(text).with_first(text, "x");
            assert_eq!(added, with);
            assert_eq!(list(&added).without(&added, 0), text);
        }
        for (text, at, rest) in [("[a, b]", 1, "[a]"), ("[a,\n b,\n]", 1, "[a,\n]"), ("[a ,]", 0, "[]")] {
            assert_eq!(list(text).without(text, at), rest, "{text}");
        }
    }
}
