//! Values as PostgreSQL prints them, to cells by the declared type, and whether a column's type is the declared one.

use vocab::row::{Cell, Column, ColumnType, Use};

const BYTEA: u32 = 17;
const INTEGERS: [u32; 3] = [20, 21, 23];
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
/// What a type modifier counts beside the characters.
const MODIFIER_HEADER: i64 = 4;

/// A value that does not read as its declared type stays text: the catalogue check names it, and nothing is lost.
pub(super) fn cell(column: &Column, text: Option<&str>) -> Cell {
    let Some(text) = text else { return Cell::Null };
    if column.usage == Use::Secret {
        return Cell::Null;
    }
    match column.ty {
        ColumnType::Int => text.parse().map_or_else(|_| Cell::Text(text.to_owned()), Cell::Int),
        ColumnType::Bytes => bytes(text).map_or_else(|| Cell::Text(text.to_owned()), Cell::Bytes),
        ColumnType::Text(_) | ColumnType::Char(_) => Cell::Text(text.to_owned()),
    }
}

/// `\x0aff`
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    if digits.len() % 2 != 0 {
        return None;
    }
    let pairs = digits.chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Whether a column of this type can be what is declared. Numbers with a fraction, times and the like are text.
pub(super) fn fits(ty: &ColumnType, oid: u32, modifier: i64) -> bool {
    match ty {
        ColumnType::Int => INTEGERS.contains(&oid),
        ColumnType::Bytes => oid == BYTEA,
        ColumnType::Char(length) => oid == BPCHAR && modifier == i64::from(*length) + MODIFIER_HEADER,
        ColumnType::Text(bound) => {
            let textual = oid != BYTEA && oid != BPCHAR && !INTEGERS.contains(&oid);
            let roomy = bound
                .is_none_or(|bound| oid != VARCHAR || modifier < 0 || modifier >= i64::from(bound) + MODIFIER_HEADER);
            textual && roomy
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ty: ColumnType, text: Option<&str>) -> Cell {
        cell(&Column { name: "c".into(), ty, nullable: true, usage: Use::Moved }, text)
    }

    #[test]
    fn a_value_is_read_by_its_declared_type() {
        assert_eq!(check(ColumnType::Int, Some("-5")), Cell::Int(-5));
        assert_eq!(check(ColumnType::Text(None), Some("19.90")), Cell::Text("19.90".into()));
        assert_eq!(check(ColumnType::Char(4), Some("ab  ")), Cell::Text("ab  ".into()));
        assert_eq!(check(ColumnType::Bytes, Some("\\x00ff")), Cell::Bytes(vec![0, 255]));
        assert_eq!(check(ColumnType::Int, None), Cell::Null);
        assert_eq!(check(ColumnType::Int, Some("9.5")), Cell::Text("9.5".into()));
    }

    #[test]
    fn a_narrower_column_is_not_the_declared_one() {
        assert!(fits(&ColumnType::Text(Some(20)), VARCHAR, 24));
        assert!(fits(&ColumnType::Text(Some(20)), VARCHAR, -1));
        assert!(!fits(&ColumnType::Text(Some(20)), VARCHAR, 14));
        assert!(!fits(&ColumnType::Text(None), BPCHAR, 8));
        assert!(fits(&ColumnType::Char(4), BPCHAR, 8));
        assert!(!fits(&ColumnType::Int, 1700, -1));
    }
}
