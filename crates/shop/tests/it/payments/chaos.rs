//! Many buyers, a provider that fails in every way it can, and work that is cut off anywhere: whatever happens, each buyer has
//! paid exactly once for an order, or has everything back, or is owed it by name; and every book says the same.

use super::till::{DAY_S, HOUR_S, Till};
use commerce::checkout::State;
use commerce::intent::{Intent, Method, Patience, RefundState};
use serde_json::{Value, json};
use shop::{Command, Resource};
use std::collections::BTreeMap;
use std::time::Duration;
use testkit::chance::Chance;
use vocab::id::{Kind, PublicId};

const BUYERS: usize = 24;
const SEEDS: u64 = 3;
const SEEDS_LONG: u64 = 60;
const STOCK: i64 = 1_000;
/// A provider that is silent is waited for so long, by the machine's own clock too.
const PATIENCE: Patience = Patience { answer_us: 250_000, ..Patience::USUAL };

const METHODS: [Method; 3] = [Method::VirtualAccount, Method::Qr, Method::Wallet];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_each_buyer_has_an_order_or_the_money() {
    let long = std::env::var_os("BALIK_LONG").is_some();
    let seeds = if long { SEEDS_LONG } else { SEEDS };
    let mut reached = BTreeMap::new();
    for seed in 1..=seeds {
        story(seed, &mut reached).await;
    }
    println!("payment chaos: {seeds} seeds of {BUYERS} buyers each: {reached:?}");
    for what in
        ["order", "no order", "tried again", "paid twice", "refund confirmed", "owed by name", "paid out", "taken back"]
    {
        assert!(reached.get(what).is_some_and(|times| *times > 0), "no story has come to: {what}");
    }
}

async fn story(seed: u64, reached: &mut BTreeMap<&'static str, usize>) {
    let till = Till::open_with(PATIENCE, STOCK).await;
    let mut chance = Chance(seed);
    faults(&till, seed).await;
    let mut checkouts = Vec::new();
    for _ in 0..BUYERS {
        let units = 1 + u32::try_from(chance.below(3)).unwrap();
        checkouts.push(till.checkout(units).await);
    }
    for checkout in &checkouts {
        buy(&till, &mut chance, checkout).await;
    }
    till.pass_badly(2 * HOUR_S, &mut |of| chance.below(of)).await;
    for checkout in &checkouts {
        think_again(&till, &mut chance, checkout).await;
    }
    till.pass_badly(DAY_S, &mut |of| chance.below(of)).await;
    till.control("top-up", &json!({ "amount": 10_000_000 })).await;
    for checkout in &checkouts {
        if chance.one_in(2) {
            assert_eq!(till.pay_out(checkout, "BCA 1234567890 Sari").await, "");
        }
    }
    till.pass_badly(HOUR_S, &mut |of| chance.below(of)).await;
    // The provider comes to its senses, and all that is due is done.
    till.control("faults", &json!({ "seed": seed, "plan": [] })).await;
    till.pass(5 * DAY_S).await;
    judge(&till, seed, reached).await;
}

async fn faults(till: &Till, seed: u64) {
    let mut plan = Vec::new();
    for operation in ["charge", "query", "expire", "refund", "refund_query"] {
        plan.extend(
            demo_provider::FAULTS_OF_CALLS
                .map(|what| json!({ "operation": operation, "one_in": 30, "what": what, "ms": 5 })),
        );
    }
    plan.push(json!({ "operation": "refund_settle", "one_in": 6, "what": "rejected" }));
    let (status, said) = till.control("faults", &json!({ "seed": seed, "plan": plan })).await;
    assert_eq!(status, 200, "{said}");
}

/// Confirms, changes their mind, pays all, part, too much or nothing, on the code that they have.
async fn buy(till: &Till, chance: &mut Chance, checkout: &PublicId) {
    let times = if chance.one_in(4) { 2 } else { 1 };
    for _ in 0..times {
        till.confirm_until(checkout, chance.of(&METHODS), chance.below(20)).await;
    }
    let Some(intent) = till.awaited(checkout).await else { return };
    let due = intent.due().minor() / 100;
    for attempt in intent.attempts() {
        let amounts: &[i64] = match chance.below(8) {
            0 | 1 => &[],
            2 => &[60],
            3 => &[60, 40],
            4 => &[150],
            5 => &[100, 100],
            _ => &[100],
        };
        for percent in amounts {
            let late = chance.one_in(2);
            let asked = json!({ "reference": attempt.reference(), "amount": due * percent / 100, "late": late });
            till.control("pay", &asked).await;
        }
        if chance.one_in(3) {
            till.notice(attempt.reference()).await;
        }
    }
    if chance.one_in(6) {
        till.try_run(Command::CancelCheckout { id: checkout.clone() }).await;
    }
}

/// Hours later: late money, banks that take money back, orders given back.
async fn think_again(till: &Till, chance: &mut Chance, checkout: &PublicId) {
    for intent in till.intents_of(checkout).await {
        for attempt in intent.attempts() {
            match chance.below(6) {
                0 => {
                    till.control("pay", &json!({ "reference": attempt.reference(), "late": true })).await;
                    till.notice(attempt.reference()).await;
                }
                1 => {
                    let kind = chance.of(&["reversed", "disputed"]);
                    let asked = json!({ "reference": attempt.reference(), "kind": kind });
                    if till.control("take-back", &asked).await.0 == 200 && kind == "disputed" {
                        let kind = chance.of(&["dispute_won", "dispute_lost"]);
                        till.control("take-back", &json!({ "reference": attempt.reference(), "kind": kind })).await;
                    }
                    till.notice(attempt.reference()).await;
                }
                _ => {}
            }
        }
    }
    if let State::Completed { order } = till.state(checkout).await
        && chance.one_in(4)
    {
        let back = commerce::order::Back::Whole;
        let command = match chance.one_in(2) {
            true => Command::CancelOrder { id: order, back },
            false => Command::RefundOrder { id: order, back },
        };
        till.try_run(command).await;
    }
}

/// What the provider's book says of one reference's money, in minor units.
#[derive(Debug, Default, Clone, Copy)]
struct Moved {
    came: i64,
    taken: i64,
    back: i64,
}

async fn judge(till: &Till, seed: u64, reached: &mut BTreeMap<&'static str, usize>) {
    let book = till.book().await;
    let moved = by_reference(&book);
    let paid_out = paid_out(&book);
    let (mut owed_by_name, mut by_order) = (0, BTreeMap::new());
    let documents = till.store.documents(&till.frame.shop, Kind::Intent, None, 10_000).await.unwrap();
    assert!(documents.len() >= BUYERS / 2, "seed {seed}: hardly anybody came");
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
        let confirmed = intent.refunds().iter().any(|refund| refund.state() == RefundState::Confirmed);
        for (what, is_so) in [
            ("order", intent.order().is_some()),
            ("no order", intent.order().is_none()),
            ("tried again", intent.attempts().len() > 1),
            ("paid twice", sum.came > intent.due().minor()),
            ("refund confirmed", confirmed),
            ("owed by name", named > 0),
            ("paid out", out > 0),
            ("taken back", sum.taken > 0),
        ] {
            *reached.entry(what).or_insert(0) += usize::from(is_so);
        }
        let kept = sum.came - sum.taken - sum.back - named;
        let due = intent.due().minor();
        let wanted = if intent.order().is_some() { due - intent.given_by_order() } else { 0 };
        // What a bank took back of an order that stands is the seller's loss, and nobody's gain.
        let right = kept == wanted || (sum.taken > 0 && intent.order().is_some() && kept < wanted);
        assert!(right, "seed {seed}, intent {id}: {kept} is kept, {wanted} is right; {sum:?} {intent:#?}");
        assert!(intent.is_settled(), "seed {seed}, intent {id}: {intent:#?}");
    }
    till.at_rest().await;
    let sums = till.store.ledger_sums(&till.frame.shop).await.unwrap();
    let of = |account: &str| sums.iter().find(|sum| &*sum.account == account).map_or(0, |sum| sum.amount);
    assert_eq!(sums.iter().map(|sum| sum.amount).sum::<i64>(), 0, "seed {seed}: {sums:?}");
    assert_eq!(of("clearing"), till.held().await, "seed {seed}: clearing is the provider's book: {sums:?}");
    assert_eq!(of("refund"), -owed_by_name, "seed {seed}: what is owed is owed by name: {sums:?}");
    for (id, stored) in till.store.documents(&till.frame.shop, Kind::Order, None, 10_000).await.unwrap() {
        let answer = till.service.order(&till.frame.shop, &id).await.unwrap();
        let named = by_order.get(&id).copied().unwrap_or(0);
        assert!(answer.on_its_way <= named, "seed {seed}: order {id} waits for what nobody owes: {stored:?}");
    }
    shelf_is_right(till, seed).await;
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
            "captured" => of_it.came += minor,
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

/// Everything that is due is begun, and some of it is cut off anywhere, as by a kill.
pub async fn cut_off<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static, after: Option<Duration>) {
    let task = tokio::spawn(work);
    let stop = task.abort_handle();
    if let Some(after) = after {
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            stop.abort();
        });
    }
    if let Err(error) = task.await
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}
