//! The buyer has chosen how to pay: the units leave the shelf, the number of the order is reserved, and a try is on record.

use super::{Fate, Method, Pesanan, lock, touch};
use crate::checkout::{self, Draft};
use crate::database::{Error, Transaction};
use crate::loket;
use crate::shop::Ctx;
use crate::value::args;
use crate::wire::{Kind, Refusal, Stop};
use crate::{cart, clock, money};

const TRIES_MAX: usize = 32;

/// What one look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// This try is on record, and the provider is to be asked: its `pesanan`, and its number.
    Recorded(i64, i64),
    /// Another code is out, and is to be ended first.
    Replaces(i64, i64),
    /// There is a code already, or nothing left to pay.
    Stands,
}

/// # Errors
/// `not_found`, `payment_unavailable`, `checkout_incomplete`, `checkout_closed`, `out_of_stock`, `payment_in_progress`,
/// `payment_closed`, `payment_expired`, `payment_received`, or what the database says.
pub fn choose(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str, method: Method) -> Result<Chosen, Stop> {
    let draft = checkout::lock(tx, ctx, id)?;
    if draft.is_completed() {
        return Ok(Chosen::Stands);
    }
    if !loket::ways(draft.sums.total).contains(&method) {
        return Err(unavailable().into());
    }
    match draft.pending.filter(|_| draft.waits()) {
        Some(pending) => {
            let it = lock(tx, pending)?;
            again(tx, ctx, it, method)
        }
        None => begin(tx, ctx, &draft, method),
    }
}

/// Nobody can pay in this way here.
pub fn unavailable() -> Refusal {
    Refusal::new("payment_unavailable", "nobody can pay in this way here")
}

fn begin(tx: &mut Transaction<'_>, ctx: &Ctx, draft: &Draft, method: Method) -> Result<Chosen, Stop> {
    draft.must_be_payable()?;
    checkout::lock_cart(tx, draft)?;
    let lines = draft.lines(tx)?;
    let short = checkout::check_stock(tx, ctx, &lines);
    short.map_err(|stop| cart::beside(stop, Kind::Checkout, &draft.id.to_string()))?;
    checkout::move_stock(tx, ctx, &lines, -1)?;
    let nomor = format!("TRX-{:07}", tx.reserve_order_id()?);
    let until = clock::wib(loket::until(method, ctx.at));
    let sql = "insert into pesanan (toko_id, transaksi_id, nomor, akun, jumlah, dikembalikan, telat, akhir_pada, \
               minta_batal, batas, dibuat, diubah) values (?1, ?2, ?3, ?4, ?5, '0.00', 0, ?6, ?6, ?7, ?8, ?8) returning id";
    let due = money::print(draft.sums.total);
    let row = args![ctx.shop.id, draft.id, nomor, loket::ACCOUNT, due, clock::NEVER, until, &ctx.now];
    let id = tx.insert(sql, row)?;
    let sql = "update transaksi set status = 'TUNGGU', pesanan_id = ?1, diubah = ?2 where id = ?3";
    tx.run(sql, args![id, &ctx.now, draft.id])?;
    insert_try(tx, ctx, (id, 1), method, draft.sums.total)?;
    Ok(Chosen::Recorded(id, 1))
}

fn insert_try(
    tx: &mut Transaction<'_>,
    ctx: &Ctx,
    (id, number): (i64, i64),
    method: Method,
    amount: i64,
) -> Result<(), Error> {
    let sql = "insert into pesanan_coba (pesanan_id, ke, rujukan, cara, jumlah, status, dengar_pada, mati_pada, batas, \
               dibuat) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, ?8)";
    let (reference, status) = (format!("KIOS-{id}-{number}"), Fate::Recorded.word());
    let row = args![id, number, reference, method.word(), money::print(amount), status, clock::NEVER, &ctx.now];
    tx.run(sql, row)
}

/// One is begun: the same way again is the same, another one ends the code that is out, and after its end is a new try.
fn again(tx: &mut Transaction<'_>, ctx: &Ctx, mut it: Pesanan, method: Method) -> Result<Chosen, Stop> {
    let about = |refusal: Refusal| Stop::from(refusal.about(Kind::Checkout, it.draft));
    let in_progress = || Refusal::new("payment_in_progress", "an earlier try is not over");
    match it.live() {
        // Once a part has come by it, another code is about the rest.
        Some(live) if live.method == method && it.came_by(live.number) == 0 => return Ok(Chosen::Stands),
        Some(live) if live.fate.is_unknown() => return Err(about(in_progress())),
        Some(live) => {
            let number = live.number;
            touch(tx, &mut it, ctx.at)?;
            return Ok(Chosen::Replaces(it.id, number));
        }
        None => {}
    }
    if it.ended.is_some() || it.cancel_asked.is_some() {
        return Err(about(Refusal::new("payment_closed", "it is being canceled").for_good()));
    }
    if ctx.at >= it.until {
        return Err(about(Refusal::new("payment_expired", "the time to pay is over")));
    }
    if it.is_paid() {
        return Err(about(Refusal::new("payment_received", "it is paid").for_good()));
    }
    let rest = it.due - it.here().max(0);
    if rest <= 0 || rest % money::RUPIAH != 0 || it.is_disputed() {
        return Err(about(in_progress()));
    }
    if it.tries.len() >= TRIES_MAX {
        return Err(about(Refusal::new("too_many_attempts", format!("{TRIES_MAX} tries were made")).for_good()));
    }
    let number = it.tries.last().map_or(0, |last| last.number) + 1;
    touch(tx, &mut it, ctx.at)?;
    insert_try(tx, ctx, (it.id, number), method, rest)?;
    Ok(Chosen::Recorded(it.id, number))
}

/// A try is to be ended at the provider: written before it is told. None where that is not wanted any more.
///
/// # Errors
/// What the database says.
pub fn telling_end(
    tx: &mut Transaction<'_>,
    ctx_at: jiff::Timestamp,
    id: i64,
    number: i64,
) -> Result<Option<Pesanan>, Error> {
    let mut it = lock(tx, id)?;
    let over = !it.is_open() || it.is_paid() || it.over_from() <= ctx_at;
    if !over || it.try_of(number).is_none_or(|of| of.fate != Fate::Waits) {
        return Ok(None);
    }
    touch(tx, &mut it, ctx_at)?;
    Ok(Some(it))
}

/// A try of which the provider knows nothing goes out again, under its reference: written before it does. None where
/// nobody waits for it any more.
///
/// # Errors
/// What the database says.
pub fn sending_again(
    tx: &mut Transaction<'_>,
    now: jiff::Timestamp,
    id: i64,
    number: i64,
) -> Result<Option<Pesanan>, Error> {
    let mut it = lock(tx, id)?;
    let waits = it.is_open() && !it.is_paid() && it.over_from() > now;
    if !waits || it.try_of(number).is_none_or(|of| !of.fate.is_unknown()) {
        return Ok(None);
    }
    touch(tx, &mut it, now)?;
    let sql = "update pesanan_coba set status = ?1 where pesanan_id = ?2 and ke = ?3";
    tx.run(sql, args![Fate::Recorded.word(), id, number])?;
    Ok(Some(it))
}

/// The buyer or the shop wants it to end.
///
/// # Errors
/// `payment_received` where it is paid, or what the database says.
pub fn cancel(tx: &mut Transaction<'_>, ctx: &Ctx, id: i64) -> Result<(), Stop> {
    let mut it = lock(tx, id)?;
    if it.order.is_some() || it.is_paid() {
        let refusal = Refusal::new("payment_received", "it is paid; it can be refunded").for_good();
        return Err(refusal.about(Kind::Checkout, it.draft).into());
    }
    if it.cancel_asked.is_none() {
        touch(tx, &mut it, ctx.at)?;
        tx.run("update pesanan set minta_batal = ?1 where id = ?2", args![&ctx.now, id])?;
    }
    Ok(())
}
