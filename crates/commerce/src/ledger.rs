//! The ledger of a shop: what an order books, as a pure function of the order.
//!
//! Invariant: the entries of a live order sum to zero, whatever happened to it. Imports and verification derive them
//! from the same function as a sale does. Debit is positive.

use crate::decision::Aggregate;
use crate::money::{self, Money, Rounding};
use crate::order::{Adjustment, Order};
use vocab::id::PublicId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// What the provider owes for captured payments.
    Clearing,
    /// What the seller is owed.
    Payable,
    /// Tax collected.
    Tax,
    /// Money that came and that no order has taken yet: late, over, double, short.
    Unapplied,
    /// What is on its way back to the buyer.
    Refund,
    /// What the buyer's bank holds until a dispute is decided.
    Dispute,
    /// What was paid at the door, and is not with the provider yet.
    Cash,
}

impl Account {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clearing => "clearing",
            Self::Payable => "payable",
            Self::Tax => "tax",
            Self::Unapplied => "unapplied",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::Cash => "cod",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The order; or `intent/` and the intent.
    pub order: PublicId,
    pub account: Account,
    pub amount: Money,
}

/// What an order has booked so far: the sale, then each adjustment; none of them zero. An order without a captured
/// payment has booked nothing: where a source records no payments, its closed orders open with a balance of zero.
///
/// # Errors
/// `TooLarge`: not for an order that `from_document` accepted.
pub fn entries(order: &Order) -> Result<Vec<Entry>, money::Error> {
    Ok(without_zeros(postings(order)?))
}

/// What an order has booked since it stood at `before`.
///
/// # Errors
/// As for [`entries`].
pub fn added(before: Option<&Order>, after: &Order) -> Result<Vec<Entry>, money::Error> {
    let booked = before.map(postings).transpose()?.unwrap_or_default();
    Ok(without_zeros(postings(after)?.split_off(booked.len())))
}

fn without_zeros(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.retain(|entry| !entry.amount.is_zero());
    entries
}

/// Three entries for the sale and three for each adjustment, so that what was booked before is a prefix of what is
/// booked now.
fn postings(order: &Order) -> Result<Vec<Entry>, money::Error> {
    if !order.is_captured() {
        return Ok(Vec::new());
    }
    let (total, tax) = (order.totals().total(), order.totals().tax());
    // What an intent took is with it until the order takes it; the instant rail, and another program, owe it directly.
    let from = if order.intent().is_some() { Account::Unapplied } else { Account::Clearing };
    let mut book = Book { order, from, entries: Vec::new() };
    book.post(total, tax)?;
    let zero = Money::zero(order.currency());
    let (mut adjusted, mut untaxed) = (zero, zero);
    let mut adjustments: Vec<&Adjustment> = order.adjustments().iter().collect();
    adjustments.sort_by_key(|adjustment| adjustment.place());
    for adjustment in adjustments {
        let amount = adjustment.amount();
        adjusted = adjusted.plus(amount)?;
        // The one that brings the order to zero takes the tax that rounding left.
        let part = match adjusted == total {
            true => tax.minus(untaxed)?,
            false => tax.share(amount.minor(), total.minor(), Rounding::Down)?,
        };
        untaxed = untaxed.plus(part)?;
        book.post(zero.minus(amount)?, zero.minus(part)?)?;
    }
    Ok(book.entries)
}

struct Book<'a> {
    order: &'a Order,
    /// Where the buyer's money is.
    from: Account,
    entries: Vec<Entry>,
}

impl Book<'_> {
    /// Money that came (or went, if negative), and how much of it is tax.
    fn post(&mut self, amount: Money, tax: Money) -> Result<(), money::Error> {
        let zero = Money::zero(amount.currency());
        let sides = [(self.from, amount), (Account::Payable, tax.minus(amount)?), (Account::Tax, zero.minus(tax)?)];
        let entries =
            sides.into_iter().map(|(account, amount)| Entry { order: self.order.id().clone(), account, amount });
        self.entries.extend(entries);
        Ok(())
    }
}
