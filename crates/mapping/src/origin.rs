//! Origins: `table:key`, with several key cells joined by commas.

use crate::codec;
use std::fmt::Write;
use vocab::row::{Cell, ColumnNo, RowKey, Table};

pub(crate) fn print(table: &Table, key: &RowKey) -> String {
    let mut origin = String::with_capacity(table.name.len() + 24);
    origin.push_str(&table.name);
    origin.push(':');
    match &key.0[..] {
        [one] => write_raw(&mut origin, one),
        several => {
            let cells: Vec<String> = several.iter().map(|cell| escape(&raw(cell))).collect();
            origin.push_str(&cells.join(","));
        }
    }
    origin
}

/// The key cells of an origin; none if it is of another table or does not fit the key's columns.
pub(crate) fn parse(table: &Table, columns: &[ColumnNo], origin: &str) -> Option<RowKey> {
    let key = origin.strip_prefix(&*table.name)?.strip_prefix(':')?;
    let texts = if columns.len() == 1 { vec![key.to_owned()] } else { split(key) };
    if texts.len() != columns.len() {
        return None;
    }
    let cells = columns.iter().zip(texts).map(|(&column, text)| codec::key_cell(&text, &table.columns[column]).ok());
    cells.collect::<Option<Vec<Cell>>>().map(RowKey)
}

/// The table's name in an origin.
pub(crate) fn table_name(origin: &str) -> &str {
    origin.split_once(':').map_or(origin, |(table, _)| table)
}

/// A cell as plain text.
pub(crate) fn raw(cell: &Cell) -> String {
    let mut text = String::new();
    write_raw(&mut text, cell);
    text
}

fn write_raw(out: &mut String, cell: &Cell) {
    // Writing to a string cannot fail.
    let _ = match cell {
        Cell::Null => Ok(()),
        Cell::Int(value) => write!(out, "{value}"),
        Cell::Text(text) => out.write_str(text),
        Cell::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}")),
    };
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,")
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.extend(chars.next()),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::row::{Column, ColumnType, ShopPath, Use};

    #[test]
    fn keys_of_several_cells_come_back_whatever_is_in_them() {
        let column = |name: &str, ty| Column { name: name.into(), ty, nullable: false, usage: Use::Moved };
        let table = Table {
            name: "done".into(),
            columns: vec![column("shop", ColumnType::Int), column("key", ColumnType::Text(None))],
            key: vec![0, 1],
            shop: ShopPath::Column(0),
            read_only: false,
        };
        for text in ["", "a,b", "a\\", "\\,", "done:7,x", "ü"] {
            let key = RowKey(vec![Cell::Int(7), Cell::Text(text.to_owned())]);
            assert_eq!(parse(&table, &table.key, &print(&table, &key)), Some(key));
        }
        assert_eq!(parse(&table, &table.key, "other:7,x"), None);
        assert_eq!(parse(&table, &table.key, "done:x,x"), None);
    }
}
