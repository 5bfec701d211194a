//! A parsed file, walked by key; collects what is wrong on the way.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::key::{self, Keys};
use crate::config::lines::Lines;
use crate::config::problem::{Fault, Place, Problem};
use crate::config::variables::Variables;

pub(super) struct Document<'a> {
    file: Option<&'a Path>,
    lines: Lines<'a>,
    pub(super) variables: Variables<'a>,
    /// Lines the parser could not make sense of. What it recovered from them is a guess, perhaps out of a secret's
    /// text: nothing further is said about them, and keys are not named any more.
    broken: BTreeSet<usize>,
    problems: RefCell<Vec<Problem>>,
}

/// One value and the way to it.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) key: String,
    /// The key and a value for it, as a person would write them.
    example: String,
    span: Range<usize>,
    value: &'a DeValue<'a>,
}

/// A table whose keys are known.
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
        let mut document =
            Self { file, lines: Lines::new(text), variables, broken: BTreeSet::new(), problems: RefCell::default() };
        let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        errors.sort_by_key(start);
        let mut told = "";
        for error in errors.iter().take(ENOUGH) {
            // The error's `Display` quotes the line, its message does not.
            let message = error.message();
            let place = document.place(start(error), String::new());
            let line = place.position.map_or(1, |(line, _)| line);
            // One slip makes several errors on its line, and a bracket left open makes them of all lines that follow:
            // the first explains the others.
            let follows = told.contains("in array") || told.contains("array elements");
            if document.broken.insert(line) && !(follows && message.contains("array")) {
                let fault = Fault::new(format!("this is not TOML: {message}")).hint(syntax_hint(message));
                document.problems.get_mut().push(place.problem(fault));
            }
            told = message;
        }
        document
    }

    /// The whole file as a table.
    pub(super) fn root(&'a self, root: &'a DeValue<'a>, keys: Keys) -> Option<Section<'a>> {
        Entry { document: self, key: String::new(), example: String::new(), span: 0..0, value: root }.section(keys)
    }

    pub(super) fn report(&self, place: &Place, fault: Fault) {
        let broken = place.position.is_some_and(|(line, _)| self.broken.contains(&line));
        if !broken && self.problems.borrow().len() < ENOUGH {
            self.problems.borrow_mut().push(place.problem(fault));
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// A path of the file, which may be relative to it.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.file.and_then(Path::parent).unwrap_or(Path::new("")).join(path)
    }

    fn place(&self, offset: usize, key: String) -> Place {
        Place { file: self.file.map(Into::into), position: Some(self.lines.position(offset)), key }
    }
}

impl<'a> Entry<'a> {
    pub(super) fn place(&self) -> Place {
        self.document.place(self.span.start, self.key.clone())
    }

    pub(super) fn report(&self, fault: Fault) {
        let hint = fault
            .hint
            .unwrap_or_else(|| if self.example.is_empty() { String::new() } else { format!("write {}", self.example) });
        self.document.report(&self.place(), Fault { what: fault.what, hint: Some(hint) });
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => self.mistyped("text in quotes"),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self) -> Option<u64> {
        let DeValue::Integer(number) = self.value else { return self.mistyped("a whole number") };
        let parsed = u64::from_str_radix(number.as_str(), number.radix());
        parsed.map_err(|_| self.report(Fault::new("it is negative, or larger than any number here may be"))).ok()
    }

    pub(super) fn flag(&self) -> Option<bool> {
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

    /// A list of texts; one that does not parse takes nothing from the others.
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

    /// The table's entries, whatever their keys.
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
                section.unknown(key, value);
            }
        }
        Some(section)
    }

    /// One entry of the table, before the other keys are known.
    pub(super) fn peek(&self, name: &str, example: &str) -> Option<Entry<'a>> {
        let value = self.table()?.get(name)?;
        // What the parser puts in where it found no value.
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
            key: key::join(&self.key, name),
            example,
            span: value.span(),
            value: value.get_ref(),
        }
    }

    fn mistyped<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.value {
            DeValue::Array(_) => "a list",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Float(_) | DeValue::Integer(_) => "a number",
            DeValue::String(_) => "text",
            DeValue::Table(_) => "a table",
        };
        self.report(Fault::new(format!("it is {found}, not {wanted}")));
        None
    }
}

impl<'a> Section<'a> {
    pub(super) fn get(&self, name: &str) -> Option<Entry<'a>> {
        let (name, example) =
            self.keys.iter().find(|(known, _)| *known == name).expect("a key of this table's own list");
        self.entry.peek(name, example)
    }

    /// Reports the key's absence.
    pub(super) fn required(&self, name: &str) -> Option<Entry<'a>> {
        let entry = self.get(name);
        // A key may be missing because its line did not parse.
        if entry.is_none() && self.entry.document.broken.is_empty() {
            let example = self.keys.iter().find(|(known, _)| *known == name).map_or("", |(_, example)| example);
            let fault = Fault::new(format!("{name} is missing")).hint(format!("add {name} = {example}"));
            self.entry.report(fault);
        }
        entry
    }

    pub(super) fn entry(&self) -> &Entry<'a> {
        &self.entry
    }

    fn unknown(&self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let known = || self.keys.iter().map(|(known, _)| *known);
        let hint = match key::nearest(key.get_ref(), known()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the keys here are {}", known().collect::<Vec<_>>().join(", ")),
        };
        let document = self.entry.document;
        let name =
            if document.broken.is_empty() { key::join(&self.entry.key, key.get_ref()) } else { self.entry.key.clone() };
        // A key made of a table's header has no place of its own.
        let offset = if key.span().is_empty() { value.span().start } else { key.span().start };
        document.report(&document.place(offset, name), Fault::new("there is no such key").hint(hint));
    }
}

fn syntax_hint(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        "keep one of the two; further [[listener]] and [[registry.\"…\".identity]] tables have double brackets"
    } else if message.contains("quoted") || message.contains("invalid boolean") {
        "text stands in quotes: key = \"value\""
    } else {
        "check quotes, brackets and commas on this line and the one before"
    }
}

/// Problems kept: more than are shown, and few enough for a file that is something else entirely.
const ENOUGH: usize = 1000;
