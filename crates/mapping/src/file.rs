//! TOML with places: tables whose entries are taken one by one, so that what nobody takes is an error.

use crate::diagnostics::{Problem, Sink, Span};
use std::borrow::Cow;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A text value and where its characters stand.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub text: String,
    /// The value with its quotes.
    pub span: Span,
    /// Offset of the first character in the file; none if the text is written with escapes.
    at: Option<usize>,
}

impl Text {
    /// The place of a part of the text.
    pub fn part(&self, start: usize, end: usize) -> Span {
        match self.at {
            Some(at) => Span { file: self.span.file, start: at + start, end: at + end },
            None => self.span,
        }
    }
}

/// A value and its place.
#[derive(Clone, Copy)]
pub(crate) struct Item<'t> {
    pub value: &'t DeValue<'t>,
    pub span: Span,
    /// The whole file.
    source: &'t str,
}

/// A table whose entries are taken.
pub(crate) struct Entries<'t> {
    entries: Vec<(String, Span, Item<'t>)>,
    pub span: Span,
}

/// Forms of the language that this compiler does not know yet; each is refused by name.
const NOT_BUILT: [&str; 9] = ["cell", "map", "units", "json", "php", "lookup", "at", "scope", "fallback"];

/// Parses one file.
pub(crate) fn parse<'t>(file: usize, text: &'t str, sink: &mut Sink<'_>) -> Option<Spanned<DeTable<'t>>> {
    match DeTable::parse(text) {
        Ok(table) => Some(table),
        Err(error) => {
            let range = error.span().unwrap_or(0..0);
            let span = Span { file, start: range.start, end: range.end };
            sink.error("file/toml", span, "this is not TOML", error.message());
            None
        }
    }
}

pub(crate) fn root<'t>(file: usize, text: &'t str, table: &'t Spanned<DeTable<'t>>) -> Entries<'t> {
    entries(file, text, table.get_ref(), Span { file, start: 0, end: text.len().min(1) })
}

fn entries<'t>(file: usize, source: &'t str, table: &'t DeTable<'t>, span: Span) -> Entries<'t> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let (key_range, range) = (key.span(), value.span());
            let key_span = Span { file, start: key_range.start, end: key_range.end };
            let span = Span { file, start: range.start, end: range.end };
            (key.get_ref().to_string(), key_span, Item { value: value.get_ref(), span, source })
        })
        .collect();
    entries.sort_by_key(|(_, key, _)| key.start);
    Entries { entries, span }
}

impl<'t> Item<'t> {
    fn wrong(&self, expected: &str, sink: &mut Sink<'_>) {
        let found = self.value.type_str();
        sink.error("file/type", self.span, format!("expected {expected}"), format!("this is of type {found}"));
    }

    pub fn text(&self, sink: &mut Sink<'_>) -> Option<Text> {
        let DeValue::String(text) = self.value else {
            self.wrong("text", sink);
            return None;
        };
        let at = match text {
            Cow::Borrowed(text) => text.as_ptr().addr().checked_sub(self.source.as_ptr().addr()),
            Cow::Owned(_) => None,
        };
        let at = at.filter(|&at| self.source.get(at..at + text.len()) == Some(text));
        Some(Text { text: text.to_string(), span: self.span, at })
    }

    pub fn as_text(&self) -> Option<&'t str> {
        if let DeValue::String(text) = self.value { Some(text) } else { None }
    }

    pub fn as_int(&self) -> Option<i64> {
        let DeValue::Integer(int) = self.value else { return None };
        i64::from_str_radix(int.as_str(), int.radix()).ok()
    }

    pub fn int(&self, sink: &mut Sink<'_>) -> Option<i64> {
        let int = self.as_int();
        if int.is_none() {
            self.wrong("an integer", sink);
        }
        int
    }

    pub fn bool(&self, sink: &mut Sink<'_>) -> Option<bool> {
        if let DeValue::Boolean(value) = self.value {
            return Some(*value);
        }
        self.wrong("true or false", sink);
        None
    }

    pub fn list(&self, sink: &mut Sink<'_>) -> Vec<Item<'t>> {
        let DeValue::Array(array) = self.value else {
            self.wrong("a list", sink);
            return Vec::new();
        };
        array
            .iter()
            .map(|value| {
                let range = value.span();
                let span = Span { file: self.span.file, start: range.start, end: range.end };
                Item { value: value.get_ref(), span, source: self.source }
            })
            .collect()
    }

    pub fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    pub fn table(&self, sink: &mut Sink<'_>) -> Option<Entries<'t>> {
        let DeValue::Table(table) = self.value else {
            self.wrong("a table", sink);
            return None;
        };
        Some(entries(self.span.file, self.source, table, self.span))
    }
}

impl<'t> Entries<'t> {
    pub fn take(&mut self, key: &str) -> Option<Item<'t>> {
        let at = self.entries.iter().position(|(name, _, _)| name == key)?;
        Some(self.entries.remove(at).2)
    }

    pub fn take_text(&mut self, key: &str, sink: &mut Sink<'_>) -> Option<Text> {
        self.take(key)?.text(sink)
    }

    pub fn take_table(&mut self, key: &str, sink: &mut Sink<'_>) -> Option<Entries<'t>> {
        self.take(key)?.table(sink)
    }

    /// An entry without which nothing goes.
    pub fn need_text(&mut self, key: &str, sink: &mut Sink<'_>) -> Option<Text> {
        let item = self.take(key);
        if item.is_none() {
            sink.error("file/missing", self.span, format!("`{key}` is missing"), "here");
        }
        item?.text(sink)
    }

    /// All that is left, in the order of the file.
    pub fn rest(&mut self) -> Vec<(String, Span, Item<'t>)> {
        std::mem::take(&mut self.entries)
    }

    /// Reports what was not taken.
    pub fn finish(self, place: &str, sink: &mut Sink<'_>) {
        for (key, span, _) in self.entries {
            if NOT_BUILT.contains(&key.as_str()) {
                let title = format!("the form `{key}` is part of the language, but this version does not build it");
                sink.push(Problem::new("form/not_built", title).at(span, "not built").help(
                    "built are: columns with codecs, const, value, count, decide, pick, one, list, derived columns",
                ));
            } else {
                sink.error("file/unknown_key", span, format!("`{key}` means nothing in {place}"), "not known here");
            }
        }
    }
}
