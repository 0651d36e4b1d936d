//! Invoice numbers: one for each order and none for anything else.

use crate::paying::crash_while_paying;
use crate::{Bench, checkout_of, order_id, refused};
use commerce::checkout::State;
use commerce::decision::Aggregate;
use commerce::invoice::InvoiceNo;
use commerce::order::Back;
use commerce::payment::Choice;
use shop::{Command, Filed};
use std::collections::BTreeSet;
use store::{Imported, What};
use tokio::task::JoinSet;
use vocab::document::Record;
use vocab::id::{Kind, Origin, PublicId};

async fn number(bench: &Bench, order: &PublicId) -> i64 {
    bench.order(order).await.invoice().map(InvoiceNo::get).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_paying_at_once_and_some_of_them_refused_leave_one_to_n() {
    let bench = Bench::new().await;
    let mut checkouts = Vec::new();
    for _ in 0..75 {
        checkouts.push(bench.checkout(&[("1", 1)]).await);
    }
    let mut buyers = JoinSet::new();
    for (n, id) in checkouts.into_iter().enumerate() {
        let (service, frame, keyed) = (bench.service.clone(), bench.frame.clone(), bench.fresh());
        let choice = if n % 3 == 2 { "decline" } else { "approve" };
        buyers.spawn(async move { service.complete(&frame, &keyed, &id, choice).await.unwrap() });
    }
    let answers = buyers.join_all().await;
    let (paid, declined): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| refused(answer).is_empty());
    assert_eq!((paid.len(), declined.len()), (50, 25));
    let mut numbers = BTreeSet::new();
    for answer in paid {
        numbers.insert(number(&bench, &order_id(answer)).await);
    }
    assert_eq!(numbers, (1..=50).collect());
}

#[tokio::test]
async fn a_refused_payment_spends_no_number_and_what_comes_back_keeps_its_own() {
    let bench = Bench::new().await;
    let first = bench.buy(&[("1", 3)]).await;
    let id = bench.checkout(&[("1", 2)]).await;
    assert_eq!(checkout_of(&bench.pay(&id, "decline").await).state(), &State::Open);
    let second = bench.order_of(&bench.pay(&id, "approve").await).await;
    assert_eq!([&first, &second].map(|order| order.invoice().map(InvoiceNo::get)), [Some(1), Some(2)]);
    bench.run(Command::CancelOrder { id: first.id().clone(), back: Back::Whole }).await;
    assert_eq!(number(&bench, first.id()).await, 1);
}

#[tokio::test]
async fn a_crash_between_the_two_commits_of_a_payment_leaves_no_gap() {
    let bench = Bench::new().await;
    let [approved, declined, other] = [(); 3].map(|()| bench.checkout(&[("1", 2)]));
    let (approved, declined, other) = (approved.await, declined.await, other.await);
    crash_while_paying(&bench, &declined, Choice::Decline).await;
    crash_while_paying(&bench, &approved, Choice::Approve).await;
    let sold = bench.order_of(&bench.pay(&other, "approve").await).await;
    assert_eq!(bench.service.settle(&bench.frame.shop).await.unwrap(), 2);
    let settled = bench.order_of(&bench.service.checkout(&bench.frame.shop, &approved).await.unwrap()).await;
    let later = bench.buy(&[("1", 1)]).await;
    assert_eq!([&sold, &settled, &later].map(|order| order.invoice().map(InvoiceNo::get)), [Some(1), Some(2), Some(3)]);
}

#[tokio::test]
async fn the_invoice_of_an_order_says_who_sold_it() {
    let bench = Bench::new().await;
    let order = bench.buy(&[("1", 3)]).await;
    let shop = &bench.frame.shop;
    let invoice = bench.service.invoice(shop, order.id()).await.unwrap().unwrap();
    assert_eq!((invoice.seller.as_str(), invoice.filed), ("Toko Satu", Filed::Live(Box::new(order))));
    assert_eq!(bench.service.invoice(shop, &PublicId::new("no such")).await.unwrap(), None);
}

#[tokio::test]
async fn a_number_of_history_is_shown_and_the_next_one_follows_it() {
    let bench = Bench::new().await;
    bench.flip(vocab::id::Side::Legacy, 2, 3, false).await;
    let document = Record::default().with("id", "h").with("invoice", 60).with("currency", "IDR").with("lines", vec![]);
    let what = What::History { id: PublicId::new("h"), why: "no_lines".into(), document };
    let item = Imported { kind: Kind::Order, origin: Origin::new("order:h"), tx: 1, what, made: None };
    let import = store::Import { shop: bench.frame.shop.clone(), epoch: vocab::id::Epoch(3), items: vec![item] };
    bench.store.import(import).await.unwrap();
    bench.flip(vocab::id::Side::Backend, 3, 4, false).await;
    let invoice = bench.service.invoice(&bench.frame.shop, &PublicId::new("h")).await.unwrap().unwrap();
    let Filed::History(history) = invoice.filed else { panic!("{invoice:?}") };
    assert_eq!(history.invoice().map(InvoiceNo::get), Some(60));
    assert_eq!(bench.buy(&[("1", 1)]).await.invoice().map(InvoiceNo::get), Some(61));
}
