//! Carts: lines and nothing else. Prices are the catalogue's of the moment of looking.

use crate::catalog;
use crate::database::{self, Transaction};
use crate::shop::{Ctx, Done};
use crate::value::args;
use crate::wire::{Fields, Kind, Refusal, Stop, WantedLine, check_lines, number, totals};
use crate::{clock, shop};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// A cart that nobody touches for so long is gone.
const LIFETIME_HOURS: i64 = 24;

#[derive(Debug, Deserialize)]
pub struct Content {
    line_items: Vec<WantedLine>,
}

/// A line that is on sale.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub product: i64,
    pub quantity: i64,
}

/// # Errors
/// `item_unavailable` with the line's place, or what the database says.
fn on_sale(tx: &mut Transaction<'_>, ctx: &Ctx, lines: &[WantedLine]) -> Result<Vec<Wanted>, Stop> {
    check_lines(lines)?;
    let mut wanted = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let product = catalog::find(tx, ctx.shop.id, &line.item.id)?.filter(|product| product.on_sale);
        let product = product.ok_or_else(|| unavailable(index, &line.item.id))?;
        wanted.push(Wanted { product: product.id, quantity: line.quantity });
    }
    Ok(wanted)
}

pub fn unavailable(index: usize, product: &str) -> Refusal {
    Refusal::new("item_unavailable", format!("`{product}` is not on sale")).at(format!("$.line_items[{index}]"))
}

/// # Errors
/// `item_unavailable`, or what the database says.
pub fn create(tx: &mut Transaction<'_>, ctx: &Ctx, content: &Content) -> Result<Done, Stop> {
    let wanted = on_sale(tx, ctx, &content.line_items)?;
    let sql = "insert into keranjang (toko_id, status, sesi, dibuat, diubah) \
               values (?1, 'BUKA', '-', ?2, ?2) returning id";
    let id = tx.insert(sql, args![ctx.shop.id, &ctx.now])?;
    for line in wanted {
        insert_line(tx, id, line)?;
    }
    Ok(Done::created(Kind::Cart, id))
}

fn insert_line(tx: &mut Transaction<'_>, cart: i64, line: Wanted) -> Result<(), database::Error> {
    let sql = "insert into keranjang_isi (keranjang_id, produk_id, jml) values (?1, ?2, ?3)";
    tx.run(sql, args![cart, line.product, line.quantity])
}

/// Other lines; one of a product that was there before keeps its id.
///
/// # Errors
/// `not_found`, `item_unavailable`, or what the database says.
pub fn update(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str, content: &Content) -> Result<Done, Stop> {
    let cart = lock_open(tx, ctx, id)?;
    let wanted = on_sale(tx, ctx, &content.line_items).map_err(|stop| beside(stop, Kind::Cart, id))?;
    let mut old = lines(tx, cart)?;
    for line in wanted {
        match old.iter().position(|(_, old)| old.product == line.product) {
            Some(at) => {
                let (key, _) = old.remove(at);
                tx.run("update keranjang_isi set jml = ?1 where id = ?2", args![line.quantity, key])?;
            }
            None => insert_line(tx, cart, line)?,
        }
    }
    for (key, _) in old {
        tx.run("delete from keranjang_isi where id = ?1", args![key])?;
    }
    tx.run("update keranjang set diubah = ?1 where id = ?2", args![&ctx.now, cart])?;
    Ok(Done::ok(Kind::Cart, id))
}

/// The refusal with the resource it is about.
pub fn beside(stop: Stop, kind: Kind, id: &str) -> Stop {
    match stop {
        Stop::Refused(refusal) => Stop::Refused(refusal.about(kind, id)),
        Stop::Bad { .. } | Stop::Database(_) => stop,
    }
}

/// # Errors
/// `not_found`, or what the database says.
pub fn cancel(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Done, Stop> {
    let cart = lock_open(tx, ctx, id)?;
    end(tx, ctx, cart, "BATAL")?;
    Ok(Done::ok(Kind::Cart, id))
}

/// Closes an open cart for good.
///
/// # Errors
/// What the database says.
pub fn end(tx: &mut Transaction<'_>, ctx: &Ctx, cart: i64, word: &str) -> Result<(), database::Error> {
    tx.run("update keranjang set status = ?1, diubah = ?2 where id = ?3", args![word, &ctx.now, cart])
}

/// An open cart that nobody else changes until the transaction ends.
///
/// # Errors
/// `not_found`, or what the database says.
pub fn lock_open(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<i64, Stop> {
    let not_found = || Refusal::not_found(Kind::Cart, id);
    let cart = number(id).ok_or_else(not_found)?;
    let sql = "select status, diubah from keranjang where id = ?1 and toko_id = ?2 /*lock*/";
    let row = tx.row(sql, args![cart, ctx.shop.id])?.ok_or_else(not_found)?;
    if !is_open(ctx, &row.word(0)?, &row.text(1)?) {
        return Err(not_found().into());
    }
    Ok(cart)
}

fn is_open(ctx: &Ctx, status: &str, changed: &str) -> bool {
    status == "BUKA" && *changed >= *clock::hours_before(ctx.at, LIFETIME_HOURS)
}

/// Line ids and what they hold, oldest first.
///
/// # Errors
/// What the database says.
pub fn lines(tx: &mut Transaction<'_>, cart: i64) -> Result<Vec<(i64, Wanted)>, database::Error> {
    let rows =
        tx.rows("select id, produk_id, jml from keranjang_isi where keranjang_id = ?1 order by id", args![cart])?;
    rows.iter().map(|row| Ok((row.int(0)?, Wanted { product: row.int(1)?, quantity: row.int(2)? }))).collect()
}

/// An open cart, for whoever asks.
///
/// # Errors
/// `not_found`, or what the database says.
pub fn get(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Fields, Stop> {
    let not_found = || Refusal::not_found(Kind::Cart, id);
    let cart = number(id).ok_or_else(not_found)?;
    let sql = "select status, diubah from keranjang where id = ?1 and toko_id = ?2";
    let row = tx.row(sql, args![cart, ctx.shop.id])?.ok_or_else(not_found)?;
    if !is_open(ctx, &row.word(0)?, &row.text(1)?) {
        return Err(not_found().into());
    }
    shop::render(tx, ctx, Kind::Cart, id)
}

/// A cart's content, whatever its state; none if there is no such cart.
///
/// # Errors
/// What the database says.
pub fn render(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Option<Fields>, database::Error> {
    let Some(cart) = number(id) else { return Ok(None) };
    if tx.row("select id from keranjang where id = ?1 and toko_id = ?2", args![cart, ctx.shop.id])?.is_none() {
        return Ok(None);
    }
    let sql = "select i.id, i.produk_id, p.nama, p.harga, i.jml from keranjang_isi i \
               join produk p on p.id = i.produk_id where i.keranjang_id = ?1 order by i.id";
    let mut subtotal = 0;
    let mut items: Vec<Json> = Vec::new();
    for row in tx.rows(sql, args![cart])? {
        let (price, quantity) = (row.money(3)?, row.int(4)?);
        subtotal += price * quantity;
        items.push(line_item(row.int(0)?, row.int(1)?, &row.text(2)?, price, quantity, price * quantity));
    }
    let sums = totals(&[("subtotal", subtotal), ("total", subtotal)]);
    let fields = json!({"id": id, "currency": "IDR", "line_items": items, "totals": sums});
    Ok(fields.as_object().cloned())
}

/// A line as carts and checkouts show it.
pub fn line_item(id: i64, product: i64, title: &str, price: i64, quantity: i64, total: i64) -> Json {
    json!({
        "id": id.to_string(),
        "item": {"id": product.to_string(), "title": title, "price": price},
        "quantity": quantity,
        "totals": totals(&[("subtotal", total), ("total", total)]),
    })
}
