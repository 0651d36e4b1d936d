//! After the sale: cancel and refund, what a seller edits, and a random life of a shop.

use crate::{Bench, order_id, refused, wanted};
use commerce::decision::Aggregate;
use commerce::order::{Back, Order, State};
use commerce::product::Edit;
use shop::{Answer, Command, Listed, Resource};
use vocab::id::PublicId;

fn line(order: &Order, index: usize, quantity: u32) -> Back {
    Back::Lines(vec![(order.lines()[index].sold().id().clone(), quantity)])
}

fn order_in(answer: &Answer) -> &Order {
    match &answer.resource {
        Some(Resource::Order(order)) => order,
        other => panic!("no order: {other:?}, {:?}", answer.refusal),
    }
}

#[tokio::test]
async fn a_part_and_then_the_rest_of_an_order_is_cancelled() {
    let bench = Bench::new().await;
    let order = bench.buy(&[("1", 3), ("2", 1)]).await;
    let id = order.id().clone();
    let part = bench.run(Command::CancelOrder { id: id.clone(), back: line(&order, 0, 1) }).await;
    assert_eq!((order_in(&part).state(), bench.stock("1").await), (State::Paid, 998));
    let too_much = bench.run(Command::CancelOrder { id: id.clone(), back: line(&order, 0, 3) }).await;
    assert_eq!((refused(&too_much), order_in(&too_much)), ("quantity_exceeds_remaining", order_in(&part)));
    let whole = bench.run(Command::CancelOrder { id: id.clone(), back: Back::Whole }).await;
    assert_eq!(order_in(&whole).state(), State::Cancelled);
    assert_eq!((bench.stock("1").await, bench.stock("2").await), (1_000, 1_000));
    assert_eq!(bench.ledger().await, [0, 0, 0]);
    let again = bench.run(Command::CancelOrder { id: id.clone(), back: Back::Whole }).await;
    assert_eq!(refused(&again), "order_not_cancellable");
    assert_eq!(bench.order(&id).await, *order_in(&whole));
}

#[tokio::test]
async fn a_refund_gives_money_back_and_no_stock() {
    let bench = Bench::new().await;
    let order = bench.buy(&[("1", 3)]).await;
    let refunded = bench.run(Command::RefundOrder { id: order.id().clone(), back: line(&order, 0, 2) }).await;
    assert_eq!((order_in(&refunded).state(), order_in(&refunded).lines()[0].refunded()), (State::Paid, 2));
    assert_eq!(bench.stock("1").await, 997);
    let [clearing, payable, tax] = bench.ledger().await;
    assert_eq!(clearing + payable + tax, 0);
    let given = order_in(&refunded).adjustments()[0].amount().minor();
    assert_eq!(clearing, order.totals().total().minor() - given);
}

#[tokio::test]
async fn a_seller_changes_price_and_stock_but_takes_no_more_than_there_is() {
    let bench = Bench::new().await;
    let edit = |price_minor, stock_delta| Command::EditProduct {
        id: PublicId::new("1"),
        edit: Edit { price_minor, stock_delta },
    };
    let edited = bench.run(edit(Some(7_000), Some(-400))).await;
    let Some(Resource::Shelf(Listed { product, on_hand })) = edited.resource else { panic!("a shelf") };
    assert_eq!((product.price().minor(), on_hand, bench.stock("1").await), (7_000, 600, 600));
    assert_eq!(refused(&bench.run(edit(None, Some(-601))).await), "stock_below_zero");
    assert_eq!(refused(&bench.run(edit(Some(7_050), Some(5))).await), "price_invalid");
    assert_eq!(bench.stock("1").await, 600);
    let unknown =
        Command::EditProduct { id: PublicId::new("9"), edit: Edit { price_minor: None, stock_delta: Some(1) } };
    assert_eq!(refused(&bench.run(unknown).await), "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_at_once_are_each_told_the_stock_that_they_left() {
    let bench = Bench::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let edit = Edit { price_minor: None, stock_delta: Some(1) };
        let command = Command::EditProduct { id: PublicId::new("1"), edit };
        let (service, frame, keyed) = (bench.service.clone(), bench.frame.clone(), bench.fresh());
        tasks.spawn(async move { service.execute(&frame, &keyed, &command).await });
    }
    let told = tasks.join_all().await.into_iter().map(|answer| match answer.unwrap().resource {
        Some(Resource::Shelf(listed)) => listed.on_hand,
        other => panic!("no shelf: {other:?}"),
    });
    let mut told: Vec<i64> = told.collect();
    told.sort_unstable();
    assert_eq!(told, (1_001..=1_040).collect::<Vec<_>>());
}

#[tokio::test]
async fn more_units_than_can_be_counted_are_too_many() {
    let bench = Bench::new().await;
    let add = async |units| {
        let edit = Edit { price_minor: None, stock_delta: Some(units) };
        bench.run(Command::EditProduct { id: PublicId::new("1"), edit }).await
    };
    let refusal = add(i64::MAX).await.refusal.unwrap();
    assert_eq!((refusal.code, refusal.path.as_deref()), ("amount_too_large", Some("$.stock_delta")));
    assert_eq!(refused(&add(i64::MAX - 1_000).await), "");
    assert_eq!((refused(&add(1).await), bench.stock("1").await), ("amount_too_large", i64::MAX));
}

#[tokio::test]
async fn carts_expire_after_a_day_without_a_change() {
    let bench = Bench::new().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let created = bench.run(Command::CreateCart { lines: wanted(&[("1", 1)]) }).await;
        let Some(Resource::Cart(cart, _)) = created.resource else { panic!("a cart") };
        ids.push(cart.id().clone());
    }
    let hour = 3_600_000_000;
    bench.pass(23 * hour);
    bench.run(Command::UpdateCart { id: ids[1].clone(), lines: wanted(&[("1", 5)]) }).await;
    bench.pass(hour + 1);
    let now = vocab::id::Timestamp(bench.now.load(std::sync::atomic::Ordering::SeqCst));
    assert_eq!(bench.service.expire_carts(&bench.frame.shop, now).await.unwrap(), 1);
    assert_eq!(bench.service.expire_carts(&bench.frame.shop, now).await.unwrap(), 0);
    let found = [&ids[0], &ids[1]].map(|id| bench.service.cart(&bench.frame.shop, id));
    let [first, second] = found;
    assert_eq!((refused(&first.await.unwrap()), refused(&second.await.unwrap())), ("not_found", ""));
}

/// A small generator; its seed is printed where it fails.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Units sold and not cancelled, over all orders.
async fn units_out(bench: &Bench, orders: &[PublicId], product: &str) -> i64 {
    let mut out = 0;
    for id in orders {
        let order = bench.order(id).await;
        let lines = order.lines().iter().filter(|line| line.sold().product().as_str() == product);
        out += lines.map(|line| i64::from(line.sold().quantity() - line.cancelled())).sum::<i64>();
    }
    out
}

#[tokio::test]
async fn through_a_random_life_the_books_balance_and_the_stock_adds_up() {
    for seed in 1..=4_u64 {
        let bench = Bench::new().await;
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (mut orders, mut added) = (Vec::new(), 0);
        for _ in 0..60 {
            let quantity = u32::try_from(dice.roll(4) + 1).unwrap();
            match (dice.roll(6), orders.is_empty()) {
                (0..=2, _) | (_, true) => {
                    let id = bench.checkout(&[("1", quantity), ("2", 1)]).await;
                    let instrument = if dice.roll(4) == 0 { "decline" } else { "approve" };
                    let answer = bench.pay(&id, instrument).await;
                    if instrument == "approve" {
                        orders.push(order_id(&answer));
                    }
                }
                (3, false) => {
                    added += 3;
                    let edit = Edit { price_minor: Some(4_500 + 100 * i64::from(quantity)), stock_delta: Some(3) };
                    bench.run(Command::EditProduct { id: PublicId::new("1"), edit }).await;
                }
                (which, false) => {
                    let count = u64::try_from(orders.len()).unwrap();
                    let order = bench.order(&orders[usize::try_from(dice.roll(count)).unwrap()]).await;
                    let back = if dice.roll(3) == 0 { Back::Whole } else { line(&order, 0, quantity) };
                    let id = order.id().clone();
                    let command =
                        if which == 4 { Command::CancelOrder { id, back } } else { Command::RefundOrder { id, back } };
                    bench.run(command).await;
                }
            }
        }
        assert_eq!(bench.ledger().await.iter().sum::<i64>(), 0, "seed {seed}");
        for (product, initial) in [("1", 1_000 + added), ("2", 1_000)] {
            let out = units_out(&bench, &orders, product).await;
            assert_eq!(bench.stock(product).await + out, initial, "seed {seed}, product {product}");
        }
    }
}
