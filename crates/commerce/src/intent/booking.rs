//! What an intent books: money that came, until there is an order for it, and money that goes back.
//!
//! Invariant: each posting is two sides of one amount, and is booked once, by the name of its event.
//! [`Account::Unapplied`] has what came until an order takes it: the entries of an order that an intent paid for
//! ([`crate::ledger`]) book against it, where those of the instant rail book against clearing.

use super::{Intent, ReceiptKind, Refund, RefundState};
use crate::decision::Aggregate;
use crate::ledger::{Account, Entry};
use crate::money::{self, Money};
use vocab::id::PublicId;

/// One movement between two accounts: debit is positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// What it is for, once each: a receipt's transaction and kind, or a refund's key and step.
    pub event: String,
    pub debit: Account,
    pub credit: Account,
    pub amount: Money,
}

impl Intent {
    /// What it has booked since it stood at `before`, as the ledger takes it, debit positive.
    ///
    /// # Errors
    /// `TooLarge`: not for amounts that were received.
    pub fn entries_since(&self, before: &Self) -> Result<Vec<Entry>, money::Error> {
        self.entered(self.booked_since(before))
    }

    /// All that it has booked, as the ledger takes it.
    ///
    /// # Errors
    /// As for [`Intent::entries_since`].
    pub fn entries(&self) -> Result<Vec<Entry>, money::Error> {
        self.entered(self.postings())
    }

    /// What the ledger knows it by: an order of its shop may have the same id.
    fn book(&self) -> PublicId {
        PublicId::new(format!("intent/{}", self.id()))
    }

    fn entered(&self, postings: Vec<Posting>) -> Result<Vec<Entry>, money::Error> {
        let mut entries = Vec::new();
        for posting in postings {
            let zero = Money::zero(posting.amount.currency());
            for (account, amount) in [(posting.debit, posting.amount), (posting.credit, zero.minus(posting.amount)?)] {
                entries.push(Entry { order: self.book(), account, amount });
            }
        }
        Ok(entries)
    }

    /// What it has booked since it stood at `before`.
    pub fn booked_since(&self, before: &Self) -> Vec<Posting> {
        let booked = before.postings();
        let is_new = |posting: &Posting| booked.iter().all(|old| old.event != posting.event);
        self.postings().into_iter().filter(is_new).collect()
    }

    /// All that it has booked.
    pub fn postings(&self) -> Vec<Posting> {
        let mut postings = Vec::new();
        for receipt in &self.receipts {
            let (debit, credit) = match receipt.kind {
                ReceiptKind::Captured => (Account::Clearing, Account::Unapplied),
                ReceiptKind::Reversed => (Account::Unapplied, Account::Clearing),
                ReceiptKind::Disputed => (Account::Dispute, Account::Clearing),
                ReceiptKind::DisputeWon => (Account::Clearing, Account::Dispute),
                ReceiptKind::DisputeLost => (Account::Unapplied, Account::Dispute),
                ReceiptKind::Refunded => (Account::Unapplied, Account::Clearing),
                ReceiptKind::Collected => (Account::Cash, Account::Unapplied),
                ReceiptKind::Remitted => (Account::Clearing, Account::Cash),
                // Nobody's balance changes by what is only held.
                ReceiptKind::Authorised | ReceiptKind::Voided => continue,
            };
            let event = format!("{} {}", receipt.transaction, receipt.kind.name());
            postings.push(Posting { event, debit, credit, amount: receipt.amount });
        }
        for refund in &self.refunds {
            postings.extend(refund.postings());
        }
        postings
    }
}

impl Refund {
    fn postings(&self) -> Vec<Posting> {
        let post = |step: &str, debit, credit| Posting {
            event: format!("{} {step}", self.key),
            debit,
            credit,
            amount: self.amount,
        };
        let mut steps = vec![post("owed", Account::Unapplied, Account::Refund)];
        let back = |step| post(step, Account::Refund, Account::Unapplied);
        let undone = [("rejected", self.rejected_at), ("withdrawn", self.withdrawn_at)];
        steps.extend(undone.into_iter().filter_map(|(step, at)| at.map(|_| back(step))));
        if self.state == RefundState::Confirmed {
            // It had been called off before.
            let off = self.rejected_at.or(self.withdrawn_at);
            steps.extend(off.map(|_| post("owed after all", Account::Unapplied, Account::Refund)));
            steps.push(post("confirmed", Account::Refund, Account::Clearing));
        }
        steps
    }
}
