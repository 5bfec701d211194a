//! Parses YAML files of clients with the positions of their values, so that changes can be made in the text.

use saphyr_parser::{Event, Marker, Parser, ScanError, Span};

use super::{FIX_FIRST, SetupError, text_edit};

/// A value with its position in the text.
#[derive(Debug)]
pub(super) struct Node {
    /// In bytes, as is `end`. For values in block style the parser gives both only roughly.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    /// A string, a number, an empty value, or an alias.
    Scalar(String),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Parses the only document of a file; `None` where the file has only comments.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, SetupError> {
        let mut reader = Reader { text, line_starts: line_starts(text), events: Parser::new_from_str(text) };
        reader.document()
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Mapping(entries) = &self.value else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// Whether the value is in flow style, `[…]` or `{…}`, rather than in block style.
    pub(super) fn is_flow(&self, text: &str) -> bool {
        !matches!(self.value, Value::Scalar(_)) && text[self.start..].starts_with(['[', '{'])
    }

    /// Whether `after` has everything that this value has; it may have more.
    pub(super) fn is_kept_in(&self, after: &Self) -> bool {
        match (&self.value, &after.value) {
            (Value::Scalar(before), Value::Scalar(after)) => before == after,
            (Value::Sequence(before), Value::Sequence(after)) => {
                let mut rest = after.iter();
                before.iter().all(|item| rest.any(|other| item.is_kept_in(other)))
            }
            (Value::Mapping(before), Value::Mapping(after)) => before
                .iter()
                .all(|(key, value)| after.iter().any(|(name, other)| key.is_kept_in(name) && value.is_kept_in(other))),
            // A key without a value is an empty scalar, and may become a mapping.
            (Value::Scalar(before), Value::Mapping(_)) => before.is_empty(),
            _ => false,
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    /// The byte offset at which each line starts.
    line_starts: Vec<usize>,
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Option<Node>, SetupError> {
        let mut document = None;
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Ok(document),
                (_, span) if document.is_some() => {
                    let hint = "merge the documents into one; regpass has not changed the file";
                    return Err(SetupError::at_line(span.start.line(), "a second YAML document starts here", hint));
                }
                (event, span) => document = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, SetupError> {
        if depth > MAX_DEPTH {
            let what = format!("the value is nested more than {MAX_DEPTH} levels deep");
            return Err(SetupError::at_line(span.start.line(), what, FIX_FIRST));
        }
        let start = self.offset(span.start);
        let mut end = self.offset(span.end);
        let value = match event {
            Event::Scalar(text, ..) => {
                end = start + self.text[start..end].trim_end().len();
                Value::Scalar(text.into_owned())
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, span) => break end = self.offset(span.end),
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                Value::Sequence(items)
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                loop {
                    let key = match self.next()? {
                        (Event::MappingEnd, span) => break end = self.offset(span.end),
                        (event, span) => self.node(event, span, depth + 1)?,
                    };
                    let (event, span) = self.next()?;
                    entries.push((key, self.node(event, span, depth + 1)?));
                }
                Value::Mapping(entries)
            }
            _ => Value::Scalar(self.text.get(start..end).unwrap_or_default().to_owned()),
        };
        Ok(Node { start, end, value })
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), SetupError> {
        let event = self.events.next_event().unwrap_or_else(|| Ok((Event::StreamEnd, Span::default())));
        event.map_err(|error: ScanError| {
            SetupError::at_line(error.marker().line(), format!("invalid YAML: {}", error.info()), FIX_FIRST)
        })
    }

    /// The byte offset of a marker, whose column counts characters.
    fn offset(&self, marker: Marker) -> usize {
        let start = self.line_starts.get(marker.line().saturating_sub(1)).copied().unwrap_or(self.text.len());
        let characters = self.text[start..].char_indices().map(|(at, _)| at);
        start + characters.chain([self.text.len() - start]).nth(marker.col()).unwrap_or(self.text.len() - start)
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let mut starts = vec![0];
    while let Some(&last) = starts.last().filter(|&&last| last < text.len()) {
        starts.push(text_edit::next_line(text, last));
    }
    starts
}

const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_positions_in_the_text() {
        let text = "# ä\nmirrors:\n  \"ä\": # ö\n    endpoint: [ 'a', \"b\" ]\n  c:\n    endpoint:\n    - d\nlast: ~\n";
        let root = Node::parse(text).unwrap().unwrap();
        let mirrors = root.get("mirrors").unwrap();
        assert_eq!(mirrors.start, text.find("\"ä\"").unwrap());
        assert!(!mirrors.is_flow(text));
        let flow = mirrors.get("ä").unwrap().get("endpoint").unwrap();
        assert!(flow.is_flow(text) && &text[flow.start..flow.end] == "[ 'a', \"b\" ]");
        let items: Vec<&str> = flow.items().unwrap().iter().map(|item| &text[item.start..item.end]).collect();
        assert_eq!(items, ["'a'", "\"b\""]);
        let block = mirrors.get("c").unwrap().get("endpoint").unwrap();
        assert!(!block.is_flow(text) && text[block.items().unwrap()[0].start..].starts_with("d\n"));
        assert_eq!(root.get("last").unwrap().text(), Some("~"));
        assert!(Node::parse("# nothing\n").unwrap().is_none());
    }

    #[test]
    fn invalid_yaml_and_second_documents_are_errors_with_their_line() {
        for (text, line) in [("a: 1\n---\nb: 2\n", 3), ("a: [1\nb: 2\n", 2), ("a:\n\t- b\n", 2)] {
            assert_eq!(Node::parse(text).unwrap_err().line, Some(line), "{text}");
        }
    }

    #[test]
    fn a_text_that_lacks_a_value_does_not_keep_it() {
        let parsed = |text: &str| Node::parse(text).unwrap().unwrap();
        let before = parsed("a: {b: [1, 2]}\nc:\n");
        assert!(before.is_kept_in(&parsed("a: {b: [0, 1, 2], x: y}\nc: {d: e}\n")));
        for after in ["a: {b: [2, 1]}\nc:\n", "a: {b: [1, 2]}\n", "a: {b: [1, 2]}\nc: x\n"] {
            assert!(!before.is_kept_in(&parsed(after)), "{after}");
        }
    }
}
