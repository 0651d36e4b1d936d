//! Ways to pay that are not a code: a card, which is typed in at the provider, and cash at the door; and where neither is had.

use super::{LOOK, SOON, Street, looks_right};
use crate::client::id;
use crate::world::Engine;
use mover::Verb;
use serde_json::{Value, json};
use std::time::Instant;
use testkit::browser::Browser;
use testkit::visitor::{nothing_is_complained_of, tab_to};
use vocab::id::Kind;

const CARD: &str = "4111111111111111";

impl Street {
    async fn link(&mut self, checkout: &str) -> String {
        self.look(checkout).await["continue_url"].as_str().unwrap().to_owned()
    }

    /// The host app looks at an order until it is so.
    async fn order_until(&mut self, order: &str, status: &str) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let shown = self.world.get(&self.shop, &format!("orders/{order}")).await.ok();
            self.heard += &shown.to_string();
            if shown["status"] == status {
                return shown;
            }
            assert!(Instant::now() < deadline, "not `{status}`: {shown}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn cash(&self) -> i64 {
        let sums = self.world.store.ledger_sums(&self.shop).await.unwrap();
        sums.iter().find(|sum| &*sum.account == "cod").map_or(0, |sum| sum.amount)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_paid_at_the_door_is_ordered_at_once_and_paid_when_it_is_brought() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let checkout = id(&street.checkout().await);
    let link = street.link(&checkout).await;
    let page = street.choose(&link, "method=cash_on_delivery").await;
    assert!(!page.contains("role=\"alert\""), "{page}");
    let order = id(&street.until(&checkout, "completed").await["order"]);
    street.order_until(&order, "open").await;
    let (_, page) = street.world.open(&format!("{link}&lang=en")).await;
    assert!(page.contains("You pay when it is brought") && !page.contains("Paid."), "{page}");

    let charge = street.charge().await;
    let (reference, amount) = (charge["reference"].clone(), charge["amount"].as_i64().unwrap());
    street.provider().control("pay", &json!({ "reference": reference })).await;
    street.order_until(&order, "paid").await;
    assert_eq!(street.cash().await, amount * 100, "the courier has it");
    let (_, page) = street.world.open(&format!("{link}&lang=en")).await;
    assert!(page.contains("Paid."), "{page}");
    street.provider().control("remit", &json!({ "reference": reference })).await;
    let deadline = Instant::now() + SOON;
    while street.cash().await != 0 {
        assert!(Instant::now() < deadline, "the courier has it for ever");
        tokio::time::sleep(LOOK).await;
    }
    let cancel = street.world.write("POST", &street.shop, &format!("orders/{order}/cancel"), &json!({}));
    street.host(&cancel).await;
    let (_, page) = street.world.open(&format!("{link}&lang=en")).await;
    assert!(page.contains("This order was canceled.") && !page.contains("Paid."), "{page}");
    street.host_heard_nothing().await;
}

/// In a real browser, on a phone, without a mouse: the card is typed in on the provider's page, in a frame.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_pays_by_a_card_that_the_shop_never_sees() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let checkout = id(&street.checkout().await);
    let link = street.link(&checkout).await;
    let url = format!("{}{link}&lang=en", street.world.seam_url());
    tokio::task::spawn_blocking(move || {
        let browser = Browser::start();
        browser.resize(320, 700);
        browser.open(&url);
        browser.until("document.querySelector('a.choice')");
        tab_to(&browser, "a.choice");
        browser.press("\u{e007}");
        looks_right(&browser, "document.querySelector('.card iframe')", "the card");
        // One that its bank declines, and then one that it does not.
        type_in(&browser, "4000000000000002");
        browser.until("document.querySelector('.choices') && document.body.textContent.includes('did not work')");
        nothing_is_complained_of(&browser);
        browser.click("a.choice");
        type_in(&browser, CARD);
        looks_right(&browser, "document.querySelector('.paid')", "what is paid");
    })
    .await
    .unwrap();
    street.until(&checkout, "completed").await;
    let book = street.provider().book().await;
    assert_eq!(book["charge"].as_array().unwrap().len(), 2, "{book}");
    for kind in [Kind::Intent, Kind::Checkout, Kind::Order] {
        for (_, stored) in street.world.store.documents(&street.shop, kind, None, 10_000).await.unwrap() {
            let kept = format!("{:?}", stored.document);
            assert!(!kept.contains(CARD) && !kept.contains("tok_"), "{kept}");
        }
    }
    street.host_heard_nothing().await;
}

fn type_in(browser: &Browser, card: &str) {
    browser.until("document.querySelector('.card iframe')?.src");
    browser.enter_frame(".card iframe");
    browser.until("document.querySelector('#number')");
    for (field, text) in [("#number", card), ("#expiry", "12/30"), ("#cvc", "123")] {
        browser.click(field);
        browser.press(text);
    }
    browser.press("\u{e007}");
    browser.leave_frame();
}

/// A legacy is not handed payments that it cannot go on with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_may_go_back_offers_what_its_legacy_knows() {
    let mut street = Street::at_legacy(Engine::Sqlite, true).await;
    street.world.start_moving().await;
    street.world.wish(Verb::Flip, None).await;
    let created = street.checkout().await;
    let types: Vec<&str> = created["ucp"]["payment_handlers"]["dev.baliklayar.pay"][0]["available_instruments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|instrument| instrument["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["virtual_account", "qr", "wallet"]);
    let link = street.link(&id(&created)).await;
    for refused in ["method=cash_on_delivery", "method=card_token&card=tok_visa"] {
        let page = street.choose(&link, refused).await;
        assert!(page.contains("role=\"alert\""), "{refused}: {page}");
    }
    assert_eq!(street.provider().book().await["charge"], json!([]));
}
