//! TOML files of others: understood by the parser, changed as text. What is not changed keeps its bytes.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::list::List;
use super::{Refusal, marks};

/// A file and what it says.
#[derive(Debug)]
pub(super) struct Tables<'t> {
    text: &'t str,
    pub(super) root: DeTable<'t>,
}

impl<'t> Tables<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, Refusal> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { text, root: root.into_inner() }),
            Err(error) => Err(Refusal {
                line: error.span().map(|span| marks::line_number(text, span.start)),
                what: format!("this is no TOML: {}", error.message()),
                hint: "mend the file first; it is left as it is".to_owned(),
            }),
        }
    }

    /// The table of that path.
    pub(super) fn table(&self, path: &[&str]) -> Option<&DeTable<'t>> {
        path.iter().try_fold(&self.root, |table, key| table.get(*key)?.get_ref().as_table())
    }

    /// The headers of tables, `[a]` and `[[a.b]]`, in their order.
    pub(super) fn headers(&self) -> Vec<Header<'t>> {
        let mut values = Vec::new();
        leaves(&self.root, &mut values);
        let mut headers = Vec::new();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let inside = values.iter().any(|value| value.start < start && start < value.end);
            if !inside && line.trim_start().starts_with('[') {
                headers.push(Header { start, line: line.trim() });
            }
            start += line.len();
        }
        headers
    }

    /// Where the header is in which a key stands; `None` where it stands elsewhere.
    pub(super) fn header_of(&self, table: &DeTable<'t>, key: &str) -> Option<usize> {
        let start = marks::line_start(self.text, table.get_key_value(key)?.0.span().start);
        self.headers().iter().any(|header| header.start == start).then_some(start)
    }
}

/// A line that opens a table.
#[derive(Debug)]
pub(super) struct Header<'t> {
    pub(super) start: usize,
    line: &'t str,
}

impl Header<'_> {
    /// Whether it opens a further table of the array `path`.
    pub(super) fn adds_to(&self, path: &str) -> bool {
        let inner = self.line.strip_prefix("[[").and_then(|rest| rest.split("]]").next());
        inner.is_some_and(|inner| inner.replace([' ', '\t', '"', '\''], "") == path)
    }
}

/// Where the items of an array of values stand.
pub(super) fn list(value: &toml::Spanned<DeValue<'_>>) -> Option<List> {
    let items = value.get_ref().as_array()?;
    Some(List { inside: value.span().start + 1, items: items.iter().map(toml::Spanned::span).collect() })
}

/// Where a text stands in an array.
pub(super) fn position(value: &toml::Spanned<DeValue<'_>>, wanted: &str) -> Option<usize> {
    value.get_ref().as_array()?.iter().position(|item| item.get_ref().as_str() == Some(wanted))
}

/// Makes sure that a change kept all that was there: text that is put in the wrong place changes what follows it.
pub(super) fn changed(before: &str, after: String) -> Result<String, Refusal> {
    let kept = match (Tables::parse(before), Tables::parse(&after)) {
        (Ok(before), Ok(after)) => keeps(&before.root, &after.root),
        _ => false,
    };
    if kept { Ok(after) } else { Err(unfit()) }
}

/// What is said of a file whose form leaves no room.
pub(super) fn unfit() -> Refusal {
    Refusal::whole(
        "its tables are written in a form that regpass cannot add to; it is left as it is",
        "write tables with headers, or add by hand what the command prints without --write",
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

/// The places of values that may be longer than a line.
fn leaves(table: &DeTable<'_>, places: &mut Vec<Range<usize>>) {
    for value in table.values() {
        match value.get_ref() {
            DeValue::Table(table) => leaves(table, places),
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                items.iter().filter_map(|item| item.get_ref().as_table()).for_each(|table| leaves(table, places));
            }
            _ => places.push(value.span()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_from_what_looks_like_them() {
        let text = "a = '''\n[no]\n'''\nb = [\n[1],\n[2] ]\n[yes]\nc = { d = 1 }\n [[ \"too\" ]] # it\n[[too.x]]\n";
        let tables = Tables::parse(text).unwrap();
        let headers: Vec<&str> = tables.headers().iter().map(|header| header.line).collect();
        assert_eq!(headers, ["[yes]", "[[ \"too\" ]] # it", "[[too.x]]"]);
        assert!(tables.headers()[1].adds_to("too") && !tables.headers()[2].adds_to("too"));
        assert!(tables.headers()[2].adds_to("too.x"));
        assert_eq!(tables.header_of(&tables.root, "yes"), text.find("[yes]"));
        assert_eq!(tables.header_of(&tables.root, "a"), None);
    }

    #[test]
    fn a_change_that_moves_what_was_there_is_seen() {
        let before = "[host]\n'http://a'.ca = 'x'\n[[e]]\nf = [1, 2]\n";
        for after in [
            "[host]\n[host.'http://b']\n'http://a'.ca = 'x'\n[[e]]\nf = [1, 2]\n",
            "[host]\n'http://a'.ca = 'y'\n[[e]]\nf = [1, 2]\n",
            "[host]\n'http://a'.ca = 'x'\n[[e]]\nf = [2, 1]\n",
            "[host",
        ] {
            assert!(changed(before, after.to_owned()).is_err(), "{after}");
        }
        let after = format!("{}[[e]]\ng = 1\n", before.replace("[1", "[0, 1"));
        assert_eq!(changed(before, after.clone()).unwrap(), after);
    }
}
