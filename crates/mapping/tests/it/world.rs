//! A small legacy in memory: tables of the demo's file, its stock trigger, its padding, and all its dirt.

use crate::demo_files::both;
use mapping::{Anchor, Context, Gather, Got, Mapping, Rows, RuleNo};
use std::cell::Cell as Cell1;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use vocab::document::{Node, Record};
use vocab::id::Kind;
use vocab::row::{Cell, ColumnType, Edit, Row, RowKey, TableNo};

pub const SHOP: i64 = 7;
/// Cells that are not given.
const FILLER: &str = "";

/// The files as they are: what the legacy's tables really look like.
pub fn truth() -> &'static Mapping {
    static TRUTH: OnceLock<Mapping> = OnceLock::new();
    TRUTH.get_or_init(both)
}

thread_local! {
    /// Whether the mapping under test has all columns of the legacy.
    static AS_REAL: Cell1<bool> = const { Cell1::new(true) };
    static MUTANT: Cell1<Option<&'static Mapping>> = const { Cell1::new(None) };
}

/// The mapping under test: the files as they are, or on this thread a mutant of them.
pub fn mapping() -> &'static Mapping {
    MUTANT.get().unwrap_or_else(truth)
}

/// Runs something with another mapping.
pub fn with_mutant<T>(mutant: &'static Mapping, run: impl FnOnce() -> T) -> T {
    let names = |mapping: &Mapping| -> Vec<_> {
        mapping.tables().iter().map(|table| table.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>()).collect()
    };
    AS_REAL.set(names(mutant) == names(truth()));
    MUTANT.set(Some(mutant));
    let result = run();
    MUTANT.set(None);
    AS_REAL.set(true);
    result
}

/// The column of the legacy that the mapping under test means.
pub fn real(table: TableNo, column: usize) -> (TableNo, usize) {
    if AS_REAL.get() {
        return (table, column);
    }
    let of = &mapping().tables()[table];
    let no = truth().tables().iter().position(|real| real.name == of.name).unwrap();
    (no, truth().tables()[no].column(&of.columns[column].name).unwrap())
}

fn real_table(table: TableNo) -> TableNo {
    real(table, 0).0
}

fn real_cells<T: Clone>(table: TableNo, cells: &[(usize, T)]) -> Vec<(usize, T)> {
    cells.iter().map(|(column, cell)| (real(table, *column).1, cell.clone())).collect()
}

fn real_edit(edit: &Edit) -> Edit {
    match edit {
        Edit::Insert { table, key, cells } => {
            Edit::Insert { table: real_table(*table), key: key.clone(), cells: real_cells(*table, cells) }
        }
        Edit::Update { table, key, set, add } => Edit::Update {
            table: real_table(*table),
            key: key.clone(),
            set: real_cells(*table, set),
            add: real_cells(*table, add),
        },
        Edit::Delete { table, key } => Edit::Delete { table: real_table(*table), key: key.clone() },
    }
}

/// How a born order's number looks, and a line of it.
pub fn looks_like_ours(number: &str) -> bool {
    number.len() == 11 && number.starts_with("TRX-")
}

/// Numbers that look random and are the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    pub fn int(&mut self, sides: u64) -> i64 {
        i64::try_from(self.roll(sides)).unwrap()
    }

    pub fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    pub fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.roll(u64::try_from(all.len()).unwrap())).unwrap()]
    }
}

#[derive(Clone)]
pub struct Legacy {
    pub rows: Rows,
    /// Whether `char(n)` pads, as PostgreSQL does and SQLite does not.
    pub pads: bool,
}

pub fn table(name: &str) -> TableNo {
    truth().tables().iter().position(|table| &*table.name == name).unwrap()
}

pub fn column(table_no: TableNo, name: &str) -> usize {
    truth().tables()[table_no].column(name).unwrap()
}

pub fn rule(kind: Kind) -> RuleNo {
    mapping().rules().iter().position(|rule| rule.kind == kind && &*rule.source == "kios").unwrap()
}

impl Legacy {
    fn stored(&self, cell: Cell, ty: &ColumnType) -> Cell {
        match (cell, ty) {
            (Cell::Text(text), ColumnType::Char(length)) if self.pads => {
                Cell::Text(format!("{text:width$}", width = usize::try_from(*length).unwrap()))
            }
            (cell, _) => cell,
        }
    }

    /// Inserts a row of which the given cells are known.
    pub fn row(&mut self, name: &str, cells: &[(&str, Cell)]) {
        let no = table(name);
        let of = &truth().tables()[no];
        let row = of.columns.iter().map(|column| {
            let given = cells.iter().find(|(name, _)| **name == *column.name).map(|(_, cell)| cell.clone());
            let cell = given.unwrap_or(match column.ty {
                _ if column.nullable => Cell::Null,
                ColumnType::Int => Cell::Int(0),
                ColumnType::Text(_) | ColumnType::Char(_) | ColumnType::Bytes => Cell::Text(FILLER.to_owned()),
            });
            self.stored(cell, &column.ty)
        });
        let row = Row(row.collect());
        let key = of.key_of(&row);
        self.rows.insert(no, key, row);
    }

    /// Makes edits as a database does: whole, with its own trigger; panics where a constraint is broken.
    pub fn write(&mut self, edits: &[Edit]) {
        for edit in edits {
            let edit = &real_edit(edit);
            let (Edit::Insert { table: no, key, .. }
            | Edit::Update { table: no, key, .. }
            | Edit::Delete { table: no, key }) = edit;
            let old = self.rows.get(*no, key).cloned();
            match edit {
                Edit::Insert { .. } => assert!(old.is_none(), "{key:?} is there already"),
                Edit::Update { .. } | Edit::Delete { .. } => assert!(old.is_some(), "{edit:?}: no such row"),
            }
            self.rows.apply(truth().tables(), std::slice::from_ref(edit));
            self.constrain(*no, key);
            let new = self.rows.get(*no, key).cloned();
            self.fire(*no, old.as_ref(), new.as_ref());
        }
    }

    fn constrain(&mut self, no: TableNo, key: &RowKey) {
        let Some(row) = self.rows.get(no, key).cloned() else { return };
        let of = &truth().tables()[no];
        let cells = of.columns.iter().zip(row.0).map(|(column, cell)| {
            assert!(column.nullable || cell != Cell::Null, "{}.{} is null", of.name, column.name);
            if let (Cell::Text(text), ColumnType::Text(Some(most)) | ColumnType::Char(most)) = (&cell, &column.ty) {
                assert!(text.chars().count() <= usize::try_from(*most).unwrap(), "{}.{}: {text}", of.name, column.name);
            }
            self.stored(cell, &column.ty)
        });
        let row = Row(cells.collect());
        assert_eq!(of.key_of(&row), *key, "a key does not change");
        self.rows.insert(no, key.clone(), row);
    }

    /// Written by hand from the legacy's schema, not from the mapping file.
    fn fire(&mut self, no: TableNo, old: Option<&Row>, new: Option<&Row>) {
        if no != table("jual_detil") {
            return;
        }
        let int = |row: &Row, name: &str| {
            let Cell::Int(value) = row.0[column(no, name)] else { panic!("{name} is no integer") };
            value
        };
        let taken = |row: &Row| int(row, "jml") - int(row, "batal_jml");
        for (row, sign) in old.map(|row| (row, 1)).into_iter().chain(new.map(|row| (row, -1))) {
            self.add_stock(int(row, "produk_id"), sign * taken(row));
        }
    }

    pub fn add_stock(&mut self, product: i64, by: i64) {
        let no = table("produk");
        let key = RowKey(vec![Cell::Int(product)]);
        let Some(row) = self.rows.get_mut(no, &key) else { return };
        let stock = &mut row.0[column(no, "stok")];
        if let Cell::Int(now) = stock {
            *stock = Cell::Int(*now + by);
        }
    }

    pub fn stock(&self, product: i64) -> i64 {
        let no = table("produk");
        let row = self.rows.get(no, &RowKey(vec![Cell::Int(product)])).unwrap();
        let Cell::Int(now) = row.0[column(no, "stok")] else { panic!("stock is no integer") };
        now
    }

    /// The rows with the tables and columns of the mapping under test, as capture would stage them.
    pub fn staged(&self) -> Rows {
        if AS_REAL.get() {
            return self.rows.clone();
        }
        let mut staged = Rows::default();
        for (no, of) in mapping().tables().iter().enumerate() {
            let columns: Vec<usize> = (0..of.columns.len()).map(|column| real(no, column).1).collect();
            for (_, row) in self.rows.of(real_table(no)) {
                let row = Row(columns.iter().map(|&column| row.0[column].clone()).collect());
                staged.insert(no, of.key_of(&row), row);
            }
        }
        staged
    }

    /// The rows of one aggregate, as the mover would gather them.
    pub fn gather(&self, rule: RuleNo, anchor: &Anchor) -> Rows {
        if AS_REAL.get() {
            return gather(&self.rows, rule, anchor);
        }
        gather(&self.staged(), rule, anchor)
    }

    pub fn get(&self, rule: RuleNo, anchor: &Anchor) -> Got {
        mapping().get(rule, anchor, &self.gather(rule, anchor), &Context::ALONE)
    }

    /// Every live aggregate of the written rules, as the store would hold it.
    pub fn live(&self) -> BTreeMap<(RuleNo, Anchor), Record> {
        self.whole().into_iter().map(|(place, document)| (place, in_store(document))).collect()
    }

    /// How many asserts and derived columns do not hold.
    pub fn reports(&self) -> usize {
        let count = |(rule, anchor): &(RuleNo, Anchor)| {
            if let Got::Live { reports, .. } = self.get(*rule, anchor) { reports.len() } else { 0 }
        };
        self.live().keys().map(count).sum()
    }

    /// The same, with stock.
    pub fn whole(&self) -> BTreeMap<(RuleNo, Anchor), Record> {
        let mut all = BTreeMap::new();
        let staged = self.staged();
        for (no, rule) in mapping().rules().iter().enumerate().filter(|(_, rule)| rule.writes) {
            let Gather::Anchored { table, .. } = &rule.gather else { continue };
            for (key, _) in staged.of(*table) {
                let anchor = Anchor::Row(key.clone());
                if let Got::Live { document, .. } = self.get(no, &anchor) {
                    all.insert((no, anchor), document);
                }
            }
        }
        all
    }
}

fn gather(all: &Rows, rule: RuleNo, anchor: &Anchor) -> Rows {
    let mut found = Rows::default();
    match (&mapping().rules()[rule].gather, anchor) {
        (Gather::Anchored { table, joins }, Anchor::Row(key)) => {
            let Some(row) = all.get(*table, key) else { return found };
            found.insert(*table, key.clone(), row.clone());
            for join in joins {
                for (key, joined) in all.of(join.table) {
                    if joined.0[join.column] == row.0[join.anchor_column] {
                        found.insert(join.table, key.clone(), joined.clone());
                    }
                }
            }
        }
        (Gather::Grouped { table, column }, Anchor::Group(cell)) => {
            for (key, row) in all.of(*table).filter(|(_, row)| row.0[*column] == *cell) {
                found.insert(*table, key.clone(), row.clone());
            }
        }
        _ => panic!("{anchor:?} does not fit the rule"),
    }
    found
}

/// Stock never stands in a stored document.
pub fn in_store(mut document: Record) -> Record {
    for node in document.0.values_mut() {
        if let Node::List(nodes) = node {
            for node in nodes {
                if let Node::Record(record) = node {
                    record.0.retain(|name, _| &**name != "stock");
                }
            }
        }
    }
    document
}

pub fn text(value: impl Into<String>) -> Cell {
    Cell::Text(value.into())
}

/// A shop with dirt in it.
pub fn legacy(seed: u64, pads: bool) -> Legacy {
    let mut dice = Dice(seed | 1);
    let mut legacy = Legacy { rows: Rows::default(), pads };
    for _ in 0..4 {
        dice.roll(2);
    }
    products(&mut legacy, &mut dice);
    for id in 1..=2 {
        let phone = if dice.one_in(3) { Cell::Null } else { text("0812") };
        legacy.row(
            "pelanggan",
            &[("id", Cell::Int(id)), ("nama", text(format!("Buyer {id}"))), ("telp", phone), ("sandi", Cell::Null)],
        );
    }
    let carts = 1 + dice.int(2);
    for id in 1..=carts {
        cart(&mut legacy, &mut dice, id);
        checkout(&mut legacy, &mut dice, id);
    }
    let orders = 1 + dice.int(3);
    for id in 1..=orders {
        order(&mut legacy, &mut dice, id);
    }
    for id in 1..=4 {
        payment(&mut legacy, &mut dice, id);
    }
    legacy.row(
        "idem",
        &[
            ("toko_id", Cell::Int(SHOP)),
            ("op", text("cart.create")),
            ("kunci", text("a,b\\c")),
            ("badan", text(if dice.one_in(6) { "no hash" } else { "00ffAB" })),
            ("kode", Cell::Int(201)),
            ("jenis", text("keranjang")),
            ("hasil", text("1")),
            ("tgl", text("2024-05-01 10:00:00")),
        ],
    );
    legacy
}

fn money(dice: &mut Dice, whole: i64) -> Cell {
    text(match dice.roll(24) {
        0 => format!("{whole}"),
        1 => format!("{whole}.0"),
        2 if dice.one_in(3) => format!("{whole}.123"),
        3 if dice.one_in(3) => format!("Rp {whole}"),
        _ => format!("{whole}.00"),
    })
}

fn when(dice: &mut Dice) -> Cell {
    text(match dice.roll(30) {
        0 => "2024-02-30 00:00:00".to_owned(),
        1 => "yesterday".to_owned(),
        second => format!("2024-05-01 10:00:{second:02}"),
    })
}

fn products(legacy: &mut Legacy, dice: &mut Dice) {
    for id in 1..=3 {
        let price = money(dice, 10_000 * id);
        legacy.row(
            "produk",
            &[
                ("id", Cell::Int(id)),
                ("toko_id", Cell::Int(if id == 3 { SHOP + 1 } else { SHOP })),
                ("kode", text(format!("SKU{id}"))),
                ("nama", text(format!("Thing {id}"))),
                ("harga", price),
                ("stok", Cell::Int(50 + dice.int(50))),
                ("aktif", text(if dice.one_in(9) { "?" } else { dice.of(&["Y", "T"]) })),
                ("hapus", Cell::Int(i64::from(dice.one_in(7)))),
                ("f1", text("OLD")),
                ("diubah", text("2020-01-01 00:00:00")),
            ],
        );
    }
}

fn cart(legacy: &mut Legacy, dice: &mut Dice, id: i64) {
    let created = when(dice);
    legacy.row(
        "keranjang",
        &[
            ("id", Cell::Int(id)),
            ("toko_id", Cell::Int(SHOP)),
            ("status", text(dice.of(&["BUKA", "JADI", "BATAL", "HANGUS"]))),
            ("dibuat", created),
            ("diubah", text("2024-05-01 10:00:00")),
        ],
    );
    for line in 0..dice.int(3) {
        let cells = [
            ("id", Cell::Int(id * 10 + line)),
            ("keranjang_id", Cell::Int(id)),
            ("produk_id", Cell::Int(1 + line)),
            ("jml", Cell::Int(1 + dice.int(4))),
        ];
        legacy.row("keranjang_isi", &cells);
    }
}

fn checkout(legacy: &mut Legacy, dice: &mut Dice, id: i64) {
    let (created, total) = (when(dice), money(dice, 31_000));
    legacy.row(
        "transaksi",
        &[
            ("id", Cell::Int(id)),
            ("toko_id", Cell::Int(SHOP)),
            ("keranjang_id", if dice.one_in(2) { Cell::Null } else { Cell::Int(id) }),
            ("status", text(dice.of(&["BUKA", "JADI", "BATAL"]))),
            ("subtotal", text("20000.00")),
            ("pajak", text("2000.00")),
            ("ongkir", text("9000.00")),
            ("total", total),
            ("dibuat", created),
            ("diubah", text("2024-05-01 10:00:00")),
        ],
    );
    legacy.row(
        "transaksi_isi",
        &[
            ("id", Cell::Int(id * 10)),
            ("transaksi_id", Cell::Int(id)),
            ("produk_id", Cell::Int(1)),
            ("nama", text("Thing 1")),
            ("harga", text("10000.00")),
            ("jml", Cell::Int(2)),
            ("total", text("20000.00")),
        ],
    );
}

fn order(legacy: &mut Legacy, dice: &mut Dice, id: i64) {
    let lines = if dice.one_in(10) { 0 } else { 1 + dice.int(3) };
    let quantities: Vec<i64> = (0..lines).map(|_| if dice.one_in(25) { 0 } else { 1 + dice.int(4) }).collect();
    let subtotal: i64 = quantities.iter().map(|quantity| quantity * 10_000).sum();
    let tax: i64 = subtotal / 10;
    let total = money(dice, subtotal + tax + 9_000);
    let placed = when(dice);
    legacy.row(
        "jual",
        &[
            ("id", Cell::Int(id)),
            ("toko_id", Cell::Int(SHOP)),
            ("nomor", text(format!("TRX-{id:07}"))),
            ("faktur", Cell::Int(id)),
            ("pelanggan_id", Cell::Int(if dice.one_in(12) { 99 } else { dice.int(3) })),
            ("tgl", placed),
            ("status", text(dice.of(&["BARU", "PROSES", "LUNAS", "KIRIM", "BATAL", "TOLAK", "LUNAS", "RETUR"]))),
            ("batal_pada", text("0000-00-00 00:00:00")),
            ("subtotal", text(format!("{subtotal}.00"))),
            ("pajak", text(format!("{tax}.00"))),
            ("ongkir", text("9000.00")),
            ("total", total),
            // Wrong on purpose now and then: nobody repairs what nobody touched.
            ("jml_item", Cell::Int(quantities.iter().sum::<i64>() + i64::from(dice.one_in(4)))),
            ("catatan", text("as it was")),
            ("kdx", text("Z9")),
            ("diubah", text("2024-05-01 10:00:00")),
        ],
    );
    for (nth, quantity) in (0..).zip(&quantities) {
        let tie = dice.one_in(8);
        let (price, product) = (money(dice, 10_000), 1 + dice.int(2));
        legacy.row(
            "jual_detil",
            &[
                ("id", Cell::Int(id * 10 + nth)),
                ("jual_id", Cell::Int(id)),
                ("urut", Cell::Int(if tie { 1 } else { nth + 1 })),
                ("produk_id", Cell::Int(product)),
                ("nama", text("Thing")),
                ("harga", price),
                ("jml", Cell::Int(*quantity)),
                ("batal_jml", Cell::Int(if *quantity > 2 { 1 } else { 0 })),
                ("pajak", text(format!("{}.00", quantity * 1_000))),
                ("total", text(format!("{}.00", quantity * 10_000))),
                ("tanda", text("X")),
            ],
        );
    }
    let paid = when(dice);
    legacy.row(
        "bayar",
        &[
            ("id", Cell::Int(id)),
            ("jual_id", Cell::Int(id)),
            ("cara", text("instant")),
            ("jumlah", text("9000.00")),
            ("tgl", paid),
            ("lunas", text(dice.of(&["Y", "T"]))),
            ("gagal", text(if dice.one_in(9) { "?" } else { "T" })),
            ("rujukan", Cell::Null),
        ],
    );
}

/// An order that is not paid yet, or was not: what was tried, what came, what goes back.
fn payment(legacy: &mut Legacy, dice: &mut Dice, id: i64) {
    let (due, created) = (money(dice, 31_000), when(dice));
    let never = || text("0000-00-00 00:00:00");
    let (ordered, ended) = (dice.one_in(3), dice.one_in(3));
    legacy.row(
        "pesanan",
        &[
            ("id", Cell::Int(id)),
            ("toko_id", Cell::Int(SHOP)),
            ("transaksi_id", Cell::Int(id)),
            ("nomor", text(format!("TRX-{:07}", 500 + id))),
            ("akun", text("loket")),
            ("jumlah", due),
            ("dikembalikan", text("0.00")),
            ("telat", Cell::Int(i64::from(dice.one_in(8)))),
            ("jual_nomor", if ordered { text(format!("TRX-{:07}", 500 + id)) } else { Cell::Null }),
            ("akhir", if ended { text(dice.of(&["HANGUS", "BATAL", "GAGAL"])) } else { Cell::Null }),
            ("akhir_pada", if ended { text("2024-05-01 11:00:00") } else { never() }),
            ("minta_batal", never()),
            ("batas", text("2024-05-02 10:00:00")),
            ("dibuat", created),
            ("diubah", text("2024-05-01 10:00:00")),
        ],
    );
    tries(legacy, dice, id);
    for number in 1..=dice.int(3) {
        legacy.row(
            "pesanan_uang",
            &[
                ("pesanan_id", Cell::Int(id)),
                ("urut", Cell::Int(number)),
                ("ke", Cell::Int(1)),
                ("transaksi", text(format!("txn_{id}_{number}"))),
                ("jenis", text(dice.of(&["MASUK", "TARIK", "SANGGA"]))),
                ("jumlah", text("31000.00")),
                ("tgl", text("2024-05-01 10:30:00")),
            ],
        );
    }
    for number in 1..=dice.int(3) {
        legacy.row(
            "pesanan_balik",
            &[
                ("pesanan_id", Cell::Int(id)),
                ("urut", Cell::Int(number)),
                ("kunci", text(format!("KIOS-{id}-r{number}"))),
                ("ke", if dice.one_in(2) { Cell::Null } else { Cell::Int(1) }),
                ("jumlah", text("1000.00")),
                ("sebab", text(dice.of(&["RETUR", "LEBIH", "AKHIR"]))),
                ("status", text(dice.of(&["REK", "CATAT", "TERIMA", "KIRIM"]))),
                ("dibuat", text("2024-05-01 10:40:00")),
                ("tarik_pada", never()),
                ("tolak_pada", never()),
                ("rekening", if dice.one_in(2) { Cell::Null } else { text("BCA 123") }),
            ],
        );
    }
}

fn tries(legacy: &mut Legacy, dice: &mut Dice, id: i64) {
    for number in 1..=1 + dice.int(2) {
        let fates = ["CATAT", "TUNGGU", "LUNAS", "TOLAK", "RAGU", "TAKADA", "MATI"];
        legacy.row(
            "pesanan_coba",
            &[
                ("pesanan_id", Cell::Int(id)),
                ("ke", Cell::Int(number)),
                ("rujukan", text(format!("KIOS-{id}-{number}"))),
                ("cara", text(dice.of(&["VA", "QRIS", "DOMPET"]))),
                ("jumlah", text("31000.00")),
                ("status", text(dice.of(&fates))),
                ("dengar_pada", text("2024-05-01 10:00:01")),
                ("mati_pada", text("0000-00-00 00:00:00")),
                ("batas", text("2024-05-02 10:00:00")),
                ("kode", if dice.one_in(2) { Cell::Null } else { text("8808000000000001") }),
                ("dibuat", text("2024-05-01 10:00:00")),
            ],
        );
    }
}
