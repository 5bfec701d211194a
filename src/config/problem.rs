//! What is wrong with a configuration: where, what, and what to write instead.
//!
//! A problem never quotes a value or a line of the file. Either may be a secret, or be one by mistake.

use std::fmt;
use std::path::PathBuf;

/// One thing wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// `None` for flags and variables.
    pub file: Option<PathBuf>,
    /// From 1; `None` where the file as a whole is meant.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// `registry."ghcr.io".credential.password`, `--listen`, `REGPASS_ALLOW`. Empty where the text is no TOML.
    pub key: String,
    pub what: String,
    /// May be empty.
    pub hint: String,
}

/// Everything wrong, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// Where a value stands, to speak of it later.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) file: Option<PathBuf>,
    pub(super) position: Option<(usize, usize)>,
    pub(super) key: String,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// What is wrong with a value, wherever it stands. Without a hint of its own, the key's example is the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

impl Place {
    /// A flag or a variable.
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
    /// Sorted by place, flags and variables first, and no more of them than a person reads.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        if problems.len() > MOST {
            problems.truncate(MOST);
            problems.push(Problem { what: "and more, which are left out here".to_owned(), ..Problem::default() });
        }
        Self(problems)
    }
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

const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_place_key_what_and_hint() {
        let place = Place { file: Some("/etc/r.toml".into()), position: Some((3, 7)), key: "admin.address".to_owned() };
        let problem = place.problem(Fault::new("it has no port").hint("write address = \"127.0.0.1:5051\""));
        assert_eq!(
            problem.to_string(),
            "/etc/r.toml:3:7: admin.address: it has no port\n  write address = \"127.0.0.1:5051\""
        );
        let flag = Place::setting("--admin").problem(Fault::new("it has no port"));
        assert_eq!(Problems::new(vec![problem.clone(), flag.clone()]).0, [flag, problem]);
    }

    #[test]
    fn a_flood_is_cut() {
        let problems = Problems::new(vec![Problem { key: "x".to_owned(), ..Problem::default() }; 1000]);
        assert_eq!((problems.0.len(), problems.0[MOST].what.as_str()), (MOST + 1, "and more, which are left out here"));
    }
}
