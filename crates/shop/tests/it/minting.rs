//! What is refused or comes too late spends no ids: their blocks are everybody's, and the refused need not be anybody.

use crate::{Bench, checkout_id, details, order_id, refused, wanted};
use commerce::decision::Aggregate;
use commerce::order::Back;
use commerce::product::Edit;
use shop::ids::IdPlan;
use shop::{Basket, Command, Failure, Resource, Service};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vocab::id::{Minted, PublicId, Side, Timestamp};

const REFUSED: usize = 1_000;

impl Bench {
    /// Where the block of a table stands.
    async fn next(&self, table: &str) -> i64 {
        self.store.blocks(table).await.unwrap()[0].next
    }

    async fn cart(&self) -> PublicId {
        match self.run(Command::CreateCart { lines: wanted(&[("1", 1)]) }).await.resource {
            Some(Resource::Cart(cart, _)) => cart.id().clone(),
            other => panic!("no cart: {other:?}"),
        }
    }

    /// However often a command is refused, the block of a table stays where it is.
    async fn stays(&self, table: &str, code: &str, command: &Command) {
        let before = self.next(table).await;
        for _ in 0..REFUSED {
            assert_eq!(refused(&self.run(command.clone()).await), code, "{command:?}");
        }
        assert_eq!(self.next(table).await, before, "{command:?}");
    }
}

#[tokio::test]
async fn a_refused_update_of_a_cart_spends_no_line_ids() {
    let bench = Bench::new().await;
    let [open, ended] = [bench.cart().await, bench.cart().await];
    bench.run(Command::CancelCart { id: ended.clone() }).await;
    let update = |id: &PublicId, lines: &[(&str, u32)]| Command::UpdateCart { id: id.clone(), lines: wanted(lines) };
    bench.stays("cart_lines", "not_found", &update(&ended, &[("2", 1), ("2", 1)])).await;
    bench.stays("cart_lines", "item_unavailable", &update(&open, &[("2", 1), ("3", 1)])).await;
}

#[tokio::test]
async fn a_refused_update_of_a_checkout_spends_no_line_ids() {
    let bench = Bench::new().await;
    let [open, canceled, completed] =
        [bench.checkout(&[("1", 1)]).await, bench.checkout(&[("1", 1)]).await, bench.checkout(&[("1", 1)]).await];
    bench.run(Command::CancelCheckout { id: canceled.clone() }).await;
    bench.pay(&completed, "approve").await;
    let update = |id: &PublicId, lines: &[(&str, u32)]| Command::UpdateCheckout {
        id: id.clone(),
        lines: wanted(lines),
        details: details(),
    };
    bench.stays("checkout_lines", "checkout_closed", &update(&canceled, &[("2", 1), ("2", 1)])).await;
    bench.stays("checkout_lines", "checkout_closed", &update(&completed, &[("2", 1), ("2", 1)])).await;
    bench.stays("checkout_lines", "item_unavailable", &update(&open, &[("2", 1), ("3", 1)])).await;
}

#[tokio::test]
async fn a_refused_return_spends_no_adjustment_ids() {
    let bench = Bench::new().await;
    let [paid, cancelled] = [bench.buy(&[("1", 2), ("2", 2)]).await, bench.buy(&[("1", 2)]).await];
    bench.run(Command::CancelOrder { id: cancelled.id().clone(), back: Back::Whole }).await;
    let line = |index: usize, quantity| (paid.lines()[index].sold().id().clone(), quantity);
    let too_many = Back::Lines(vec![line(0, 1), line(1, 3)]);
    for command in [
        |id: &PublicId, back: Back| Command::CancelOrder { id: id.clone(), back },
        |id: &PublicId, back: Back| Command::RefundOrder { id: id.clone(), back },
    ] {
        bench.stays("order_adjustments", "order_not_cancellable", &command(cancelled.id(), Back::Whole)).await;
        bench.stays("order_adjustments", "quantity_exceeds_remaining", &command(paid.id(), too_many.clone())).await;
    }
}

#[tokio::test]
async fn what_is_refused_for_its_state_needs_no_ids_at_all() {
    let bench = Bench::with_blocks(2).await;
    let [cart, ended] = [bench.cart().await, bench.cart().await];
    bench.run(Command::CancelCart { id: ended.clone() }).await;
    let [checkout, closed] = [bench.checkout(&[("1", 1)]).await, bench.checkout(&[("1", 1)]).await];
    let order = bench.order_of(&bench.pay(&closed, "approve").await).await.id().clone();
    bench.run(Command::CancelOrder { id: order.clone(), back: Back::Whole }).await;
    assert_eq!(bench.store.take_ids("order_adjustments", 1).await.unwrap(), Some((5_002, 5_002)));

    let lines = |product| wanted(&[("2", 1), (product, 1)]);
    let commands = [
        ("not_found", Command::UpdateCart { id: ended, lines: lines("2") }),
        ("item_unavailable", Command::UpdateCart { id: cart.clone(), lines: lines("3") }),
        ("ids_exhausted", Command::UpdateCart { id: cart, lines: lines("2") }),
        ("checkout_closed", Command::UpdateCheckout { id: closed, lines: lines("2"), details: details() }),
        ("item_unavailable", Command::UpdateCheckout { id: checkout.clone(), lines: lines("3"), details: details() }),
        ("ids_exhausted", Command::UpdateCheckout { id: checkout, lines: lines("2"), details: details() }),
        ("order_not_cancellable", Command::CancelOrder { id: order.clone(), back: Back::Whole }),
        ("order_not_cancellable", Command::RefundOrder { id: order, back: Back::Whole }),
    ];
    for (code, command) in commands {
        assert_eq!(refused(&bench.run(command.clone()).await), code, "{command:?}");
    }
}

#[tokio::test]
async fn what_is_refused_for_its_amount_gives_its_ids_back() {
    let bench = Bench::new().await;
    let [cart, checkout] = [bench.cart().await, bench.checkout(&[("1", 1)]).await];
    let edit = Edit { price_minor: Some(9_000_000_000_000_000), stock_delta: None };
    bench.run(Command::EditProduct { id: PublicId::new("2"), edit }).await;
    let lines = || wanted(&[("2", 2), ("2", 3)]);
    let (basket, id) = (Basket::Lines(lines()), checkout);
    let commands = [
        ("cart_lines", Command::CreateCart { lines: lines() }),
        ("cart_lines", Command::UpdateCart { id: cart, lines: lines() }),
        ("checkout_lines", Command::CreateCheckout { basket, details: details() }),
        ("checkout_lines", Command::UpdateCheckout { id, lines: lines(), details: details() }),
    ];
    for (table, command) in &commands {
        bench.stays(table, "amount_too_large", command).await;
    }
}

#[tokio::test]
async fn a_fenced_shop_spends_no_ids() {
    let bench = Bench::new().await;
    bench.checkout(&[("1", 1)]).await;
    bench.flip(Side::Backend, 2, 3, true).await;
    let before = (bench.next("checkout").await, bench.next("checkout_lines").await);
    for _ in 0..REFUSED {
        let command = Command::CreateCheckout { basket: Basket::Lines(wanted(&[("1", 1)])), details: details() };
        assert!(matches!(bench.fails(command).await, Failure::Fenced));
    }
    assert_eq!((bench.next("checkout").await, bench.next("checkout_lines").await), before);
}

#[tokio::test]
async fn a_declined_payment_and_one_without_enough_ids_spend_none() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 1)]).await;
    let tables = ["order", "order_lines", "order_payments", "order_buyer"];
    order_id(&bench.pay(&bench.checkout(&[("1", 1)]).await, "approve").await);
    let mut before = Vec::new();
    for table in tables {
        before.push(bench.next(table).await);
    }
    for _ in 0..300 {
        assert_eq!(refused(&bench.pay(&id, "decline").await), "payment_failed");
    }
    for (table, before) in tables.into_iter().zip(before) {
        assert_eq!(bench.next(table).await, before, "{table}");
    }

    let dry = Bench::with_blocks(300).await;
    let id = dry.checkout(&[("1", 1)]).await;
    assert!(dry.store.take_ids("order_lines", 300).await.unwrap().is_some());
    for _ in 0..400 {
        assert_eq!(refused(&dry.pay(&id, "approve").await), "ids_exhausted");
    }
    assert_eq!(dry.next("order").await, 5_101);
}

/// A plan whose first id is minted while `meanwhile` happens: after the look, before the commit.
fn interrupted(meanwhile: impl Fn() + Send + Sync + 'static) -> IdPlan {
    let (plan, first) = (crate::plan(), AtomicBool::new(true));
    let mint = move |element, number| {
        if first.swap(false, Ordering::SeqCst) {
            meanwhile();
        }
        (plan.mint)(element, number)
    };
    IdPlan { mint: Box::new(mint), ..crate::plan() }
}

#[tokio::test]
async fn what_comes_too_late_gives_its_ids_back() {
    const LINES: usize = 150;
    let bench = Bench::new().await;
    let id = bench.cart().await;
    let before = bench.next("cart_lines").await;
    let (service, frame, keyed) = (bench.service.clone(), bench.frame.clone(), bench.fresh());
    let other = Command::UpdateCart { id: id.clone(), lines: wanted(&[("1", 7)]) };
    let meanwhile = move || {
        let (service, frame, keyed, other) = (service.clone(), frame.clone(), keyed.clone(), other.clone());
        let update = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(service.execute(&frame, &keyed, &other)).unwrap();
        };
        std::thread::spawn(update).join().unwrap();
    };
    let slow = Service::new(bench.store.clone(), interrupted(meanwhile), Arc::new(|| Timestamp(9)));
    let seq = bench.seq().await;
    let late = Command::UpdateCart { id, lines: wanted(&[("2", 1); LINES]) };
    assert_eq!(refused(&slow.execute(&bench.frame, &bench.fresh(), &late).await.unwrap()), "");
    assert_eq!(bench.seq().await, seq + 2, "another update came first");
    assert_eq!(bench.next("cart_lines").await - before, i64::try_from(LINES).unwrap());
}

#[tokio::test]
async fn an_id_that_somebody_has_already_is_not_tried_twice() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 1)]).await;
    assert_eq!(id.as_str(), "5001");
    // A block that was noted down wrongly.
    let mint = |_, number: u64| Minted { id: PublicId::new((number - 100).to_string()), origin: None };
    let plan = IdPlan { mint: Box::new(mint), ..crate::plan() };
    let clumsy = Service::new(bench.store.clone(), plan, Arc::new(|| Timestamp(9)));
    let command = Command::CreateCheckout { basket: Basket::Lines(wanted(&[("1", 1)])), details: details() };
    let answer = clumsy.execute(&bench.frame, &bench.fresh(), &command).await.unwrap();
    assert_eq!(checkout_id(&answer).as_str(), "5002");
}

/// Whoever finds no id left in memory waits for the one who fetches more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_at_once_spend_two_hundred_ids_and_not_the_whole_block() {
    let bench = Bench::with_blocks(1_000).await;
    let first = bench.next("checkout").await;
    let mut rush = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let basket = Basket::Lines(wanted(&[("1", 1)]));
        let command = Command::CreateCheckout { basket, details: details() };
        let (service, frame, keyed) = (bench.service.clone(), bench.frame.clone(), bench.fresh());
        rush.spawn(async move { service.execute(&frame, &keyed, &command).await });
    }
    for answer in rush.join_all().await {
        assert_eq!(refused(&answer.unwrap()), "");
    }
    // They are fetched by the hundred.
    let spent = bench.next("checkout").await - first;
    assert!((200..=300).contains(&spent), "{spent}");
}
