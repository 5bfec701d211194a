//! From a byte of a text to its line and column.

pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: [0].into_iter().chain(after_newlines).collect() }
    }

    /// Line and column, both from 1, the column in characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        (line, self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let lines = Lines::new("ä = 1\n\nb");
        for (offset, position) in [(0, (1, 1)), (2, (1, 2)), (7, (2, 1)), (8, (3, 1)), (9, (3, 2)), (99, (3, 1))] {
            assert_eq!(lines.position(offset), position, "{offset}");
        }
    }
}
