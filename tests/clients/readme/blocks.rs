//! The fenced blocks of README.md, each with the paragraph before it.

use std::path::PathBuf;

#[derive(Debug, Default)]
pub(super) struct Block {
    /// The word after the opening fence: `sh`, `toml` and so on.
    pub(super) language: String,
    pub(super) text: String,
    /// The paragraph before the block; empty if another block precedes it.
    pub(super) introduction: String,
    /// The line number at which the text starts.
    pub(super) line: usize,
}

impl Block {
    /// The commands of a shell block, one per line. Prompts and comments of a console block are removed.
    pub(super) fn commands(&self) -> Vec<&str> {
        let lines = self.text.lines().map(str::trim).filter(|line| !line.is_empty());
        let commands = lines.map(|line| match (&*self.language, line.strip_prefix("$ ")) {
            ("console", Some(line)) => line.split(" # ").next().unwrap_or_default().trim_end(),
            _ => line,
        });
        commands
            .inspect(|line| assert!(!line.ends_with('\\'), "line {}: a command of several lines", self.line))
            .collect()
    }

    /// The file whose content the block shows: the first absolute path in the introduction, or else the first file
    /// name.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let mut files: Vec<&str> = code_spans(&self.introduction);
        files.retain(|span| !span.contains(' ') && [".toml", ".json", ".conf"].iter().any(|end| span.ends_with(end)));
        files.iter().find(|file| file.starts_with('/')).or(files.first()).map(PathBuf::from)
    }
}

/// Parses the page.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut paragraph = String::new();
    let mut is_paragraph_over = false;
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => {
                blocks.push(block);
                paragraph.clear();
            }
            (Some(language), None) => {
                let introduction = std::mem::take(&mut paragraph);
                open =
                    Some(Block { language: language.to_owned(), text: String::new(), introduction, line: number + 2 });
            }
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) if line.trim().is_empty() => is_paragraph_over = true,
            (None, None) => {
                if std::mem::take(&mut is_paragraph_over) {
                    paragraph.clear();
                }
                paragraph += line;
                paragraph.push('\n');
            }
        }
    }
    assert!(open.is_none(), "the last block is not closed");
    blocks
}

/// The page without its blocks.
pub(super) fn prose(page: &str) -> String {
    let parts = page.split("\n```").step_by(2);
    parts.collect::<Vec<_>>().join("\n")
}

/// The texts between single backticks.
pub(super) fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn blocks_are_parsed_with_the_paragraph_before_them() {
    let page = "# t\n\nold `a.json`\n\nnew `b.toml`,\nin `/etc/c.toml`:\n\n```toml\nx = 1\n\ny = 2\n```\n\n```console\n$ run --it     # says\n```\nend `of it`\n";
    let blocks = blocks(page);
    let [toml, console] = &blocks[..] else { panic!("{blocks:#?}") };
    assert_eq!((&*toml.language, &*toml.text, toml.line), ("toml", "x = 1\n\ny = 2\n", 9));
    assert_eq!(toml.file(), Some("/etc/c.toml".into()));
    assert_eq!((console.commands(), console.file()), (vec!["run --it"], None));
    assert_eq!(code_spans(&prose(page)), ["a.json", "b.toml", "/etc/c.toml", "of it"]);
}
