//! Single slips in the file: each is refused at load, or caught when it runs, or listed here as invisible together
//! with what else catches it.

use crate::backend::{self, COMMANDS, Mint};
use crate::demo_files::{ARSIP, KIOS};
use crate::laws::Soak;
use crate::world::{Dice, legacy, with_mutant};
use commerce::shape::SHAPES;
use mapping::{File, Mapping, compile};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use vocab::document::{Node, Record};

struct Mutant {
    name: String,
    text: String,
}

/// What neither the compiler nor the laws see, and who does.
const INVISIBLE: [(&str, &str); 13] = [
    ("produk.f1 left out", CATALOGUE),
    ("produk.f1 without born", NO_BIRTH),
    ("produk.dilihat left out", CATALOGUE),
    ("produk.dilihat without born", NO_BIRTH),
    ("produk.diubah left out", CATALOGUE),
    ("pelanggan.telp without null", "preflight: the catalogue says that it may be null"),
    ("jual.catatan left out", CATALOGUE),
    ("once no. 0 left out of fields = { operation = \"", KEY),
    ("once no. 1 left out of fields = { operation = \"", KEY),
    (
        "[codec] read = [0, 2], print = 2 → read = [0, 3], print = 2",
        "nothing to catch: a third digit but 0 is refused all the same",
    ),
    (
        "[entity.order.derived] rest = \"last\" → rest = \"first\"",
        "the round trip, whose cells are listed by hand per command",
    ),
    ("[entity.checkout] \"kota\" ↔ \"prov\"", PERSON),
    ("[entity.order.fields] \"kota\" ↔ \"prov\"", PERSON),
];

const CATALOGUE: &str = "preflight: the catalogue has a column that the file has not";
const NO_BIRTH: &str = "nothing to catch: no row of this table is born";
const KEY: &str = "nothing to catch: a key is never written again";
const PERSON: &str = "only a person who reads the file: two free texts, exchanged both ways";

fn replaced(name: impl Into<String>, from: &str, to: &str) -> Mutant {
    assert!(KIOS.contains(from), "the file no longer says {from}");
    Mutant { name: name.into(), text: KIOS.replacen(from, to, 1) }
}

/// A replacement inside the section that begins with this line.
fn inside(section: &str, from: &str, to: &str) -> Mutant {
    let start = KIOS.find(section).unwrap_or_else(|| panic!("the file has no {section}"));
    let (before, after) = KIOS.split_at(start);
    assert!(after.contains(from), "the file no longer says {from} after {section}");
    let (old, new) = (from.trim().replace('\n', " "), to.trim().replace('\n', " "));
    let name = format!("{section} {old} → {}", if new.is_empty() { "(nothing)" } else { &new });
    Mutant { name, text: format!("{before}{}", after.replacen(from, to, 1)) }
}

/// Every declared column, as (table, declaration).
fn columns() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for section in KIOS.split("[table.").skip(1) {
        let (table, rest) = section.split_once(']').unwrap();
        let text = rest.split_once("columns = ").unwrap().1;
        let quote = if text.starts_with("'''") { "'''" } else { "'" };
        let text = if quote == "'''" {
            text[3..].split_once("'''").unwrap().0
        } else {
            text[1..].split_once("'\n").unwrap().0
        };
        let lines = text.lines().map(|line| line.split("--").next().unwrap());
        for column in lines.collect::<Vec<_>>().join("\n").split(',') {
            found.push((table.to_owned(), column.trim().to_owned()));
        }
    }
    found
}

/// A column left out, with its comma.
fn without(section: &str, declared: &str, name: String) -> Mutant {
    let start = KIOS.find(section).unwrap();
    let at = start + KIOS[start..].find(declared).unwrap();
    let (before, after) = (&KIOS[..at], &KIOS[at + declared.len()..]);
    let text = match after.strip_prefix(',') {
        Some(after) => format!("{before}{after}"),
        None => format!("{}{after}", before.trim_end().trim_end_matches(',')),
    };
    Mutant { name, text }
}

/// Each column of three tables left out, and each word of each column left out.
fn of_columns() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (table, declared) in columns() {
        let section = format!("[table.{table}]");
        let name = declared.split(' ').next().unwrap();
        if ["produk", "jual", "bayar"].contains(&table.as_str()) {
            mutants.push(without(&section, &declared, format!("{table}.{name} left out")));
        }
        for word in [" null", " keep", " unmoved", " secret", " touch as wib"] {
            if declared.contains(word) {
                let mut mutant = inside(&section, &declared, &declared.replacen(word, "", 1));
                mutant.name = format!("{table}.{name} without{word}");
                mutants.push(mutant);
            }
        }
        if let Some((before, _)) = declared.split_once(" born ") {
            let mut mutant = inside(&section, &declared, before);
            mutant.name = format!("{table}.{name} without born");
            mutants.push(mutant);
        }
    }
    mutants
}

/// Each printed word replaced by its neighbour, each `once` left out.
fn of_words() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for line in KIOS.lines().filter(|line| line.contains("print = {")) {
        let words = line.split_once("print = {").unwrap().1;
        let pairs: Vec<&str> = words.split('}').next().unwrap().split(',').map(str::trim).collect();
        for (nth, pair) in pairs.iter().enumerate() {
            let other = pairs[(nth + 1) % pairs.len()].split_once('=').unwrap().1;
            let class = pair.split_once('=').unwrap().0.trim();
            let changed = line.replacen(pair, &format!("{class} ={other}"), 1);
            mutants.push(replaced(format!("print {pair} → {}", other.trim()), line, &changed));
        }
    }
    for line in KIOS.lines().filter(|line| line.contains(" once")) {
        for (nth, (at, _)) in line.match_indices(" once").enumerate() {
            let changed = format!("{}{}", &line[..at], &line[at + 5..]);
            let start: String = line.chars().take(24).collect();
            mutants.push(replaced(format!("once no. {nth} left out of {start}"), line, &changed));
        }
    }
    mutants
}

/// Slips by hand.
const SLIPS: [(&str, &str, &str); 67] = [
    ("mapping = 1", "zone = \"+07:00\"", "zone = \"+08:00\""),
    ("mapping = 1", "currency = \"IDR\"", "currency = \"JPY\""),
    ("[ids]", "transaksi = { block = 10000 }\n", ""),
    ("[ids]", "jual_detil = { block = 10000 }\n", ""),
    ("[ids]", ", public = \"TRX-{id:07}\"", ""),
    ("[ids]", "TRX-{id:07}", "TRX-{id:08}"),
    ("[ids]", "TRX-{id:07}", "TRANSACTION-NO-{id:09}"),
    ("[codec]", "read = [0, 2], print = 2", "read = [2, 2], print = 2"),
    ("[codec]", "read = [0, 2], print = 2", "read = [0, 2], print = 0"),
    ("[codec]", "read = [0, 2], print = 2", "read = [0, 2], print = 3"),
    ("[codec]", "read = [0, 2], print = 2", "read = [0, 3], print = 2"),
    ("[codec]", "decimal = \".\"", "decimal = \",\""),
    ("[codec]", "%Y-%m-%d", "%Y-%d-%m"),
    ("[codec]", "%H:%M:%S", "%H:%M"),
    ("[codec]", ", same = \"1s\"", ", same = \"1m\""),
    ("[codec]", ", same = \"1s\"", ", same = \"1ms\""),
    ("[codec]", ", none = \"0000-00-00 00:00:00\"", ""),
    ("[codec]", "is = \"ref\", none = 0", "is = \"ref\", none = 1"),
    ("[codec]", "is = \"ref\", none = 0", "is = \"ref\""),
    ("[codec]", "{ Y = \"active\", T = \"withdrawn\" }", "{ Y = \"withdrawn\", T = \"active\" }"),
    ("[codec.order_state]", "PROSES = \"open\", ", ""),
    ("[codec.order_state]", "TOLAK = \"cancelled\"", "TOLAK = \"refused\""),
    ("[table.produk]", "key = \"id\"", "key = \"kode\""),
    ("[table.produk]", "shop = \"toko_id\"", "shop = \"id\""),
    ("[table.pelanggan]", "shared = true", "shop = \"id\""),
    ("[table.jual_detil]", "jual_id -> jual.toko_id", "id -> jual.toko_id"),
    ("[table.jual_detil]", "jual_id -> jual.toko_id", "jual_id -> transaksi.toko_id"),
    ("[[trigger]]", "[[trigger]] # the legacy's own\non = \"jual_detil\"\n", "[[trigger]]\non = \"bayar\"\n"),
    ("[[trigger]]", "old.jml - old.batal_jml - (new.jml - new.batal_jml)", "old.jml - new.jml"),
    (
        "[[trigger]]",
        "old.jml - old.batal_jml - (new.jml - new.batal_jml)",
        "new.jml - new.batal_jml - old.jml + old.batal_jml",
    ),
    ("[[trigger]]", "where = \"id = produk_id\"", "where = \"id = jual_id\""),
    ("[[trigger]]", "\"produk.stok\"", "\"produk.dilihat\""),
    ("[entity.product]", "where = \"hapus = 0\"\n", ""),
    ("[entity.product]", "where = \"hapus = 0\"", "where = \"hapus = 1\""),
    ("[entity.product]", "remove = \"hapus = 1\"", "remove = \"hapus = 0\""),
    ("[entity.product]", "remove = \"hapus = 1\"", "remove = \"debt\""),
    ("[entity.product]", "title = \"nama\"", "title = \"kode\""),
    ("[entity.product]", "{ count = \"stok\" }", "{ const = 0 }"),
    ("[entity.product]", "{ count = \"stok\" }", "{ count = \"hapus\" }"),
    ("[entity.cart.list.lines]", "remove = \"delete\"", "remove = \"debt\""),
    ("[entity.cart.list.lines]", "on = \"keranjang_id = id\"", "on = \"id = id\""),
    ("[entity.cart.list.lines]", "on = \"keranjang_id = id\"", "on = \"produk_id = id\""),
    ("[entity.checkout]", "subtotal = \"subtotal as rupiah\"", "subtotal = \"total as rupiah\""),
    ("[entity.checkout]", "buyer_phone = \"telp\"", "buyer_phone = \"surel\""),
    ("[entity.order]", "{ when = \"count(lines) = 0\", is = \"history\", why = \"no_lines\" },\n", ""),
    ("[entity.order]", "any(lines, jml <= 0)", "any(lines, jml < 0)"),
    ("[entity.order]", "any(lines, jml <= 0)", "any(lines, batal_jml >= 0)"),
    ("[entity.order]", "count(lines) = 0", "count(line) = 0"),
    ("[entity.order]", "subtotal = \"subtotal as rupiah\"", "subtotal = \"ongkir as rupiah\""),
    ("[entity.order]", "invoice = \"faktur once\"\n", ""),
    ("[entity.order]", "invoice = \"faktur once\"", "invoice = \"jml_item once\""),
    ("[entity.order]", "invoice = \"faktur once\"", "invoice = { value = \"null\" }"),
    ("[entity.order]", "placed_at = \"tgl as wib once\"", "placed_at = \"tgl\""),
    ("[entity.order]", "cancelled_at = \"batal_pada as wib\"", "cancelled_at = \"tgl as wib\""),
    ("[entity.order]", "state = \"status as order_state\"", "state = \"status as cart_state\""),
    ("[entity.order]", "street = \"jalan\"", "street = \"catatan\""),
    ("[entity.order.one.buyer]", "id = pelanggan_id as guest", "id = pelanggan_id"),
    ("[entity.order.one.buyer]", "id = pelanggan_id as guest", "id = transaksi_id as guest"),
    ("[entity.order.list.lines]", "order = \"urut\"", "order = \"id\""),
    ("[entity.order.list.lines]", "order = \"urut\"", "order = \"jml\""),
    ("[entity.order.list.lines]", "remove = \"debt\"", "remove = \"delete\""),
    ("[entity.order.list.payments]", "gagal = 'T' and lunas = 'T'", "true"),
    ("[entity.order.list.payments]", "gagal = 'T', lunas = 'Y'", "lunas = 'Y'"),
    ("[entity.order.derived]", "jml_item = { value = \"sum(lines, quantity)\" }\n", ""),
    ("[entity.order.derived]", "sum(lines, quantity)", "count(lines)"),
    ("[entity.order.derived]", "rest = \"last\"", "rest = \"first\""),
    ("[entity.idempotency]", "body = \"badan as sha once\"", "body = \"badan once\""),
];

/// Two columns of a section, exchanged.
const SWAPS: [(&str, &str, &str); 7] = [
    ("[entity.checkout]", "\"subtotal as rupiah\"", "\"total as rupiah\""),
    ("[entity.checkout]", "\"kota\"", "\"prov\""),
    ("[entity.order.fields]", "\"subtotal as rupiah\"", "\"total as rupiah\""),
    ("[entity.order.fields]", "\"ongkir as rupiah\"", "\"pajak as rupiah\""),
    ("[entity.order.fields]", "\"kota\"", "\"prov\""),
    ("[entity.order.list.lines]", "\"batal_jml\"", "\"retur_jml\""),
    ("[entity.order.list.lines]", "\"harga as rupiah\"", "\"total as rupiah\""),
];

fn swapped(section: &str, a: &str, b: &str) -> Mutant {
    let start = KIOS.find(section).unwrap();
    let (before, after) = KIOS.split_at(start);
    let text = after.replacen(a, "\u{0}", 1).replacen(b, a, 1).replacen('\u{0}', b, 1);
    Mutant { name: format!("{section} {a} ↔ {b}"), text: format!("{before}{text}") }
}

fn mutants() -> Vec<Mutant> {
    let mut all = of_columns();
    all.extend(of_words());
    all.extend(SLIPS.iter().map(|(section, from, to)| inside(section, from, to)));
    all.extend(SWAPS.iter().map(|(section, a, b)| swapped(section, a, b)));
    all
}

/// What a run shows from the outside.
#[derive(Default, PartialEq, Eq)]
struct Seen {
    /// Live aggregates, by kind.
    live: BTreeMap<usize, usize>,
    debts: BTreeMap<&'static str, usize>,
    /// What preflight reports of the documents: asserts and derived columns that do not hold.
    reports: usize,
    /// Sums of every amount and count, and the first and last instant, as a control total has them.
    totals: BTreeMap<String, i64>,
}

const SEEDS: u64 = 14;

/// Runs fixed stories; the message of the first law that is broken.
fn run() -> Result<Seen, String> {
    let mut seen = Seen::default();
    for seed in 1..=SEEDS {
        let story = || {
            let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let mut mint = Mint(1_000);
            let shop = legacy(dice.roll(u64::MAX), seed % 2 == 0);
            let (whole, reports) = (shop.whole(), shop.reports());
            let mut soak = Soak::new(shop);
            let mut debts = Vec::new();
            // Every command once, beginning elsewhere each time.
            let first = u32::try_from(dice.roll(u64::from(COMMANDS))).unwrap();
            for command in (0..u32::from(COMMANDS)).map(|nth| (nth * 7 + first) % u32::from(COMMANDS)) {
                let command = u8::try_from(command).unwrap();
                let which = u8::try_from(dice.roll(5)).unwrap();
                let fact = backend::run(command, which, &soak.documents, &mut mint, &mut dice);
                if let Some(fact) = fact {
                    debts.extend(soak.step(&fact));
                }
            }
            soak.end();
            (whole, reports, debts)
        };
        let (whole, reports, debts) = catch_unwind(AssertUnwindSafe(story)).map_err(|panic| message(&*panic))?;
        for ((rule, _), document) in &whole {
            *seen.live.entry(*rule).or_default() += 1;
            total(&rule.to_string(), document, &mut seen.totals);
        }
        seen.reports += reports;
        for debt in debts {
            *seen.debts.entry(debt).or_default() += 1;
        }
    }
    Ok(seen)
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    let line = text.unwrap_or("panic").lines().next().unwrap_or("");
    let line = line.strip_prefix("assertion `left == right` failed: ").unwrap_or(line);
    line.chars().take(60).collect()
}

fn total(path: &str, record: &Record, totals: &mut BTreeMap<String, i64>) {
    for (name, node) in &record.0 {
        let path = format!("{path}.{name}");
        match node {
            Node::Int(value) => *totals.entry(path).or_default() += value,
            Node::Record(record) => total(&path, record, totals),
            Node::List(nodes) => nodes.iter().for_each(|node| {
                if let Node::Record(record) = node {
                    total(&path, record, totals);
                }
            }),
            Node::Null | Node::Bool(_) | Node::Text(_) => {}
        }
    }
}

fn verdict(mutant: &Mutant, healthy: &Seen) -> String {
    let files = [File { name: "kios.toml", text: &mutant.text }, File { name: "arsip.toml", text: ARSIP }];
    let compiled: &'static Mapping = match compile(&files, SHAPES) {
        Ok(compiled) => Box::leak(Box::new(compiled)),
        Err(found) => return format!("refused: {}", found[0].code),
    };
    match with_mutant(compiled, run) {
        Err(law) => format!("caught: {law}"),
        Ok(seen) if seen.live != healthy.live => "caught: other aggregates are live (findings, counts)".to_owned(),
        Ok(seen) if seen.totals != healthy.totals => "caught: control totals".to_owned(),
        Ok(seen) if seen.reports != healthy.reports => "caught: reports of derived columns".to_owned(),
        Ok(seen) if seen.debts != healthy.debts => "caught: other debts, by name".to_owned(),
        Ok(_) => {
            let known = INVISIBLE.iter().find(|(name, _)| *name == mutant.name).map(|(_, who)| *who);
            format!("INVISIBLE: {}", known.unwrap_or("nobody is named"))
        }
    }
}

#[test]
fn every_slip_is_stopped_or_caught_or_named() {
    let healthy = run().unwrap_or_else(|law| panic!("the file itself: {law}"));
    let all = mutants();
    let verdicts: Vec<(String, String)> =
        all.iter().map(|mutant| (mutant.name.clone(), verdict(mutant, &healthy))).collect();
    let count = |word: &str| verdicts.iter().filter(|(_, verdict)| verdict.starts_with(word)).count();
    let mut shown = format!(
        "{} slips: {} refused, {} caught, {} invisible\n",
        all.len(),
        count("refused"),
        count("caught"),
        count("INVISIBLE")
    );
    for (name, verdict) in &verdicts {
        shown.push_str(&format!("{name}: {verdict}\n"));
    }
    expect_test::expect_file!["mutants.txt"].assert_eq(&shown);
    assert!(!shown.contains("nobody is named"), "an invisible slip without a name in INVISIBLE");
}
