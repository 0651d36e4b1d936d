//! What a backend does to payments that a buyer makes in their own time, and what a hostile one might.

use crate::backend::{Fact, Mint, born, element, elements, instant};
use crate::world::Dice;
use vocab::document::{Node, Record};
use vocab::id::Kind;

/// A payment that was begun, with its first try on record.
pub fn birth(mint: &mut Mint) -> Fact {
    let at = instant(mint);
    let intent = mint.element(Kind::Intent, None).with("checkout", "77").with("reserved", "TRX-0000900");
    let intent = intent.with("account", "loket").with("currency", "IDR").with("due", 3_100_000);
    let intent = intent.with("created_at", at).with("expires_at", at + 900_000_000);
    let intent = intent.with("returned", 0).with("too_late", Node::Bool(false));
    let mut intent = intent.with("attempts", vec![attempt(1, at)]).with("receipts", vec![]).with("refunds", vec![]);
    for name in ["cancel_asked_at", "ended", "ended_at", "order"] {
        intent.set(name, Node::Null);
    }
    Fact { changes: vec![born(Kind::Intent, intent)], stock: Vec::new() }
}

/// A try has no key of its own: it is known by its place.
fn attempt(number: i64, at: i64) -> Node {
    let mut attempt = Record::default()
        .with("number", number)
        .with("reference", format!("57-{number}"))
        .with("method", "virtual_account")
        .with("amount", 3_100_000)
        .with("fate", "recorded")
        .with("recorded_at", at)
        .with("asked", 0);
    for name in FORGOTTEN.iter().chain(&["heard_at", "over_since", "expires_at", "shown"]) {
        attempt.set(*name, Node::Null);
    }
    for name in ["settling", "settling_first", "settling_last"] {
        attempt.set(name, Node::Null);
    }
    Node::Record(attempt)
}

/// What the file says is forgotten; `asked` as well, which is a number.
pub const FORGOTTEN: [&str; 5] = ["asked_at", "absent_since", "sent_again_at", "told_to_end_first", "told_to_end_last"];

fn receipt(at: i64, dice: &mut Dice) -> Node {
    let receipt = Record::default().with("transaction", format!("txn_{at}")).with("attempt", 1);
    let receipt = receipt.with("kind", dice.of(&["captured", "reversed", "refunded"]));
    Node::Record(receipt.with("amount", 3_100_000).with("at", at))
}

fn refund(number: i64, at: i64, dice: &mut Dice) -> Node {
    let refund = Record::default().with("number", number).with("key", format!("57-r{number}"));
    let refund = refund.with("attempt", if dice.one_in(2) { Node::Null } else { Node::Int(1) });
    let refund = refund.with("amount", 100_000).with("why", dice.of(&["returned", "over", "ended"]));
    let refund = refund.with("state", "needs_account").with("recorded_at", at).with("asked", 0);
    let null = ["asked_at", "absent_since", "withdrawn_at", "rejected_at", "account"];
    Node::Record(null.iter().fold(refund, |refund, name| refund.with(*name, Node::Null)))
}

fn next(after: &mut Record, list: &str) -> Option<i64> {
    i64::try_from(elements(after, list)?.len() + 1).ok()
}

/// One command on a payment.
pub fn on_intent(command: u8, after: &mut Record, mint: &mut Mint, dice: &mut Dice) -> Option<bool> {
    mint.0 += 1;
    let at = instant(mint);
    match command {
        46 => heard(after, at, dice)?,
        47 => elements(after, "receipts")?.push(receipt(at, dice)),
        48 => {
            let number = next(after, "attempts")?;
            elements(after, "attempts")?.push(attempt(number, at));
        }
        49 => {
            let number = next(after, "refunds")?;
            elements(after, "refunds")?.push(refund(number, at, dice));
        }
        50 => sent_back(after, at, dice)?,
        51 => over(after, at, dice),
        52 => asked(after, at, dice)?,
        53..=70 => once(command - 53, after, dice)?,
        71 => drop(elements(after, dice.of(&["attempts", "receipts", "refunds"]))?.pop()?),
        72 => element(after, "attempts", dice)?.set("settling", "capture"),
        73 => after.set("created_at", after.int("created_at")? + 3_600_000_000),
        _ => elements(after, "attempts")?.reverse(),
    }
    Some(true)
}

fn heard(after: &mut Record, at: i64, dice: &mut Dice) -> Option<()> {
    let attempt = element(after, "attempts", dice)?;
    attempt.set("fate", dice.of(&["accepted", "paid", "declined", "unknown", "absent", "over"]));
    attempt.set("heard_at", at);
    attempt.set("over_since", if dice.one_in(2) { Node::Null } else { Node::Int(at) });
    attempt.set("expires_at", at + 900_000_000);
    attempt.set("shown", if dice.one_in(2) { Node::Null } else { Node::from("8808000000000001") });
    Some(())
}

fn sent_back(after: &mut Record, at: i64, dice: &mut Dice) -> Option<()> {
    let refund = element(after, "refunds", dice)?;
    let states = ["recorded", "unknown", "absent", "accepted", "confirmed", "rejected", "withdrawn"];
    refund.set("state", dice.of(&states));
    refund.set("account", "BCA 123");
    refund.set("recorded_at", at);
    refund.set(dice.of(&["withdrawn_at", "rejected_at"]), at);
    Some(())
}

/// It is over, one way or another.
fn over(after: &mut Record, at: i64, dice: &mut Dice) {
    match dice.roll(3) {
        0 => {
            after.set("order", "TRX-0000900");
            after.set("returned", 100 * dice.int(9_000));
        }
        1 => {
            after.set("ended", dice.of(&["expired", "canceled", "failed"]));
            after.set("ended_at", at);
            after.set("too_late", Node::Bool(dice.one_in(2)));
        }
        _ => after.set("cancel_asked_at", at),
    }
}

/// Only what is forgotten changes: nothing goes back, and nothing is owed.
fn asked(after: &mut Record, at: i64, dice: &mut Dice) -> Option<()> {
    let attempt = element(after, "attempts", dice)?;
    attempt.set("asked", 3);
    FORGOTTEN.iter().for_each(|name| attempt.set(*name, at));
    Some(())
}

/// The fields that are written at birth only, each with another word, or none where it is a number.
const ONCE: [(&str, &str, Option<&str>); 18] = [
    ("", "reserved", Some("TRX-0000901")),
    ("", "account", Some("another")),
    ("", "checkout", Some("77")),
    ("", "due", None),
    ("", "expires_at", None),
    ("attempts", "reference", Some("57-9")),
    ("attempts", "method", Some("wallet")),
    ("attempts", "amount", None),
    ("attempts", "recorded_at", None),
    ("receipts", "transaction", Some("txn_of_another")),
    ("receipts", "kind", Some("voided")),
    ("receipts", "attempt", None),
    ("receipts", "amount", None),
    ("receipts", "at", None),
    ("refunds", "key", Some("57-r9")),
    ("refunds", "why", Some("over")),
    ("refunds", "attempt", None),
    ("refunds", "amount", None),
];

fn once(nth: u8, after: &mut Record, dice: &mut Dice) -> Option<()> {
    let (list, name, word) = ONCE[usize::from(nth)];
    let record = if list.is_empty() { after } else { element(after, list, dice)? };
    match word {
        Some(word) => record.set(name, word),
        None => record.set(name, record.int(name).unwrap_or(0) + 60_000_000),
    }
    Some(())
}

#[test]
fn a_way_to_pay_is_carried_where_the_legacy_has_a_word_for_it() {
    let mapping = crate::world::mapping();
    let carried = |method: &str| mapping.prints(Kind::Intent, ["attempts", "method"], &method.into());
    assert_eq!(["virtual_account", "qr", "wallet"].map(carried), [true; 3]);
    assert_eq!(["card_token", "cash_on_delivery", "barter"].map(carried), [false; 3]);
    assert!(!mapping.prints(Kind::Intent, ["attempts", "settling"], &"void".into()), "it is none's column");
    assert!(!mapping.prints(Kind::Cart, ["attempts", "method"], &"qr".into()));
}
