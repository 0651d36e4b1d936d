//! Many buyers, a provider that fails in every way it can, and work that is cut off anywhere: whatever happens, each buyer has
//! paid exactly once for an order, or has everything back, or is owed it by name; and every book says the same.

mod judge;
mod statements;

use super::till::{DAY_S, Engine, HOUR_S, Till};
use commerce::checkout::State;
use commerce::intent::{Fate, Method, Patience};
use serde_json::json;
use shop::Command;
use statements::seconds_to_midnight;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use testkit::chance::Chance;
use tokio::task::JoinSet;
use vocab::id::PublicId;

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
    judge::judge(&till, seed, buyers, &mut reached).await;
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
