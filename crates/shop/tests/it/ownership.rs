//! Whose shop it is: writes only by the owner, only under the head's epoch, and never about another shop's things.

use crate::{Bench, checkout_of, details, order_id, refused, wanted};
use shop::{Command, Failure, Frame, Resource};
use store::{Imported, What};
use vocab::document::{Node, Record};
use vocab::id::{Epoch, Kind, Origin, PublicId, ShopId, Side};

fn create() -> Command {
    Command::CreateCheckout { basket: shop::Basket::Lines(wanted(&[("1", 1)])), details: details() }
}

#[tokio::test]
async fn a_write_under_another_epoch_is_not_executed_and_a_read_is_served() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 1)]).await;
    let seq = bench.seq().await;
    for epoch in [1, 3] {
        let frame = Frame { epoch: Some(Epoch(epoch)), ..bench.frame.clone() };
        let failure = bench.service.execute(&frame, &bench.fresh(), &create()).await.unwrap_err();
        assert!(matches!(failure, Failure::StaleEpoch { head: Epoch(2) }), "{failure}");
        let failure = bench.service.complete(&frame, &bench.fresh(), &id, "approve").await.unwrap_err();
        assert!(matches!(failure, Failure::StaleEpoch { .. }), "{failure}");
    }
    assert_eq!(bench.seq().await, seq);
    let frame = Frame { epoch: Some(Epoch(2)), ..bench.frame.clone() };
    order_id(&bench.service.complete(&frame, &bench.fresh(), &id, "approve").await.unwrap());
}

#[tokio::test]
async fn who_does_not_own_the_shop_reads_and_does_not_write() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 1)]).await;
    bench.flip(Side::Backend, 2, 3, true).await;
    assert!(matches!(bench.fails(create()).await, Failure::Fenced));
    bench.flip(Side::Legacy, 3, 4, false).await;
    let failure = bench.fails(create()).await;
    assert!(matches!(failure, Failure::NotOwner { owner: Side::Legacy }), "{failure}");
    let failure = bench.service.complete(&bench.frame, &bench.fresh(), &id, "approve").await.unwrap_err();
    assert!(matches!(failure, Failure::NotOwner { .. }), "{failure}");
    checkout_of(&bench.service.checkout(&bench.frame.shop, &id).await.unwrap());
    let now = vocab::id::Timestamp(i64::MAX);
    assert_eq!(bench.service.expire_carts(&bench.frame.shop, now).await.unwrap(), 0);
}

#[tokio::test]
async fn another_shops_ids_are_not_found_and_unknown_shops_are_unknown() {
    let bench = Bench::new().await;
    let checkout = bench.checkout(&[("1", 1)]).await;
    let order = order_id(&bench.pay(&checkout, "approve").await);
    let other = ShopId::parse("s2").unwrap();
    bench.store.create_heads(std::slice::from_ref(&other)).await.unwrap();
    let item = Imported {
        kind: Kind::Shop,
        origin: Origin::new("shop:s2"),
        tx: 1,
        what: What::Live {
            id: PublicId::new("s2"),
            document: crate::terms().with("id", "s2"),
            stock: vec![],
            entries: vec![],
            wake: None,
        },
        made: None,
    };
    let import = store::Import { shop: other.clone(), epoch: Epoch(1), items: vec![item] };
    bench.store.import(import).await.unwrap();
    assert_eq!(refused(&bench.service.checkout(&other, &checkout).await.unwrap()), "not_found");
    assert_eq!(refused(&bench.service.order(&other, &order).await.unwrap()), "not_found");
    assert_eq!(refused(&bench.service.product(&other, &PublicId::new("1")).await.unwrap()), "not_found");
    let nobody = ShopId::parse("s3").unwrap();
    assert!(matches!(bench.service.order(&nobody, &order).await.unwrap_err(), Failure::UnknownShop));
    assert!(matches!(bench.service.search(&nobody, None, None, 5).await.unwrap_err(), Failure::UnknownShop));
}

#[tokio::test]
async fn history_is_shown_and_takes_no_command() {
    let bench = Bench::new().await;
    bench.flip(Side::Legacy, 2, 3, false).await;
    let line = Record::default().with("title", "POSTAGE").with("quantity", -1).with("unit_price", "0.001");
    let document = Record::default()
        .with("id", "C536379")
        .with("currency", "GBP")
        .with("total", "-0.001")
        .with("lines", vec![Node::Record(line)]);
    let what = What::History { id: PublicId::new("C536379"), why: "credit".into(), document };
    let item = Imported { kind: Kind::Order, origin: Origin::new("lines:C536379"), tx: 1, what, made: None };
    let import = store::Import { shop: bench.frame.shop.clone(), epoch: Epoch(3), items: vec![item] };
    bench.store.import(import).await.unwrap();
    bench.flip(Side::Backend, 3, 4, false).await;
    let id = PublicId::new("C536379");
    let shown = bench.service.order(&bench.frame.shop, &id).await.unwrap();
    let Some(Resource::History(history)) = shown.resource else { panic!("history") };
    assert_eq!((history.why(), history.recorded_total().to_string()), ("credit", "-0.001".to_owned()));
    let refund = Command::RefundOrder { id, back: commerce::order::Back::Whole };
    assert_eq!(refused(&bench.run(refund).await), "order_not_cancellable");
}
