//! How it ends: one order with the number that was reserved for it, or the units back on the shelf and the checkout open
//! as it was, or canceled.

use super::hear::{Desk, News};
use super::{Fate, Pesanan, owed, touch};
use crate::checkout::{self, Draft};
use crate::clock;
use crate::database::{Error, Transaction};
use crate::loket::Answer;
use crate::order::{self, Payment};
use crate::shop::Ctx;
use crate::value::args;
use crate::wire::{Stop, number};
use jiff::Timestamp;

/// What follows from what is on record now. The refunds that are to be sent when it is committed.
pub fn follow(tx: &mut Transaction<'_>, desk: &mut Desk, news: &[News], grace_s: i64) -> Result<Vec<i64>, Stop> {
    let Desk { ctx, draft, it } = desk;
    if it.may_be_placed() {
        place(tx, ctx, draft, it)?;
    } else if it.may_end(ctx.at, news, grace_s) {
        end(tx, ctx, draft, it)?;
    }
    if it.came_late() {
        it.too_late = true;
        tx.run("update pesanan set telat = 1 where id = ?1", args![it.id])?;
    }
    Ok(owed::record(tx, ctx, it)?)
}

impl Pesanan {
    pub(super) fn may_be_placed(&self) -> bool {
        self.is_open() && !self.too_late && self.is_paid()
    }

    /// Its time is over, or somebody asked for its end, and no try brings money any more: so the provider said when it had
    /// to know.
    fn may_end(&self, now: Timestamp, news: &[News], grace_s: i64) -> bool {
        let asked = |number: i64| {
            let heard = news.iter().filter(|it| it.number == number);
            heard.filter(|it| !matches!(it.said.answer, Answer::Nothing | Answer::NotFound)).map(|it| it.asked_at).max()
        };
        let open = self.is_open() && self.over_from() <= now && !self.is_paid() && !self.is_disputed();
        open && self.tries.iter().all(|it| self.is_surely_over(it, asked(it.number), grace_s))
    }
}

fn waits_for(draft: &Draft, it: &Pesanan) -> bool {
    draft.waits() && draft.pending == Some(it.id)
}

fn place(tx: &mut Transaction<'_>, ctx: &Ctx, draft: &Draft, it: &mut Pesanan) -> Result<(), Stop> {
    let Some(brought) = it.brought_last().filter(|_| waits_for(draft, it)) else {
        // Nobody here wrote such rows: a person has to look, and until then nothing goes anywhere.
        return Ok(());
    };
    let payment = Payment {
        how: brought.method.name(),
        amount: it.due,
        reference: brought.reference.clone(),
        pending: Some(it.id),
    };
    checkout::lock_cart(tx, draft)?;
    let lines = draft.lines(tx)?;
    // The trigger takes them as it does for every order, and this once they are off the shelf already.
    checkout::move_stock(tx, ctx, &lines, 1)?;
    let id = match it.nomor.strip_prefix("TRX-").and_then(|digits| number(digits.trim_start_matches('0'))) {
        Some(id) => id,
        None => tx.reserve_order_id()?,
    };
    order::place(tx, ctx, draft, &lines, (id, &it.nomor), &payment)?;
    checkout::completed(tx, ctx, draft, &it.nomor)?;
    touch(tx, it, ctx.at)?;
    tx.run("update pesanan set jual_nomor = nomor where id = ?1", args![it.id])?;
    it.order = Some(it.nomor.clone());
    Ok(())
}

fn end(tx: &mut Transaction<'_>, ctx: &Ctx, draft: &Draft, it: &mut Pesanan) -> Result<(), Error> {
    let refused = it.tries.last().is_some_and(|last| last.fate == Fate::Declined);
    let word = match it.cancel_asked {
        Some(_) => "BATAL",
        None if refused => "GAGAL",
        None => "HANGUS",
    };
    if waits_for(draft, it) {
        let lines = draft.lines(tx)?;
        checkout::move_stock(tx, ctx, &lines, 1)?;
        // Money may yet come for one that is open again, and then it is known what for.
        let (status, kept) = if it.cancel_asked.is_some() { ("BATAL", None) } else { ("BUKA", Some(it.id)) };
        let sql = "update transaksi set status = ?1, pesanan_id = ?2, diubah = ?3 where id = ?4";
        tx.run(sql, args![status, kept, &ctx.now, draft.id])?;
    }
    touch(tx, it, ctx.at)?;
    tx.run("update pesanan set akhir = ?1, akhir_pada = ?2 where id = ?3", args![word, clock::wib(ctx.at), it.id])?;
    it.ended = Some(word.to_owned());
    Ok(())
}
