//! Orders: made by a paid checkout, shown, and given back in part or as a whole.
//!
//! The stock trigger on `jual_detil` takes what is sold off the shelf and puts back what is cancelled; this module
//! locks the products first, in the order of their ids, and checks that there is enough.

use crate::archive;
use crate::checkout::{Draft, Line as Sold, Sums};
use crate::database::{self, Transaction};
use crate::invoice;
use crate::shop::Ctx;
use crate::value::{Value, args};
use crate::wire::{Fields, totals};
use crate::{clock, money, pesanan};
use serde_json::{Value as Json, json};

/// A customer gets a point for so much, in hundredths.
const POINT: i64 = 10_000 * money::RUPIAH;

/// A line of an order, and how much of it came back.
#[derive(Debug, Clone)]
pub struct Line {
    pub id: i64,
    pub product: i64,
    title: String,
    pub price: i64,
    pub quantity: i64,
    pub cancelled: i64,
    pub refunded: i64,
    total: i64,
}

impl Line {
    pub const fn remaining(&self) -> i64 {
        self.quantity - self.cancelled - self.refunded
    }
}

/// An order's row and its lines.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: i64,
    /// The number of its invoice.
    number: i64,
    draft: Option<i64>,
    pub status: String,
    pub sums: Sums,
    pub lines: Vec<Line>,
}

/// Where a person can look at an order: its invoice.
pub fn permalink(ctx: &Ctx, nomor: &str) -> String {
    ctx.links.link(ctx.shop.id, nomor)
}

/// By what a draft was paid.
#[derive(Debug)]
pub struct Payment {
    pub how: &'static str,
    pub amount: i64,
    pub reference: String,
    /// The `pesanan` that brought the money.
    pub pending: Option<i64>,
}

/// The order of a paid draft, with this id and number: header, lines, payment.
///
/// # Errors
/// What the database says.
pub fn place(
    tx: &mut Transaction<'_>,
    ctx: &Ctx,
    draft: &Draft,
    lines: &[Sold],
    (id, nomor): (i64, &str),
    payment: &Payment,
) -> Result<(), database::Error> {
    let customer = customer(tx, draft)?;
    let number = invoice::next_number(tx, ctx)?;
    let items: i64 = lines.iter().map(|line| line.quantity).sum();
    let sql = "insert into jual (id, toko_id, nomor, transaksi_id, pelanggan_id, tgl, status, batal_pada, \
               jml_item, kdx, diubah, jalan, kota, prov, kodepos, negara, subtotal, pajak, ongkir, total, \
               faktur) values \
               (?1, ?2, ?3, ?4, ?5, ?6, 'LUNAS', ?7, ?8, 'A1', ?6, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
    let mut row = args![id, ctx.shop.id, nomor, draft.id, customer, &ctx.now, clock::NEVER, items].to_vec();
    let to = &draft.details;
    row.extend([&to.street, &to.city, &to.region, &to.postal_code, &to.country].map(|it| Value::from(it.as_ref())));
    row.extend(draft.sums.cells());
    row.push(number.into());
    tx.run(sql, &row)?;
    for (place, line) in (1..).zip(lines) {
        let sql = "insert into jual_detil (jual_id, urut, produk_id, nama, harga, jml, batal_jml, retur_jml, pajak, \
                   total, tanda) values (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, ?8, 'N')";
        let tax = money::print(money::tax_on_line(line.total, ctx.shop.tax_bp));
        let (price, total) = (money::print(line.price), money::print(line.total));
        tx.run(sql, args![id, place, line.product, &line.title, price, line.quantity, tax, total])?;
    }
    let sql = "insert into bayar (jual_id, cara, jumlah, tgl, lunas, gagal, rujukan, pesanan_id) \
               values (?1, ?2, ?3, ?4, 'Y', 'T', ?5, ?6)";
    let amount = money::print(payment.amount);
    tx.run(sql, args![id, payment.how, amount, &ctx.now, &payment.reference, payment.pending])
}

/// Whoever has this name and telephone, in whichever shop, or somebody new.
fn customer(tx: &mut Transaction<'_>, draft: &Draft) -> Result<i64, database::Error> {
    let (name, phone) = (&draft.details.name, &draft.details.phone);
    let points = draft.sums.total / POINT;
    let sql = "select id from pelanggan where telp = ?1 and nama = ?2 order by id limit 1";
    let known = tx.row(sql, args![phone.as_ref(), name.as_ref()])?;
    if let Some(row) = known {
        let id = row.int(0)?;
        tx.run("update pelanggan set poin = poin + ?1 where id = ?2", args![points, id])?;
        return Ok(id);
    }
    let sql = "insert into pelanggan (nama, telp, surel, sandi, poin) values (?1, ?2, ?3, '-', ?4) returning id";
    tx.insert(sql, args![name.as_ref(), phone.as_ref(), draft.details.email.as_ref(), points])
}

const ORDER: &str = "select id, transaksi_id, status, subtotal, pajak, ongkir, total, faktur from jual \
                     where nomor = ?1 and toko_id = ?2";
const ORDER_LOCKED: &str = "select id, transaksi_id, status, subtotal, pajak, ongkir, total, faktur from jual \
                            where nomor = ?1 and toko_id = ?2 /*lock*/";

fn load(tx: &mut Transaction<'_>, ctx: &Ctx, sql: &'static str, nomor: &str) -> Result<Option<Order>, database::Error> {
    let Some(row) = tx.row(sql, args![nomor, ctx.shop.id])? else { return Ok(None) };
    let sums = Sums { subtotal: row.money(3)?, tax: row.money(4)?, shipping: row.money(5)?, total: row.money(6)? };
    let id = row.int(0)?;
    let sql = "select id, produk_id, nama, harga, jml, batal_jml, retur_jml, total from jual_detil \
               where jual_id = ?1 order by urut, id";
    let lines = tx.rows(sql, args![id])?;
    let line = |row: &crate::value::Row| {
        Ok(Line {
            id: row.int(0)?,
            product: row.int(1)?,
            title: row.text(2)?,
            price: row.money(3)?,
            quantity: row.int(4)?,
            cancelled: row.int(5)?,
            refunded: row.int(6)?,
            total: row.money(7)?,
        })
    };
    let lines = lines.iter().map(line).collect::<Result<_, database::Error>>()?;
    Ok(Some(Order { id, number: row.int(7)?, draft: row.optional_int(1)?, status: row.word(2)?, sums, lines }))
}

/// An order that nobody else changes until the transaction ends.
///
/// # Errors
/// What the database says.
pub fn lock(tx: &mut Transaction<'_>, ctx: &Ctx, nomor: &str) -> Result<Option<Order>, database::Error> {
    load(tx, ctx, ORDER_LOCKED, nomor)
}

/// An order as shown, from here or from the archive; none if there is no such order.
///
/// # Errors
/// What the database says.
pub fn render(tx: &mut Transaction<'_>, ctx: &Ctx, nomor: &str) -> Result<Option<Fields>, database::Error> {
    let Some(order) = load(tx, ctx, ORDER, nomor)? else {
        return archive::render(tx, ctx, nomor);
    };
    let items: Vec<Json> = order.lines.iter().map(line_item).collect();
    let mut fields = json!({
        "id": nomor, "permalink_url": permalink(ctx, nomor), "currency": "IDR", "status": order.state(),
        "invoice": {"number": order.number.to_string(), "url": permalink(ctx, nomor)},
        "line_items": items, "totals": order.sums.shown(),
        "fulfillment": {"expectations": [], "events": []}, "adjustments": adjustments(tx, order.id)?,
    });
    if let Some(draft) = order.draft {
        fields["checkout_id"] = json!(draft.to_string());
    }
    Ok(fields.as_object().cloned())
}

impl Order {
    pub fn state(&self) -> &'static str {
        match self.status.as_str() {
            "BARU" | "PROSES" => "open",
            "LUNAS" => "paid",
            "KIRIM" => "shipped",
            "SELESAI" => "done",
            _ => "cancelled",
        }
    }
}

fn line_item(line: &Line) -> Json {
    let left = line.quantity - line.cancelled;
    json!({
        "id": line.id.to_string(),
        "item": {"id": line.product.to_string(), "title": line.title, "price": line.price},
        "quantity": {"original": line.quantity, "total": left, "fulfilled": 0},
        "status": if left == 0 { "removed" } else { "processing" },
        "totals": totals(&[("subtotal", line.total), ("total", line.total)]),
    })
}

/// In their order; of the newest, so much has not reached the buyer yet.
fn adjustments(tx: &mut Transaction<'_>, order: i64) -> Result<Vec<Json>, database::Error> {
    let mut on_its_way = on_its_way(tx, order)?;
    let sql = "select id, detil_id, jenis, jml, jumlah, tgl from kembali where jual_id = ?1 order by id";
    let mut shown = Vec::new();
    for row in tx.rows(sql, args![order])?.iter().rev() {
        let status = if on_its_way > 0 { "pending" } else { "completed" };
        on_its_way -= row.money(4)?;
        shown.push(adjustment(row, status)?);
    }
    shown.reverse();
    Ok(shown)
}

fn on_its_way(tx: &mut Transaction<'_>, order: i64) -> Result<i64, database::Error> {
    let sql = "select pesanan_id from bayar where jual_id = ?1 and pesanan_id is not null order by id limit 1";
    let Some(row) = tx.row(sql, args![order])? else { return Ok(0) };
    Ok(pesanan::find(tx, row.int(0)?)?.map_or(0, |it| it.on_its_way()))
}

fn adjustment(row: &crate::value::Row, status: &str) -> Result<Json, database::Error> {
    let word = if row.word(2)? == "BATAL" { "cancellation" } else { "refund" };
    let mut adjustment = json!({
        "id": row.int(0)?.to_string(), "type": word, "status": status,
        "totals": totals(&[("total", -row.money(4)?)]),
    });
    if let Some(at) = clock::rfc3339(&row.text(5)?) {
        adjustment["occurred_at"] = json!(at);
    }
    if let Some(line) = row.optional_int(1)? {
        adjustment["line_items"] = json!([{"id": line.to_string(), "quantity": -row.int(3)?}]);
    }
    Ok(adjustment)
}
