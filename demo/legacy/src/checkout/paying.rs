//! How a checkout is paid: at once, within the request; or by a choice, and then on the page of the shop.

use super::{Draft, Line, lock};
use crate::cart::beside;
use crate::catalog;
use crate::database::{self, Transaction};
use crate::loket;
use crate::order::{self, Payment as Paid};
use crate::pesanan::begin::unavailable;
use crate::shop::{Ctx, Done};
use crate::value::args;
use crate::wire::{Kind, Refusal, Stop};
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
pub struct Payment {
    payment: Instruments,
}

#[derive(Debug, Deserialize)]
struct Instruments {
    instruments: Vec<Instrument>,
}

/// What a buyer pays with may be in it, where a host does what it must not: it does not print itself.
#[derive(Deserialize)]
struct Instrument {
    id: Option<String>,
    handler_id: Option<String>,
    selected: Option<bool>,
    credential: Option<Json>,
}

impl std::fmt::Debug for Instrument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instrument").field("handler_id", &self.handler_id).finish_non_exhaustive()
    }
}

/// Pays and makes the order, at the totals that were shown; or says where the buyer goes on. A completed one is answered as
/// it is.
///
/// # Errors
/// `checkout_closed`, `checkout_incomplete`, `out_of_stock`, `payment_failed`, `payment_on_page`, `payment_unavailable`, or
/// what the database says.
pub fn complete(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str, payment: &Payment) -> Result<Done, Stop> {
    let instruments = &payment.payment.instruments;
    let chosen = instruments.iter().position(|it| it.selected == Some(true)).unwrap_or(0);
    let instrument = instruments.get(chosen).ok_or_else(|| Stop::invalid("$.payment.instruments is empty"))?;
    let draft = lock(tx, ctx, id)?;
    if let Some(index) = instruments.iter().position(|it| it.credential.is_some()) {
        let content = "a credential is not taken from a host: the buyer pays on the page of the shop";
        let path = format!("$.payment.instruments[{index}].credential");
        return Err(Refusal::new("payment_failed", content).at(path).about(Kind::Checkout, id).into());
    }
    match instrument.handler_id.as_deref() {
        Some("pay") => return choose_page(ctx, &draft),
        None | Some("instant") => {}
        Some(_) => {
            let place = format!("$.payment.instruments[{chosen}].handler_id");
            return Err(Stop::invalid(format!("{place} is neither `instant` nor `pay`")));
        }
    }
    let choice = instrument.id.as_deref();
    let choice = choice.ok_or_else(|| Stop::invalid(format!("$.payment.instruments[{chosen}].id is missing")))?;
    if draft.is_completed() {
        return Ok(Done::ok(Kind::Checkout, id));
    }
    pay_at_once(tx, ctx, &draft, choice)
}

/// A choice, and nothing is begun: the buyer goes on where the checkout says.
fn choose_page(ctx: &Ctx, draft: &Draft) -> Result<Done, Stop> {
    if draft.is_completed() {
        return Ok(Done::ok(Kind::Checkout, draft.id));
    }
    if !draft.waits() {
        if ctx.links.checkout(ctx.shop.id, &draft.id.to_string()).is_none() || loket::ways(draft.sums.total).is_empty()
        {
            return Err(unavailable().about(Kind::Checkout, draft.id).into());
        }
        draft.must_be_payable()?;
    }
    let content = "the buyer pays on the page of the shop, at continue_url";
    Err(Refusal::new("payment_on_page", content).for_buyer().about(Kind::Checkout, draft.id).into())
}

fn pay_at_once(tx: &mut Transaction<'_>, ctx: &Ctx, draft: &Draft, choice: &str) -> Result<Done, Stop> {
    draft.must_be_payable()?;
    lock_cart(tx, draft)?;
    let lines = draft.lines(tx)?;
    check_stock(tx, ctx, &lines).map_err(|stop| beside(stop, Kind::Checkout, &draft.id.to_string()))?;
    if choice != "approve" {
        let refusal = Refusal::new("payment_failed", "the payment was declined").at("$.payment.instruments[0]");
        return Err(refusal.about(Kind::Checkout, draft.id).into());
    }
    let paid = Paid {
        how: "instant",
        amount: draft.sums.total,
        reference: format!("kios-{}-{}", ctx.shop.id, draft.id),
        pending: None,
    };
    let id = tx.next_order_id()?;
    let nomor = format!("TRX-{id:07}");
    order::place(tx, ctx, draft, &lines, (id, &nomor), &paid)?;
    completed(tx, ctx, draft, &nomor)?;
    Ok(Done::ok(Kind::Checkout, draft.id))
}

/// The draft has become this order, and its cart is done.
///
/// # Errors
/// What the database says.
pub fn completed(tx: &mut Transaction<'_>, ctx: &Ctx, draft: &Draft, nomor: &str) -> Result<(), database::Error> {
    let sql = "update transaksi set status = 'JADI', jual_nomor = ?1, pesanan_id = null, diubah = ?2 where id = ?3";
    tx.run(sql, args![nomor, &ctx.now, draft.id])?;
    if let Some(cart) = draft.cart {
        let sql = "update keranjang set status = 'JADI', diubah = ?1 where id = ?2 and rtrim(status) = 'BUKA'";
        tx.run(sql, args![&ctx.now, cart])?;
    }
    Ok(())
}

/// # Errors
/// What the database says.
pub fn lock_cart(tx: &mut Transaction<'_>, draft: &Draft) -> Result<(), database::Error> {
    if let Some(cart) = draft.cart {
        tx.row("select id from keranjang where id = ?1 /*lock*/", args![cart])?;
    }
    Ok(())
}

/// Units of each product, in the order of their ids.
fn units(lines: &[Line]) -> BTreeMap<i64, i64> {
    let mut units = BTreeMap::new();
    for line in lines {
        *units.entry(line.product).or_default() += line.quantity;
    }
    units
}

/// Is there enough of everything? The products stay locked.
///
/// # Errors
/// `out_of_stock` with the line's place, or what the database says.
pub fn check_stock(tx: &mut Transaction<'_>, ctx: &Ctx, lines: &[Line]) -> Result<(), Stop> {
    let mut short = None;
    for (product, quantity) in units(lines) {
        let stock = catalog::lock(tx, ctx.shop.id, product)?.map_or(0, |found| found.stock);
        if stock < quantity && short.is_none() {
            short = lines.iter().position(|line| line.product == product).map(|index| (index, stock));
        }
    }
    match short {
        None => Ok(()),
        Some((index, left)) => {
            let refusal = Refusal::new("out_of_stock", format!("only {left} left"));
            Err(refusal.at(format!("$.line_items[{index}]")).into())
        }
    }
}

/// Puts the units of all lines back on the shelf, or with a `sign` of -1 takes them off it.
///
/// # Errors
/// What the database says.
pub fn move_stock(tx: &mut Transaction<'_>, ctx: &Ctx, lines: &[Line], sign: i64) -> Result<(), database::Error> {
    for (product, quantity) in units(lines) {
        let sql = "update produk set stok = stok + ?1 where id = ?2 and toko_id = ?3";
        tx.run(sql, args![sign * quantity, product, ctx.shop.id])?;
    }
    Ok(())
}
