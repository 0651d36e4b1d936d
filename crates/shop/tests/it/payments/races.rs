//! The races of being paid that are of requests, notices and moves: two of them at once at one shop with the demo's provider,
//! in every order that the seeds find. Those of an intent alone are in `crates/commerce`; docs/checks.md has the list.

use super::till::{Engine, HOUR_S, Till};
use crate::{checkout_of, refused, wanted};
use commerce::checkout::State;
use commerce::decision::Aggregate;
use commerce::intent::{Method, Patience};
use serde_json::json;
use shop::{Answer, Basket, Command, Failure};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;
use store::{HeadChange, Step, Woken};
use testkit::chance::Chance;
use vocab::document::Record;
use vocab::id::{Direction, Epoch, PublicId, Side, Timestamp};

const STOCK: i64 = 10_000;
const SEEDS: u64 = 25;
const SEEDS_LONG: u64 = 1_000;
/// One of a race begins so much later than another one, at most.
const APART_US: u64 = 20_000;
const METHODS: [Method; 3] = [Method::VirtualAccount, Method::Qr, Method::Wallet];

type Work = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

/// The seeds of a race, counted from `BALIK_SEED`.
#[expect(clippy::print_stdout, reason = "how many there were is the figure of the check")]
fn seeds(race: &str) -> std::ops::Range<u64> {
    let count = if std::env::var_os("BALIK_LONG").is_some() { SEEDS_LONG } else { SEEDS };
    let first = std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("{race}, {:?}: {count} seeds from {first}", engine());
    first..first + count
}

/// This file is a module of each engine.
fn engine() -> Engine {
    if module_path!().ends_with("_on_postgres") { Engine::Postgres } else { Engine::Sqlite }
}

async fn till() -> Till {
    Till::open_with(engine(), Patience { answer_us: 2_000_000, ..Patience::USUAL }, STOCK).await
}

/// All of them at once, each at a moment of its own.
async fn at_once(chance: &mut Chance, works: Vec<Work>) -> Vec<Result<Answer, Failure>> {
    let mut tasks = tokio::task::JoinSet::new();
    for work in works {
        let after = Duration::from_micros(chance.below(APART_US));
        tasks.spawn(async move {
            tokio::time::sleep(after).await;
            work.await
        });
    }
    tasks.join_all().await
}

/// Somebody looks at the payment of a checkout.
fn look(till: &Till, intent: &PublicId, checkout: &PublicId) -> Work {
    let (service, shop, checkout) = (till.service.clone(), till.frame.shop.clone(), checkout.clone());
    let woken = Woken { shop: shop.clone(), intent: intent.clone(), at: till.now() };
    Box::pin(async move {
        service.tend(&woken).await?;
        service.checkout(&shop, &checkout).await
    })
}

/// Whatever notices are here are read.
fn read_notices(till: &Till, checkout: &PublicId) -> Work {
    let (service, store, shop) = (till.service.clone(), till.store.clone(), till.frame.shop.clone());
    let (now, checkout) = (till.now(), checkout.clone());
    Box::pin(async move {
        for due in store.notices_due(now, true, 64).await.unwrap() {
            service.read_notice(&due).await?;
        }
        service.checkout(&shop, &checkout).await
    })
}

/// The page, where the buyer chooses again how to pay.
fn return_page(till: &Till, checkout: &PublicId, method: Method) -> Work {
    let (service, frame, checkout) = (till.service.clone(), till.frame.clone(), checkout.clone());
    Box::pin(async move { service.confirm(&frame, &checkout, &method.into(), || {}).await })
}

/// The host says once more that the buyer pays on the page.
fn complete(till: &Till, checkout: &PublicId) -> Work {
    let (service, frame, checkout) = (till.service.clone(), till.frame.clone(), checkout.clone());
    Box::pin(async move { service.choose_page(&frame, &checkout).await })
}

/// A request under a key of its own.
fn request(till: &Till, command: Command) -> Work {
    let (service, frame, keyed) = (till.service.clone(), till.frame.clone(), till.fresh());
    Box::pin(async move { service.execute(&frame, &keyed, &command).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_complete_and_the_return_page_at_once_are_one_order() {
    let till = till().await;
    let (mut count, mut total) = (0, 0);
    let mut before = BTreeMap::<&str, usize>::new();
    for seed in seeds("notice, complete and return page") {
        let chance = &mut Chance(seed);
        let (checkout, method) = (till.checkout(1).await, chance.of(&METHODS));
        let reference = till.code(&checkout, method).await;
        let intent = till.intent(&checkout).await;
        till.control("pay", &json!({ "reference": reference })).await;
        till.notice(&reference).await;
        let works = vec![
            read_notices(&till, &checkout),
            look(&till, intent.id(), &checkout),
            return_page(&till, &checkout, method),
            complete(&till, &checkout),
            complete(&till, &checkout),
            return_page(&till, &checkout, method),
        ];
        for answer in at_once(chance, works).await {
            let answer = answer.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
            let code = refused(&answer);
            assert!(["", "payment_on_page", "payment_received"].contains(&code), "seed {seed}: {code}");
            *before.entry(if code.is_empty() { "shown" } else { code }).or_default() += 1;
        }
        let order = till.order_of(&checkout).await;
        assert_eq!(order.payments().len(), 1, "seed {seed}");
        // Whoever lost reads the one that won.
        for again in [return_page(&till, &checkout, method), complete(&till, &checkout)] {
            let shown = again.await.unwrap();
            assert_eq!(checkout_of(&shown).state(), &State::Completed { order: order.id().clone() }, "seed {seed}");
        }
        (count, total) = (count + 1, total + order.totals().total().minor());
    }
    println!("notice, complete and return page: {count} orders, answers {before:?}");
    assert_eq!((till.orders().await, till.stock().await), (count, STOCK - i64::try_from(count).unwrap()));
    till.books(&[("clearing", total), ("unapplied", 0), ("refund", 0)]).await;
}

/// The code stays bound to its amount; what the cart is now is another payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_that_changes_while_its_code_is_out_is_paid_as_it_was_or_anew() {
    let till = till().await;
    let (mut paid, mut anew) = (0, 0);
    for seed in seeds("cart and code") {
        let chance = &mut Chance(seed);
        let cart = match till.run(Command::CreateCart { lines: wanted(&[("1", 1)]) }).await.resource {
            Some(shop::Resource::Cart(cart, _)) => cart.id().clone(),
            other => panic!("no cart: {other:?}"),
        };
        let of_cart = || Command::CreateCheckout { basket: Basket::Cart(cart.clone()), details: crate::details() };
        let checkout = crate::checkout_id(&till.run(of_cart()).await);
        let reference = till.code(&checkout, chance.of(&METHODS)).await;
        let intent = till.intent(&checkout).await;
        let pays = !chance.one_in(8);
        if pays {
            till.control("pay", &json!({ "reference": reference })).await;
            till.notice(&reference).await;
        }
        let (id, lines) = (checkout.clone(), wanted(&[("1", 3)]));
        let update = Command::UpdateCheckout { id, lines, details: crate::details() };
        let works = vec![
            request(&till, Command::UpdateCart { id: cart.clone(), lines: wanted(&[("1", 2)]) }),
            request(&till, update),
            read_notices(&till, &checkout),
            look(&till, intent.id(), &checkout),
        ];
        for answer in at_once(chance, works).await {
            let answer = answer.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
            // A cart that was used up is nobody's any more.
            let known = ["", "checkout_in_progress", "checkout_closed", "not_found"];
            assert!(known.contains(&refused(&answer)), "seed {seed}: {}", refused(&answer));
        }
        if pays {
            let order = till.order_of(&checkout).await;
            assert_eq!((order.lines()[0].sold().quantity(), order.lines().len()), (1, 1), "seed {seed}");
            assert_eq!(order.totals().total(), intent.due(), "seed {seed}");
            paid += 1;
            continue;
        }
        till.run(Command::CancelCheckout { id: checkout.clone() }).await;
        till.pass(HOUR_S).await;
        assert_eq!(till.state(&checkout).await, State::Canceled, "seed {seed}");
        let after = crate::checkout_id(&till.run(of_cart()).await);
        till.confirm(&after, Method::VirtualAccount).await;
        let fresh = till.intent(&after).await;
        assert!(fresh.id() != intent.id() && fresh.due().minor() > intent.due().minor(), "seed {seed}: {fresh:?}");
        assert_eq!(till.control("pay", &json!({ "reference": reference })).await.0, 409, "the first code is over");
        anew += 1;
    }
    println!("cart and code: {paid} paid as they were, {anew} anew");
    assert_eq!(till.orders().await, paid);
    assert!(paid > 0 && anew > 0);
}

/// Where a shop is has nothing to do with whether a notice is taken; and whoever has the shop then asks what it is about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flip_of_the_shop_while_a_notice_comes_leaves_it_to_the_next_owner() {
    let till = till().await;
    let (mut epoch, mut count, mut waited) = (2, 0, 0);
    for seed in seeds("flip and notice") {
        let chance = &mut Chance(seed);
        let checkout = till.checkout(1).await;
        let reference = till.code(&checkout, chance.of(&METHODS)).await;
        till.control("pay", &json!({ "reference": reference })).await;
        till.notice(&reference).await;
        let works =
            vec![read_notices(&till, &checkout), there_and_back(&till, epoch, chance.below(APART_US), &checkout)];
        epoch += 2;
        let refused_by = at_once(chance, works).await.into_iter().filter(Result::is_err).count();
        if !matches!(till.state(&checkout).await, State::Completed { .. }) {
            waited += 1;
            till.pass(10).await;
        }
        assert_eq!(till.order_of(&checkout).await.payments().len(), 1, "seed {seed}, {refused_by} failed");
        count += 1;
    }
    println!("flip and notice: {count} orders, {waited} of them after the notice had waited for its owner");
    let outcomes = till.store.notice_outcomes().await.unwrap();
    let outcomes: Vec<_> = outcomes.iter().map(|(_, outcome, times)| (outcome.as_deref(), *times)).collect();
    assert_eq!(outcomes, [(Some("asked"), u64::try_from(count).unwrap())]);
    assert_eq!((till.orders().await, till.stock().await), (count, STOCK - i64::try_from(count).unwrap()));
}

/// The shop is the legacy's for a moment.
fn there_and_back(till: &Till, epoch: u64, us: u64, checkout: &PublicId) -> Work {
    let (store, service, shop) = (till.store.clone(), till.service.clone(), till.frame.shop.clone());
    let checkout = checkout.clone();
    Box::pin(async move {
        for (at, owner) in [(epoch, Side::Legacy), (epoch + 1, Side::Backend)] {
            let (expect_epoch, epoch) = (Epoch(at), Epoch(at + 1));
            let step = Step {
                shop: shop.clone(),
                epoch,
                direction: if owner == Side::Backend { Direction::ToBackend } else { Direction::ToLegacy },
                step: "flip".into(),
                phase: "done".into(),
                at: Timestamp(0),
                detail: Record::default(),
            };
            let change = HeadChange { shop: shop.clone(), expect_epoch, owner, epoch, fenced: false };
            store.move_head(change, step).await.unwrap();
            tokio::time::sleep(Duration::from_micros(us)).await;
        }
        service.checkout(&shop, &checkout).await
    })
}
