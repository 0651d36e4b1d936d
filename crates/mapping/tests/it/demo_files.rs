//! The two files of the demo's legacy compile, and say what they should.

use commerce::shape::SHAPES;
use expect_test::{Expect, expect};
use mapping::{Anchor, Context, File, Got, Mapping, Rows, Touch, compile};
use vocab::document::{Node, Record};
use vocab::id::{Element, Kind, Name, PublicId};
use vocab::row::{Cell, Row, RowKey, ShopPath, Use};

pub const KIOS: &str = include_str!("../../../../demo/legacy/mapping/kios.toml");
pub const ARSIP: &str = include_str!("../../../../demo/legacy/mapping/arsip.toml");

pub fn both() -> Mapping {
    let files = [File { name: "kios.toml", text: KIOS }, File { name: "arsip.toml", text: ARSIP }];
    compile(&files, SHAPES).unwrap_or_else(|found| {
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        panic!("refused:\n{}", found.join("\n\n"))
    })
}

#[test]
fn the_files_of_the_demo_compile() {
    let mapping = both();
    let rules: Vec<String> = mapping
        .rules()
        .iter()
        .map(|rule| {
            format!("{} of {}{}", rule.kind.name(), rule.source, if rule.writes { ", written back" } else { "" })
        })
        .collect();
    expect![[r#"
        shop of kios, written back
        product of kios, written back
        cart of kios, written back
        checkout of kios, written back
        order of kios, written back
        intent of kios, written back
        idempotency of kios, written back
        order of arsip
        product of arsip"#]]
    .assert_eq(&rules.join("\n"));
}

#[test]
fn tables_say_how_far_their_columns_take_part() {
    let mapping = both();
    let people = mapping.tables().iter().find(|table| &*table.name == "pelanggan").unwrap();
    assert_eq!(people.shop, ShopPath::Shared);
    let of = |name: &str| people.columns[people.column(name).unwrap()].usage;
    assert_eq!([of("nama"), of("sandi"), of("poin"), of("surel")], [Use::Moved, Use::Secret, Use::Unmoved, Use::Moved]);
}

#[test]
fn ids_are_minted_as_the_legacy_shows_them() {
    let mapping = both();
    let minted = |kind, part, n| {
        let minted = mapping.minted(Element { kind, part }, n);
        format!("{} {}", minted.id, minted.origin.map(|origin| origin.to_string()).unwrap_or_default())
    };
    assert_eq!(minted(Kind::Order, None, 42), "TRX-0000042 jual:42");
    assert_eq!(minted(Kind::Order, Some("buyer"), 7), "7 pelanggan:7");
    assert_eq!(minted(Kind::Cart, Some("lines"), 7), "7 keranjang_isi:7");
    assert_eq!(mapping.birth_table(Element { kind: Kind::Idempotency, part: None }), None);
    assert_eq!(mapping.birth_table(Element { kind: Kind::Product, part: Some("variants") }), None);
    let produk = mapping.tables().iter().position(|table| &*table.name == "produk").unwrap();
    assert_eq!(mapping.stock_row(&PublicId::new("5")), Some((produk, RowKey(vec![Cell::Int(5)]))));
    assert_eq!(mapping.stock_row(&PublicId::new("x5")), None);
}

#[test]
fn a_changed_row_dirties_what_it_belongs_to() {
    let mapping = both();
    let rule = mapping.rules().iter().find(|rule| rule.kind == Kind::Order && rule.writes).unwrap();
    let touch = |name: &str, column: &str| {
        let no = mapping.tables().iter().position(|table| &*table.name == name).unwrap();
        let table = &mapping.tables()[no];
        let mut row = Row(vec![Cell::Int(1); table.columns.len()]);
        row.0[table.column(column).unwrap()] = Cell::Int(9);
        rule.touched(no, &row)
    };
    assert_eq!(touch("jual", "id"), Some(Touch::Anchor(RowKey(vec![Cell::Int(9)]))));
    assert_eq!(touch("jual_detil", "jual_id"), Some(Touch::Anchor(RowKey(vec![Cell::Int(9)]))));
    assert!(matches!(touch("pelanggan", "id"), Some(Touch::AnchorsWhere(_, Cell::Int(9)))));
    assert_eq!(touch("produk", "id"), None);
}

/// Invoice lines as (number, code, description, quantity, date, price).
type Line = (&'static str, &'static str, Option<&'static str>, i64, &'static str, &'static str);

fn rows(lines: &[Line]) -> (Mapping, Rows) {
    let mapping = both();
    let no = mapping.tables().iter().position(|table| &*table.name == "arsip").unwrap();
    let mut rows = Rows::default();
    for (nth, (number, code, description, quantity, date, price)) in (1..).zip(lines) {
        let text = |text: &str| Cell::Text(text.to_owned());
        let cells = vec![
            Cell::Int(nth),
            text(number),
            text(code),
            description.map_or(Cell::Null, text),
            Cell::Int(*quantity),
            text(date),
            text(price),
            Cell::Null,
            text("EIRE"),
        ];
        rows.insert(no, RowKey(vec![Cell::Int(nth)]), Row(cells));
    }
    (mapping, rows)
}

fn check(kind: Kind, group: &str, lines: &[Line], expected: &Expect) {
    let (mapping, rows) = rows(lines);
    let rule = mapping.rules().iter().position(|rule| rule.kind == kind && !rule.writes).unwrap();
    let class_of = |kind: Kind, number: &str| -> Option<Name> {
        assert_eq!(kind, Kind::Order);
        Some(if number.starts_with('C') { "credit".into() } else { "live".into() })
    };
    let anchor = Anchor::Group(Cell::Text(group.to_owned()));
    let shown = match mapping.get(rule, &anchor, &rows, &Context { class_of: &class_of }) {
        Got::Live { document, losers, reports } => {
            let losers: Vec<_> = losers.iter().map(|l| format!("{}={} ({})", l.field, l.value, l.votes)).collect();
            let reports: Vec<_> = reports.iter().map(|report| format!("{} {}", report.code, report.what)).collect();
            format!("live {}\nlosers {losers:?}\nreports {reports:?}", shown(&Node::Record(document)))
        }
        Got::History { document, why } => format!("history ({why}) {}", shown(&Node::Record(document))),
        Got::Refused { faults } => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        other @ (Got::Absent | Got::Merged { .. }) => format!("{other:?}"),
    };
    expected.assert_eq(&shown);
}

fn shown(node: &Node) -> String {
    match node {
        Node::Null => "–".to_owned(),
        Node::Bool(value) => value.to_string(),
        Node::Int(value) => value.to_string(),
        Node::Text(text) => format!("{text:?}"),
        Node::List(nodes) => format!("[{}]", nodes.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Node::Record(record) => {
            let fields = record.0.iter().filter(|(_, node)| **node != Node::Null);
            let fields: Vec<_> = fields.map(|(name, node)| format!("{name}: {}", shown(node))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

#[test]
fn an_invoice_is_an_order_in_the_order_of_its_rows() {
    let lines: [Line; 2] = [
        ("536365", "22633", Some("HAND WARMER"), 6, "2010-12-01 08:28:00", "1.85"),
        ("536365", "POST", None, 1, "2010-12-01 08:26:00", "18.0"),
    ];
    check(
        Kind::Order,
        "536365",
        &lines,
        &expect![[r#"
        live {adjustments: [], currency: "GBP", id: "536365", lines: [{cancelled: 0, id: "1", origin: "arsip:1", product: "22633", quantity: 6, refunded: 0, title: "HAND WARMER", total: 1110, unit_price: 185}, {cancelled: 0, id: "2", origin: "arsip:2", product: "POST", quantity: 1, refunded: 0, title: "", total: 1800, unit_price: 1800}], origin: "arsip:536365", payments: [], placed_at: 1291191960000000, shipping: 0, state: "done", subtotal: 2910, tax: 0, total: 2910}
        losers []
        reports ["differs placed_at"]"#]],
    );
}

#[test]
fn a_credit_is_history_before_anything_else() {
    let lines: [Line; 1] = [("C536379", "D", Some("Discount"), -1, "2010-12-01 09:41:00", "27.50")];
    check(
        Kind::Order,
        "C536379",
        &lines,
        &expect![[
            r#"history (credit) {currency: "GBP", id: "C536379", lines: [{origin: "arsip:1", product: "D", quantity: -1, title: "Discount", unit_price: "27.50"}], origin: "arsip:C536379", placed_at: 1291196460000000, total: "-27.50"}"#
        ]],
    );
}

#[test]
fn a_price_below_the_minor_unit_is_history_with_its_exact_text() {
    let lines: [Line; 2] = [
        ("559777", "PADS", Some("PADS TO MATCH ALL CUSHIONS"), 3, "2011-07-13 10:00:00", "0.001"),
        ("559777", "22633", Some("HAND WARMER"), 2, "2011-07-13 10:00:00", "1.85"),
    ];
    check(
        Kind::Order,
        "559777",
        &lines,
        &expect![[
            r#"history (sub_minor) {currency: "GBP", id: "559777", lines: [{origin: "arsip:1", product: "PADS", quantity: 3, title: "PADS TO MATCH ALL CUSHIONS", unit_price: "0.001"}, {origin: "arsip:2", product: "22633", quantity: 2, title: "HAND WARMER", unit_price: "1.85"}], origin: "arsip:559777", placed_at: 1310551200000000, total: "3.703"}"#
        ]],
    );
}

#[test]
fn a_cell_that_cannot_be_read_refuses_its_invoice_by_name() {
    let lines: [Line; 1] = [("536365", "22633", Some("HAND WARMER"), 6, "1 December 2010", "1.8a")];
    check(
        Kind::Order,
        "536365",
        &lines,
        &expect![[r#"
        instant: arsip (536365) "1 December 2010" is not an instant
        money: arsip.UnitPrice (536365) "1.8a" is not money"#]],
    );
}

#[test]
fn a_product_has_the_name_that_most_live_rows_give_it() {
    let lines: [Line; 6] = [
        ("1", "22633", Some(" WARMER "), 1, "2010-12-01 08:00:00", "1.85"),
        ("2", "22633", Some("HAND WARMER"), 1, "2010-12-02 08:00:00", "2.10"),
        ("3", "22633", Some("HAND WARMER"), 1, "2010-12-03 08:00:00", "0.00"),
        ("3", "22633", Some(""), 1, "2010-12-03 08:00:00", "2.10"),
        ("C4", "22633", Some("thrown away"), -1, "2010-12-04 08:00:00", "9.99"),
        ("C5", "22633", Some("thrown away"), -1, "2010-12-05 08:00:00", "9.99"),
    ];
    check(
        Kind::Product,
        "22633",
        &lines,
        &expect![[r#"
        live {currency: "GBP", id: "22633", origin: "arsip:22633", state: "withdrawn", title: "HAND WARMER", variants: [{id: "22633", origin: "arsip:22633", price: 210, sku: "22633", stock: 0}]}
        losers ["title=WARMER (1)", "price=185 (1)"]
        reports []"#]],
    );
}

#[test]
fn a_product_that_nobody_named_is_called_by_its_code() {
    let lines: [Line; 1] = [("C4", "22633", Some("check"), -1, "2010-12-04 08:00:00", "0.00")];
    check(
        Kind::Product,
        "22633",
        &lines,
        &expect![[r#"
        live {currency: "GBP", id: "22633", origin: "arsip:22633", state: "withdrawn", title: "22633", variants: [{id: "22633", origin: "arsip:22633", price: 0, sku: "22633", stock: 0}]}
        losers []
        reports []"#]],
    );
}

#[test]
fn what_is_too_long_for_the_legacys_columns_is_named_before_it_is_owed() {
    let mapping = both();
    let misfit = |kind: Kind, document: Record| mapping.misfit(kind, &document).map(|misfit| misfit.path);
    let named = |name: &str| Record::default().with("state", "open").with("buyer_name", name);
    assert_eq!(misfit(Kind::Checkout, named(&"n".repeat(120))), None);
    assert_eq!(misfit(Kind::Checkout, named(&"n".repeat(121))).as_deref(), Some("buyer_name"));
    assert_eq!(misfit(Kind::Checkout, named("n\0")).as_deref(), Some("buyer_name"));
    let product = |price: i64| {
        let variant = Record::default().with("id", "1").with("price", price);
        Record::default().with("title", "Thing").with("variants", vec![Node::Record(variant)])
    };
    assert_eq!(misfit(Kind::Product, product(100_000_000)), None);
    assert_eq!(misfit(Kind::Product, product(9_007_199_254_740_900)).as_deref(), Some("variants[0].price"));
    let buyer = Record::default().with("id", "5").with("name", "n".repeat(121));
    assert_eq!(misfit(Kind::Order, Record::default().with("buyer", buyer)).as_deref(), Some("buyer.name"));
}
