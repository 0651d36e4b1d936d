//! A provider and its book: what was asked for, what buyers paid, what went back. The book is the truth.

use commerce::intent::{Answer, Method, Receipt, ReceiptKind, RefundAnswer, Settling};
use commerce::money::{Currency, Money};
use std::collections::BTreeMap;
use vocab::id::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Pending,
    Authorised,
    Paid,
    Declined,
    Over,
}

#[derive(Debug)]
struct Charge {
    attempt: u32,
    method: Method,
    amount: i64,
    status: Status,
    /// A question before it answers that nobody knows the reference.
    visible_at: i64,
    expires_at: i64,
    receipts: Vec<Receipt>,
}

#[derive(Debug)]
struct Refund {
    /// None: a payout.
    attempt: Option<u32>,
    amount: i64,
    answer: RefundAnswer,
}

/// So late a question still may not know of money that was paid in time.
const LAG_MAX: i64 = 80_000_000;

#[derive(Debug, Default)]
pub struct Provider {
    /// Whether its own books come later than the money.
    pub lags: bool,
    /// Whether codes stay payable in its eyes until somebody says otherwise.
    pub stays_pending: bool,
    charges: BTreeMap<String, Charge>,
    /// What became of each key.
    refunds: BTreeMap<String, Refund>,
    transactions: u64,
}

impl Provider {
    /// The same reference twice is one charge.
    pub fn charge(&mut self, reference: &str, attempt: u32, method: Method, amount: i64, times: [i64; 2], ok: bool) {
        let [visible_at, expires_at] = times;
        let status = match (ok, method) {
            (false, _) => Status::Declined,
            (true, Method::CardToken) => Status::Authorised,
            (true, _) => Status::Pending,
        };
        let charge = Charge { attempt, method, amount, status, visible_at, expires_at, receipts: Vec::new() };
        let fresh = !self.charges.contains_key(reference);
        self.charges.entry(reference.to_owned()).or_insert(charge);
        if fresh && status == Status::Authorised {
            self.write(reference, ReceiptKind::Authorised, amount, visible_at);
        }
    }

    pub fn query(&self, reference: &str, now: i64) -> (Answer, Vec<Receipt>) {
        let Some(charge) = self.charges.get(reference).filter(|charge| charge.visible_at <= now) else {
            return (Answer::NotFound, Vec::new());
        };
        let lag = if self.lags && charge.method != Method::CardToken { LAG_MAX } else { 0 };
        let seen = |receipt: &&Receipt| receipt.at.0 + lag <= now;
        let receipts: Vec<Receipt> = charge.receipts.iter().filter(seen).cloned().collect();
        let answer = match charge.status {
            Status::Pending if charge.expires_at < now && !self.stays_pending => Answer::Over,
            Status::Paid if charge.expires_at < now && receipts.is_empty() => Answer::Over,
            Status::Paid => Answer::Paid,
            Status::Pending | Status::Authorised => Answer::Accepted,
            Status::Declined => Answer::Declined,
            Status::Over => Answer::Over,
        };
        (answer, receipts)
    }

    /// A buyer pays a code: in time, and while nobody ended it, unless the provider takes what comes late too. Says
    /// whether a question about the charge may still be expected to find it.
    pub fn pay(&mut self, reference: &str, amount: i64, at: i64, late_too: bool) -> Option<(Receipt, bool)> {
        let charge = self.charges.get_mut(reference)?;
        let open = charge.status == Status::Pending && at <= charge.expires_at;
        let late = late_too && matches!(charge.status, Status::Pending | Status::Over | Status::Paid);
        if charge.method == Method::CardToken || !(open || late) {
            return None;
        }
        if amount >= charge.amount && open {
            charge.status = Status::Paid;
        }
        let kind = match charge.method {
            Method::CashOnDelivery => ReceiptKind::Collected,
            Method::CardToken | Method::VirtualAccount | Method::Qr | Method::Wallet => ReceiptKind::Captured,
        };
        Some((self.write(reference, kind, amount, at), open))
    }

    /// Whoever took it at the door hands it over.
    pub fn remit(&mut self, reference: &str, at: i64) -> Option<Receipt> {
        let charge = self.charges.get(reference)?;
        let of =
            |kind: ReceiptKind| charge.receipts.iter().filter(move |it| it.kind == kind).map(|it| it.amount.minor());
        let amount = of(ReceiptKind::Collected).sum::<i64>() - of(ReceiptKind::Remitted).sum::<i64>();
        (amount > 0).then(|| self.write(reference, ReceiptKind::Remitted, amount, at))
    }

    pub fn expire(&mut self, reference: &str) {
        if let Some(charge) = self.charges.get_mut(reference).filter(|charge| charge.status == Status::Pending) {
            charge.status = Status::Over;
        }
    }

    /// Once: what is not held any more is not settled again.
    pub fn settle(&mut self, reference: &str, what: Settling, amount: i64, at: i64) -> Vec<Receipt> {
        let Some(charge) = self.charges.get_mut(reference).filter(|charge| charge.status == Status::Authorised) else {
            return Vec::new();
        };
        let (held, rest) = (charge.amount, charge.amount - amount);
        charge.status = if what == Settling::Capture { Status::Paid } else { Status::Over };
        match what {
            Settling::Void => vec![self.write(reference, ReceiptKind::Voided, held, at)],
            Settling::Capture if rest > 0 => vec![
                self.write(reference, ReceiptKind::Captured, amount, at),
                self.write(reference, ReceiptKind::Voided, rest, at),
            ],
            Settling::Capture => vec![self.write(reference, ReceiptKind::Captured, amount, at)],
        }
    }

    /// The provider, or the buyer's bank, changes its mind about money that came.
    pub fn take_back(&mut self, reference: &str, kind: ReceiptKind, at: i64) -> Option<Receipt> {
        let charge = self.charges.get(reference)?;
        let sum = |of: ReceiptKind| charge.receipts.iter().filter(|it| it.kind == of).map(|it| it.amount.minor()).sum();
        let (open, won, lost): (i64, i64, i64) =
            (sum(ReceiptKind::Disputed), sum(ReceiptKind::DisputeWon), sum(ReceiptKind::DisputeLost));
        let amount = match kind {
            ReceiptKind::DisputeWon | ReceiptKind::DisputeLost => open - won - lost,
            ReceiptKind::Authorised
            | ReceiptKind::Captured
            | ReceiptKind::Voided
            | ReceiptKind::Reversed
            | ReceiptKind::Disputed
            | ReceiptKind::Refunded
            | ReceiptKind::Collected
            | ReceiptKind::Remitted => self.left(charge),
        };
        let taken = (amount > 0).then(|| self.write(reference, kind, amount, at))?;
        if let Some(charge) = self.charges.get_mut(reference).filter(|_| kind == ReceiptKind::Reversed) {
            charge.status = Status::Over;
        }
        Some(taken)
    }

    /// The bank holds it no longer.
    pub fn lapse(&mut self, reference: &str, at: i64) -> Option<Receipt> {
        let charge = self.charges.get_mut(reference).filter(|charge| charge.status == Status::Authorised)?;
        charge.status = Status::Over;
        let held = charge.amount;
        Some(self.write(reference, ReceiptKind::Voided, held, at))
    }

    /// The same key twice is one refund; what was rejected stays so. No more goes back than there is.
    pub fn refund(&mut self, key: &str, attempt: Option<u32>, amount: i64, answer: RefundAnswer) -> RefundAnswer {
        let charge = attempt.and_then(|attempt| self.charges.values().find(|charge| charge.attempt == attempt));
        let enough = charge.is_none_or(|charge| self.left(charge) >= amount);
        let answer = if enough { answer } else { RefundAnswer::Rejected };
        self.refunds.entry(key.to_owned()).or_insert(Refund { attempt, amount, answer }).answer
    }

    /// What came by a charge and has not gone back, and nobody disputes.
    fn left(&self, charge: &Charge) -> i64 {
        let of_this = |it: &&Refund| it.attempt == Some(charge.attempt) && it.answer != RefundAnswer::Rejected;
        let back: i64 = self.refunds.values().filter(of_this).map(|refund| refund.amount).sum();
        let money = charge.receipts.iter().map(|receipt| match receipt.kind {
            ReceiptKind::Captured | ReceiptKind::Collected | ReceiptKind::DisputeWon => receipt.amount.minor(),
            ReceiptKind::Reversed | ReceiptKind::Disputed | ReceiptKind::Refunded => -receipt.amount.minor(),
            ReceiptKind::Authorised | ReceiptKind::Voided | ReceiptKind::DisputeLost | ReceiptKind::Remitted => 0,
        });
        money.sum::<i64>() - back
    }

    /// What was accepted is done, or not.
    pub fn conclude(&mut self, key: &str, answer: RefundAnswer) {
        if let Some(refund) = self.refunds.get_mut(key).filter(|refund| refund.answer == RefundAnswer::Accepted) {
            refund.answer = answer;
        }
    }

    pub fn query_refund(&self, key: &str) -> RefundAnswer {
        self.refunds.get(key).map_or(RefundAnswer::NotFound, |refund| refund.answer)
    }

    fn write(&mut self, reference: &str, kind: ReceiptKind, minor: i64, at: i64) -> Receipt {
        self.transactions += 1;
        let charge = self.charges.get_mut(reference).expect("a charge");
        let receipt = Receipt {
            transaction: format!("t{}", self.transactions),
            kind,
            attempt: charge.attempt,
            amount: Money::new(minor, Currency::IDR).expect("small"),
            at: Timestamp(at),
        };
        charge.receipts.push(receipt.clone());
        receipt
    }

    fn sum(&self, of: impl Fn(ReceiptKind) -> i64) -> i64 {
        let receipts = self.charges.values().flat_map(|charge| &charge.receipts);
        receipts.map(|receipt| of(receipt.kind) * receipt.amount.minor()).sum()
    }

    /// What buyers paid, less what they have again: by refund, reversal or dispute.
    pub fn kept(&self) -> i64 {
        let came = self.sum(|kind| match kind {
            ReceiptKind::Captured | ReceiptKind::Collected => 1,
            ReceiptKind::Reversed | ReceiptKind::DisputeLost | ReceiptKind::Refunded => -1,
            ReceiptKind::Authorised
            | ReceiptKind::Voided
            | ReceiptKind::Disputed
            | ReceiptKind::DisputeWon
            | ReceiptKind::Remitted => 0,
        });
        came - self.returned()
    }

    fn returned(&self) -> i64 {
        let done = self.refunds.values().filter(|refund| refund.answer == RefundAnswer::Confirmed);
        done.map(|refund| refund.amount).sum()
    }

    /// What was paid out: no rail knows what it was for, and takes money back all the same.
    pub fn paid_out(&self) -> i64 {
        let done = self.refunds.values().filter(|it| it.answer == RefundAnswer::Confirmed && it.attempt.is_none());
        done.map(|refund| refund.amount).sum()
    }

    /// What the provider has for us: what a dispute is about is not among it, nor what a courier has.
    pub fn balance(&self) -> i64 {
        let withheld = self.sum(|kind| match kind {
            ReceiptKind::Disputed | ReceiptKind::Collected => 1,
            ReceiptKind::DisputeWon | ReceiptKind::DisputeLost | ReceiptKind::Remitted => -1,
            ReceiptKind::Authorised
            | ReceiptKind::Captured
            | ReceiptKind::Voided
            | ReceiptKind::Reversed
            | ReceiptKind::Refunded => 0,
        });
        self.kept() - withheld
    }

    /// The attempts whose money is held on cards, neither taken nor let go.
    pub fn held(&self) -> impl Iterator<Item = u32> {
        self.charges.values().filter(|charge| charge.status == Status::Authorised).map(|charge| charge.attempt)
    }

    /// What moved in this way by one attempt.
    pub fn moved(&self, attempt: u32, kind: ReceiptKind) -> i64 {
        let of_it = self.charges.values().filter(|charge| charge.attempt == attempt);
        let receipts = of_it.flat_map(|charge| &charge.receipts).filter(|receipt| receipt.kind == kind);
        receipts.map(|receipt| receipt.amount.minor()).sum()
    }

    /// Money that left without our asking.
    pub fn taken_back(&self) -> i64 {
        let taken = [ReceiptKind::Reversed, ReceiptKind::DisputeLost, ReceiptKind::Refunded];
        self.sum(|kind| i64::from(taken.contains(&kind)))
    }

    pub fn captured(&self) -> i64 {
        self.sum(|kind| i64::from(matches!(kind, ReceiptKind::Captured | ReceiptKind::Collected)))
    }
}
