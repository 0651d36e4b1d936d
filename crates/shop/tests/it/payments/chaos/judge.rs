//! Whoever paid has one order and paid for it once, or has everything back, or is owed it by name; and every book says so.

use super::super::till::Till;
use super::statements::{self, day_of};
use super::{Reached, STOCK};
use commerce::intent::{Fate, Intent, Method, ReceiptKind, RefundState};
use serde_json::Value;
use shop::Resource;
use std::collections::BTreeMap;
use vocab::id::Kind;

/// What the provider's book says of one reference's money, in minor units.
#[derive(Debug, Default, Clone, Copy)]
struct Moved {
    came: i64,
    taken: i64,
    back: i64,
}

pub async fn judge(till: &Till, seed: u64, buyers: usize, reached: &mut Reached) {
    let book = till.book().await;
    let moved = by_reference(&book);
    let paid_out = paid_out(&book);
    let (mut owed_by_name, mut by_order) = (0, BTreeMap::new());
    let documents = till.store.documents(&till.frame.shop, Kind::Intent, None, 10_000).await.unwrap();
    assert!(documents.len() >= buyers / 2, "seed {seed}: hardly anybody came");
    for (id, stored) in &documents {
        let intent = Intent::from_document(&stored.document).unwrap();
        let mut sum = Moved::default();
        for attempt in intent.attempts() {
            let of_it = moved.get(attempt.reference()).copied().unwrap_or_default();
            (sum.came, sum.taken, sum.back) = (sum.came + of_it.came, sum.taken + of_it.taken, sum.back + of_it.back);
        }
        let out: i64 = intent.refunds().iter().filter_map(|refund| paid_out.get(refund.key())).sum();
        sum.back += out;
        let named: i64 = intent
            .refunds()
            .iter()
            .filter(|refund| refund.state() == RefundState::NeedsAccount)
            .map(|refund| refund.amount().minor())
            .sum();
        owed_by_name += named;
        by_order.extend(intent.order().map(|order| (order.clone(), named)));
        tell(&intent, sum, [named, out], reached);
        let kept = sum.came - sum.taken - sum.back - named;
        let due = intent.due().minor();
        let wanted = if intent.order().is_some() { due - intent.given_by_order() } else { 0 };
        // What a bank took back of an order that stands is the seller's loss, and nobody's gain; so is what a courier did not take
        // at the door, of which somebody is told.
        let lost = sum.taken > 0 || (intent.was_promised() && intent.is_order_unpaid());
        let right = kept == wanted || (lost && intent.order().is_some() && kept < wanted);
        assert!(right, "seed {seed}, intent {id}: {kept} is kept, {wanted} is right; {sum:?} {intent:#?}");
        assert!(intent.is_settled(), "seed {seed}, intent {id}: {intent:#?}");
    }
    till.at_rest().await;
    reached.lines += statements::agree(till, &book, seed).await;
    let sums = till.store.ledger_sums(&till.frame.shop).await.unwrap();
    let of = |account: &str| sums.iter().find(|sum| &*sum.account == account).map_or(0, |sum| sum.amount);
    assert_eq!(sums.iter().map(|sum| sum.amount).sum::<i64>(), 0, "seed {seed}: {sums:?}");
    assert_eq!(of("clearing"), till.held().await, "seed {seed}: clearing is the provider's book: {sums:?}");
    assert_eq!(of("cod"), 0, "seed {seed}: what couriers took is with the provider: {sums:?}");
    assert_eq!(of("refund"), -owed_by_name, "seed {seed}: what is owed is owed by name: {sums:?}");
    for (id, stored) in till.store.documents(&till.frame.shop, Kind::Order, None, 10_000).await.unwrap() {
        let answer = till.service.order(&till.frame.shop, &id).await.unwrap();
        let named = by_order.get(&id).copied().unwrap_or(0);
        assert!(answer.on_its_way <= named, "seed {seed}: order {id} waits for what nobody owes: {stored:?}");
    }
    shelf_is_right(till, seed).await;
}

/// What one payment is an example of. `named` is owed by name, `out` was paid out.
fn tell(intent: &Intent, sum: Moved, [named, out]: [i64; 2], reached: &mut Reached) {
    let due = intent.due().minor();
    let came = |kind: ReceiptKind| intent.receipts().iter().filter(move |receipt| receipt.kind == kind);
    let tomorrow = |at: i64| day_of(at) > day_of(intent.created_at().0);
    for (what, is_so) in [
        ("order", intent.order().is_some()),
        ("no order", intent.order().is_none()),
        ("tried again", intent.attempts().len() > 1),
        ("paid twice", sum.came > due),
        ("refund confirmed", intent.refunds().iter().any(|refund| refund.state() == RefundState::Confirmed)),
        ("owed by name", named > 0),
        ("paid out", out > 0),
        ("reversed", came(ReceiptKind::Reversed).count() > 0),
        ("disputed", came(ReceiptKind::Disputed).count() > 0),
        ("another amount", came(ReceiptKind::Captured).any(|receipt| receipt.amount != intent.due())),
        (
            "paid by card",
            intent.attempts().iter().any(|it| it.method() == Method::CardToken && it.fate() == Fate::Paid),
        ),
        ("declined card", intent.attempts().iter().any(|it| it.fate() == Fate::Declined)),
        ("paid at the door", came(ReceiptKind::Collected).count() > 0 && intent.order().is_some()),
        ("too little at the door", intent.was_promised() && intent.is_order_unpaid()),
        ("refused at the door", intent.was_promised() && intent.order().is_some() && intent.receipts().is_empty()),
        ("paid after midnight", came(ReceiptKind::Captured).any(|receipt| tomorrow(receipt.at.0))),
    ] {
        reached.count(what, is_so);
    }
}

fn by_reference(book: &Value) -> BTreeMap<String, Moved> {
    let rows = |table: &str| book[table].as_array().unwrap().clone();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let charges: BTreeMap<String, String> =
        rows("charge").iter().map(|row| (text(row, "id"), text(row, "reference"))).collect();
    let mut moved = BTreeMap::<String, Moved>::new();
    for row in rows("movement") {
        let Some(reference) = charges.get(&text(&row, "charge")) else { continue };
        let (of_it, minor) = (moved.entry(reference.clone()).or_default(), row["amount"].as_i64().unwrap() * 100);
        match row["kind"].as_str().unwrap() {
            "captured" | "collected" => of_it.came += minor,
            "reversed" | "dispute_lost" => of_it.taken += minor,
            _ => {}
        }
    }
    for row in rows("refund").iter().filter(|row| row["status"] == "confirmed") {
        if let Some(reference) = charges.get(&text(row, "charge")) {
            moved.entry(reference.clone()).or_default().back += row["amount"].as_i64().unwrap() * 100;
        }
    }
    moved
}

/// What left for accounts that buyers named, by the key of the refund.
fn paid_out(book: &Value) -> BTreeMap<String, i64> {
    let rows = book["refund"].as_array().unwrap().iter();
    let out = rows.filter(|row| row["status"] == "confirmed" && row["charge"].is_null());
    out.map(|row| (row["key"].as_str().unwrap().to_owned(), row["amount"].as_i64().unwrap() * 100)).collect()
}

/// On the shelf is what was there, less what is sold and what a code that is out keeps.
async fn shelf_is_right(till: &Till, seed: u64) {
    let mut left = STOCK;
    for (id, _) in till.store.documents(&till.frame.shop, Kind::Order, None, 10_000).await.unwrap() {
        let answer = till.service.order(&till.frame.shop, &id).await.unwrap();
        let Some(Resource::Order(order)) = answer.resource else { panic!("an order") };
        left -= order.lines().iter().map(|line| i64::from(line.sold().quantity() - line.cancelled())).sum::<i64>();
    }
    let orders = till.orders().await;
    let mut completed = 0;
    for (id, stored) in till.store.documents(&till.frame.shop, Kind::Checkout, None, 10_000).await.unwrap() {
        completed += usize::from(stored.document.text("state") == Some("completed"));
        assert_ne!(stored.document.text("state"), Some("awaiting"), "seed {seed}: {id} waits for ever");
    }
    assert_eq!(orders, completed, "seed {seed}: one order for each that is completed");
    assert_eq!(till.stock().await, left, "seed {seed}");
}
