//! Cells and SQLite's values: the storage class is kept, a real number is its text.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use vocab::row::{Cell, Row, RowKey};

pub(super) fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        // As SQLite prints it: with a point, however round it is.
        ValueRef::Real(number) => Cell::Text(format!("{number:?}")),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text.to_owned()),
            // Not text in any encoding we know: kept as it is.
            Err(_) => Cell::Bytes(bytes.to_vec()),
        },
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

/// The first `count` cells of a row of an answer.
pub(super) fn row(answer: &rusqlite::Row<'_>, count: usize) -> rusqlite::Result<Row> {
    (0..count).map(|column| answer.get_ref(column).map(cell)).collect::<rusqlite::Result<_>>().map(Row)
}

/// A value of an answer as text; none for NULL.
pub(super) fn text(value: ValueRef<'_>) -> Option<String> {
    match cell(value) {
        Cell::Null => None,
        Cell::Int(number) => Some(number.to_string()),
        Cell::Text(text) => Some(text),
        Cell::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

pub(super) fn bound(cell: &Cell) -> ToSqlOutput<'_> {
    match cell {
        Cell::Null => ToSqlOutput::Owned(Value::Null),
        Cell::Int(number) => ToSqlOutput::Owned(Value::Integer(*number)),
        Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
    }
}

/// Reads a list of literals as `quote()` writes them: `5,'it''s',X'0AFF',NULL`.
pub(super) fn literals(text: &str) -> Option<RowKey> {
    let mut cells = Vec::new();
    let mut rest = text;
    loop {
        let (cell, after) = literal(rest)?;
        cells.push(cell);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(RowKey(cells)),
        }
    }
}

fn literal(text: &str) -> Option<(Cell, &str)> {
    if let Some(inside) = text.strip_prefix('\'') {
        return quoted(inside);
    }
    let (word, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
    let cell = if word == "NULL" {
        Cell::Null
    } else if let Some(digits) = word.strip_prefix("X'").and_then(|word| word.strip_suffix('\'')) {
        Cell::Bytes(bytes(digits)?)
    } else if word.is_empty() {
        return None;
    } else {
        word.parse().map_or_else(|_| Cell::Text(word.to_owned()), Cell::Int)
    };
    Some((cell, rest))
}

/// Text up to a quote that stands alone.
fn quoted(inside: &str) -> Option<(Cell, &str)> {
    let mut text = String::new();
    let mut rest = inside;
    loop {
        let end = rest.find('\'')?;
        text.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                text.push('\'');
                rest = after;
            }
            None => return Some((Cell::Text(text), rest)),
        }
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_literals_read_back() {
        let expected = vec![
            Cell::Int(-5),
            Cell::Text("it's, 'so'".into()),
            Cell::Bytes(vec![10, 255]),
            Cell::Null,
            Cell::Text("1.5".into()),
            Cell::Text(String::new()),
        ];
        assert_eq!(literals("-5,'it''s, ''so''',X'0AFF',NULL,1.5,''"), Some(RowKey(expected)));
        for wrong in ["", "'open", "5,", "X'0'G"] {
            assert!(literals(wrong).is_none_or(|key| key.0.len() == 1), "{wrong}");
        }
        assert_eq!(literals("'open"), None);
        assert_eq!(literals("5,"), None);
    }
}
