//! Access to a parsed TOML file by key, which collects the problems it finds.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::table_keys::{self, Keys};
use crate::config::problem::{Fault, LineIndex, Location, Problem};
use crate::config::variables::Variables;

pub(super) struct Document<'a> {
    file: Option<&'a Path>,
    lines: LineIndex<'a>,
    pub(super) variables: Variables<'a>,
    /// Lines with syntax errors. What the parser recovered from them is a guess and may contain a secret's text, so
    /// further problems on these lines are dropped, and messages of the whole file no longer name unknown keys.
    broken_lines: BTreeSet<usize>,
    problems: RefCell<Vec<Problem>>,
}

/// One value of the file, with the path of its key.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) key: String,
    /// The key with an example of its value, as it would be written in the file; empty where there is none.
    example: String,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

/// A table with a fixed set of keys.
pub(super) struct Section<'a> {
    entry: Entry<'a>,
    keys: Keys,
}

impl<'a> Document<'a> {
    pub(super) fn new(
        text: &'a str,
        file: Option<&'a Path>,
        variables: Variables<'a>,
        mut errors: Vec<toml::de::Error>,
    ) -> Self {
        let mut document = Self {
            file,
            lines: LineIndex::new(text),
            variables,
            broken_lines: BTreeSet::new(),
            problems: RefCell::default(),
        };
        let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        errors.sort_by_key(start);
        let mut previous = "";
        for error in errors.iter().take(MAX_PROBLEMS) {
            // The error's `Display` quotes the line, which may hold a secret; its message does not.
            let message = error.message();
            let location = document.location(start(error), String::new());
            let line = location.position.map_or(1, |(line, _)| line);
            // One mistake causes several errors on its line, and an unclosed bracket causes one on each line below:
            // only the first is reported.
            let is_in_array = previous.contains("in array") || previous.contains("array elements");
            if document.broken_lines.insert(line) && !(is_in_array && message.contains("array")) {
                let fault = Fault::new(format!("invalid TOML: {message}")).hint(syntax_hint(message));
                document.problems.get_mut().push(location.problem(fault));
            }
            previous = message;
        }
        document
    }

    /// The top-level table of the file.
    pub(super) fn root(&'a self, root: &'a DeValue<'a>, keys: Keys) -> Option<Section<'a>> {
        Entry { document: self, key: String::new(), example: String::new(), span: 0..0, value: root }.section(keys)
    }

    pub(super) fn report(&self, location: &Location, fault: Fault) {
        let broken = location.position.is_some_and(|(line, _)| self.broken_lines.contains(&line));
        if !broken && self.problems.borrow().len() < MAX_PROBLEMS {
            self.problems.borrow_mut().push(location.problem(fault));
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Resolves a path against the folder of the configuration file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.file.and_then(Path::parent).unwrap_or(Path::new("")).join(path)
    }

    fn location(&self, offset: usize, key: String) -> Location {
        Location { file: self.file.map(Into::into), position: Some(self.lines.position(offset)), key }
    }
}

impl<'a> Entry<'a> {
    pub(super) fn location(&self) -> Location {
        self.document.location(self.span.start, self.key.clone())
    }

    pub(super) fn report(&self, fault: Fault) {
        let hint = fault.hint.unwrap_or_else(|| {
            if self.example.is_empty() { String::new() } else { format!("write `{}`", self.example) }
        });
        self.document.report(&self.location(), Fault { what: fault.what, hint: Some(hint) });
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => self.mistyped("a string in quotes"),
        }
    }

    /// An integer from 0 to the largest `u64`.
    pub(super) fn number(&self) -> Option<u64> {
        let DeValue::Integer(number) = self.value else { return self.mistyped("a whole number") };
        let parsed = u64::from_str_radix(number.as_str(), number.radix());
        parsed.map_err(|_| self.report(Fault::new("the number is negative or too large"))).ok()
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.mistyped("true or false"),
        }
    }

    pub(super) fn parse<T>(&self, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        parse(self.text()?).map_err(|fault| self.report(fault)).ok()
    }

    pub(super) fn list(&self) -> Option<Vec<Entry<'a>>> {
        let DeValue::Array(items) = self.value else { return self.mistyped("a list in brackets") };
        let entry = |(index, item): (usize, &'a Spanned<DeValue<'a>>)| Entry {
            key: format!("{}[{index}]", self.key),
            span: item.span(),
            value: item.get_ref(),
            ..self.clone()
        };
        Some(items.iter().enumerate().map(entry).collect())
    }

    /// The items of a list of strings. An item that does not parse is reported and left out.
    pub(super) fn parse_list<T>(&self, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<Vec<T>> {
        Some(self.list()?.iter().filter_map(|item| item.parse(&parse)).collect())
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.is_str()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// The entries of a table whose keys are not fixed.
    pub(super) fn children(&self) -> Option<Vec<(&'a str, Entry<'a>)>> {
        let table = self.table()?;
        Some(
            table
                .iter()
                .map(|(key, value)| (&**key.get_ref(), self.child(key.get_ref(), String::new(), value)))
                .collect(),
        )
    }

    pub(super) fn section(self, keys: Keys) -> Option<Section<'a>> {
        let table = self.table()?;
        let section = Section { entry: self, keys };
        for (key, value) in table {
            if !keys.iter().any(|(known, _)| *known == key.get_ref()) {
                section.report_unknown(key, value);
            }
        }
        Some(section)
    }

    /// One entry of a table, looked up before the set of its keys is known.
    pub(super) fn lookup(&self, name: &str, example: &str) -> Option<Entry<'a>> {
        let value = self.table()?.get(name)?;
        // The parser puts an empty integer where it found no value.
        let placeholder = value.span().is_empty() && matches!(value.get_ref(), DeValue::Integer(_));
        (!placeholder).then(|| self.child(name, format!("{name} = {example}"), value))
    }

    fn table(&self) -> Option<&'a DeTable<'a>> {
        match self.value {
            DeValue::Table(table) => Some(table),
            _ => self.mistyped("a table"),
        }
    }

    fn child(&self, name: &str, example: String, value: &'a Spanned<DeValue<'a>>) -> Entry<'a> {
        Entry {
            document: self.document,
            key: table_keys::join(&self.key, name),
            example,
            span: value.span(),
            value: value.get_ref(),
        }
    }

    /// Reports that the value has another type than `expected`.
    fn mistyped<T>(&self, expected: &str) -> Option<T> {
        let found = match self.value {
            DeValue::Array(_) => "a list",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Float(_) | DeValue::Integer(_) => "a number",
            DeValue::String(_) => "a string",
            DeValue::Table(_) => "a table",
        };
        self.report(Fault::new(format!("expected {expected}, found {found}")));
        None
    }
}

impl<'a> Section<'a> {
    pub(super) fn get(&self, name: &str) -> Option<Entry<'a>> {
        let (name, example) =
            self.keys.iter().find(|(known, _)| *known == name).expect("the key is listed for this table");
        self.entry.lookup(name, example)
    }

    /// The entry of a required key. A missing key is reported, unless the file has syntax errors.
    pub(super) fn required(&self, name: &str) -> Option<Entry<'a>> {
        let entry = self.get(name);
        // In a file with syntax errors the key may be on a line that did not parse.
        if entry.is_none() && self.entry.document.broken_lines.is_empty() {
            let example = self.keys.iter().find(|(known, _)| *known == name).map_or("", |(_, example)| example);
            let fault = Fault::new(format!("the key `{name}` is missing")).hint(format!("add `{name} = {example}`"));
            self.entry.report(fault);
        }
        entry
    }

    pub(super) fn entry(&self) -> &Entry<'a> {
        &self.entry
    }

    /// Reports a key that the table may not have.
    fn report_unknown(&self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let document = self.entry.document;
        let name = if document.broken_lines.is_empty() {
            table_keys::join(&self.entry.key, key.get_ref())
        } else {
            self.entry.key.clone()
        };
        // A key that a table's header implies has no span of its own.
        let offset = if key.span().is_empty() { value.span().start } else { key.span().start };
        document.report(&document.location(offset, name), table_keys::unknown(key.get_ref(), self.keys));
    }
}

fn syntax_hint(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        "keep one of the two; tables of a list have double brackets: `[[listener]]`, `[[registry.\"…\".identity]]`"
    } else if message.contains("quoted") || message.contains("invalid boolean") {
        "write strings in quotes: `key = \"value\"`"
    } else {
        "check quotes, brackets and commas on this line and the line before"
    }
}

/// Most problems that are collected: more than are shown, and a bound for files that are no configuration at all.
const MAX_PROBLEMS: usize = 1000;
