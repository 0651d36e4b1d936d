//! Many at once.

use crate::{Bench, order_id, refused};
use commerce::product::Edit;
use shop::Command;
use tokio::task::JoinSet;
use vocab::id::PublicId;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_units_and_two_hundred_buyers_are_fifty_orders_at_the_first_attempt() {
    let bench = Bench::new().await;
    let edit = Edit { price_minor: None, stock_delta: Some(-950) };
    bench.run(Command::EditProduct { id: PublicId::new("1"), edit }).await;
    let mut checkouts = Vec::new();
    for _ in 0..200 {
        checkouts.push(bench.checkout(&[("1", 1)]).await);
    }
    let mut buyers = JoinSet::new();
    for id in checkouts {
        let (service, frame, keyed) = (bench.service.clone(), bench.frame.clone(), bench.fresh());
        buyers.spawn(async move { service.complete(&frame, &keyed, &id, "approve").await });
    }
    let (mut sold, mut missed) = (0, 0);
    for answer in buyers.join_all().await {
        match refused(&answer.unwrap()) {
            "" => sold += 1,
            "out_of_stock" => missed += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((sold, missed, bench.stock("1").await, bench.orders().await), (50, 150, 0, 50));
    assert_eq!(bench.ledger().await.iter().sum::<i64>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_checkout_completed_by_many_is_one_order() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    let same = bench.fresh();
    let mut hosts = JoinSet::new();
    for number in 0..12 {
        // Half of them are the same request repeated, the others have a key of their own.
        let keyed = if number % 2 == 0 { same.clone() } else { bench.fresh() };
        let (service, frame, id) = (bench.service.clone(), bench.frame.clone(), id.clone());
        hosts.spawn(async move { service.complete(&frame, &keyed, &id, "approve").await });
    }
    let answers = hosts.join_all().await;
    let orders: std::collections::BTreeSet<PublicId> =
        answers.into_iter().map(|answer| order_id(&answer.unwrap())).collect();
    assert_eq!((orders.len(), bench.orders().await, bench.stock("1").await), (1, 1, 998));
}

/// Each finishes what the other began, and must not keep the other from its answer. On one thread, as they meet most.
#[tokio::test]
async fn two_who_are_declined_at_once_are_both_told_so() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    for _ in 0..100 {
        let (service, frame) = (&bench.service, &bench.frame);
        let (one, two) = (bench.fresh(), bench.fresh());
        let one = service.complete(frame, &one, &id, "decline");
        let (one, two) = tokio::join!(one, service.complete(frame, &two, &id, "decline"));
        for answer in [one, two] {
            assert_eq!(refused(&answer.unwrap()), "payment_failed");
        }
        assert_eq!(bench.stock("1").await, 1_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_cancelled_by_many_gives_each_unit_back_once() {
    let bench = Bench::new().await;
    let order = bench.buy(&[("1", 5)]).await;
    let line = order.lines()[0].sold().id().clone();
    let id = commerce::decision::Aggregate::id(&order).clone();
    let mut hosts = JoinSet::new();
    for _ in 0..8 {
        let back = commerce::order::Back::Lines(vec![(line.clone(), 1)]);
        let command = Command::CancelOrder { id: id.clone(), back };
        let (service, frame, keyed) = (bench.service.clone(), bench.frame.clone(), bench.fresh());
        hosts.spawn(async move { service.execute(&frame, &keyed, &command).await });
    }
    let answers = hosts.join_all().await;
    let done = answers.iter().filter(|answer| refused(answer.as_ref().unwrap()).is_empty()).count();
    assert_eq!((done, bench.stock("1").await, bench.ledger().await), (5, 1_000, [0, 0, 0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_races_the_buyers_makes_no_second_order_and_loses_no_answer() {
    let bench = Bench::new().await;
    let mut checkouts = Vec::new();
    for _ in 0..60 {
        checkouts.push(bench.checkout(&[("1", 1)]).await);
    }
    let mut buyers = JoinSet::new();
    for id in checkouts {
        let (service, frame, keyed) = (bench.service.clone(), bench.frame.clone(), bench.fresh());
        buyers.spawn(async move {
            let answer = service.complete(&frame, &keyed, &id, "approve").await.unwrap();
            let again = service.complete(&frame, &keyed, &id, "approve").await.unwrap();
            assert_eq!(order_id(&answer), order_id(&again));
            order_id(&answer)
        });
    }
    let mut sold = std::collections::BTreeSet::new();
    while !buyers.is_empty() {
        bench.service.settle(&bench.frame.shop).await.unwrap();
        while let Some(order) = buyers.try_join_next() {
            sold.insert(order.unwrap());
        }
    }
    assert_eq!((sold.len(), bench.orders().await, bench.stock("1").await), (60, 60, 940));
    assert_eq!(bench.service.settle(&bench.frame.shop).await.unwrap(), 0);
    assert_eq!(bench.ledger().await.iter().sum::<i64>(), 0);
}
