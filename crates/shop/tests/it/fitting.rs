//! What the legacy's rows cannot hold is refused before it is done, so that nobody can close a shop's way back.

use crate::{Bench, checkout_id, checkout_of, details, refused, wanted};
use shop::ids::{IdPlan, Misfit};
use shop::{Basket, Command, Service};
use std::sync::Arc;
use vocab::document::Record;
use vocab::id::{Kind, Timestamp};

const NAME_MAX: usize = 10;

fn narrow() -> IdPlan {
    let misfit = |_: &_, kind: Kind, document: &Record| {
        let long = document.text("buyer_name").is_some_and(|name| name.chars().count() > NAME_MAX);
        let unfit = kind == Kind::Checkout && long;
        unfit.then(|| Misfit { path: "buyer_name".to_owned(), why: format!("at most {NAME_MAX} characters fit") })
    };
    IdPlan { misfit: Box::new(misfit), ..crate::plan() }
}

fn create(name: &str) -> Command {
    let details = commerce::checkout::Details { buyer_name: Some(name.to_owned()), ..details() };
    Command::CreateCheckout { basket: Basket::Lines(wanted(&[("1", 1)])), details }
}

#[tokio::test]
async fn what_would_be_owed_is_refused_and_what_is_owed_already_can_be_ended() {
    let bench = Bench::new().await;
    let narrow = Service::new(bench.store.clone(), narrow(), Arc::new(|| Timestamp(9)));
    let seq = bench.seq().await;
    let answer = narrow.execute(&bench.frame, &bench.fresh(), &create("Sarimawarni")).await.unwrap();
    assert_eq!(refused(&answer), "too_long");
    assert_eq!(bench.seq().await, seq);
    let answer = narrow.execute(&bench.frame, &bench.fresh(), &create("Sarimawati")).await.unwrap();
    checkout_of(&answer);
    // It was made while nobody asked.
    let id = checkout_id(&bench.run(create("Sarimawarni")).await);
    let cancel = Command::CancelCheckout { id };
    let answer = narrow.execute(&bench.frame, &bench.fresh(), &cancel).await.unwrap();
    checkout_of(&answer);
}
