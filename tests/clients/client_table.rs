//! The table of clients: which operation of which client works, through regpass and directly at the registry.
//!
//! Each test writes its rows to a file of its own in `target/artifacts/clients.d`; `tests/run` makes one table of all files.

use std::fmt;
use std::fs;
use std::path::Path;

/// One row of the table: an operation of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The client's name, as in `podman` or `PyPI crpy`.
    pub(crate) client: String,
    /// The version that the program or package reports.
    pub(crate) version: String,
    /// What the client does, in lower case, as in `list tags`.
    pub(crate) operation: String,
    pub(crate) through_regpass: Outcome,
    /// The outcome with the registry itself, with credentials.
    pub(crate) direct: Outcome,
    /// Why an operation fails, or was not run. Empty if both outcomes are [`Outcome::Works`].
    pub(crate) note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Works,
    Fails,
    NotRun,
}

impl Row {
    /// Parses a line as [`fmt::Display`] writes it.
    pub(crate) fn parse(line: &str) -> Self {
        let columns: Vec<&str> = line.split('\t').collect();
        let [client, version, operation, through_regpass, direct, note] = columns[..] else {
            panic!("{} columns instead of 6: {line:?}", columns.len())
        };
        Self {
            client: client.to_owned(),
            version: version.to_owned(),
            operation: operation.to_owned(),
            through_regpass: Outcome::parse(through_regpass),
            direct: Outcome::parse(direct),
            note: note.to_owned(),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, version, operation, through_regpass, direct, note } = self;
        write!(f, "{client}\t{version}\t{operation}\t{through_regpass}\t{direct}\t{note}")
    }
}

impl Outcome {
    fn parse(word: &str) -> Self {
        let outcomes = [Self::Works, Self::Fails, Self::NotRun];
        let outcome = outcomes.into_iter().find(|outcome| outcome.to_string() == word);
        outcome.unwrap_or_else(|| panic!("not an outcome: {word:?}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Works => "ok",
            Self::Fails => "fails",
            Self::NotRun => "-",
        })
    }
}

/// Writes the rows to `NAME.tsv`. Two tests must not have the same name.
pub(crate) fn write_rows(name: &str, rows: &[Row]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("artifacts").join("clients.d");
    fs::create_dir_all(&folder).expect("a folder for the table of clients");
    fs::write(folder.join(format!("{name}.tsv")), lines(rows)).expect("the rows are written");
}

/// The rows as lines.
pub(crate) fn lines(rows: &[Row]) -> String {
    let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
    lines.join("\n") + "\n"
}
