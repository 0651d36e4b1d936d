//! Buyers who pay in their own time at a provider that fails, and what must be so of each of them in the end.

mod buyer;

pub use buyer::{Buyer, Told};

use commerce::decision::Aggregate;
use commerce::intent::{Fate, Intent};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use store::Store;
use vocab::document::Node;
use vocab::id::{Kind, PublicId, ShopId, Timestamp};

/// What is unknown is asked for at 5 s, 30 s and 120 s; what was never sent is believed to be absent a minute later.
const AT_REST_MAX: Duration = Duration::from_secs(240);
/// Of so many, some have three questions that are not answered: the next is at 600 s.
const AT_REST_MAX_LONG: Duration = Duration::from_secs(720);
/// So long after the time to pay is over the rail knows of all that was paid in it.
const SOON: Duration = Duration::from_secs(3_600);
/// Longer than anybody has to pay.
const OVER: Duration = Duration::from_secs(25 * 3_600);
const LOOK: Duration = Duration::from_millis(100);
/// What is due is come to by then.
const COME_TO: Duration = Duration::from_secs(2);

/// What goes wrong at the provider.
pub fn faults(seed: u64) -> Value {
    let mut plan = Vec::new();
    // It arrives two seconds after nobody waits for an answer any more.
    plan.push(json!({ "operation": "charge", "one_in": 12, "what": "late", "ms": 7_000 }));
    for operation in ["charge", "query"] {
        for what in
            ["lost_after", "lost_before", "error_after", "in_progress", "cut", "garbage", "unknown_word", "busy"]
        {
            plan.push(json!({ "operation": operation, "one_in": 60, "what": what }));
        }
    }
    for (what, one_in) in [("never", 6), ("times", 6), ("forged", 8), ("altered", 8), ("unknown_reference", 20)] {
        plan.push(json!({ "operation": "notice", "one_in": one_in, "what": what, "times": 3 }));
    }
    json!({ "seed": seed, "plan": plan })
}

async fn intents(store: &Store, shop: &ShopId) -> Vec<Intent> {
    let documents = store.documents(shop, Kind::Intent, None, 100_000).await.unwrap();
    documents.iter().map(|(_, stored)| Intent::from_document(&stored.document).unwrap()).collect()
}

fn now(plus: Duration) -> Timestamp {
    stamp(std::time::UNIX_EPOCH.elapsed().unwrap() + plus)
}

fn ago(time: Duration) -> Timestamp {
    stamp(std::time::UNIX_EPOCH.elapsed().unwrap() - time)
}

fn stamp(since: Duration) -> Timestamp {
    Timestamp(i64::try_from(since.as_micros()).unwrap())
}

/// Nobody wonders any more what became of a try, and nothing has been due for longer than it takes to come to it: of many codes that
/// nobody has paid there is always one whose time is over just now.
pub async fn at_rest(store: &Store, shop: &ShopId) {
    let deadline = Instant::now() + if crate::demo::long() { AT_REST_MAX_LONG } else { AT_REST_MAX };
    loop {
        let unsure = intents(store, shop).await.into_iter().filter(|intent| {
            let unknown = |fate: Fate| matches!(fate, Fate::Recorded | Fate::Unknown);
            intent.attempts().iter().any(|attempt| unknown(attempt.fate())) || !intent.is_settled()
        });
        let (left, due) = (unsure.count(), store.woken(ago(COME_TO), 9).await.unwrap().len());
        if left + due == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{left} payments are not known, {due} are due");
        tokio::time::sleep(LOOK).await;
    }
}

/// Where buyers paid, and how it was there before.
pub struct Till {
    pub shop: ShopId,
    pub product: String,
    /// Of that product.
    pub stock: i64,
    /// What the provider owed.
    pub clearing: i64,
}

impl Till {
    pub async fn judge(&self, store: &Store, book: &Value, told: &[Told]) {
        let rows = |table: &str| book[table].as_array().unwrap();
        let mut came = BTreeMap::<&str, i64>::new();
        let references: BTreeMap<&str, &str> =
            rows("charge").iter().map(|charge| (text(charge, "id"), text(charge, "reference"))).collect();
        for row in rows("movement").iter().filter(|row| row["kind"] == "captured") {
            let reference = references[text(row, "charge")];
            *came.entry(reference).or_default() += row["amount"].as_i64().unwrap() * 100;
        }
        let confirmed = rows("refund").iter().filter(|row| row["status"] == "confirmed");
        let back: BTreeMap<&str, i64> =
            confirmed.map(|row| (row["key"].as_str().unwrap(), row["amount"].as_i64().unwrap() * 100)).collect();
        let looks: BTreeMap<PublicId, Timestamp> =
            store.woken(now(OVER), 100_000).await.unwrap().into_iter().map(|it| (it.intent, it.at)).collect();
        let soon = i64::try_from(SOON.as_micros()).unwrap();
        let (mut held, mut owed) = (0, 0);
        for intent in intents(store, &self.shop).await {
            let collected: i64 = intent.attempts().iter().filter_map(|attempt| came.get(attempt.reference())).sum();
            let returned: i64 = intent.refunds().iter().filter_map(|refund| back.get(refund.key())).sum();
            let wanted = if intent.order().is_some() { intent.due().minor() } else { 0 };
            let heard = intent.received();
            assert_eq!(heard - returned - intent.needs_account(), wanted, "{intent:#?}");
            if heard != collected {
                // No notice told of the second time: the look when the time to pay is over will.
                let told = told.iter().find(|told| told.checkout == intent.checkout().as_str()).unwrap();
                assert_eq!((told.pays, collected), (2, 2 * heard), "what came is on record: {intent:#?}");
                let by = intent.expires_at().max(now(Duration::ZERO)).0 + soon;
                assert!(looks.get(intent.id()).is_some_and(|at| at.0 <= by), "nobody looks again in time: {intent:#?}");
            }
            (held, owed) = (held + heard - returned, owed + intent.needs_account());
        }
        let sums = store.ledger_sums(&self.shop).await.unwrap();
        let of = |account: &str| sums.iter().find(|sum| &*sum.account == account).map_or(0, |sum| sum.amount);
        assert_eq!((of("clearing"), of("refund"), of("unapplied")), (self.clearing + held, -owed, 0), "{sums:?}");
        assert_eq!(sums.iter().map(|sum| sum.amount).sum::<i64>(), 0, "{sums:?}");
        let orders = store.documents(&self.shop, Kind::Order, None, 100_000).await.unwrap();
        for told in told {
            let of_it = orders.iter().filter(|(_, stored)| stored.document.text("checkout") == Some(&*told.checkout));
            let ids: Vec<&str> = of_it.map(|(id, _)| id.as_str()).collect();
            assert_eq!(ids, Vec::from_iter(told.order.as_deref()), "checkout {}", told.checkout);
            assert_eq!(told.order.is_some(), told.pays > 0);
        }
        let mut left = self.stock;
        for (kind, state) in [(Kind::Order, None), (Kind::Checkout, Some("awaiting"))] {
            for (_, stored) in store.documents(&self.shop, kind, None, 100_000).await.unwrap() {
                let theirs = stored.document.text("checkout").or(stored.document.text("id")).unwrap();
                let theirs = told.iter().any(|told| told.checkout == theirs);
                if theirs && state.is_none_or(|state| stored.document.text("state") == Some(state)) {
                    left -= stored.document.list("lines").iter().map(quantity).sum::<i64>();
                }
            }
        }
        assert_eq!(store.stock(&self.shop, &[PublicId::new(&*self.product)]).await.unwrap(), [Some(left)]);
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

fn quantity(line: &Node) -> i64 {
    let Node::Record(line) = line else { panic!("no line: {line:?}") };
    line.int("quantity").unwrap()
}
