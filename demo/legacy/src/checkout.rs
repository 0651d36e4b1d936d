//! Checkout: the draft of an order, with prices and totals as they were last acknowledged.
//!
//! Locks are taken in one order, here and in `order`: draft, `pesanan`, cart, products by id, customer, shop, and then
//! whatever a trigger on the order asks for. So nobody waits in a ring.

mod paying;

pub use paying::{check_stock, complete, completed, lock_cart, move_stock};

use crate::cart::{self, Wanted, beside, line_item, unavailable};
use crate::catalog;
use crate::database::{self, Transaction};
use crate::details::{Buyer, Details, Fulfillment};
use crate::shop::{Ctx, Done};
use crate::value::Value;
use crate::value::args;
use crate::wire::{Fields, Kind, Refusal, Stop, WantedLine, check_lines, number, payment_handlers, totals};
use crate::{loket, money, order, pesanan};
use serde::Deserialize;
use serde_json::{Value as Json, json};

#[derive(Debug, Deserialize)]
pub struct Content {
    #[serde(default)]
    line_items: Vec<WantedLine>,
    cart_id: Option<String>,
    buyer: Option<Buyer>,
    fulfillment: Option<Fulfillment>,
}

/// A line at the price that is shown for it.
#[derive(Debug, Clone)]
pub struct Line {
    pub id: i64,
    pub product: i64,
    pub title: String,
    pub price: i64,
    pub quantity: i64,
    pub total: i64,
}

/// A draft's row.
#[derive(Debug, Clone)]
pub struct Draft {
    pub id: i64,
    pub cart: Option<i64>,
    status: String,
    pub details: Details,
    pub sums: Sums,
    order: Option<String>,
    /// The `pesanan` that it waits for; or, while it is open, the one that was not paid.
    pub pending: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    pub subtotal: i64,
    pub tax: i64,
    pub shipping: i64,
    pub total: i64,
}

impl Sums {
    fn of(ctx: &Ctx, lines: &[Line], flat: bool) -> Self {
        let subtotal = lines.iter().map(|line| line.total).sum();
        let tax = lines.iter().map(|line| money::tax_on_line(line.total, ctx.shop.tax_bp)).sum();
        let shipping = if flat { ctx.shop.shipping } else { 0 };
        Self { subtotal, tax, shipping, total: subtotal + shipping + tax }
    }

    pub fn shown(&self) -> Json {
        let parts =
            [("subtotal", self.subtotal), ("fulfillment", self.shipping), ("tax", self.tax), ("total", self.total)];
        totals(&parts)
    }

    pub fn cells(&self) -> [Value; 4] {
        [self.subtotal, self.tax, self.shipping, self.total].map(|amount| Value::from(money::print(amount)))
    }
}

/// # Errors
/// `item_unavailable`, `not_found` for the cart, or what the database says.
pub fn create(tx: &mut Transaction<'_>, ctx: &Ctx, content: &Content) -> Result<Done, Stop> {
    let details = Details::asked(content.buyer.as_ref(), content.fulfillment.as_ref())?;
    let (cart, wanted) = match &content.cart_id {
        None => (None, wanted_of(tx, ctx, &content.line_items)?),
        Some(cart) => {
            let cart = cart::lock_open(tx, ctx, cart)?;
            if let Some(open) = open_draft_of(tx, cart)? {
                return Ok(Done::created(Kind::Checkout, open));
            }
            let lines = cart::lines(tx, cart)?;
            (Some(cart), lines.into_iter().map(|(_, line)| line).collect())
        }
    };
    let lines = priced(tx, ctx, &wanted)?;
    let sums = Sums::of(ctx, &lines, details.flat);
    let sql = "insert into transaksi (toko_id, keranjang_id, status, kdx, dibuat, diubah, \
               nama, telp, surel, jalan, kota, prov, kodepos, negara, kirim, subtotal, pajak, ongkir, total) \
               values (?1, ?2, 'BUKA', 'A1', ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
               returning id";
    let mut row = args![ctx.shop.id, cart, &ctx.now].to_vec();
    row.extend(details.cells());
    row.extend(sums.cells());
    let id = tx.insert(sql, &row)?;
    for line in &lines {
        insert_line(tx, id, line)?;
    }
    Ok(Done::created(Kind::Checkout, id))
}

/// The lines of a request, which need not be on sale yet.
fn wanted_of(tx: &mut Transaction<'_>, ctx: &Ctx, lines: &[WantedLine]) -> Result<Vec<Wanted>, Stop> {
    check_lines(lines)?;
    let mut wanted = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let product =
            catalog::find(tx, ctx.shop.id, &line.item.id)?.ok_or_else(|| unavailable(index, &line.item.id))?;
        wanted.push(Wanted { product: product.id, quantity: line.quantity });
    }
    Ok(wanted)
}

fn open_draft_of(tx: &mut Transaction<'_>, cart: i64) -> Result<Option<i64>, database::Error> {
    let sql = "select id from transaksi where keranjang_id = ?1 and rtrim(status) = 'BUKA' order by id limit 1";
    tx.row(sql, args![cart])?.map(|row| row.int(0)).transpose()
}

/// The wanted lines at the catalogue's prices.
fn priced(tx: &mut Transaction<'_>, ctx: &Ctx, wanted: &[Wanted]) -> Result<Vec<Line>, Stop> {
    let mut lines = Vec::with_capacity(wanted.len());
    for (index, line) in wanted.iter().enumerate() {
        let id = line.product.to_string();
        let product = catalog::find(tx, ctx.shop.id, &id)?.filter(|product| product.on_sale);
        let product = product.ok_or_else(|| unavailable(index, &id))?;
        let (price, quantity) = (product.price, line.quantity);
        lines.push(Line { id: 0, product: product.id, title: product.title, price, quantity, total: price * quantity });
    }
    Ok(lines)
}

fn insert_line(tx: &mut Transaction<'_>, draft: i64, line: &Line) -> Result<(), database::Error> {
    let sql = "insert into transaksi_isi (transaksi_id, produk_id, nama, harga, jml, total) \
               values (?1, ?2, ?3, ?4, ?5, ?6)";
    let (price, total) = (money::print(line.price), money::print(line.total));
    tx.run(sql, args![draft, line.product, &line.title, price, line.quantity, total])
}

/// Everything anew: lines, buyer, address, prices. A line of a product that was there before keeps its id.
///
/// # Errors
/// `not_found`, `checkout_closed`, `item_unavailable`, or what the database says.
pub fn update(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str, content: &Content) -> Result<Done, Stop> {
    let details = Details::asked(content.buyer.as_ref(), content.fulfillment.as_ref())?;
    let draft = lock(tx, ctx, id)?;
    draft.must_be_open()?;
    let wanted = wanted_of(tx, ctx, &content.line_items).map_err(|stop| beside(stop, Kind::Checkout, id))?;
    let lines = priced(tx, ctx, &wanted).map_err(|stop| beside(stop, Kind::Checkout, id))?;
    let sums = Sums::of(ctx, &lines, details.flat);
    let before = draft.lines(tx)?;
    replace_lines(tx, draft.id, before.clone(), &lines)?;
    let sql = "update transaksi set nama = ?1, telp = ?2, surel = ?3, jalan = ?4, kota = ?5, prov = ?6, kodepos = ?7, \
               negara = ?8, kirim = ?9, subtotal = ?10, pajak = ?11, ongkir = ?12, total = ?13, diubah = ?14, \
               pesanan_id = null where id = ?15";
    let mut row = details.cells().to_vec();
    row.extend(sums.cells());
    row.extend_from_slice(args![&ctx.now, draft.id]);
    tx.run(sql, &row)?;
    let mut done = Done::ok(Kind::Checkout, id);
    if priced_otherwise((&before, draft.sums), (&lines, sums)) {
        let content = "prices changed since this checkout was last shown";
        done.messages.push(json!({"type": "warning", "code": "price_changed", "content": content}));
    }
    Ok(done)
}

/// Did a price move under a line that stayed, or the tax under lines that stayed?
fn priced_otherwise((before, old): (&[Line], Sums), (after, new): (&[Line], Sums)) -> bool {
    let old_price = |line: &Line| before.iter().find(|old| old.product == line.product).map(|old| old.price);
    let moved = after.iter().any(|line| old_price(line).is_some_and(|price| price != line.price));
    // The same goods in another order are the same goods.
    let goods = |lines: &[Line]| {
        let mut goods: Vec<_> = lines.iter().map(|line| (line.product, line.quantity)).collect();
        goods.sort_unstable();
        goods
    };
    moved || (goods(before) == goods(after) && old.tax != new.tax)
}

fn replace_lines(
    tx: &mut Transaction<'_>,
    draft: i64,
    mut old: Vec<Line>,
    new: &[Line],
) -> Result<(), database::Error> {
    for line in new {
        match old.iter().position(|old| old.product == line.product) {
            Some(at) => {
                let key = old.remove(at).id;
                let sql = "update transaksi_isi set nama = ?1, harga = ?2, jml = ?3, total = ?4 where id = ?5";
                let (price, total) = (money::print(line.price), money::print(line.total));
                tx.run(sql, args![&line.title, price, line.quantity, total, key])?;
            }
            None => insert_line(tx, draft, line)?,
        }
    }
    for line in old {
        tx.run("delete from transaksi_isi where id = ?1", args![line.id])?;
    }
    Ok(())
}

/// # Errors
/// `not_found`, `checkout_closed`, `payment_received`, or what the database says.
pub fn cancel(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Done, Stop> {
    let draft = lock(tx, ctx, id)?;
    if let Some(pending) = draft.pending.filter(|_| draft.waits()) {
        pesanan::begin::cancel(tx, ctx, pending)?;
        let content = "it is canceled as soon as the payment that was begun is surely over";
        let note = json!({"type": "info", "code": "being_canceled", "content": content});
        return Ok(Done { messages: vec![note], pending: Some(pending), ..Done::ok(Kind::Checkout, id) });
    }
    draft.must_be_open()?;
    let sql = "update transaksi set status = 'BATAL', pesanan_id = null, diubah = ?1 where id = ?2";
    tx.run(sql, args![&ctx.now, draft.id])?;
    Ok(Done::ok(Kind::Checkout, id))
}

const DRAFT: &str = "select id, keranjang_id, status, nama, telp, surel, jalan, kota, prov, kodepos, negara, kirim, \
                     subtotal, pajak, ongkir, total, jual_nomor, pesanan_id from transaksi where id = ?1 and toko_id = ?2";
const DRAFT_LOCKED: &str = "select id, keranjang_id, status, nama, telp, surel, jalan, kota, prov, kodepos, negara, \
                            kirim, subtotal, pajak, ongkir, total, jual_nomor, pesanan_id from transaksi \
                            where id = ?1 and toko_id = ?2 /*lock*/";

/// A draft as it stands.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Option<Draft>, database::Error> {
    load(tx, ctx, DRAFT, id)
}

fn load(tx: &mut Transaction<'_>, ctx: &Ctx, sql: &'static str, id: &str) -> Result<Option<Draft>, database::Error> {
    let Some(key) = number(id) else { return Ok(None) };
    let Some(row) = tx.row(sql, args![key, ctx.shop.id])? else { return Ok(None) };
    let sums = Sums { subtotal: row.money(12)?, tax: row.money(13)?, shipping: row.money(14)?, total: row.money(15)? };
    Ok(Some(Draft {
        id: row.int(0)?,
        cart: row.optional_int(1)?,
        status: row.word(2)?,
        details: Details::read(&row, 3)?,
        sums,
        order: row.optional_text(16)?,
        pending: row.optional_int(17)?,
    }))
}

/// A draft that nobody else changes until the transaction ends.
///
/// # Errors
/// `not_found`, or what the database says.
pub fn lock(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Draft, Stop> {
    load(tx, ctx, DRAFT_LOCKED, id)?.ok_or_else(|| Refusal::not_found(Kind::Checkout, id).into())
}

impl Draft {
    fn must_be_open(&self) -> Result<(), Stop> {
        let refusal = match self.status.as_str() {
            "BUKA" => return Ok(()),
            "BAYAR" | "TUNGGU" => Refusal::new("checkout_in_progress", "the payment is under way"),
            "JADI" => Refusal::new("checkout_closed", "it is completed").for_good(),
            _ => Refusal::new("checkout_closed", "it is canceled").for_good(),
        };
        Err(refusal.about(Kind::Checkout, self.id).into())
    }

    /// # Errors
    /// `checkout_incomplete` with the place of what is missing, and as for `must_be_open`.
    pub fn must_be_payable(&self) -> Result<(), Stop> {
        self.must_be_open()?;
        let Some(path) = self.details.missing() else { return Ok(()) };
        let content = "buyer, address and shipping option are needed first";
        Err(Refusal::new("checkout_incomplete", content).at(path).about(Kind::Checkout, self.id).into())
    }

    /// It waits for its buyer to pay.
    pub fn waits(&self) -> bool {
        self.status == "TUNGGU"
    }

    /// It is open again because it was not paid in time.
    fn has_lapsed(&self) -> bool {
        self.status == "BUKA" && self.pending.is_some()
    }

    pub fn is_completed(&self) -> bool {
        self.status == "JADI"
    }

    /// The number of its order.
    pub fn order(&self) -> Option<&str> {
        self.order.as_deref()
    }

    /// # Errors
    /// What the database says.
    pub fn lines(&self, tx: &mut Transaction<'_>) -> Result<Vec<Line>, database::Error> {
        let sql =
            "select id, produk_id, nama, harga, jml, total from transaksi_isi where transaksi_id = ?1 order by id";
        let rows = tx.rows(sql, args![self.id])?;
        let line = |row: &crate::value::Row| {
            Ok(Line {
                id: row.int(0)?,
                product: row.int(1)?,
                title: row.text(2)?,
                price: row.money(3)?,
                quantity: row.int(4)?,
                total: row.money(5)?,
            })
        };
        rows.iter().map(line).collect()
    }

    pub fn status(&self) -> &'static str {
        match self.status.as_str() {
            "BUKA" if self.details.missing().is_some() => "incomplete",
            "BUKA" => "ready_for_complete",
            "BAYAR" | "TUNGGU" => "complete_in_progress",
            "JADI" => "completed",
            _ => "canceled",
        }
    }
}

/// A checkout as shown; none if there is no such checkout.
///
/// # Errors
/// What the database says.
pub fn render(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Option<Fields>, database::Error> {
    let Some(draft) = find(tx, ctx, id)? else { return Ok(None) };
    let lines = draft.lines(tx)?;
    let shown = |line: &Line| line_item(line.id, line.product, &line.title, line.price, line.quantity, line.total);
    let items: Vec<Json> = lines.iter().map(shown).collect();
    let ids: Vec<Json> = lines.iter().map(|line| json!(line.id.to_string())).collect();
    let mut fields = json!({
        "id": id, "status": draft.status(), "currency": "IDR", "line_items": items,
        "totals": draft.sums.shown(), "links": [], "messages": [],
    });
    if let Some(buyer) = draft.details.buyer() {
        fields["buyer"] = buyer;
    }
    // What was selected costs what was acknowledged.
    let fee = if draft.details.flat { draft.sums.shipping } else { ctx.shop.shipping };
    if let Some(fulfillment) = draft.details.fulfillment(&ids, fee) {
        fields["fulfillment"] = fulfillment;
    }
    if let Some(nomor) = &draft.order {
        fields["order"] = json!({"id": nomor, "permalink_url": order::permalink(ctx, nomor)});
    }
    pay_later(tx, ctx, &draft, &mut fields)?;
    Ok(fields.as_object().cloned())
}

/// What a checkout shows of paying in the buyer's own time: the ways, where, and that it was not done in time.
fn pay_later(tx: &mut Transaction<'_>, ctx: &Ctx, draft: &Draft, fields: &mut Json) -> Result<(), database::Error> {
    let link = ctx.links.checkout(ctx.shop.id, &draft.id.to_string());
    let ways = if link.is_some() { loket::ways(draft.sums.total) } else { Vec::new() };
    let ended = matches!(draft.status(), "completed" | "canceled");
    let owed = (ended || draft.has_lapsed()) && link.is_some() && asks_for_account(tx, draft.id)?;
    if let Some(link) = link.filter(|_| owed || (!ways.is_empty() && !ended)) {
        fields["continue_url"] = json!(link);
    }
    if draft.has_lapsed() {
        let content = "it was not paid in time; it can be paid anew";
        fields["messages"] = json!([Refusal::new("payment_failed", content).message()]);
    }
    let names: Vec<&str> = ways.iter().map(|method| method.name()).collect();
    fields["ucp"] = json!({"payment_handlers": payment_handlers(&names)});
    Ok(())
}

fn asks_for_account(tx: &mut Transaction<'_>, draft: i64) -> Result<bool, database::Error> {
    Ok(pesanan::of_draft(tx, draft)?.iter().any(|it| it.needs_account() > 0))
}
