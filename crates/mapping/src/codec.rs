//! Codecs: one cell to one value and back.
//!
//! The law: `same(read(print(v)), v)`. What `read` does not understand is a fault, what `print` cannot write is debt.
//! Blanks at the end of a `char(n)` cell are padding: they are not read, not printed, and make no difference.

use crate::decimal::Decimal;
use crate::expr::unpadded;
use crate::instant::{self, Pattern};
use std::collections::BTreeMap;
use vocab::document::Node;
use vocab::id::Name;
use vocab::row::{Cell, Column, ColumnType};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codec {
    pub kind: CodecKind,
    /// The cell that stands for nothing, beside null.
    pub none: Option<Cell>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodecKind {
    /// With `trim`, blanks at both ends make no difference.
    Text {
        trim: bool,
    },
    Int,
    /// A key as a public id: decimal text of an integer, or the text itself.
    Key,
    Money(MoneyText),
    /// An integer column of minor units.
    Minor,
    /// A decimal kept as text.
    Exact {
        separator: char,
    },
    Instant(InstantText),
    /// Bytes, or hexadecimal text, as lower-case hexadecimal text.
    Hex,
    Words(Words),
    Bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoneyText {
    pub separator: char,
    /// How many digits after the separator are read, least and most.
    pub read: (u32, u32),
    /// How many are printed; none: as few as needed, at least one, as a float is written.
    pub print: Option<u32>,
    /// Digits of the currency's minor unit.
    pub minor: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstantText {
    pub pattern: Option<Pattern>,
    /// Microseconds per unit of an integer column without pattern.
    pub unit: i64,
    /// Local time minus UTC, in microseconds.
    pub offset: i64,
    /// Instants within the same multiple of this many microseconds are the same.
    pub same: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub read: BTreeMap<String, Name>,
    pub print: BTreeMap<Name, String>,
}

/// Why a cell cannot be read or a value not be written: a code and a sentence.
pub(crate) type No = (&'static str, String);

impl Codec {
    pub const fn plain(kind: CodecKind) -> Self {
        Self { kind, none: None }
    }

    /// The value of a cell; null if there is none.
    pub fn read(&self, cell: &Cell, column: &Column) -> Result<Node, No> {
        let padded = matches!(column.ty, ColumnType::Char(_));
        if *cell == Cell::Null || self.is_none(cell, padded) {
            return Ok(Node::Null);
        }
        match &self.kind {
            CodecKind::Text { trim } => text_of(cell, padded).map(|text| if *trim { text.trim() } else { text }.into()),
            CodecKind::Int => int_of(cell).map(Node::Int),
            CodecKind::Key => plain_text(cell, padded).map(Node::Text),
            CodecKind::Money(money) => money.read(cell, padded).map(Node::Int),
            CodecKind::Minor => whole(cell).map(Node::Int).ok_or_else(|| unread("money", cell)),
            CodecKind::Exact { separator } => exact_of(cell, *separator, padded).map(Node::Text),
            CodecKind::Instant(instant) => instant.read(cell, padded).map(Node::Int),
            CodecKind::Hex => hex_of(cell, padded).map(Node::Text),
            CodecKind::Words(words) => {
                let word = plain_text(cell, padded)?;
                let class = words.read.get(word.as_str());
                class
                    .map(|class| Node::from(&**class))
                    .ok_or_else(|| ("word", format!("\"{}\" is not listed", cut(&word))))
            }
            CodecKind::Bool => {
                let value = whole(cell).filter(|value| (0..=1).contains(value));
                value.map(|value| Node::Bool(value == 1)).ok_or_else(|| unread("0 or 1", cell))
            }
        }
    }

    fn is_none(&self, cell: &Cell, padded: bool) -> bool {
        match (&self.none, cell) {
            (Some(Cell::Text(none)), Cell::Text(text)) => unpadded(text, padded) == none,
            (Some(none), cell) => none == cell,
            (None, _) => false,
        }
    }

    /// The cell of a value, in the column's normal form.
    pub fn print(&self, value: &Node, column: &Column) -> Result<Cell, No> {
        if *value == Node::Null {
            return match &self.none {
                Some(none) if !column.nullable => Ok(none.clone()),
                _ if column.nullable => Ok(Cell::Null),
                _ => Err(("null", format!("{} may not be null", column.name))),
            };
        }
        let cell = self.print_value(value, column)?;
        if let (Cell::Text(text), Some(most)) = (&cell, length_max(&column.ty)) {
            let length = text.chars().count();
            if length > most {
                return Err(("too_long", format!("{length} characters do not fit {} ({most})", column.name)));
            }
        }
        if matches!(&cell, Cell::Text(text) if text.contains('\0')) {
            return Err(("bad_text", format!("a zero character does not fit {}", column.name)));
        }
        Ok(cell)
    }

    fn print_value(&self, value: &Node, column: &Column) -> Result<Cell, No> {
        let wrong = || ("shape", format!("a value of another type for {}", column.name));
        match (&self.kind, value) {
            (CodecKind::Text { .. }, Node::Text(text)) => Ok(Cell::Text(text.clone())),
            (CodecKind::Int, Node::Int(value)) if column.ty == ColumnType::Int => Ok(Cell::Int(*value)),
            (CodecKind::Int, Node::Int(value)) => Ok(Cell::Text(value.to_string())),
            (CodecKind::Minor, Node::Int(value)) => Ok(Cell::Int(*value)),
            (CodecKind::Key, Node::Text(text)) => key_cell(text, column),
            (CodecKind::Money(money), Node::Int(value)) => money.print(*value).map(Cell::Text),
            (CodecKind::Exact { separator }, Node::Text(text)) => match Decimal::parse(text, '.') {
                Some(value) => Ok(Cell::Text(value.print(*separator))),
                None => Err(("shape", format!("\"{}\" is no decimal", cut(text)))),
            },
            (CodecKind::Instant(instant), Node::Int(value)) => instant.print(*value),
            (CodecKind::Hex, Node::Text(text)) => hex_cell(text, column),
            (CodecKind::Words(words), Node::Text(class)) => words.print(class, column),
            (CodecKind::Bool, Node::Bool(value)) => Ok(Cell::Int(i64::from(*value))),
            _ => Err(wrong()),
        }
    }

    /// What stands before the fraction of an amount.
    pub fn separator(&self) -> char {
        if let CodecKind::Money(MoneyText { separator, .. }) | CodecKind::Exact { separator } = &self.kind {
            return *separator;
        }
        '.'
    }

    /// Whether two values are equal as far as the file declares.
    pub fn same(&self, a: &Node, b: &Node) -> bool {
        match (&self.kind, a, b) {
            (CodecKind::Instant(instant), Node::Int(a), Node::Int(b)) => {
                a.div_euclid(instant.same) == b.div_euclid(instant.same)
            }
            (CodecKind::Text { trim: true }, Node::Text(a), Node::Text(b)) => a.trim() == b.trim(),
            _ => a == b,
        }
    }
}

impl MoneyText {
    /// Minor units of a decimal that has digits as declared.
    fn read(&self, cell: &Cell, padded: bool) -> Result<i64, No> {
        let value = decimal_of(cell, self.separator, padded).ok_or_else(|| unread("money", cell))?;
        if value.scale < self.read.0 || value.scale > self.read.1 {
            return Err(("money_digits", format!("{} digits after the separator", value.scale)));
        }
        value.to_minor(self.minor).ok_or_else(|| ("sub_minor", "more digits than the minor unit has".to_owned()))
    }

    fn print(&self, value: i64) -> Result<String, No> {
        let exact = Decimal::minor(value, self.minor);
        let fewest = || (1..=self.minor.max(1)).find_map(|scale| exact.rescale(scale));
        let printed = match self.print {
            Some(digits) => exact.rescale(digits),
            None => fewest(),
        };
        printed
            .map(|value| value.print(self.separator))
            .ok_or_else(|| ("money_digits", format!("{value} minor units need more digits than are printed")))
    }
}

impl InstantText {
    fn read(&self, cell: &Cell, padded: bool) -> Result<i64, No> {
        let local = match (&self.pattern, cell) {
            (None, Cell::Int(value)) => return value.checked_mul(self.unit).ok_or_else(|| unread("an instant", cell)),
            (Some(pattern), Cell::Text(text)) => instant::parse(pattern, unpadded(text, padded)),
            _ => None,
        };
        let utc = local.and_then(|local| local.checked_sub(self.offset));
        utc.ok_or_else(|| unread("an instant", cell))
    }

    fn print(&self, value: i64) -> Result<Cell, No> {
        let Some(pattern) = &self.pattern else { return Ok(Cell::Int(value.div_euclid(self.unit))) };
        let text = value.checked_add(self.offset).and_then(|local| instant::print(pattern, local));
        text.map(Cell::Text).ok_or_else(|| ("instant", format!("{value} is out of range")))
    }
}

impl Words {
    fn print(&self, class: &str, column: &Column) -> Result<Cell, No> {
        let word =
            self.print.get(class).ok_or_else(|| ("no_word", format!("no word for `{class}` in {}", column.name)))?;
        Ok(word_cell(word, column))
    }
}

/// A word of a `words` codec as a cell of the column.
pub(crate) fn word_cell(word: &str, column: &Column) -> Cell {
    match (&column.ty, word.parse()) {
        (ColumnType::Int, Ok(int)) => Cell::Int(int),
        _ => Cell::Text(word.to_owned()),
    }
}

/// How many characters a column takes.
pub(crate) fn length_max(ty: &ColumnType) -> Option<usize> {
    match ty {
        ColumnType::Text(length) => (*length).and_then(|length| usize::try_from(length).ok()),
        ColumnType::Char(length) => usize::try_from(*length).ok(),
        ColumnType::Int | ColumnType::Bytes => None,
    }
}

/// Whether two cells of a column are equal but for padding.
pub(crate) fn same_cell(a: &Cell, b: &Cell, ty: &ColumnType) -> bool {
    match (ty, a, b) {
        (ColumnType::Char(_), Cell::Text(a), Cell::Text(b)) => unpadded(a, true) == unpadded(b, true),
        _ => a == b,
    }
}

/// A public id as the key or link cell of a column.
pub(crate) fn key_cell(text: &str, column: &Column) -> Result<Cell, No> {
    if column.ty != ColumnType::Int {
        return Ok(Cell::Text(text.to_owned()));
    }
    match text.parse::<i64>() {
        Ok(key) if key.to_string() == text => Ok(Cell::Int(key)),
        _ => Err(("foreign_id", format!("\"{}\" is no key of {}", cut(text), column.name))),
    }
}

/// A few characters of a cell, for people.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A cell, for people.
pub(crate) fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Int(value) => value.to_string(),
        Cell::Text(text) => format!("\"{}\"", cut(text)),
        Cell::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}

fn unread(what: &'static str, cell: &Cell) -> No {
    (what_code(what), format!("{} is not {what}", shown(cell)))
}

fn what_code(what: &str) -> &'static str {
    match what {
        "money" => "money",
        "an instant" => "instant",
        "text" => "text",
        "an integer" => "int",
        "hexadecimal" => "hex",
        "a decimal" => "decimal",
        _ => "value",
    }
}

fn whole(cell: &Cell) -> Option<i64> {
    if let Cell::Int(value) = cell { Some(*value) } else { None }
}

fn text_of(cell: &Cell, padded: bool) -> Result<&str, No> {
    let Cell::Text(text) = cell else { return Err(unread("text", cell)) };
    Ok(unpadded(text, padded))
}

fn int_of(cell: &Cell) -> Result<i64, No> {
    let parsed = whole(cell).or_else(|| text_of(cell, false).ok()?.parse().ok());
    parsed.ok_or_else(|| unread("an integer", cell))
}

/// The text of a cell that holds text or an integer.
fn plain_text(cell: &Cell, padded: bool) -> Result<String, No> {
    match whole(cell) {
        Some(value) => Ok(value.to_string()),
        None => text_of(cell, padded).map(str::to_owned),
    }
}

fn decimal_of(cell: &Cell, separator: char, padded: bool) -> Option<Decimal> {
    match whole(cell) {
        Some(value) => Some(Decimal::int(value)),
        None => Decimal::parse(text_of(cell, padded).ok()?, separator),
    }
}

fn exact_of(cell: &Cell, separator: char, padded: bool) -> Result<String, No> {
    let value = decimal_of(cell, separator, padded).ok_or_else(|| unread("a decimal", cell))?;
    Ok(value.print('.'))
}

fn hex_of(cell: &Cell, padded: bool) -> Result<String, No> {
    if let Cell::Bytes(bytes) = cell {
        return Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    let text = text_of(cell, padded)?;
    let fits = text.len() % 2 == 0 && text.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase()).ok_or_else(|| unread("hexadecimal", cell))
}

fn hex_cell(text: &str, column: &Column) -> Result<Cell, No> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        text.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?)).collect();
    match bytes {
        Some(bytes) if column.ty == ColumnType::Bytes => Ok(Cell::Bytes(bytes)),
        Some(_) => Ok(Cell::Text(text.to_owned())),
        None => Err(("shape", format!("\"{}\" is not hexadecimal", cut(text)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::row::Use;

    fn column(ty: ColumnType, nullable: bool) -> Column {
        Column { name: "cell".into(), ty, nullable, usage: Use::Moved }
    }

    fn money(print: Option<u32>) -> Codec {
        Codec::plain(CodecKind::Money(MoneyText { separator: '.', read: (0, 4), print, minor: 2 }))
    }

    #[test]
    fn floats_are_printed_as_a_float_is_written() {
        let text = column(ColumnType::Text(None), false);
        for (cell, minor) in [("2.1", 210), ("18.0", 1_800), ("0.05", 5), ("-3.0", -300)] {
            let codec = money(None);
            assert_eq!(codec.read(&Cell::Text(cell.to_owned()), &text), Ok(Node::Int(minor)));
            assert_eq!(codec.print(&Node::Int(minor), &text), Ok(Cell::Text(cell.to_owned())));
        }
    }

    #[test]
    fn money_is_exact_or_a_fault() {
        let text = column(ColumnType::Text(Some(8)), false);
        let read = |cell: &str| money(Some(2)).read(&Cell::Text(cell.to_owned()), &text);
        assert_eq!(
            [read("12.3400"), read("12"), read("12.3")],
            [Ok(Node::Int(1_234)), Ok(Node::Int(1_200)), Ok(Node::Int(1_230))]
        );
        let codes = ["12.345", "12.34567", "1e3", "", "Rp 5"].map(|cell| read(cell).unwrap_err().0);
        assert_eq!(codes, ["sub_minor", "money_digits", "money", "money", "money"]);
        assert_eq!(money(Some(2)).print(&Node::Int(100_000_000), &text).unwrap_err().0, "too_long");
        assert_eq!(money(Some(0)).print(&Node::Int(150), &text).unwrap_err().0, "money_digits");
    }

    #[test]
    fn blanks_at_the_end_are_nothing_in_a_padded_column_and_something_elsewhere() {
        let codec = Codec::plain(CodecKind::Text { trim: false });
        let cell = Cell::Text("VA      ".to_owned());
        assert_eq!(codec.read(&cell, &column(ColumnType::Char(8), false)), Ok(Node::from("VA")));
        assert_eq!(codec.read(&cell, &column(ColumnType::Text(Some(8)), false)), Ok(Node::from("VA      ")));
        let bare = Cell::Text("VA".to_owned());
        assert!(same_cell(&cell, &bare, &ColumnType::Char(8)));
        assert!(!same_cell(&cell, &bare, &ColumnType::Text(Some(8))));
    }

    #[test]
    fn nobody_is_written_as_the_column_can_say_it() {
        let codec = Codec { kind: CodecKind::Key, none: Some(Cell::Int(0)) };
        let (strict, loose) = (column(ColumnType::Int, false), column(ColumnType::Int, true));
        assert_eq!(codec.read(&Cell::Int(0), &strict), Ok(Node::Null));
        assert_eq!(codec.print(&Node::Null, &strict), Ok(Cell::Int(0)));
        assert_eq!(codec.print(&Node::Null, &loose), Ok(Cell::Null));
        assert_eq!(Codec::plain(CodecKind::Key).print(&Node::Null, &strict).unwrap_err().0, "null");
        assert_eq!(codec.print(&Node::from("007"), &strict).unwrap_err().0, "foreign_id");
    }

    #[test]
    fn hashes_are_bytes_or_text() {
        let codec = Codec::plain(CodecKind::Hex);
        let bytes = column(ColumnType::Bytes, false);
        assert_eq!(codec.read(&Cell::Bytes(vec![0, 255]), &bytes), Ok(Node::from("00ff")));
        assert_eq!(codec.print(&Node::from("00ff"), &bytes), Ok(Cell::Bytes(vec![0, 255])));
        assert_eq!(codec.print(&Node::from("0"), &bytes).unwrap_err().0, "shape");
    }
}
