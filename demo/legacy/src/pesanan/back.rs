//! Money on its way back: each refund on record under its key before it is sent.

use super::hear::{self, Put};
use super::{Pesanan, RefundState, lock, of_draft, owed, touch};
use crate::checkout;
use crate::database::{Error, Transaction};
use crate::invoice::Links;
use crate::loket::RefundAnswer;
use crate::shop::Ctx;
use crate::value::args;
use crate::wire::{Refusal, Stop};
use crate::{clock, money};
use jiff::{SignedDuration, Timestamp};

/// A bank, a number and a name; a number alone.
const ACCOUNT_MIN: usize = 5;
const ACCOUNT_MAX: usize = 80;

/// The order gives so much back: what brought its money owes it to the buyer. The `pesanan` and its refunds that are to be
/// sent when this is committed; none where the order was paid at once.
///
/// # Errors
/// `refund_exceeds_payment`, or what the database says.
pub fn given_by_order(
    tx: &mut Transaction<'_>,
    ctx: &Ctx,
    order: i64,
    amount: i64,
) -> Result<Option<(i64, Vec<i64>)>, Stop> {
    let sql = "select pesanan_id from bayar where jual_id = ?1 and pesanan_id is not null order by id limit 1";
    let Some(row) = tx.row(sql, args![order])? else { return Ok(None) };
    let mut it = lock(tx, row.int(0)?)?;
    if amount < 0 || it.returned.saturating_add(amount) > it.due {
        let content = "more would go back than was owed";
        return Err(Refusal::new("refund_exceeds_payment", content).into());
    }
    it.returned += amount;
    touch(tx, &mut it, ctx.at)?;
    let sum = money::print(it.returned);
    tx.run("update pesanan set dikembalikan = ?1 where id = ?2", args![sum, it.id])?;
    let sends = owed::record(tx, ctx, &mut it)?;
    Ok(Some((it.id, sends)))
}

/// The buyer says where all goes that is owed for a checkout and has no way back of its own. What is to be sent when this
/// is committed: each by its `pesanan` and its number.
///
/// # Errors
/// `not_found`, `account_invalid`, `refund_not_owed`, or what the database says.
pub fn pay_out(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str, account: &str) -> Result<Vec<(i64, i64)>, Stop> {
    let account = account.trim();
    let letters = account.chars().count();
    if !(ACCOUNT_MIN..=ACCOUNT_MAX).contains(&letters) || account.chars().any(char::is_control) {
        let content = format!("an account is {ACCOUNT_MIN} to {ACCOUNT_MAX} letters");
        return Err(Refusal::new("account_invalid", content).into());
    }
    let draft = checkout::lock(tx, ctx, id)?;
    let mut sends = Vec::new();
    for known in of_draft(tx, draft.id)? {
        let mut it = lock(tx, known.id)?;
        let needs = it.refunds.iter().filter(|refund| refund.state == RefundState::NeedsAccount);
        let numbers: Vec<i64> = needs.map(|refund| refund.number).collect();
        if numbers.is_empty() {
            continue;
        }
        if !it.may_send() {
            let content = "the money has left by another way, or may";
            return Err(Refusal::new("refund_not_owed", content).into());
        }
        touch(tx, &mut it, ctx.at)?;
        for number in numbers {
            let sql = "update pesanan_balik set rekening = ?1 where pesanan_id = ?2 and urut = ?3";
            tx.run(sql, args![account, it.id, number])?;
            to_be_sent(tx, ctx.at, it.id, number)?;
            sends.push((it.id, number));
        }
    }
    Ok(sends)
}

/// A refund of which the provider knows nothing goes out again, under its key: written before it does. None where it is
/// not owed any more, or is on its way.
///
/// # Errors
/// What the database says.
pub fn sending_again(tx: &mut Transaction<'_>, now: Timestamp, id: i64, number: i64) -> Result<Option<Pesanan>, Error> {
    let mut it = lock(tx, id)?;
    let absent = it.refund_of(number).is_some_and(|refund| refund.state == RefundState::Absent);
    if !absent || !it.may_send() {
        return Ok(None);
    }
    touch(tx, &mut it, now)?;
    to_be_sent(tx, now, id, number)?;
    Ok(Some(it))
}

/// It goes out from now on: until it has to be there, nothing is made of its not being found.
fn to_be_sent(tx: &mut Transaction<'_>, now: Timestamp, id: i64, number: i64) -> Result<(), Error> {
    let sql = "update pesanan_balik set status = ?1, dibuat = ?2 where pesanan_id = ?3 and urut = ?4";
    tx.run(sql, args![RefundState::Recorded.word(), clock::wib(now), id, number])
}

/// Puts down what the provider said of a refund, asked at a time. That money has left is believed whatever was said before,
/// and never taken back. What was rejected is owed again when the provider has spoken of the try: its bank may have taken the
/// money back.
///
/// # Errors
/// What the database says.
pub fn put_down(
    tx: &mut Transaction<'_>,
    links: &Links,
    (id, number): (i64, i64),
    (answer, asked_at): (RefundAnswer, Timestamp),
    grace_s: i64,
) -> Result<Put, Stop> {
    let desk = hear::desk(tx, links, id)?;
    let Some(refund) = desk.it.refund_of(number) else {
        return Ok(Put { it: desk.it, sends: Vec::new(), has_changed: false });
    };
    let has_to_be_there = asked_at >= refund.made + SignedDuration::from_secs(grace_s);
    let after = refund.state.hear(answer, has_to_be_there);
    let has_changed = after != refund.state;
    if has_changed {
        let sql = "update pesanan_balik set status = ?1 where pesanan_id = ?2 and urut = ?3";
        tx.run(sql, args![after.word(), id, number])?;
        if after == RefundState::Rejected {
            let sql = "update pesanan_balik set tolak_pada = ?1 where pesanan_id = ?2 and urut = ?3";
            tx.run(sql, args![clock::wib(desk.ctx.at), id, number])?;
        }
    }
    let put = hear::put_down(tx, links, id, &[], grace_s)?;
    Ok(Put { has_changed: has_changed || put.has_changed, ..put })
}

impl RefundState {
    /// Not found is believed the second time, and not before it would have to be there: what was sent may still arrive.
    fn hear(self, answer: RefundAnswer, has_to_be_there: bool) -> Self {
        match (self, answer) {
            (_, RefundAnswer::Confirmed) => Self::Confirmed,
            (done, _) if done.is_final() || done == Self::NeedsAccount => done,
            (_, RefundAnswer::Accepted) => Self::Accepted,
            (_, RefundAnswer::Rejected) => Self::Rejected,
            // What it had accepted it does not forget.
            (Self::Accepted, RefundAnswer::NotFound | RefundAnswer::Nothing) => Self::Accepted,
            (Self::Absent, RefundAnswer::NotFound) => Self::Absent,
            (Self::Unknown, RefundAnswer::NotFound) if has_to_be_there => Self::Absent,
            (_, RefundAnswer::NotFound | RefundAnswer::Nothing) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RefundAnswer::{Accepted, Confirmed, NotFound, Nothing};

    fn after(heard: &[(RefundAnswer, bool)]) -> RefundState {
        heard.iter().fold(RefundState::Recorded, |state, (answer, late)| state.hear(*answer, *late))
    }

    #[test]
    fn a_refund_is_absent_when_it_was_not_found_twice_and_had_to_be_there() {
        let (early, late) = ((NotFound, false), (NotFound, true));
        for unsure in [&[early][..], &[early, early], &[late], &[(Nothing, true)], &[late, (Nothing, true)]] {
            assert_eq!(after(unsure), RefundState::Unknown, "{unsure:?}");
        }
        for absent in [&[early, late][..], &[late, late], &[early, late, early]] {
            assert_eq!(after(absent), RefundState::Absent, "{absent:?}");
        }
        assert_eq!(after(&[(Accepted, false), late, late]), RefundState::Accepted);
        assert_eq!(after(&[early, late, (Confirmed, true), late]), RefundState::Confirmed);
    }
}
