//! Problems of a configuration: where they are, what is wrong, and what to write instead.
//!
//! Apart from hosts, addresses and patterns, a problem quotes neither values nor lines of the file: they may be
//! secrets, or contain one by mistake.

use std::fmt;
use std::path::PathBuf;

/// One problem of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// `None` for flags and environment variables.
    pub file: Option<PathBuf>,
    /// From 1; `None` where the problem concerns the whole file.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// The path of a key (`registry."ghcr.io".credential.password`), a flag (`--listen`) or a variable
    /// (`REGPASS_ALLOW`). Empty for syntax errors and for the whole file.
    pub key: String,
    pub what: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

/// Every problem of a configuration, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// Where a value is in the file, or the flag or variable it comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Location {
    pub(super) file: Option<PathBuf>,
    /// Line and column, from 1.
    pub(super) position: Option<(usize, usize)>,
    pub(super) key: String,
}

/// A value with its location.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) location: Location,
}

/// What is wrong with a value, without its location. Without a hint, `Entry::report` uses the example of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

impl Location {
    /// The location of a flag or an environment variable.
    pub(super) fn setting(name: &str) -> Self {
        Self { key: name.to_owned(), ..Self::default() }
    }

    pub(super) fn problem(&self, fault: Fault) -> Problem {
        Problem {
            file: self.file.clone(),
            line: self.position.map(|(line, _)| line),
            column: self.position.map(|(_, column)| column),
            key: self.key.clone(),
            what: fault.what,
            hint: fault.hint.unwrap_or_default(),
        }
    }
}

impl Fault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Problems {
    /// Sorts by location, flags and variables first, and cuts the list after [`MAX_PROBLEMS`].
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        if problems.len() > MAX_PROBLEMS {
            problems.truncate(MAX_PROBLEMS);
            problems.push(Problem { what: "more problems are not shown".to_owned(), ..Problem::default() });
        }
        Self(problems)
    }
}

/// Converts byte offsets in a text to lines and columns.
pub(super) struct LineIndex<'a> {
    text: &'a str,
    /// The byte offset at which each line starts.
    starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: [0].into_iter().chain(after_newlines).collect() }
    }

    /// Line and column of the byte at `offset`, both from 1; the column counts characters. An offset that is no
    /// character boundary of the text has column 1.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        (line, self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1))
    }
}

/// Names in backquotes, separated by commas, for a message.
pub(super) fn quoted_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let (Some(line), Some(column)) = (self.line, self.column) {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if !self.hint.is_empty() {
            write!(f, "\n  {}", self.hint)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Most problems that are shown.
const MAX_PROBLEMS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_displays_location_key_text_and_hint() {
        let location =
            Location { file: Some("/etc/r.toml".into()), position: Some((3, 7)), key: "admin.address".to_owned() };
        let problem = location.problem(Fault::new("the port is missing").hint("write `address = \"127.0.0.1:5051\"`"));
        assert_eq!(
            problem.to_string(),
            "/etc/r.toml:3:7: admin.address: the port is missing\n  write `address = \"127.0.0.1:5051\"`"
        );
        let flag = Location::setting("--admin").problem(Fault::new("the port is missing"));
        assert_eq!(Problems::new(vec![problem.clone(), flag.clone()]).0, [flag, problem]);
    }

    #[test]
    fn a_long_list_of_problems_is_cut() {
        let problems = Problems::new(vec![Problem { key: "x".to_owned(), ..Problem::default() }; 1000]);
        assert_eq!(
            (problems.0.len(), problems.0[MAX_PROBLEMS].what.as_str()),
            (MAX_PROBLEMS + 1, "more problems are not shown")
        );
    }

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let lines = LineIndex::new("ä = 1\n\nb");
        for (offset, position) in [(0, (1, 1)), (2, (1, 2)), (7, (2, 1)), (8, (3, 1)), (9, (3, 2)), (99, (3, 1))] {
            assert_eq!(lines.position(offset), position, "{offset}");
        }
    }
}
