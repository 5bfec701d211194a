//! What regpass writes into a file that has comments stands between two of them, or on a line that ends with one. So it
//! is found again, and taken back to the byte.

use super::Refusal;

const BEGIN: &str = "# begin regpass setup";
const END: &str = "# end regpass setup";
/// Ends a single line between lines of others.
const LINE: &str = " # regpass setup";

/// Lines between marks, each indented by `indent` spaces.
pub(super) fn block(indent: usize, lines: &str) -> String {
    let space = " ".repeat(indent);
    let marked = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{space}{line}\n") };
    [BEGIN].into_iter().chain(lines.lines()).chain([END]).map(marked).collect()
}

/// A single line with its mark.
pub(super) fn line(content: &str) -> String {
    format!("{content}{LINE}\n")
}

/// The text without what was marked.
pub(super) fn without(text: &str) -> Result<String, Refusal> {
    let mut rest = String::with_capacity(text.len());
    let mut begun = None;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let content = line.trim();
        match begun {
            None if content.starts_with(BEGIN) => begun = Some(number),
            None if content.starts_with(END) => return Err(unpaired(number, "has no beginning")),
            None if line.trim_end().ends_with(LINE) => {}
            None => rest.push_str(line),
            Some(first) if content.starts_with(BEGIN) => return Err(unpaired(first, "has no end")),
            Some(_) if content.starts_with(END) => begun = None,
            Some(_) => {}
        }
    }
    match begun {
        Some(number) => Err(unpaired(number, "has no end")),
        None => Ok(rest),
    }
}

/// Whether anything in the text is marked.
pub(super) fn are_in(text: &str) -> bool {
    text.lines().any(|line| line.trim().starts_with(BEGIN) || line.trim_end().ends_with(LINE))
}

/// `insertion` put into the text at `offset`, the start of a line.
pub(super) fn insert(text: &str, offset: usize, insertion: &str) -> String {
    let (before, after) = text.split_at(offset);
    let joint = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    [before, joint, insertion, after].concat()
}

/// Where the line starts in which `offset` is.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line after the one of `offset` starts.
pub(super) fn next_line(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |newline| offset + newline + 1)
}

/// The start of a line, or of the comments right above it: they speak of it. What is marked already stays whole.
pub(super) fn above_comments(text: &str, mut start: usize) -> usize {
    while start > 0 {
        let above = line_start(text, start - 1);
        let line = text[above..start].trim_start();
        if !line.starts_with('#') || line.starts_with(END) {
            break;
        }
        start = above;
    }
    start
}

/// The number, from 1, of the line in which `offset` is.
pub(super) fn line_number(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

fn unpaired(number: usize, what: &str) -> Refusal {
    Refusal {
        line: Some(number),
        what: format!("this mark of regpass setup {what}, so that nobody knows what it stands for"),
        hint: "remove by hand what regpass wrote, with its marks".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_goes_and_the_rest_stays_to_the_byte() {
        let text = "a\r\n\n# c\nlast";
        let at = text.find("# c").unwrap();
        let marked = insert(text, at, &block(2, "x\n\ny")).replace("# c\n", &format!("# c\n{}", line("  - z")));
        assert!(marked.contains("\n  # begin regpass setup\n  x\n\n  y\n  # end regpass setup\n# c\n"), "{marked}");
        assert!(are_in(&marked) && !are_in(text));
        assert_eq!(without(&marked).unwrap(), text);
        assert_eq!(without(&insert("x", 1, &block(0, "y"))).unwrap(), "x\n", "a last line gets its end");
    }

    #[test]
    fn torn_marks_are_refused() {
        for (text, line) in [
            ("a\n# begin regpass setup\nb", 2),
            ("# end regpass setup\n", 1),
            ("# begin regpass setup\n# begin regpass setup\n# end regpass setup", 1),
        ] {
            assert_eq!(without(text).unwrap_err().line, Some(line), "{text}");
        }
    }

    #[test]
    fn comments_belong_to_what_follows_them() {
        let text = "a = 1\n\n# one\n  # two\n[b]\n";
        assert_eq!(above_comments(text, text.find("[b]").unwrap()), text.find("# one").unwrap());
        assert_eq!(above_comments(text, 0), 0);
        let marked = insert(text, text.find("# one").unwrap(), &block(0, "x"));
        assert_eq!(above_comments(&marked, marked.find("[b]").unwrap()), marked.find("# one").unwrap());
        let marked = insert(text, text.find("[b]").unwrap(), &block(0, "x"));
        assert_eq!(above_comments(&marked, marked.find("[b]").unwrap()), marked.find("[b]").unwrap());
    }
}
