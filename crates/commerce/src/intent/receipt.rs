//! Receipts: what a provider says of money, each once, none refused.

use super::{Attempt, Fate, Intent, Method};
use crate::money::{self, Money};
use crate::refusal::{Refusal, Retry};
use vocab::id::Timestamp;

/// More than any provider says of one checkout.
pub const RECEIPTS_MAX: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptKind {
    /// Held for us on the buyer's card, not ours yet.
    Authorised,
    /// It came.
    Captured,
    /// What was held is free again.
    Voided,
    /// The provider took back what it had said to have come.
    Reversed,
    /// The buyer's bank took it back, or says that it may.
    Disputed,
    /// A dispute was decided for the shop.
    DisputeWon,
    /// A dispute was decided for the buyer.
    DisputeLost,
    /// It went back to the buyer, and we had not asked for it: somebody did that at the provider's own desk. A refund of
    /// ours is never told like this.
    Refunded,
    /// Whoever brought the goods has taken it at the door, and has it: the buyer has paid.
    Collected,
    /// What was taken at a door is with the provider.
    Remitted,
}

words!(ReceiptKind {
    Authorised = "authorised",
    Captured = "captured",
    Voided = "voided",
    Reversed = "reversed",
    Disputed = "disputed",
    DisputeWon = "dispute_won",
    DisputeLost = "dispute_lost",
    Refunded = "refunded",
    Collected = "collected",
    Remitted = "remitted",
});

/// One thing that a provider said of money. Unique by transaction and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's own id of the movement.
    pub transaction: String,
    pub kind: ReceiptKind,
    /// The number of the attempt that it is for.
    pub attempt: u32,
    pub amount: Money,
    /// When the money moved, by the provider's clock; never when we heard of it.
    pub at: Timestamp,
}

/// What became of a receipt that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    New,
    /// It was here already, and says the same.
    Again,
    /// It was here already and said another amount: the first stands, and somebody has to look.
    Differs,
}

impl Intent {
    /// Money that moved is written down whatever state anything is in.
    ///
    /// # Errors
    /// `not_found` for an attempt that this intent does not have; `currency_differs` for money that is not what is owed:
    /// both are findings, and no receipt. `amount_not_payable`; `too_many_receipts`: somebody has to look.
    pub fn receive(&self, receipt: Receipt) -> Result<(Self, Entered), Refusal> {
        if receipt.amount.currency() != self.due.currency() {
            return Err(money::Error::Currencies(self.due.currency(), receipt.amount.currency()).into());
        }
        if receipt.amount.is_negative() {
            return Err(Refusal::new("amount_not_payable", Retry::Never, "less than nothing came"));
        }
        let known = self.receipts.iter().find(|old| old.transaction == receipt.transaction && old.kind == receipt.kind);
        if let Some(known) = known {
            let same = known.amount == receipt.amount && known.attempt == receipt.attempt;
            return Ok((self.clone(), if same { Entered::Again } else { Entered::Differs }));
        }
        if self.receipts.len() >= RECEIPTS_MAX {
            let content = format!("{RECEIPTS_MAX} receipts for one intent");
            return Err(Refusal::new("too_many_receipts", Retry::Never, content));
        }
        // Whoever takes money for it knows it, whatever was said before.
        let mut after = self.with(receipt.attempt, Attempt::is_known_to_the_rail)?;
        after.receipts.push(receipt);
        Ok((after, Entered::New))
    }

    /// What came and was not taken back, in minor units. What a dispute is about has come until it is lost.
    pub fn received(&self) -> i64 {
        self.sum(|receipt| receipt.came())
    }

    /// What came by an attempt, less what was taken back of that, in minor units.
    pub fn came_by(&self, attempt: u32) -> i64 {
        self.sum(|receipt| if receipt.attempt == attempt { receipt.came() } else { 0 })
    }

    /// The try by which money came last.
    pub(crate) fn brought_last(&self) -> Option<&Attempt> {
        let last = self.receipts.iter().rev().find(|receipt| receipt.brings())?;
        self.attempts.iter().find(|attempt| attempt.number == last.attempt)
    }

    /// Whether somebody paid by an attempt, and the provider stands by that, wherever the money is now.
    pub(super) fn took_money(&self, attempt: u32) -> bool {
        self.paid_by(attempt) > 0
    }

    /// Nobody pays by it any more, but for what a last look finds: the rail says so, or all that was asked for was paid, or
    /// a card's money was taken and nothing is held any more.
    pub(super) fn is_spent(&self, attempt: &Attempt) -> bool {
        let paid = self.paid_by(attempt.number);
        let card = attempt.method == Method::CardToken && paid > 0 && self.held(attempt) == 0;
        attempt.fate == Fate::Paid || paid >= attempt.amount.minor() || card
    }

    fn paid_by(&self, attempt: u32) -> i64 {
        self.sum(|receipt| match receipt.kind {
            ReceiptKind::Captured | ReceiptKind::Collected | ReceiptKind::Reversed if receipt.attempt == attempt => {
                receipt.came()
            }
            ReceiptKind::Authorised
            | ReceiptKind::Captured
            | ReceiptKind::Voided
            | ReceiptKind::Reversed
            | ReceiptKind::Disputed
            | ReceiptKind::DisputeWon
            | ReceiptKind::DisputeLost
            | ReceiptKind::Refunded
            | ReceiptKind::Collected
            | ReceiptKind::Remitted => 0,
        })
    }

    /// What is here: it came, and has not gone back and is not on its way there.
    pub(super) fn here(&self) -> i64 {
        self.received().saturating_sub(self.given())
    }

    /// What the rail holds for us for an attempt and could be captured, in minor units: a capture takes it, and so does
    /// a void; and what is over is held no more.
    pub(super) fn held(&self, attempt: &Attempt) -> i64 {
        let of_this = |receipt: &Receipt, kind: ReceiptKind| receipt.attempt == attempt.number && receipt.kind == kind;
        let authorised = self.receipts.iter().any(|receipt| of_this(receipt, ReceiptKind::Authorised));
        if !authorised || matches!(attempt.fate, Fate::Over | Fate::Paid) {
            return 0;
        }
        let held = self.sum(|receipt| match receipt.kind {
            _ if receipt.attempt != attempt.number => 0,
            ReceiptKind::Authorised => receipt.amount.minor(),
            ReceiptKind::Captured | ReceiptKind::Voided => -receipt.amount.minor(),
            ReceiptKind::Reversed
            | ReceiptKind::Disputed
            | ReceiptKind::DisputeWon
            | ReceiptKind::DisputeLost
            | ReceiptKind::Refunded
            | ReceiptKind::Collected
            | ReceiptKind::Remitted => 0,
        });
        held.max(0)
    }

    /// A dispute was opened and not decided.
    pub(super) fn is_disputed(&self) -> bool {
        let open = self.sum(|receipt| match receipt.kind {
            ReceiptKind::Disputed => receipt.amount.minor(),
            ReceiptKind::DisputeWon | ReceiptKind::DisputeLost => -receipt.amount.minor(),
            ReceiptKind::Authorised
            | ReceiptKind::Captured
            | ReceiptKind::Voided
            | ReceiptKind::Reversed
            | ReceiptKind::Refunded
            | ReceiptKind::Collected
            | ReceiptKind::Remitted => 0,
        });
        open > 0
    }

    /// What was taken at the door by an attempt and is not with the provider yet, in minor units.
    pub(super) fn with_the_courier(&self, attempt: u32) -> i64 {
        self.sum(|receipt| match receipt.kind {
            ReceiptKind::Collected if receipt.attempt == attempt => receipt.amount.minor(),
            ReceiptKind::Remitted if receipt.attempt == attempt => -receipt.amount.minor(),
            ReceiptKind::Authorised
            | ReceiptKind::Captured
            | ReceiptKind::Voided
            | ReceiptKind::Reversed
            | ReceiptKind::Disputed
            | ReceiptKind::DisputeWon
            | ReceiptKind::DisputeLost
            | ReceiptKind::Refunded
            | ReceiptKind::Collected
            | ReceiptKind::Remitted => 0,
        })
    }

    /// As many receipts as there can be, each as large as can be, fit.
    fn sum(&self, of: impl Fn(&Receipt) -> i64) -> i64 {
        self.receipts.iter().fold(0, |sum: i64, receipt| sum.saturating_add(of(receipt)))
    }
}

const _: () = assert!(money::MINOR_MAX <= i64::MAX / 1_024 && RECEIPTS_MAX == 1_024);

impl Receipt {
    /// It is money that came from the buyer.
    pub(super) const fn brings(&self) -> bool {
        matches!(self.kind, ReceiptKind::Captured | ReceiptKind::Collected)
    }

    /// By how much there is more of the buyer's money.
    pub(super) fn came(&self) -> i64 {
        match self.kind {
            ReceiptKind::Captured | ReceiptKind::Collected => self.amount.minor(),
            ReceiptKind::Reversed | ReceiptKind::DisputeLost | ReceiptKind::Refunded => -self.amount.minor(),
            ReceiptKind::Authorised
            | ReceiptKind::Voided
            | ReceiptKind::Disputed
            | ReceiptKind::DisputeWon
            | ReceiptKind::Remitted => 0,
        }
    }
}
