//! The past of a shop: carts and checkouts of yesterday and today, and orders of two years.
//!
//! Most orders are sound. The last four of a shop are not: no lines, a line of nothing, totals one rupiah off, and
//! lines that do not come to the subtotal.

use super::fate::{Dirt, Fate, dirt, fate};
use super::{Dice, Good, Store, Table, ago, styled};
use crate::clock::NEVER;
use crate::money::{self, RUPIAH};
use crate::value::Value;
use jiff::Timestamp;

const ORDERS: usize = 60;
const OPEN_CARTS: usize = 5;
/// Where `tgl` stands among the columns of `jual`.
const PLACED_AT: usize = 5;

/// The tables of what happened.
pub struct Past {
    keranjang: Table,
    keranjang_isi: Table,
    transaksi: Table,
    transaksi_isi: Table,
    jual: Table,
    jual_detil: Table,
    bayar: Table,
    kembali: Table,
    idem: Table,
    customers: i64,
    now: Timestamp,
}

struct Bought {
    good: Good,
    quantity: i64,
}

impl Bought {
    const fn total(&self) -> i64 {
        self.good.price * self.quantity
    }
}

/// A checkout's or order's money, in hundredths.
struct Sums {
    subtotal: i64,
    tax: i64,
    shipping: i64,
}

impl Sums {
    fn of(store: &Store, lines: &[Bought], ships: bool) -> Self {
        Self {
            subtotal: lines.iter().map(Bought::total).sum(),
            tax: lines.iter().map(|line| money::tax_on_line(line.total(), store.tax_bp)).sum(),
            shipping: if ships { store.shipping } else { 0 },
        }
    }

    const fn total(&self) -> i64 {
        self.subtotal + self.tax + self.shipping
    }
}

const ADDRESS: [&str; 5] = ["Jl. Merdeka 17", "Bandung", "Jawa Barat", "40111", "ID"];

impl Past {
    pub fn new(customers: i64, now: Timestamp) -> Self {
        Self {
            keranjang: Table::new("keranjang", "id, toko_id, status, sesi, dibuat, diubah"),
            keranjang_isi: Table::new("keranjang_isi", "id, keranjang_id, produk_id, jml"),
            transaksi: Table::new(
                "transaksi",
                "id, toko_id, keranjang_id, status, nama, telp, surel, jalan, kota, prov, kodepos, negara, \
                 kirim, subtotal, pajak, ongkir, total, jual_nomor, kdx, dibuat, diubah",
            ),
            transaksi_isi: Table::new("transaksi_isi", "id, transaksi_id, produk_id, nama, harga, jml, total"),
            jual: Table::new(
                "jual",
                "id, toko_id, nomor, transaksi_id, pelanggan_id, tgl, status, batal_pada, jalan, kota, prov, \
                 kodepos, negara, subtotal, pajak, ongkir, total, jml_item, catatan, kdx, diubah, faktur",
            ),
            jual_detil: Table::new(
                "jual_detil",
                "id, jual_id, urut, produk_id, nama, harga, jml, batal_jml, retur_jml, pajak, total, tanda",
            ),
            bayar: Table::new("bayar", "id, jual_id, cara, jumlah, tgl, lunas, gagal, rujukan"),
            kembali: Table::new("kembali", "id, jual_id, detil_id, jenis, jml, jumlah, tgl, petugas"),
            idem: Table::new("idem", "toko_id, op, kunci, badan, kode, jenis, hasil, tgl"),
            customers,
            now,
        }
    }

    pub fn into_tables(self) -> [Table; 9] {
        [
            self.keranjang,
            self.keranjang_isi,
            self.transaksi,
            self.transaksi_isi,
            self.jual,
            self.jual_detil,
            self.bayar,
            self.kembali,
            self.idem,
        ]
    }

    pub(super) fn write(&mut self, dice: &mut Dice, store: &Store) {
        for place in 0..ORDERS {
            self.order(dice, store, place);
        }
        self.number_invoices();
        for place in 0..OPEN_CARTS {
            let cart = self.cart(dice, store, "BUKA", dice_hours(place));
            if place < 2 {
                self.remember(dice, store, ("cart.create", 201, "keranjang", cart), dice_hours(place));
            }
        }
        self.cart(dice, store, "BATAL", 30);
        self.cart(dice, store, "HANGUS", 80);
        for (place, status) in ["BUKA", "BUKA", "BUKA", "BATAL"].into_iter().enumerate() {
            let lines = bought(dice, store);
            let hours = dice_hours(place);
            let draft = self.draft(store, &lines, (None, status, None), place != 0, &ago(self.now, hours));
            if status == "BUKA" {
                self.remember(dice, store, ("checkout.create", 201, "transaksi", draft), hours);
            }
        }
    }

    /// The newest orders are a shop's that has no invoice numbers yet: 1, 2, 3 … as they were placed.
    fn number_invoices(&mut self) {
        let first = self.jual.rows.len().saturating_sub(ORDERS);
        let mut rows: Vec<&mut Vec<Value>> = self.jual.rows[first..].iter_mut().collect();
        rows.sort_by_key(|row| match &row[PLACED_AT] {
            Value::Text(at) => at.clone(),
            Value::Null | Value::Int(_) => String::new(),
        });
        for (number, row) in (1_i64..).zip(rows) {
            row.push(number.into());
        }
    }

    fn cart(&mut self, dice: &mut Dice, store: &Store, status: &str, hours: i64) -> i64 {
        let id = self.keranjang.next_id();
        let session = format!("{:016x}", dice.roll());
        let at = ago(self.now, hours);
        let row = vec![id.into(), store.id.into(), status.into(), session.into(), at.as_str().into(), at.into()];
        self.keranjang.rows.push(row);
        for line in bought(dice, store) {
            let key = self.keranjang_isi.next_id();
            self.keranjang_isi.rows.push(vec![key.into(), id.into(), line.good.id.into(), line.quantity.into()]);
        }
        id
    }

    fn remember(&mut self, dice: &mut Dice, store: &Store, what: (&str, i64, &str, i64), hours: i64) {
        let (operation, code, table, id) = what;
        let body: String = (0..4).map(|_| format!("{:016x}", dice.roll())).collect();
        self.idem.rows.push(vec![
            store.id.into(),
            operation.into(),
            format!("lama-{id}").into(),
            body.into(),
            code.into(),
            table.into(),
            id.to_string().into(),
            ago(self.now, hours).into(),
        ]);
    }

    fn draft(
        &mut self,
        store: &Store,
        lines: &[Bought],
        (cart, status, order): (Option<i64>, &str, Option<&str>),
        filled_in: bool,
        at: &str,
    ) -> i64 {
        let id = self.transaksi.next_id();
        let sums = Sums::of(store, lines, filled_in);
        let there = |text: &'static str| Value::from(filled_in.then_some(text));
        let mut row: Vec<Value> = vec![id.into(), store.id.into(), cart.into(), status.into()];
        row.extend([there("Siti Wijaya"), there("+628110000001"), Value::Null]);
        row.extend(ADDRESS.map(there));
        row.push(there("flat"));
        row.extend([sums.subtotal, sums.tax, sums.shipping, sums.total()].map(|it| money::print(it).into()));
        row.extend([order.into(), "A1".into(), at.into(), at.into()]);
        self.transaksi.rows.push(row);
        for line in lines {
            let key = self.transaksi_isi.next_id();
            self.transaksi_isi.rows.push(vec![
                key.into(),
                id.into(),
                line.good.id.into(),
                line.good.title.as_str().into(),
                money::print(line.good.price).into(),
                line.quantity.into(),
                money::print(line.total()).into(),
            ]);
        }
        id
    }

    fn order(&mut self, dice: &mut Dice, store: &Store, place: usize) {
        let (fate, word) = fate(place);
        let dirt = dirt(place);
        let at = ago(self.now, dice.between(50, 24 * 700));
        let id = self.jual.next_id();
        let nomor = format!("TRX-{id:07}");
        let lines = if dirt == Dirt::NoLines { Vec::new() } else { bought(dice, store) };
        let draft = (place.is_multiple_of(3) && dirt == Dirt::None).then(|| {
            let cart = place.is_multiple_of(2).then(|| self.cart(dice, store, "JADI", 100));
            self.draft(store, &lines, (cart, "JADI", Some(&nomor)), true, &at)
        });
        let sums = self.lines(store, id, &lines, fate, dirt);
        let header = Header { id, nomor, draft, word, at: &at, customer: self.customer(dice, place) };
        self.header(store, &header, &lines, &sums, (fate, dirt));
        self.payment(store, &header, &sums, fate);
    }

    /// Sometimes nobody who is known.
    fn customer(&self, dice: &mut Dice, place: usize) -> i64 {
        if place % 9 == 4 { 0 } else { dice.between(1, self.customers + 1) }
    }

    /// The order's lines and what came back of them; what the order comes to.
    fn lines(&mut self, store: &Store, order: i64, lines: &[Bought], fate: Fate, dirt: Dirt) -> Sums {
        let mut sums = Sums::of(store, lines, true);
        for (place, line) in (1..).zip(lines) {
            let id = self.jual_detil.next_id();
            let nothing = dirt == Dirt::NothingOfIt && place == 1;
            let (quantity, total) = if nothing { (0, 0) } else { (line.quantity, line.total()) };
            let tax = money::tax_on_line(total, store.tax_bp);
            if nothing {
                sums.subtotal -= line.total();
                sums.tax -= money::tax_on_line(line.total(), store.tax_bp);
            }
            let cancelled = match fate {
                Fate::Cancelled | Fate::Rejected => quantity,
                Fate::PartlyCancelled => i64::from(place == 1),
                Fate::New | Fate::Paid | Fate::Sent | Fate::Finished | Fate::Refunded => 0,
            };
            self.jual_detil.rows.push(vec![
                id.into(),
                order.into(),
                place.into(),
                line.good.id.into(),
                line.good.title.as_str().into(),
                styled(line.good.price, order % 5 == 2).into(),
                quantity.into(),
                cancelled.into(),
                i64::from(fate == Fate::Refunded && place == 1).into(),
                money::print(tax).into(),
                money::print(total).into(),
                "N".into(),
            ]);
        }
        if dirt == Dirt::LinesOff {
            sums.subtotal += RUPIAH;
        }
        if let (Fate::PartlyCancelled | Fate::Refunded, Some(first)) = (fate, lines.first()) {
            let line = self.jual_detil.next_id() - i64::try_from(lines.len()).unwrap_or(0);
            let amount = money::give_back(first.good.price, sums.tax, sums.subtotal);
            let word = if fate == Fate::Refunded { "RETUR" } else { "BATAL" };
            self.given_back(order, Some(line), (word, 1, amount));
        }
        if fate == Fate::Cancelled {
            let units = lines.iter().map(|line| line.quantity).sum();
            self.given_back(order, None, ("BATAL", units, sums.total()));
        }
        sums
    }

    fn given_back(&mut self, order: i64, line: Option<i64>, (word, units, amount): (&str, i64, i64)) {
        let id = self.kembali.next_id();
        self.kembali.rows.push(vec![
            id.into(),
            order.into(),
            line.into(),
            word.into(),
            units.into(),
            money::print(amount).into(),
            ago(self.now, 40).into(),
            "kasir".into(),
        ]);
    }

    fn header(&mut self, store: &Store, header: &Header<'_>, lines: &[Bought], sums: &Sums, what: (Fate, Dirt)) {
        let (fate, dirt) = what;
        let off = if dirt == Dirt::TotalOff { RUPIAH } else { 0 };
        let ended = matches!(fate, Fate::Cancelled | Fate::Rejected);
        let note = (header.id % 11 == 0).then_some("tolong dibungkus");
        // One in thirty has a decimal place too few.
        let total = money::print(sums.total() + off);
        let total = if header.id % 30 == 7 { total.trim_end_matches('0').to_owned() + "0" } else { total };
        let items: i64 = lines.iter().map(|line| line.quantity).sum();
        let mut row: Vec<Value> = vec![header.id.into(), store.id.into(), header.nomor.as_str().into()];
        row.extend([header.draft.into(), header.customer.into(), header.at.into(), header.word.into()]);
        row.push(if ended { ago(self.now, 40) } else { NEVER.to_owned() }.into());
        row.extend(ADDRESS.map(|part| Value::from((header.id % 4 != 0).then_some(part))));
        row.extend([sums.subtotal, sums.tax, sums.shipping].map(|it| money::print(it).into()));
        row.extend([total.into(), items.into(), note.into(), if header.id % 6 == 0 { "B2" } else { "A1" }.into()]);
        row.push(header.at.into());
        self.jual.rows.push(row);
    }

    fn payment(&mut self, store: &Store, header: &Header<'_>, sums: &Sums, fate: Fate) {
        let id = self.bayar.next_id();
        let (paid, failed, at) = match fate {
            Fate::New => ("T", "T", NEVER),
            Fate::Rejected => ("T", "Y", NEVER),
            Fate::Paid | Fate::PartlyCancelled | Fate::Sent | Fate::Finished | Fate::Refunded | Fate::Cancelled => {
                ("Y", "T", header.at)
            }
        };
        self.bayar.rows.push(vec![
            id.into(),
            header.id.into(),
            if header.id % 2 == 0 { "transfer" } else { "tunai" }.into(),
            money::print(sums.total()).into(),
            at.into(),
            paid.into(),
            failed.into(),
            (header.id % 3 != 0).then(|| format!("ref-{}-{}", store.id, header.id)).into(),
        ]);
    }
}

/// What else stands in the order's row.
struct Header<'a> {
    id: i64,
    nomor: String,
    draft: Option<i64>,
    word: &'static str,
    at: &'a str,
    customer: i64,
}

/// One to four different goods, one to three of each; the first at least twice, so that some can come back.
fn bought(dice: &mut Dice, store: &Store) -> Vec<Bought> {
    let count = dice.between(1, 5);
    let first = dice.between(0, 10_000);
    let good = |step: i64| {
        let index = usize::try_from(first + 5 * step).unwrap_or(0) % store.goods.len();
        store.goods[index].clone()
    };
    let lines = (0..count).map(|step| Bought { good: good(step), quantity: dice.between(1, 4).max(2 - step) });
    lines.collect()
}

/// Young enough to be open.
fn dice_hours(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(0) % 8
}
