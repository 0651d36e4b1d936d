//! What came, what is here, and what has to go back: never decided refund by refund, so that nothing goes back twice.

use super::{Fate, Pesanan, Refund, RefundState, Why};
use crate::database::{Error, Transaction};
use crate::shop::Ctx;
use crate::value::args;
use crate::{clock, money};

impl Pesanan {
    fn sum(&self, of: impl Fn(&super::Receipt) -> i64) -> i64 {
        self.receipts.iter().fold(0, |sum: i64, receipt| sum.saturating_add(of(receipt)))
    }

    /// What came and was not taken back.
    pub fn received(&self) -> i64 {
        self.sum(super::Receipt::came)
    }

    /// What came by a try, less what was taken back of that.
    pub fn came_by(&self, number: i64) -> i64 {
        self.sum(|receipt| if receipt.of_try == number { receipt.came() } else { 0 })
    }

    fn given(&self) -> i64 {
        self.refunds.iter().filter(|it| it.state.gives()).map(|it| it.amount).sum()
    }

    /// What is here: it came, and is not on its way back.
    pub fn here(&self) -> i64 {
        self.received().saturating_sub(self.given())
    }

    /// A bank wants some of it back, and nobody has decided.
    pub fn is_disputed(&self) -> bool {
        let open = self.sum(|receipt| match receipt.kind.as_str() {
            "SANGGA" => receipt.amount,
            "MENANG" | "KALAH" => -receipt.amount,
            _ => 0,
        });
        open > 0
    }

    pub fn is_paid(&self) -> bool {
        self.here() >= self.due && !self.is_disputed()
    }

    fn kept(&self) -> i64 {
        match (&self.order, &self.ended) {
            (Some(_), _) => self.due.saturating_sub(self.returned),
            (None, None) if !self.too_late => self.due,
            (None, _) => 0,
        }
    }

    /// What has to go back and is not on its way.
    pub fn owed(&self) -> i64 {
        // The money of a dispute leaves by the dispute, or not at all.
        if self.is_disputed() {
            return 0;
        }
        self.here().saturating_sub(self.kept()).max(0)
    }

    /// What is on its way back although the money has left by another way meanwhile.
    pub fn given_too_much(&self) -> i64 {
        let owed = self.received().saturating_sub(self.kept()).max(0);
        self.given().saturating_sub(owed).max(0)
    }

    /// Whether a refund may be sent: it is owed, as far as anybody knows.
    pub fn may_send(&self) -> bool {
        !self.is_disputed() && self.given_too_much() == 0
    }

    /// What waits for the buyer to say where to.
    pub fn needs_account(&self) -> i64 {
        let needs = self.refunds.iter().filter(|it| it.state == RefundState::NeedsAccount);
        needs.map(|it| it.amount).sum()
    }

    /// How much of what the order gave back has not reached the buyer yet.
    pub fn on_its_way(&self) -> i64 {
        let sum = |of: &dyn Fn(&Refund) -> bool| -> i64 {
            let returned = self.refunds.iter().filter(|it| it.why == Why::Returned && of(it));
            returned.map(|it| it.amount).sum()
        };
        let unsent = self.returned.saturating_sub(sum(&|it| it.state.gives())).max(0);
        sum(&|it| !it.state.is_final()).saturating_add(self.owed().min(unsent))
    }

    /// What could still go back on the rail of a try; one that has rejected a refund is asked no more.
    fn refundable(&self, of: &super::Try) -> i64 {
        let mut of_this = self.refunds.iter().filter(|it| it.of_try == Some(of.number));
        let has_rejected = of_this.any(|it| it.state == RefundState::Rejected);
        if has_rejected || self.unsure_since(of).is_some() { 0 } else { self.left_of(of.number) }
    }

    /// From when on the provider must have spoken of a try whose rail has rejected a refund: it may have taken the money
    /// back. None where it has, or where nothing was rejected.
    pub(super) fn unsure_since(&self, of: &super::Try) -> Option<jiff::Timestamp> {
        let of_this = self.refunds.iter().filter(|it| it.of_try == Some(of.number));
        // The tables keep no fractions: what was said within the same second may have been said before.
        let since = of_this.filter_map(|it| it.rejected_at).max()? + jiff::SignedDuration::from_secs(1);
        (!of.heard_since(since)).then_some(since)
    }

    /// How much of what is here, as far as anybody knows, waits for the provider to speak of it.
    fn unsure(&self) -> i64 {
        let unsure = self.tries.iter().filter(|of| self.unsure_since(of).is_some());
        unsure.map(|of| self.left_of(of.number).max(0)).sum()
    }

    /// What came by a try and is not on its way back on its rail.
    fn left_of(&self, number: i64) -> i64 {
        let of_this = self.refunds.iter().filter(|it| it.of_try == Some(number) && it.state.gives());
        self.came_by(number).saturating_sub(of_this.map(|it| it.amount).sum())
    }

    /// What is owed, of which the provider has no more to say.
    fn surely_owed(&self) -> i64 {
        self.owed().saturating_sub(self.unsure()).max(0)
    }

    /// The try by which money came last.
    pub fn brought_last(&self) -> Option<&super::Try> {
        let last = self.receipts.iter().rev().find(|receipt| receipt.kind == "MASUK")?;
        self.try_of(last.of_try)
    }

    /// All of it came, and it had ended.
    pub fn came_late(&self) -> bool {
        let ended = self.order.is_none() && self.ended.is_some() && !self.too_late;
        ended && self.given() == 0 && self.is_paid()
    }

    /// Whether the row of it says what is so.
    pub(super) fn leaves_something(&self) -> bool {
        let withdrawn = |it: &Refund| matches!(it.state, RefundState::NeedsAccount | RefundState::Absent);
        self.surely_owed() > 0 || self.came_late() || (self.given_too_much() > 0 && self.refunds.iter().any(withdrawn))
    }
}

impl super::Receipt {
    /// By how much there is more of the buyer's money.
    fn came(&self) -> i64 {
        match self.kind.as_str() {
            "MASUK" => self.amount,
            "TARIK" | "KALAH" | "BALIK" => -self.amount,
            _ => 0,
        }
    }
}

/// Puts on record what goes back now, and calls off what is not owed any more. The numbers of those that a rail takes:
/// they are to be sent when all of this is committed.
///
/// # Errors
/// What the database says.
pub fn record(tx: &mut Transaction<'_>, ctx: &Ctx, it: &mut Pesanan) -> Result<Vec<i64>, Error> {
    call_off(tx, ctx, it)?;
    let as_returned = |it: &&Refund| it.state.gives() && it.why == Why::Returned;
    let already: i64 = it.refunds.iter().filter(as_returned).map(|it| it.amount).sum();
    let owed = it.surely_owed();
    let returned = if it.order.is_some() { owed.min(it.returned.saturating_sub(already).max(0)) } else { 0 };
    let rest = if it.order.is_none() && (it.ended.is_some() || it.too_late) { Why::Ended } else { Why::Over };
    let mut sends = Vec::new();
    for (why, mut owed) in [(Why::Returned, returned), (rest, owed - returned)] {
        let rails: Vec<_> = it.tries.iter().rev().filter(|of| of.method.goes_back()).cloned().collect();
        for of in rails {
            let there = it.refundable(&of).min(owed);
            if there > 0 {
                sends.push(add(tx, ctx, it, (Some(of.number), there, why))?);
                owed -= there;
            }
        }
        if owed > 0 {
            add(tx, ctx, it, (None, owed, why))?;
        }
    }
    Ok(sends)
}

fn call_off(tx: &mut Transaction<'_>, ctx: &Ctx, it: &mut Pesanan) -> Result<(), Error> {
    let mut excess = it.given_too_much();
    for refund in &mut it.refunds {
        if excess <= 0 || !matches!(refund.state, RefundState::NeedsAccount | RefundState::Absent) {
            continue;
        }
        excess -= refund.amount;
        refund.state = RefundState::Withdrawn;
        let sql = "update pesanan_balik set status = ?1, tarik_pada = ?2 where pesanan_id = ?3 and urut = ?4";
        tx.run(sql, args![refund.state.word(), &ctx.now, it.id, refund.number])?;
    }
    Ok(())
}

fn add(
    tx: &mut Transaction<'_>,
    ctx: &Ctx,
    it: &mut Pesanan,
    (of_try, amount, why): (Option<i64>, i64, Why),
) -> Result<i64, Error> {
    let number = it.refunds.last().map_or(0, |last| last.number) + 1;
    let state = if of_try.is_some() { RefundState::Recorded } else { RefundState::NeedsAccount };
    let key = format!("KIOS-{}-r{number}", it.id);
    let sql = "insert into pesanan_balik (pesanan_id, urut, kunci, ke, jumlah, sebab, status, dibuat, tarik_pada, \
               tolak_pada) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)";
    let sum = money::print(amount);
    tx.run(sql, args![it.id, number, &key, of_try, sum, why.word(), state.word(), &ctx.now, clock::NEVER])?;
    it.refunds.push(Refund { number, key, of_try, amount, why, state, made: ctx.at, account: None, rejected_at: None });
    Ok(number)
}

impl Pesanan {
    /// Whether nothing comes of a try any more, given when it was last asked about.
    pub(super) fn is_surely_over(&self, of: &super::Try, asked: Option<jiff::Timestamp>, grace_s: i64) -> bool {
        match of.fate {
            Fate::Declined | Fate::Absent => true,
            Fate::Over | Fate::Paid => asked.is_some_and(|asked| asked >= self.sure_from(of, grace_s)),
            Fate::Recorded | Fate::Waits | Fate::Unknown => false,
        }
    }

    /// From when on the provider has to know of all that was paid in time on a try.
    pub(super) fn sure_from(&self, of: &super::Try, grace_s: i64) -> jiff::Timestamp {
        let end = of.until.map_or(self.until, |until| until.max(self.until));
        let end = of.dead_at.filter(|_| of.fate == Fate::Over).map_or(end, |dead| dead.min(end));
        end + jiff::SignedDuration::from_secs(grace_s)
    }
}
