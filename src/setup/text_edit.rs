//! Offsets of lines in a text, and insertion of lines. All offsets are in bytes.

use super::marks;

/// Inserts lines at `offset`, the start of a line or the end of the text.
pub(super) fn insert(text: &str, offset: usize, insertion: &str) -> String {
    let (before, after) = text.split_at(offset);
    let line_break = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    [before, line_break, insertion, after].concat()
}

/// The start of the line that contains `offset`.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The start of the line after the one that contains `offset`.
pub(super) fn next_line(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |newline| offset + newline + 1)
}

/// The start of the comments directly above the line at `start`, because they describe it; `start` where there are
/// none. A block between marks is not entered.
pub(super) fn above_comments(text: &str, mut start: usize) -> usize {
    while start > 0 {
        let above = line_start(text, start - 1);
        let line = text[above..start].trim_start();
        if !line.starts_with('#') || line.starts_with(marks::END) {
            break;
        }
        start = above;
    }
    start
}

/// The number, from 1, of the line that contains `offset`.
pub(super) fn line_number(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_belong_to_the_line_below_them() {
        let text = "a = 1\n\n# one\n  # two\n[b]\n";
        assert_eq!(above_comments(text, text.find("[b]").unwrap()), text.find("# one").unwrap());
        assert_eq!(above_comments(text, 0), 0);
        let marked = insert(text, text.find("# one").unwrap(), &marks::block(0, "x"));
        assert_eq!(above_comments(&marked, marked.find("[b]").unwrap()), marked.find("# one").unwrap());
        let marked = insert(text, text.find("[b]").unwrap(), &marks::block(0, "x"));
        assert_eq!(above_comments(&marked, marked.find("[b]").unwrap()), marked.find("[b]").unwrap());
    }
}
