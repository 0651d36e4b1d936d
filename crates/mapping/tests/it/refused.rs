//! Files that are refused: each check by its code, and what a few of them look like to a person.

use expect_test::{Expect, expect};
use mapping::{Diagnostic, File, compile};
use vocab::id::Kind;
use vocab::shape::{Field, Shape, Type, field, optional};

const SMALL: &str = include_str!("small.toml");

const BUYER: &[Field] = &[field("id", Type::Id), field("name", Type::Text)];

const LINE: &[Field] = &[
    field("id", Type::Id),
    field("product", Type::Id),
    field("unit_price", Type::Money),
    field("quantity", Type::Int),
];

const SHAPES: &[Shape] = &[
    Shape {
        kind: Kind::Product,
        fields: &[
            field("id", Type::Id),
            field("title", Type::Text),
            field("currency", Type::Currency),
            field("price", Type::Money),
            field("stock", Type::Count),
        ],
    },
    Shape {
        kind: Kind::Order,
        fields: &[
            field("id", Type::Id),
            field("currency", Type::Currency),
            field("placed_at", Type::Instant),
            field("state", Type::Word(&["open", "paid", "done"])),
            field("check", Type::Word(&["failed", "passed"])),
            field("total", Type::Money),
            optional("buyer", Type::One(BUYER)),
            field("lines", Type::List(LINE)),
        ],
    },
];

fn found(text: &str) -> Vec<Diagnostic> {
    compile(&[File { name: "small.toml", text }], SHAPES).err().unwrap_or_default()
}

fn changed(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "the file does not say {from}");
    SMALL.replacen(from, to, 1)
}

/// The first thing said about the file with one change.
fn check(from: &str, to: &str, expected: &Expect) {
    let found = found(&changed(from, to));
    expected.assert_eq(&found.first().map(ToString::to_string).unwrap_or_default());
}

#[test]
fn the_small_file_itself_compiles() {
    let found: Vec<_> = found(SMALL).iter().map(ToString::to_string).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_file_that_begins_with_a_character_of_several_bytes_is_refused_in_words() {
    for text in ["\u{feff}remove = 'delete'", "é", "\u{feff}", "\u{feff}mapping = 1"] {
        assert!(found(text).iter().all(|one| !one.to_string().is_empty()) && !found(text).is_empty(), "{text}");
    }
}

#[test]
fn a_word_that_is_not_read_back() {
    check(
        "paid = \"PAID\" }",
        "paid = \"PAYED\" }",
        &expect![[r#"
        error[words/not_read_back]: `paid` is printed as "PAYED", which `read` does not give back
          --> small.toml:14:96
           |
        14 | state = { is = "words", read = { NEW = "open", PAID = "paid" }, print = { open = "NEW", paid = "PAYED" } }
           |                                                                                                ^^^^^^^ not read as this class"#]],
    );
}

#[test]
fn a_word_that_is_too_long_for_its_column() {
    check(
        "{ NEW = \"open\", PAID = \"paid\" }, print = { open = \"NEW\", paid = \"PAID\" }",
        "{ NEW = \"open\", RECEIVED = \"paid\" }, print = { open = \"NEW\", paid = \"RECEIVED\" }",
        &expect![[r#"
            error[words/too_long]: "RECEIVED" does not fit state (6)
              --> small.toml:14:93
               |
            14 | state = { is = "words", read = { NEW = "open", RECEIVED = "paid" }, print = { open = "NEW", paid = "RECEIVED" } }
               |                                                                                             ^^^^ too long
            ...
            49 | state = "state as state"
               |                   ----- used here"#]],
    );
}

#[test]
fn a_column_without_a_use() {
    check(
        "total = \"sum as amount\"\n",
        "total = { const = 0 }\n",
        &expect![[r#"
        error[coverage/no_use]: column sale.sum has no use
          --> small.toml:23:95
           |
        23 | columns = '''id int, shop_id int, number text(12), person_id int, state char(6), at text(19), sum text(14), items int,
           |                                                                                               ^^^^^^^^^^^^ no field, no keep …
           |
           = help: a field · keep · unmoved · secret · touch · ignored"#]],
    );
}

#[test]
fn two_fields_that_write_one_cell() {
    check(
        "price = \"price as amount\"",
        "price = \"name as amount\"",
        &expect![[r#"
        error[footprint/overlap]: two fields write item.name
          --> small.toml:40:31
           |
        40 | fields = { id = "id", title = "name", price = "name as amount", stock = { count = "stock" } }
           |                               ^^^^^^ first    ---------------- second"#]],
    );
}

#[test]
fn a_class_that_its_assignments_do_not_establish() {
    check(
        "\"a = 'T', b = 'Y'\"",
        "\"b = 'Y', a = 'Y'\"",
        &expect![[r#"
        error[decide/not_established]: class `passed` does not make its own condition true
          --> small.toml:53:14
           |
        53 |   ["passed", "a = 'T' and b = 'Y'", "b = 'Y', a = 'Y'"] ] }
           |              ^^^^^^^^^^^^^^^^^^^^^ not settled by its assignments"#]],
    );
}

#[test]
fn a_form_that_is_not_built() {
    check(
        "title = \"name\"",
        "title = { cell = \"names.text\", at = \"id = id\" }",
        &expect![[r#"
        error[form/not_built]: the form `cell` is part of the language, but this version does not build it
          --> small.toml:40:33
           |
        40 | fields = { id = "id", title = { cell = "names.text", at = "id = id" }, price = "price as amount", stock = { count = "stock" } }
           |                                 ^^^^ not built
           |
           = help: built are: columns with codecs, const, value, count, decide, pick, one, list, derived columns"#]],
    );
}

#[test]
fn text_and_numbers_are_not_compared() {
    check(
        "count(lines) = 0",
        "any(lines, price <= 0)",
        &expect![[r#"
        error[expr/type]: text and int cannot be compared
          --> small.toml:44:32
           |
        44 | class = [ { when = "any(lines, price <= 0)", is = "history", why = "empty" } ]
           |                                ^^^^^^^^^^ there are no conversions; `decimal(…)` reads a number from text"#]],
    );
}

/// Every check of the compiler: the change that breaks it, and its code.
const CODES: [(&str, &str, &str); 77] = [
    ("source = \"small\"", "source = \"small", "file/toml"),
    ("mapping = 1", "mapping = 2", "file/version"),
    ("source = \"small\"\n", "", "file/missing"),
    ("source = \"small\"", "source = \"\"", "file/source"),
    ("\"IDR\"", "\"rupiah\"", "file/currency"),
    ("\"+07:00\"", "\"WIB\"", "file/zone"),
    ("zone = \"+07:00\"", "zone = 7", "file/type"),
    ("[table.item]\nkey", "[table.item]\ncolour = 1\nkey", "file/unknown_key"),
    ("block = 100 }", "block = 0 }", "ids/block"),
    ("item = { block", "thing = { block", "ids/no_table"),
    ("S-{id:05}", "S-{number}", "ids/public"),
    ("S-{id:05}", "SALE-NUMBER-{id:05}", "ids/too_long"),
    ("is = \"money\"", "is = \"cash\"", "codec/unknown"),
    ("price as amount\", stock", "price as cash\", stock", "codec/unknown"),
    ("read = [0, 2], print = 2", "read = [2, 0], print = 2", "money/read"),
    ("read = [0, 2], print = 2", "read = [0, 2], print = -1", "money/print"),
    ("read = [0, 2], print = 2", "read = [0, 2], print = 3", "money/not_read_back"),
    ("decimal = \".\"", "decimal = \"1\"", "codec/separator"),
    ("%Y-%m-%d", "%Y-%m", "instant/pattern"),
    ("same = \"1s\"", "same = \"1ms\"", "instant/same"),
    ("same = \"1s\"", "same = \"soon\"", "instant/same"),
    ("same = \"1s\"", "same = \"1s\", none = \"1970-01-01 00:00:00\"", "codec/none"),
    (", print = { open = \"NEW\", paid = \"PAID\" }", "", "words/missing"),
    (", paid = \"PAID\" }", " }", "words/not_printed"),
    (
        "PAID = \"paid\" }, print = { open = \"NEW\", paid",
        "PAID = \"payed\" }, print = { open = \"NEW\", payed",
        "words/unknown_class",
    ),
    ("NEW = \"open\"", "\"NEW \" = \"open\"", "words/blank"),
    ("state = \"state as state\"", "state = \"items as state\"", "words/type"),
    ("name text(40)", "name varchar(40)", "columns/type"),
    ("name text(40)", "name text(40) name", "columns/syntax"),
    ("stock int,", "stock int, stock int,", "columns/twice"),
    ("born 0, odd", "born 'no', odd", "columns/value"),
    ("touch as local", "touch", "columns/touch"),
    ("[table.item]\nkey = \"id\"", "[table.item]\nkey = \"nr\"", "table/key"),
    ("shop = \"shop_id\"", "shop = \"nr\"", "table/shop_path"),
    ("sale_id -> sale.shop_id", "sale_id -> sales.shop_id", "table/shop_path"),
    ("sale_id -> sale.shop_id", "sale_id -> sale.id", "table/shop_path"),
    ("shared = true\n", "", "table/shop_path"),
    ("[table.person]\n", "[table.person]\nwrites = \"maybe\"\n", "table/writes"),
    ("[[trigger]]\non = \"line\"", "[[trigger]]\non = \"lines\"", "entity/no_table"),
    ("\"item.stock\" =", "\"item.gone\" =", "trigger/target"),
    ("where = \"id = item_id\"", "where = \"stock = item_id\"", "trigger/where"),
    ("[entity.order]", "[entity.invoice]", "entity/unknown"),
    ("[entity.product]\nfrom = \"item\"", "[entity.product]\nfrom = \"person\"", "entity/shared"),
    ("[entity.order]\nfrom = \"sale\"\nremove = \"debt\"\n", "[entity.order]\nfrom = \"sale\"\n", "entity/remove"),
    ("title = \"name\"", "title = \"name\", colour = \"name\"", "entity/no_such_field"),
    ("title = \"name\"", "title = \"name\", currency = \"name\"", "entity/currency"),
    ("title = \"name\", ", "", "coverage/no_form"),
    ("title = \"name\"", "title = \"nam\"", "field/unknown_column"),
    ("title = \"name\"", "title = \"seen\"", "field/not_moved"),
    ("title = \"name\"", "title = { }", "field/syntax"),
    ("title = \"name\"", "title = { const = 1 }", "const/type"),
    ("title = \"name\"", "title = { value = \"1\" }", "value/type"),
    ("title = \"name\"", "title = { value = \"title\" }", "value/cycle"),
    ("title = \"name\"", "title = { value = \"nam\" }", "expr/unknown_name"),
    ("title = \"name\"", "title = { value = \"trim(\" }", "expr/syntax"),
    ("title = \"name\"", "title = { pick = \"most\", of = \"name\" }", "pick/not_grouped"),
    ("price = \"price as amount\"", "price = \"price\"", "codec/missing"),
    ("price = \"price as amount\"", "price = \"stock as amount\"", "codec/column"),
    ("title = \"name\"", "title = \"name as amount\"", "codec/field"),
    ("state = \"state as state\"", "state = { value = \"'lost'\" }", "value/word"),
    ("odd text(8) keep born", "odd text(8) born", "coverage/no_use"),
    ("title = \"name\"", "title = \"odd\"", "coverage/two_uses"),
    ("[entity.order.derived]\nitems", "[entity.order.derived]\nid", "derived/structural"),
    ("weight = \"quantity\"", "weight = \"id\"", "derived/weight"),
    ("spread = \"total\"", "spread = \"state\"", "derived/spread"),
    ("gone int born 0", "gone int", "birth/no_default"),
    ("gone int born 0", "gone int born 1", "where/not_born"),
    ("remove = \"gone = 1\"", "remove = \"gone = 0\"", "remove/not_removed"),
    ("id = person_id as nobody", "name = person_id as nobody", "join/type"),
    ("\"sale_id = id\"", "\"item_id = id\"", "join/shop_path"),
    ("order = \"pos\"\n", "", "list/order"),
    ("remove = \"delete\"", "remove = \"gone = 1\"", "list/remove"),
    ("[\"failed\", \"a = 'Y'\"", "[\"failed\", \"true\"", "decide/catch_all"),
    ("[\"failed\", \"a = 'Y'\"", "[\"failed\", \"b = 'Y'\"", "decide/shadowed"),
    ("\"a = 'T', b = 'Y'\"", "\"a = 'T'\"", "decide/incomplete"),
    ("[\"passed\"", "[\"unknown\"", "decide/unknown_class"),
    ("is = \"history\", why = \"empty\"", "is = \"history\"", "class/why"),
];

#[test]
fn every_check_has_its_code() {
    let mut wrong = Vec::new();
    for (from, to, code) in CODES {
        let codes: Vec<_> = found(&changed(from, to)).iter().map(|diagnostic| diagnostic.code).collect();
        if !codes.contains(&code) {
            wrong.push(format!("{from} → {to}: expected {code}, found {codes:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
