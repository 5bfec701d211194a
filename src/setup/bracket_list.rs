//! Edits lists in brackets with commas between their items: arrays of JSON and TOML, flow style of YAML.

use std::ops::Range;

/// The position of a list in a text, as byte offsets.
#[derive(Debug)]
pub(super) struct BracketList {
    /// After the opening bracket.
    pub(super) start: usize,
    pub(super) items: Vec<Range<usize>>,
}

impl BracketList {
    /// The text with `item` inserted before the first item. A line break before the first item is repeated after `item`
    /// with its indentation.
    pub(super) fn with_first(&self, text: &str, item: &str) -> String {
        let Some(first) = self.items.first() else {
            return [&text[..self.start], item, &text[self.start..]].concat();
        };
        let space = &text[self.start..first.start];
        let space = if space.trim().is_empty() && space.contains('\n') { space } else { " " };
        [&text[..first.start], item, ",", space, &text[first.start..]].concat()
    }

    /// The text without the item at `index`, and without its comma.
    pub(super) fn without(&self, text: &str, index: usize) -> String {
        let item = &self.items[index];
        let removed = match (self.items.get(index + 1), index.checked_sub(1)) {
            (Some(next), _) => item.start..next.start,
            (None, Some(before)) => self.items[before].end..item.end,
            (None, None) => {
                let rest = &text[item.end..];
                let comma = rest.trim_start().starts_with(',').then(|| rest.find(',')).flatten();
                item.start..item.end + comma.map_or(0, |comma| comma + 1)
            }
        };
        [&text[..removed.start], &text[removed.end..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list in `text`, whose items are single letters.
    fn list(text: &str) -> BracketList {
        let items = text.char_indices().filter(|(_, c)| c.is_alphabetic()).map(|(at, _)| at..at + 1);
        BracketList { start: text.find('[').unwrap() + 1, items: items.collect() }
    }

    #[test]
    fn an_item_is_inserted_first_and_removed_without_a_trace() {
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
