//! Many buyers, a provider that fails in every way it can, and work that is cut off anywhere: whatever happens, each buyer has
//! paid exactly once for an order, or has everything back, or is owed it by name; and every book says the same.

mod statements;

use super::till::{DAY_S, Engine, HOUR_S, Till};
use commerce::checkout::State;
use commerce::intent::{Fate, Intent, Method, Patience, ReceiptKind, RefundState};
use serde_json::{Value, json};
use shop::{Command, Resource};
use statements::{day_of, seconds_to_midnight};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use testkit::chance::Chance;
use tokio::task::JoinSet;
use vocab::id::{Kind, PublicId};

const BUYERS: usize = 24;
const SEEDS: u64 = 6;
/// Stories at the same time: each waits for its provider most of the time.
const AT_ONCE: usize = 6;
/// As many seeds as it takes.
const BUYERS_LONG: usize = 250;
const ORDERS_LONG: usize = 10_000;
/// So many of them choose one way, and then another one.
const DECIDED: usize = 3;
const STOCK: i64 = 1_000;
/// A provider that is silent is waited for so long, by the machine's own clock too.
const PATIENCE: Patience = Patience { answer_us: 250_000, ..Patience::USUAL };
/// A call that was given up has its effect so much later, by the provider's clock. Within the time for which "not found" is
/// not believed: what comes to life after that, only a statement tells.
const LATE_MS: u64 = 40_000;
/// The first codes are given out so long before the provider's midnight, at most, and paid for as long on both sides of it.
const EVENING_S: i64 = 300;

const METHODS: [Method; 5] =
    [Method::VirtualAccount, Method::Qr, Method::Wallet, Method::CardToken, Method::CashOnDelivery];

/// What all stories together have come to.
#[derive(Default)]
struct Reached {
    what: BTreeMap<&'static str, usize>,
    /// How often each fault went wrong.
    faults: BTreeMap<String, i64>,
    lines: usize,
}

impl Reached {
    fn count(&mut self, what: &'static str, is_so: bool) {
        *self.what.entry(what).or_default() += usize::from(is_so);
    }

    fn add(&mut self, other: Self) {
        other.what.into_iter().for_each(|(what, times)| *self.what.entry(what).or_default() += times);
        other.faults.into_iter().for_each(|(what, times)| *self.faults.entry(what).or_default() += times);
        self.lines += other.lines;
    }

    fn of(&self, what: &str) -> usize {
        self.what.get(what).copied().unwrap_or(0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_each_buyer_has_an_order_or_the_money_on_sqlite() {
    whatever_fails(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_each_buyer_has_an_order_or_the_money_on_postgres() {
    whatever_fails(Engine::Postgres).await;
}

#[expect(clippy::print_stdout, reason = "what all stories have come to is the figure of the check")]
async fn whatever_fails(engine: Engine) {
    let long = std::env::var_os("BALIK_LONG").is_some();
    let first = std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let buyers = if long { BUYERS_LONG } else { BUYERS };
    let (mut reached, mut seeds, began) = (Reached::default(), 0, Instant::now());
    let mut stories = JoinSet::new();
    loop {
        let wanted = if long { reached.of("order") < ORDERS_LONG } else { seeds < SEEDS };
        if wanted && stories.len() < AT_ONCE {
            stories.spawn(story(engine, first + seeds, buyers));
            seeds += 1;
        } else if let Some(done) = stories.join_next().await {
            reached.add(done.unwrap());
        } else {
            break;
        }
    }
    let Reached { what, faults, lines } = &reached;
    println!("payment chaos, {engine:?}, faults: {faults:?}");
    println!(
        "payment chaos, {engine:?}: {} orders of {seeds} seeds from {first}, {buyers} buyers each, in {:.0?}; {lines} lines of \
         statements; {what:?}",
        reached.of("order"),
        began.elapsed()
    );
    for what in [
        "order",
        "no order",
        "tried again",
        "paid twice",
        "refund confirmed",
        "owed by name",
        "paid out",
        "reversed",
        "disputed",
        "another amount",
        "paid after midnight",
        "paid by card",
        "declined card",
        "paid at the door",
        "refused at the door",
    ] {
        assert!(reached.of(what) > 0, "no story has come to: {what}");
    }
    for what in demo_provider::FAULTS_OF_CALLS {
        assert!(faults.get(what).is_some_and(|times| *times > 0), "it has never gone wrong so: {what}");
    }
}

async fn story(engine: Engine, seed: u64, buyers: usize) -> Reached {
    let mut reached = Reached::default();
    let till = Till::open_with(engine, PATIENCE, STOCK).await;
    let mut chance = Chance(seed);
    let before_midnight = 60 + i64::try_from(chance.below(240)).unwrap();
    till.skip((seconds_to_midnight(till.now().0) + DAY_S - before_midnight) % DAY_S).await;
    faults(&till, seed).await;
    let mut checkouts = Vec::new();
    for _ in 0..buyers {
        let units = 1 + u32::try_from(chance.below(3)).unwrap();
        checkouts.push(till.checkout(units).await);
    }
    let mut tomorrow = Vec::new();
    for (nth, checkout) in checkouts.iter().enumerate() {
        choose(&till, &mut chance, checkout, nth < DECIDED).await;
        match chance.one_in(2) {
            true => pay(&till, &mut chance, checkout).await,
            false => tomorrow.push(checkout),
        }
    }
    // What was given up arrives in this time, and the provider's day ends in it.
    till.pass_badly(2 * EVENING_S, &mut |of| chance.below(of)).await;
    for checkout in tomorrow {
        pay(&till, &mut chance, checkout).await;
    }
    till.pass_badly(2 * HOUR_S, &mut |of| chance.below(of)).await;
    for checkout in &checkouts {
        think_again(&till, &mut chance, checkout).await;
    }
    till.pass_badly(DAY_S, &mut |of| chance.below(of)).await;
    couriers_come(&till, &mut chance).await;
    till.control("top-up", &json!({ "amount": 100_000_000 })).await;
    for checkout in &checkouts {
        if chance.one_in(2) {
            assert_eq!(till.pay_out(checkout, "BCA 1234567890 Sari").await, "");
        }
    }
    till.pass_badly(HOUR_S, &mut |of| chance.below(of)).await;
    for row in till.book().await["fault"].as_array().unwrap() {
        let what = row["what"].as_str().unwrap().to_owned();
        *reached.faults.entry(what).or_default() += row["used"].as_i64().unwrap();
    }
    // The provider comes to its senses, and all that is due is done.
    till.control("faults", &json!({ "seed": seed, "plan": [] })).await;
    till.pass(5 * DAY_S).await;
    judge(&till, seed, buyers, &mut reached).await;
    reached
}

async fn faults(till: &Till, seed: u64) {
    let mut plan = vec![json!({ "operation": "charge", "one_in": 10, "what": "late", "ms": LATE_MS })];
    for operation in ["charge", "query", "expire", "capture", "void", "refund", "refund_query"] {
        plan.extend(demo_provider::FAULTS_OF_CALLS.map(|what| {
            let ms = if what == "late" { LATE_MS } else { 5 };
            json!({ "operation": operation, "one_in": 30, "what": what, "ms": ms })
        }));
    }
    plan.push(json!({ "operation": "refund_settle", "one_in": 6, "what": "rejected" }));
    let (status, said) = till.control("faults", &json!({ "seed": seed, "plan": plan })).await;
    assert_eq!(status, 200, "{said}");
}

/// Confirms, and changes their mind.
async fn choose(till: &Till, chance: &mut Chance, checkout: &PublicId, decided: bool) {
    if decided {
        for method in [Method::Qr, Method::VirtualAccount] {
            till.confirm(checkout, method).await;
        }
        return;
    }
    let times = if chance.one_in(4) { 2 } else { 1 };
    for _ in 0..times {
        if chance.one_in(12) {
            till.confirm_card(checkout, "tok_decline").await;
        }
        till.confirm_until(checkout, chance.of(&METHODS), chance.below(20)).await;
    }
}

/// Pays all, part, too much or nothing, on the codes that they have; the bank may take it back at once.
async fn pay(till: &Till, chance: &mut Chance, checkout: &PublicId) {
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
        if chance.one_in(12) {
            till.control("take-back", &json!({ "reference": attempt.reference(), "kind": "reversed" })).await;
        }
        // What comes for a code that is long over nobody asks for: a notice tells, or a statement would.
        if attempt.fate() == Fate::Over || chance.one_in(3) {
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
        && chance.one_in(2)
    {
        let back = commerce::order::Back::Whole;
        let command = match chance.one_in(2) {
            true => Command::CancelOrder { id: order, back },
            false => Command::RefundOrder { id: order, back },
        };
        till.try_run(command).await;
    }
}

/// Couriers come to whoever has not paid theirs yet, and bring the provider what they took.
async fn couriers_come(till: &Till, chance: &mut Chance) {
    let book = till.book().await;
    let charges = book["charge"].as_array().unwrap();
    for charge in charges.iter().filter(|charge| charge["method"] == "cash_on_delivery") {
        let asked = json!({ "reference": charge["reference"] });
        let act = if chance.one_in(3) { "refuse" } else { "pay" };
        till.control(act, &asked).await;
        till.control("remit", &asked).await;
        if chance.one_in(3) {
            till.notice(charge["reference"].as_str().unwrap()).await;
        }
    }
}

/// What the provider's book says of one reference's money, in minor units.
#[derive(Debug, Default, Clone, Copy)]
struct Moved {
    came: i64,
    taken: i64,
    back: i64,
}

async fn judge(till: &Till, seed: u64, buyers: usize, reached: &mut Reached) {
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
        // What a bank took back of an order that stands is the seller's loss, and nobody's gain.
        let right = kept == wanted || (sum.taken > 0 && intent.order().is_some() && kept < wanted);
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
