//! Facts go in: what the provider said of tries is put down on what stands now, and what follows from it in the same
//! transaction.
//!
//! Money that came is never refused. A dead try stays dead, whatever is said of it later.

use super::{Fate, Pesanan, Receipt, Try, ending, lock};
use crate::checkout::{self, Draft};
use crate::database::{Error, Transaction};
use crate::invoice::Links;
use crate::loket::{Answer, Said};
use crate::shop::Ctx;
use crate::value::args;
use crate::wire::Stop;
use crate::{clock, money};
use jiff::{SignedDuration, Timestamp};

/// What the provider said of one try when it was asked. How old an answer is decides what it proves.
#[derive(Clone)]
pub struct News {
    pub number: i64,
    pub asked_at: Timestamp,
    pub said: Said,
}

/// What stands afterwards.
pub struct Put {
    pub it: Pesanan,
    /// Refunds that are on record now and have to be sent.
    pub sends: Vec<i64>,
    /// Whether any row is another than before.
    pub has_changed: bool,
}

/// Everything about one, locked in the order in which all do.
pub struct Desk {
    pub ctx: Ctx,
    pub draft: Draft,
    pub it: Pesanan,
}

/// # Errors
/// What the database says; one that is not there, or has no checkout.
pub fn desk(tx: &mut Transaction<'_>, links: &Links, id: i64) -> Result<Desk, Stop> {
    let row = tx.row("select toko_id, transaksi_id from pesanan where id = ?1", args![id])?;
    let row = row.ok_or_else(|| Error::new(format!("pesanan {id} is not there")))?;
    let ctx = Ctx::load(tx, row.int(0)?, Timestamp::now(), links)?;
    let draft = checkout::lock(tx, &ctx, &row.int(1)?.to_string())?;
    let it = lock(tx, id)?;
    Ok(Desk { ctx, draft, it })
}

/// Puts down what was said, and does what follows: the order, the end, money back.
///
/// # Errors
/// What the database says.
pub fn put_down(tx: &mut Transaction<'_>, links: &Links, id: i64, news: &[News], grace_s: i64) -> Result<Put, Stop> {
    let mut desk = desk(tx, links, id)?;
    let before = (desk.it.signature(), desk.it.too_late);
    let mut has_changed = false;
    for one in news {
        has_changed |= enter(tx, &mut desk.it, one, grace_s)?;
    }
    let sends = ending::follow(tx, &mut desk, news, grace_s)?;
    has_changed |= before != (desk.it.signature(), desk.it.too_late);
    Ok(Put { it: desk.it, sends, has_changed })
}

/// Whether the row of the try is another than before.
fn enter(tx: &mut Transaction<'_>, it: &mut Pesanan, news: &News, grace_s: i64) -> Result<bool, Error> {
    for moved in &news.said.movements {
        let is_it = |old: &Receipt| old.transaction == moved.transaction && old.kind == moved.kind;
        if it.receipts.iter().any(is_it) {
            continue;
        }
        let sql = "insert into pesanan_uang (pesanan_id, urut, ke, transaksi, jenis, jumlah, tgl) \
                   select ?1, coalesce(max(urut), 0) + 1, ?2, ?3, ?4, ?5, ?6 from pesanan_uang where pesanan_id = ?1";
        let amount = money::print(moved.amount);
        tx.run(sql, args![it.id, news.number, &moved.transaction, moved.kind, amount, &moved.at])?;
        it.receipts.push(Receipt {
            of_try: news.number,
            transaction: moved.transaction.clone(),
            kind: moved.kind.to_owned(),
            amount: moved.amount,
        });
    }
    let absent_from = it.over_from().max(clock::at(&it.changed).unwrap_or(it.until));
    let is_absent = news.asked_at >= absent_from + SignedDuration::from_secs(grace_s);
    let id = it.id;
    let Some(of) = it.tries.iter_mut().find(|of| of.number == news.number) else { return Ok(false) };
    let cells = |of: &Try| {
        let text = |at: Option<Timestamp>| at.map_or(clock::NEVER.to_owned(), clock::wib);
        let times = (text(of.heard_at), text(of.dead_at), text(of.until));
        args![of.fate.word(), times.0, times.1, times.2, of.code.as_ref(), id, of.number].to_vec()
    };
    let before = cells(of);
    of.hear(news, is_absent);
    let after = cells(of);
    if before == after {
        return Ok(false);
    }
    let sql = "update pesanan_coba set status = ?1, dengar_pada = ?2, mati_pada = ?3, batas = ?4, kode = ?5 \
               where pesanan_id = ?6 and ke = ?7";
    tx.run(sql, &after)?;
    Ok(true)
}

impl Try {
    /// The first code and the first end stay. `is_absent`: not found is believed, because it would have to be there.
    fn hear(&mut self, news: &News, is_absent: bool) {
        let said = &news.said;
        self.code = self.code.take().or_else(|| said.code.clone());
        self.until = self.until.or(said.until);
        // A provider that has forgotten what it knew has said nothing of it.
        let forgot = said.answer == Answer::NotFound && !self.fate.is_unknown();
        if said.answer != Answer::Nothing && !forgot {
            self.heard_at = self.heard_at.max(Some(news.asked_at));
        }
        if said.answer == Answer::Over {
            self.dead_at = self.dead_at.or(Some(news.asked_at));
        }
        self.fate = match (self.fate, said.answer) {
            (fate, _) if fate.is_dead() => fate,
            (_, Answer::Over) => Fate::Over,
            (Fate::Paid, _) | (_, Answer::Paid) => Fate::Paid,
            (_, Answer::Declined) => Fate::Declined,
            (_, Answer::Waits) => Fate::Waits,
            (fate, Answer::NotFound) if fate.is_unknown() && is_absent => Fate::Absent,
            (fate, Answer::NotFound | Answer::Nothing) if fate.is_unknown() => Fate::Unknown,
            (fate, Answer::NotFound | Answer::Nothing) => fate,
        };
    }
}

/// A try whose reference this is: the number of its `pesanan`, and its own.
///
/// # Errors
/// What the database says.
pub fn referred(tx: &mut Transaction<'_>, reference: &str) -> Result<Option<(i64, i64)>, Error> {
    let sql = "select pesanan_id, ke from pesanan_coba where rujukan = ?1";
    tx.row(sql, args![reference])?.map(|row| Ok((row.int(0)?, row.int(1)?))).transpose()
}
