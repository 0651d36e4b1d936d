//! An intent as plain data, and back.

use super::asking::{Asked, instant};
use super::attempt::Told;
use super::receipt::{RECEIPTS_MAX, Receipt};
use super::{Attempt, Ending, Fate, Intent, Method, REFUNDS_MAX, ReceiptKind, Refund, RefundState, Settling, Why};
use crate::decision::Aggregate;
use crate::fault::{Fault, Reader, id_node, optional_id_node, with_origin};
use crate::money::Currency;
use std::collections::BTreeSet;
use vocab::document::{Node, Record};
use vocab::id::{Kind, Origin, PublicId};

impl Intent {
    /// # Errors
    /// A fault where a field is missing, or a rule is broken that every intent keeps: its tries are numbered from 1, and
    /// what came and went belongs to them.
    pub fn from_document(document: &Record) -> Result<Self, Fault> {
        let from = Reader::root(document);
        let currency = from.currency("currency")?;
        let intent = Self {
            id: from.id("id")?,
            origin: from.origin(),
            checkout: from.id("checkout")?,
            reserved: from.optional_id("reserved")?,
            account: from.text("account")?,
            due: from.money("due", currency)?,
            created_at: from.instant("created_at")?,
            expires_at: from.instant("expires_at")?,
            cancel_asked_at: from.optional_instant("cancel_asked_at")?,
            ended: from.optional_word("ended", Ending::from_name)?.zip(from.optional_instant("ended_at")?),
            order: from.optional_id("order")?,
            returned: from.int("returned")?,
            too_late: from.flag("too_late")?,
            attempts: from.elements("attempts", |from| Attempt::read(&from, currency))?,
            receipts: from.elements("receipts", |from| Receipt::read(&from, currency))?,
            refunds: from.elements("refunds", |from| Refund::read(&from, currency))?,
        };
        intent.check(&from)?;
        Ok(intent)
    }

    fn check(&self, from: &Reader<'_>) -> Result<(), Fault> {
        let numbered = (1..).zip(&self.attempts).all(|(number, attempt)| attempt.number == number);
        if !numbered {
            return Err(from.fault("number", "attempts", "are not numbered from 1"));
        }
        let numbered = (1..).zip(&self.refunds).all(|(number, refund)| refund.number == number);
        let keys: BTreeSet<&str> = self.refunds.iter().map(Refund::key).collect();
        if !numbered || keys.len() != self.refunds.len() {
            return Err(from.fault("number", "refunds", "are not numbered from 1, or two have one key"));
        }
        if self.receipts.len() > RECEIPTS_MAX || self.refunds.len() > REFUNDS_MAX {
            return Err(from.fault("too_many", "receipts", "or refunds are more than one intent may have"));
        }
        let known = |number: u32| number >= 1 && usize::try_from(number).is_ok_and(|it| it <= self.attempts.len());
        if !self.receipts.iter().all(|receipt| known(receipt.attempt)) {
            return Err(from.fault("unknown_attempt", "receipts", "one is for an attempt that is not here"));
        }
        if !self.refunds.iter().filter_map(|refund| refund.attempt).all(known) {
            return Err(from.fault("unknown_attempt", "refunds", "one is of an attempt that is not here"));
        }
        if !(0..=self.due.minor()).contains(&self.returned) {
            return Err(from.fault("amount", "returned", "is not between nothing and what was owed"));
        }
        Ok(())
    }
}

fn told(from: &Reader<'_>, first: &str, last: &str) -> Result<Option<Told>, Fault> {
    let times = from.optional_instant(first)?.zip(from.optional_instant(last)?);
    Ok(times.map(|(first, last)| Told { first, last }))
}

impl Attempt {
    fn read(from: &Reader<'_>, currency: Currency) -> Result<Self, Fault> {
        Ok(Self {
            number: from.count("number")?,
            reference: from.text("reference")?,
            method: from.word("method", Method::from_name)?,
            amount: from.money("amount", currency)?,
            fate: from.word("fate", Fate::from_name)?,
            recorded_at: from.instant("recorded_at")?,
            asked: Asked::read(from)?,
            heard_at: from.optional_instant("heard_at")?,
            sent_again_at: from.optional_instant("sent_again_at")?,
            over_since: from.optional_instant("over_since")?,
            told_to_end: told(from, "told_to_end_first", "told_to_end_last")?,
            settling: from.optional_word("settling", Settling::from_name)?.zip(told(
                from,
                "settling_first",
                "settling_last",
            )?),
            expires_at: from.optional_instant("expires_at")?,
            shown: from.optional_text("shown")?,
        })
    }

    fn record(&self) -> Node {
        let record = Record::default()
            .with("number", i64::from(self.number))
            .with("reference", self.reference.as_str())
            .with("method", self.method.name())
            .with("amount", self.amount.minor())
            .with("fate", self.fate.name())
            .with("recorded_at", self.recorded_at.0)
            .with("heard_at", instant(self.heard_at))
            .with("sent_again_at", instant(self.sent_again_at))
            .with("over_since", instant(self.over_since))
            .with("told_to_end_first", instant(self.told_to_end.map(|told| told.first)))
            .with("told_to_end_last", instant(self.told_to_end.map(|told| told.last)))
            .with("settling", self.settling.map(|(what, _)| what.name()))
            .with("settling_first", instant(self.settling.map(|(_, told)| told.first)))
            .with("settling_last", instant(self.settling.map(|(_, told)| told.last)))
            .with("expires_at", instant(self.expires_at))
            .with("shown", self.shown.as_deref());
        Node::Record(self.asked.write(record))
    }
}

impl Receipt {
    fn read(from: &Reader<'_>, currency: Currency) -> Result<Self, Fault> {
        Ok(Self {
            transaction: from.text("transaction")?,
            kind: from.word("kind", ReceiptKind::from_name)?,
            attempt: from.count("attempt")?,
            amount: from.amount("amount", currency)?,
            at: from.instant("at")?,
        })
    }

    fn record(&self) -> Node {
        let record = Record::default()
            .with("transaction", self.transaction.as_str())
            .with("kind", self.kind.name())
            .with("attempt", i64::from(self.attempt))
            .with("amount", self.amount.minor())
            .with("at", self.at.0);
        Node::Record(record)
    }
}

impl Refund {
    fn read(from: &Reader<'_>, currency: Currency) -> Result<Self, Fault> {
        Ok(Self {
            number: from.count("number")?,
            key: from.text("key")?,
            attempt: from.optional_count("attempt")?,
            amount: from.amount("amount", currency)?,
            why: from.word("why", Why::from_name)?,
            state: from.word("state", RefundState::from_name)?,
            recorded_at: from.instant("recorded_at")?,
            asked: Asked::read(from)?,
            withdrawn_at: from.optional_instant("withdrawn_at")?,
            rejected_at: from.optional_instant("rejected_at")?,
            account: from.optional_text("account")?,
        })
    }

    fn record(&self) -> Node {
        let record = Record::default()
            .with("number", i64::from(self.number))
            .with("key", self.key.as_str())
            .with("attempt", self.attempt.map_or(Node::Null, |number| Node::Int(i64::from(number))))
            .with("amount", self.amount.minor())
            .with("why", self.why.name())
            .with("state", self.state.name())
            .with("recorded_at", self.recorded_at.0)
            .with("withdrawn_at", instant(self.withdrawn_at))
            .with("rejected_at", instant(self.rejected_at))
            .with("account", self.account.as_deref());
        Node::Record(self.asked.write(record))
    }
}

impl Aggregate for Intent {
    const KIND: Kind = Kind::Intent;

    fn id(&self) -> &PublicId {
        &self.id
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    fn document(&self) -> Record {
        let record = Record::default()
            .with("id", id_node(&self.id))
            .with("checkout", id_node(&self.checkout))
            .with("reserved", optional_id_node(self.reserved.as_ref()))
            .with("account", self.account.as_str())
            .with("currency", self.due.currency().as_str())
            .with("due", self.due.minor())
            .with("created_at", self.created_at.0)
            .with("expires_at", self.expires_at.0)
            .with("cancel_asked_at", instant(self.cancel_asked_at))
            .with("ended", self.ended.map(|(ending, _)| ending.name()))
            .with("ended_at", instant(self.ended.map(|(_, at)| at)))
            .with("order", optional_id_node(self.order.as_ref()))
            .with("returned", self.returned)
            .with("too_late", Node::Bool(self.too_late))
            .with("attempts", self.attempts.iter().map(Attempt::record).collect::<Vec<_>>())
            .with("receipts", self.receipts.iter().map(Receipt::record).collect::<Vec<_>>())
            .with("refunds", self.refunds.iter().map(Refund::record).collect::<Vec<_>>());
        with_origin(record, self.origin.as_ref())
    }
}
