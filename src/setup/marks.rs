//! Marks around the text that regpass writes into files of clients: a comment before and after a block, or one at the
//! end of a line. With the marks regpass later removes exactly the text that it wrote.

use super::SetupError;

const BEGIN: &str = "# begin regpass setup";
pub(super) const END: &str = "# end regpass setup";
/// The mark at the end of a single line among lines that regpass did not write.
const LINE: &str = " # regpass setup";

/// A block of lines between marks; lines and marks are indented by `indent` spaces.
pub(super) fn block(indent: usize, lines: &str) -> String {
    let space = " ".repeat(indent);
    let marked = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{space}{line}\n") };
    [BEGIN].into_iter().chain(lines.lines()).chain([END]).map(marked).collect()
}

/// A single line with its mark.
pub(super) fn line(content: &str) -> String {
    format!("{content}{LINE}\n")
}

/// The text without everything that is marked. An error if a begin or end mark has no counterpart.
pub(super) fn without(text: &str) -> Result<String, SetupError> {
    let mut rest = String::with_capacity(text.len());
    let mut block_start = None;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let content = line.trim();
        match block_start {
            None if content.starts_with(BEGIN) => block_start = Some(number),
            None if content.starts_with(END) => return Err(unpaired(number, "has no begin mark")),
            None if line.trim_end().ends_with(LINE) => {}
            None => rest.push_str(line),
            Some(first) if content.starts_with(BEGIN) => return Err(unpaired(first, "has no end mark")),
            Some(_) if content.starts_with(END) => block_start = None,
            Some(_) => {}
        }
    }
    match block_start {
        Some(number) => Err(unpaired(number, "has no end mark")),
        None => Ok(rest),
    }
}

/// Whether anything in the text is marked.
pub(super) fn are_in(text: &str) -> bool {
    text.lines().any(|line| line.trim().starts_with(BEGIN) || line.trim_end().ends_with(LINE))
}

fn unpaired(line: usize, what: &str) -> SetupError {
    let what = format!("this mark of `regpass setup` {what}, so regpass cannot tell which lines it wrote");
    SetupError::at_line(line, what, "remove by hand what regpass wrote, with its marks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::text_edit::insert;

    #[test]
    fn marked_text_is_removed_and_the_rest_keeps_every_byte() {
        let text = "a\r\n\n# c\nlast";
        let at = text.find("# c").unwrap();
        let marked = insert(text, at, &block(2, "x\n\ny")).replace("# c\n", &format!("# c\n{}", line("  - z")));
        assert!(marked.contains("\n  # begin regpass setup\n  x\n\n  y\n  # end regpass setup\n# c\n"), "{marked}");
        assert!(are_in(&marked) && !are_in(text));
        assert_eq!(without(&marked).unwrap(), text);
        assert_eq!(without(&insert("x", 1, &block(0, "y"))).unwrap(), "x\n", "a last line without line break gets one");
    }

    #[test]
    fn unpaired_marks_are_an_error() {
        for (text, line) in [
            ("a\n# begin regpass setup\nb", 2),
            ("# end regpass setup\n", 1),
            ("# begin regpass setup\n# begin regpass setup\n# end regpass setup", 1),
        ] {
            assert_eq!(without(text).unwrap_err().line, Some(line), "{text}");
        }
    }
}
