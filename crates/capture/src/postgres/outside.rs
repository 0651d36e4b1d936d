//! What a source's server says, bent in every way: it is read, or it is an error.

use super::cell::cell;
use super::pgoutput::decode;
use testkit::outside::{Bends, Inputs};
use vocab::row::{Cell, Column, ColumnType, Use};

/// Without `BALIK_LONG`.
const FEW: u64 = 20_000;

#[test]
fn a_message_of_the_change_stream_is_read_or_is_an_error() {
    let messages: [&[u8]; 6] = [
        b"U\0\0\0\x07N\0\x03t\0\0\0\x015nu",
        b"U\0\0\0\x07K\0\x01t\0\0\0\x015N\0\x01t\0\0\0\x016",
        b"I\0\0\0\x07N\0\x01t\0\0\0\x015",
        b"D\0\0\0\x07O\0\x02nt\0\0\0\x03abc",
        b"R\0\0\0\x07public\0carts\0d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff\0name\0\0\0\x04\x13\0\0\0\x18",
        b"T\0\0\0\x02\0\0\0\0\x07\0\0\0\x08",
    ];
    let bends = Bends::of(messages.map(<[u8]>::to_vec)).knowing([
        &b"\xff\xff\xff\xff"[..],
        b"\xff\xff",
        b"\0\0\0\0",
        b"t\x7f\xff\xff\xff",
        b"n",
        b"u",
    ]);
    let tried = Inputs::of("messages of pgoutput", FEW)
        .each(&bends, |input| if decode(input).is_ok() { "read" } else { "an error" });
    tried.reached(&["read", "an error"]);
}

#[test]
fn a_cell_is_read_by_its_type_or_kept_as_it_is() {
    let types = [ColumnType::Int, ColumnType::Bytes, ColumnType::Text(Some(4)), ColumnType::Char(4)];
    let columns = types.map(|ty| Column { name: "c".into(), ty, nullable: true, usage: Use::Moved });
    let bends = Bends::of(["-5", "\\x00ff", "9223372036854775807", "19.90", "2024-02-29 10:00:00+07"])
        .knowing(["\\x", "+", "-", "0"]);
    let tried = Inputs::of("cells of PostgreSQL", FEW).each(&bends, |input| {
        let text = String::from_utf8_lossy(input);
        let mut outcome = "as it is";
        for column in &columns {
            match cell(column, Some(&text)) {
                Cell::Text(kept) => assert_eq!(kept, text),
                Cell::Int(_) | Cell::Bytes(_) => outcome = "read",
                Cell::Null => panic!("a value became none"),
            }
        }
        outcome
    });
    tried.reached(&["read", "as it is"]);
}
