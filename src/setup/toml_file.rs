//! Edits TOML files of clients: a parser finds the positions, and the change is made in the text, so that the rest
//! keeps every byte.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::bracket_list::BracketList;
use super::{FIX_FIRST, SetupError, text_edit};

/// The text of a file, with its parsed tables.
#[derive(Debug)]
pub(super) struct TomlFile<'t> {
    text: &'t str,
    pub(super) root: DeTable<'t>,
}

impl<'t> TomlFile<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, SetupError> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { text, root: root.into_inner() }),
            Err(error) => Err(SetupError {
                line: error.span().map(|span| text_edit::line_number(text, span.start)),
                what: format!("invalid TOML: {}", error.message()),
                hint: FIX_FIRST.to_owned(),
            }),
        }
    }

    /// The table at a path of keys.
    pub(super) fn table(&self, path: &[&str]) -> Option<&DeTable<'t>> {
        path.iter().try_fold(&self.root, |table, key| table.get(*key)?.get_ref().as_table())
    }

    /// The headers of tables, `[a]` and `[[a.b]]`, in the order of the file.
    pub(super) fn headers(&self) -> Vec<Header<'t>> {
        let mut values = Vec::new();
        value_spans(&self.root, &mut values);
        let mut headers = Vec::new();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let is_in_value = values.iter().any(|value| value.start < start && start < value.end);
            if !is_in_value && line.trim_start().starts_with('[') {
                headers.push(Header { start, line: line.trim() });
            }
            start += line.len();
        }
        headers
    }

    /// The byte offset of the table header that contains a key; `None` if the key is not in a header.
    pub(super) fn header_of(&self, table: &DeTable<'t>, key: &str) -> Option<usize> {
        let start = text_edit::line_start(self.text, table.get_key_value(key)?.0.span().start);
        self.headers().iter().any(|header| header.start == start).then_some(start)
    }
}

/// The header line of a table.
#[derive(Debug)]
pub(super) struct Header<'t> {
    pub(super) start: usize,
    line: &'t str,
}

impl Header<'_> {
    /// Whether the header adds a table to the array of tables at `path`: `[[path]]`.
    pub(super) fn appends_to(&self, path: &str) -> bool {
        let inner = self.line.strip_prefix("[[").and_then(|rest| rest.split("]]").next());
        inner.is_some_and(|inner| inner.replace([' ', '\t', '"', '\''], "") == path)
    }
}

/// The position of an array in the text; `None` if the value is not an array.
pub(super) fn array_position(value: &toml::Spanned<DeValue<'_>>) -> Option<BracketList> {
    let items = value.get_ref().as_array()?;
    Some(BracketList { start: value.span().start + 1, items: items.iter().map(toml::Spanned::span).collect() })
}

/// The index of a string in an array.
pub(super) fn index_of(value: &toml::Spanned<DeValue<'_>>, text: &str) -> Option<usize> {
    value.get_ref().as_array()?.iter().position(|item| item.get_ref().as_str() == Some(text))
}

/// Checks that a change only added to the file, and returns the new text. Text that is inserted at the wrong place
/// changes the meaning of what follows it.
pub(super) fn checked(before: &str, after: String) -> Result<String, SetupError> {
    let is_kept = match (TomlFile::parse(before), TomlFile::parse(&after)) {
        (Ok(before), Ok(after)) => keeps(&before.root, &after.root),
        _ => false,
    };
    if is_kept { Ok(after) } else { Err(unsupported_layout()) }
}

/// The error for a file whose layout regpass cannot add to.
pub(super) fn unsupported_layout() -> SetupError {
    SetupError::of_file(
        "regpass cannot add to the tables of this file as they are written; the file is unchanged",
        "write tables with headers, or add by hand what the command prints without `--write`",
    )
}

fn keeps(before: &DeTable<'_>, after: &DeTable<'_>) -> bool {
    before.iter().all(|(key, value)| {
        after.get(key.get_ref().as_ref()).is_some_and(|other| keeps_value(value.get_ref(), other.get_ref()))
    })
}

fn keeps_value(before: &DeValue<'_>, after: &DeValue<'_>) -> bool {
    match (before, after) {
        (DeValue::Table(before), DeValue::Table(after)) => keeps(before, after),
        (DeValue::Array(before), DeValue::Array(after)) => {
            let mut rest = after.iter();
            before.iter().all(|item| rest.any(|other| keeps_value(item.get_ref(), other.get_ref())))
        }
        (DeValue::String(before), DeValue::String(after)) => before == after,
        (DeValue::Boolean(before), DeValue::Boolean(after)) => before == after,
        (DeValue::Integer(before), DeValue::Integer(after)) => {
            (before.as_str(), before.radix()) == (after.as_str(), after.radix())
        }
        (DeValue::Float(before), DeValue::Float(after)) => before.as_str() == after.as_str(),
        (DeValue::Datetime(before), DeValue::Datetime(after)) => before == after,
        _ => false,
    }
}

/// Collects the byte ranges of values, which may span several lines; for a table, those of the values in it.
fn value_spans(table: &DeTable<'_>, spans: &mut Vec<Range<usize>>) {
    for value in table.values() {
        match value.get_ref() {
            DeValue::Table(table) => value_spans(table, spans),
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                items.iter().filter_map(|item| item.get_ref().as_table()).for_each(|table| value_spans(table, spans));
            }
            _ => spans.push(value.span()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_outside_of_values_are_headers() {
        let text = "a = '''\n[no]\n'''\nb = [\n[1],\n[2] ]\n[yes]\nc = { d = 1 }\n [[ \"too\" ]] # it\n[[too.x]]\n";
        let tables = TomlFile::parse(text).unwrap();
        let headers: Vec<&str> = tables.headers().iter().map(|header| header.line).collect();
        assert_eq!(headers, ["[yes]", "[[ \"too\" ]] # it", "[[too.x]]"]);
        assert!(tables.headers()[1].appends_to("too") && !tables.headers()[2].appends_to("too"));
        assert!(tables.headers()[2].appends_to("too.x"));
        assert_eq!(tables.header_of(&tables.root, "yes"), text.find("[yes]"));
        assert_eq!(tables.header_of(&tables.root, "a"), None);
    }

    #[test]
    fn a_change_of_existing_values_is_an_error() {
        let before = "[host]\n'http://a'.ca = 'x'\n[[e]]\nf = [1, 2]\n";
        for after in [
            "[host]\n[host.'http://b']\n'http://a'.ca = 'x'\n[[e]]\nf = [1, 2]\n",
            "[host]\n'http://a'.ca = 'y'\n[[e]]\nf = [1, 2]\n",
            "[host]\n'http://a'.ca = 'x'\n[[e]]\nf = [2, 1]\n",
            "[host",
        ] {
            assert!(checked(before, after.to_owned()).is_err(), "{after}");
        }
        let after = format!("{}[[e]]\ng = 1\n", before.replace("[1", "[0, 1"));
        assert_eq!(checked(before, after.clone()).unwrap(), after);
    }
}
