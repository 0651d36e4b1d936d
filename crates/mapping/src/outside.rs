//! Texts as other people's databases have them, bent in every way: a decimal, an instant or an origin is read exactly, and
//! printed as it was, or it is not read.

use crate::codec::{Codec, CodecKind, MoneyText};
use crate::decimal::Decimal;
use crate::instant::{self, Pattern};
use crate::origin;
use crate::pattern::IdPattern;
use testkit::outside::{Bends, Inputs};
use vocab::document::Node;
use vocab::row::{Cell, Column, ColumnType, ShopPath, Table, Use};

/// Without `BALIK_LONG`.
const FEW: u64 = 20_000;

#[test]
fn a_decimal_is_read_exactly_or_not_at_all() {
    let bends = Bends::of([
        "0",
        "-12.50",
        "770.0",
        "0.001",
        "123456789012345678901234.5",
        "999999999999999999999999999999",
        "1,5",
    ]);
    let bends = bends.knowing(["-", ".", ",", "0", "9"]);
    let tried = Inputs::of("decimals", FEW).each(&bends, |input| {
        let text = String::from_utf8_lossy(input);
        let Some(value) = Decimal::parse(&text, '.') else { return "no decimal" };
        // Zeros in front are nothing, and a zero has no sign.
        let digits = |text: &str| text.trim_start_matches('-').trim_start_matches('0').to_owned();
        let printed = value.print('.');
        assert_eq!(digits(&printed), digits(&text), "{text}");
        assert_eq!(printed.starts_with('-'), text.starts_with('-') && value.units != 0, "{text}");
        for digits in [0, 2, 40] {
            let _ = (value.to_minor(digits), value.rescale(digits), value.round(digits));
        }
        let _ = (value.plus(value), value.minus(value), value.times(value), value.compare(Decimal::int(i64::MIN)));
        "a decimal"
    });
    tried.reached(&["a decimal", "no decimal"]);
}

#[test]
fn an_instant_is_read_exactly_or_not_at_all() {
    let patterns: Vec<Pattern> = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%-m/%-d/%Y %-H:%M"]
        .into_iter()
        .filter_map(Pattern::parse)
        .collect();
    assert_eq!(patterns.len(), 3);
    let bends = Bends::of([
        "2024-02-29 23:59:59",
        "0001-01-01 00:00:00.000000",
        "9999-12-31 23:59:59.999999",
        "12/1/2010 8:26",
        "1900-02-29 00:00:00",
    ])
    .knowing(["-", ":", " ", "/", ".", "24", "60", "00", "29"]);
    let tried = Inputs::of("instants", FEW).each(&bends, |input| {
        let text = String::from_utf8_lossy(input);
        let read = patterns.iter().filter_map(|pattern| Some((pattern, instant::parse(pattern, &text)?)));
        let mut outcome = "no instant";
        for (pattern, local) in read {
            assert_eq!(instant::print(pattern, local).as_deref(), Some(&*text));
            outcome = "an instant";
        }
        outcome
    });
    tried.reached(&["an instant", "no instant"]);
    let bends = Bends::of(["%Y-%m-%d %H:%M:%S", "%-m/%-d/%Y %-H:%M"]).knowing(["%", "%-", "%Y", "%f", "%H"]);
    Inputs::of("patterns of instants", FEW)
        .each(&bends, |input| match Pattern::parse(&String::from_utf8_lossy(input)) {
            Some(pattern) => {
                let text = instant::print(&pattern, 1_700_000_000_000_000).unwrap();
                assert!(text.chars().count() <= pattern.length_max() && pattern.resolution() > 0);
                "a pattern"
            }
            None => "none",
        })
        .reached(&["a pattern", "none"]);
}

#[test]
fn what_a_codec_reads_it_prints_as_it_was() {
    let money = |read, print| CodecKind::Money(MoneyText { separator: '.', read, print, minor: 2 });
    let codecs = [
        money((2, 2), Some(2)),
        CodecKind::Exact { separator: '.' },
        CodecKind::Hex,
        CodecKind::Int,
        CodecKind::Key,
        CodecKind::Text { trim: false },
    ];
    let codecs = codecs.map(Codec::plain);
    let columns: Vec<Column> = [ColumnType::Text(Some(40)), ColumnType::Char(12), ColumnType::Int, ColumnType::Bytes]
        .map(|ty| Column { name: "c".into(), ty, nullable: true, usage: Use::Moved })
        .into();
    let bends = Bends::of(["12.50", "-0.05", "00ff", "-9223372036854775808", "Toko Budi   ", "null"])
        .knowing(["0", ".", "-", " ", "ff"]);
    let mut inputs = Inputs::of("cells", FEW);
    while let Some(mut chance) = inputs.another() {
        let input = bends.next(&mut chance);
        inputs.tries(&input);
        let text = String::from_utf8_lossy(&input).into_owned();
        let cell = match chance.below(6) {
            0 => Cell::Bytes(input.clone()),
            1 => text.parse().map_or(Cell::Null, Cell::Int),
            _ => Cell::Text(text),
        };
        let column = &columns[usize::try_from(chance.below(4)).unwrap()];
        let codec = &codecs[usize::try_from(chance.below(6)).unwrap()];
        let Ok(read) = codec.read(&cell, column) else {
            inputs.came_to("a fault");
            continue;
        };
        inputs.came_to(match codec.print(&read, column) {
            // Printed, it reads as the same; what a column cannot hold is said.
            Ok(printed) => {
                assert_eq!(
                    codec.read(&printed, column).ok().filter(|_| read != Node::Null),
                    Some(read.clone()).filter(|_| read != Node::Null),
                    "{cell:?}"
                );
                "there and back"
            }
            Err(_) => "read, and not written",
        });
    }
    inputs.reached(&["a fault", "there and back"]);
}

#[test]
fn an_origin_is_of_its_table_or_none() {
    let column = |name: &str, ty| Column { name: name.into(), ty, nullable: false, usage: Use::Moved };
    let table = Table {
        name: "done".into(),
        columns: vec![column("shop", ColumnType::Int), column("key", ColumnType::Text(None))],
        key: vec![0, 1],
        shop: ShopPath::Column(0),
        read_only: false,
    };
    let bends = Bends::of(["done:7,x", "done:-1,a\\,b\\\\", "other:7", "TRX-{id:07}", "{id}"])
        .knowing(["\\", ",", ":", "done:", "{id", "}", ":0"]);
    let tried = Inputs::of("origins and patterns of ids", FEW).each(&bends, |input| {
        let text = String::from_utf8_lossy(input);
        if let Some(pattern) = IdPattern::parse(&text) {
            assert!(pattern.print(u64::MAX).chars().count() >= pattern.length_min());
            return "a pattern";
        }
        let Some(key) = origin::parse(&table, &table.key, &text) else { return "none" };
        assert_eq!(origin::parse(&table, &table.key, &origin::print(&table, &key)), Some(key));
        "an origin"
    });
    tried.reached(&["a pattern", "an origin", "none"]);
}
