//! Selling: what a checkout comes to, when it can be paid, what its order says.

use crate::{catalogue, checkout, details, minted, one, order, terms, wanted};
use commerce::cart::{Cart, State};
use commerce::checkout::{Checkout, Details};
use commerce::decision::{Aggregate, StockChange};
use commerce::ledger::{self, Account};
use commerce::money::Currency;
use commerce::order::Order;
use commerce::payment::{Attempt, Choice};
use proptest::prelude::*;
use vocab::document::{Node, Record};
use vocab::id::{PublicId, Timestamp};

fn attempt() -> Attempt {
    Attempt::new("attempt-1", Choice::Approve).expect("an attempt")
}

#[test]
fn tax_is_rounded_once_per_order_and_shipping_is_added_when_selected() {
    // 11 % of Rp 45 is Rp 4.95 for each of two lines (5 + 5), but of Rp 90 it is 9.90.
    let checkout = checkout(1_100, &[45, 45], &[1, 1]).expect("a checkout");
    let totals = checkout.totals();
    let minor = [totals.subtotal(), totals.tax(), totals.shipping(), totals.total()].map(|money| money.minor());
    assert_eq!(minor, [9_000, 1_000, 900_000, 910_000]);
}

#[test]
fn what_is_missing_before_paying_is_named_one_by_one() {
    let check = |remove: fn(&mut Details), expected: Option<&str>| {
        let mut details = details();
        remove(&mut details);
        let opening = commerce::checkout::Opening {
            id: one("checkout", 7),
            cart: None,
            line_ids: minted("checkout_line", 1, 1),
            at: Timestamp(0),
        };
        let open = Checkout::create(opening, &wanted(&[1]), details, &terms(0), &catalogue(&[10])).expect("open");
        assert_eq!(open.missing(), expected);
        let paid = open.pay(attempt(), &catalogue(&[10]), |_| 1).map(|_| ()).map_err(|refusal| refusal.code);
        assert_eq!(paid, expected.map_or(Ok(()), |_| Err("checkout_incomplete")));
    };
    check(|_| {}, None);
    check(|details| details.buyer_name = None, Some("$.buyer.full_name"));
    check(|details| details.buyer_phone = Some("  ".to_owned()), Some("$.buyer.phone_number"));
    check(|details| details.city = None, Some("$.fulfillment.methods[0].destinations[0]"));
    check(|details| details.region = None, None);
    check(|details| details.flat = false, Some("$.fulfillment.methods[0].groups[0].selected_option_id"));
}

#[test]
fn stock_is_asked_for_the_sum_of_all_lines_of_a_product() {
    let twice = [wanted(&[2]), wanted(&[2])].concat();
    let opening = commerce::checkout::Opening {
        id: one("checkout", 7),
        cart: None,
        line_ids: minted("checkout_line", 1, 2),
        at: Timestamp(0),
    };
    let open = Checkout::create(opening, &twice, details(), &terms(0), &catalogue(&[10])).expect("open");
    let refusal = open.pay(attempt(), &catalogue(&[10]), |_| 3).unwrap_err();
    assert_eq!((refusal.code, refusal.path.as_deref()), ("out_of_stock", Some("$.line_items[0]")));
    let (_, taken) = open.pay(attempt(), &catalogue(&[10]), |_| 4).expect("just enough");
    assert_eq!(taken, [StockChange { variant: PublicId::new("0"), delta: -4 }]);
}

#[test]
fn only_the_rails_answer_changes_a_checkout_that_is_being_paid() {
    let open = checkout(1_100, &[45], &[2]).expect("open");
    let (paying, taken) = open.pay(attempt(), &catalogue(&[45]), |_| 2).expect("enough");
    assert_eq!(paying.cancel().unwrap_err().code, "checkout_in_progress");
    assert_eq!(paying.pay(attempt(), &catalogue(&[45]), |_| 9).unwrap_err().code, "checkout_in_progress");
    let replaced = paying.replace(&wanted(&[1]), Vec::new(), details(), &terms(0), &catalogue(&[45]));
    assert_eq!(replaced.unwrap_err().code, "checkout_in_progress");
    let (reopened, back) = paying.unpaid(&catalogue(&[45])).expect("declined");
    assert_eq!(reopened, open);
    assert_eq!(taken.iter().chain(&back).map(|change| change.delta).sum::<i64>(), 0);
    assert_eq!(open.unpaid(&catalogue(&[45])).unwrap_err().code, "checkout_closed");
}

#[test]
fn a_completed_checkout_takes_no_command() {
    let (completed, order) = order(1_100, &[45], &[2]);
    assert_eq!(completed.document().text("order"), Some("70"));
    assert_eq!(order.document().text("checkout"), Some("7"));
    assert_eq!(completed.cancel().unwrap_err().code, "checkout_closed");
    assert_eq!(completed.pay(attempt(), &catalogue(&[45]), |_| 9).unwrap_err().code, "checkout_closed");
}

#[test]
fn an_update_warns_only_of_what_the_buyer_did_not_change() {
    let open = checkout(1_100, &[45, 60], &[1, 1]).expect("open");
    let warns = |quantities: &[u32], rupiah: &[i64], tax_bp: i64| {
        let wanted = wanted(quantities);
        let ids = minted("checkout_line", 50, open.fresh_lines(&wanted));
        let repriced = open.replace(&wanted, ids, details(), &terms(tax_bp), &catalogue(rupiah)).expect("open");
        repriced.price_changed
    };
    assert!(!warns(&[1, 1], &[45, 60], 1_100), "nothing changed");
    assert!(!warns(&[3, 1], &[45, 60], 1_100), "more was wanted");
    assert!(warns(&[3, 1], &[46, 60], 1_100), "a price was raised");
    assert!(warns(&[1, 1], &[45, 60], 1_000), "the tax is another");
}

#[test]
fn a_frozen_total_of_another_owner_stands_until_an_update() {
    // The former owner rounded the tax of each line: 5 + 5 rupiah where we would take 10 of 9.90; here 1 more.
    let document = checkout(1_100, &[45, 45], &[1, 1]).expect("open").document();
    let frozen = document.clone().with("tax", 1_100).with("total", 910_100);
    let checkout = Checkout::from_document(&frozen).expect("adds up");
    assert_eq!(checkout.totals().total().minor(), 910_100);
    let repriced =
        checkout.replace(&wanted(&[1, 1]), Vec::new(), details(), &terms(1_100), &catalogue(&[45, 45])).expect("open");
    assert!(repriced.price_changed);
    assert_eq!(repriced.checkout.totals().total().minor(), 910_000);
    let wrong = document.with("tax", 1_100);
    assert_eq!(Checkout::from_document(&wrong).unwrap_err().code, "total_differs");
}

#[test]
fn a_replaced_cart_keeps_the_lines_that_stay_and_ends_once() {
    let catalogue = catalogue(&[10, 20]);
    let line_ids = minted("cart_line", 1, 2);
    let cart = Cart::create(one("cart", 4), Currency::IDR, &wanted(&[1, 1]), line_ids, &catalogue, Timestamp(9));
    let cart = cart.expect("a cart");
    let swapped: Vec<_> = wanted(&[5, 6]).into_iter().rev().collect();
    let replaced = cart.replace(&swapped, Vec::new(), &catalogue, Timestamp(10)).expect("open");
    let ids = |cart: &Cart| -> Vec<String> {
        cart.priced(&catalogue).expect("small").iter().map(|line| line.line.to_string()).collect()
    };
    assert_eq!((ids(&cart), ids(&replaced)), (vec!["1".into(), "2".into()], vec!["2".into(), "1".into()]));
    assert_eq!(replaced.subtotal(&catalogue).map(|money| money.minor()), Ok(17_000));
    assert_eq!(Cart::from_document(&replaced.document()), Ok(replaced.clone()));
    let at = |cart: &Cart| cart.document().int("changed_at");
    assert_eq!((at(&cart), at(&replaced)), (Some(9), Some(10)));
    let ended = replaced.end(State::Expired, Timestamp(11)).expect("open");
    assert_eq!(ended.end(State::Canceled, Timestamp(12)).unwrap_err().code, "not_found");
    assert_eq!(ended.replace(&swapped, Vec::new(), &catalogue, Timestamp(12)).unwrap_err().code, "not_found");
    let unknown = crate::wanted(&[1, 1, 1]);
    let refusal = cart.replace(&unknown, minted("cart_line", 9, 1), &catalogue, Timestamp(12)).unwrap_err();
    assert_eq!((refusal.code, refusal.path.as_deref()), ("item_unavailable", Some("$.line_items[2]")));
    assert_eq!(
        cart.replace(&[wanted(&[1]), wanted(&[1])].concat(), Vec::new(), &catalogue, Timestamp(12)).unwrap_err().code,
        "ids_exhausted"
    );
}

/// The document with something wrong in it is no live order, for this reason.
#[test]
fn an_order_that_breaks_a_live_rule_is_a_fault_with_its_reason() {
    let check = |change: fn(Record) -> Record, code: &str| {
        let document = change(order(1_100, &[45, 60], &[2, 1]).1.document());
        assert_eq!(Order::from_document(&document).map(|_| ()).map_err(|fault| fault.code), Err(code));
    };
    fn first_line(document: &Record, change: fn(Record) -> Record) -> Vec<Node> {
        let mut lines = document.list("lines").to_vec();
        let Some(Node::Record(line)) = lines.first_mut() else { panic!("no line") };
        *line = change(line.clone());
        lines
    }
    let broken = |change: fn(Record) -> Record, code: &str| {
        let document = order(1_100, &[45, 60], &[2, 1]).1.document();
        let lines = first_line(&document, change);
        let fault = Order::from_document(&document.with("lines", lines)).unwrap_err();
        assert_eq!((fault.code, fault.path.starts_with("$.lines[0].")), (code, true));
    };
    broken(|line| line.with("quantity", 0), "quantity");
    broken(|line| line.with("quantity", -2), "quantity");
    broken(|line| line.with("quantity", 3), "line_total_differs");
    broken(|line| line.with("cancelled", 2).with("refunded", 1), "quantity");
    check(|document| document.with("lines", Vec::<Node>::new()), "no_lines");
    check(|document| document.with("total", 1), "amount");
    check(|document| document.with("total", 100), "total_differs");
    check(|document| document.with("subtotal", 100), "subtotal_differs");
    check(|document| document.with("payments", Vec::<Node>::new()), "payment_differs");
    check(|document| document.with("state", "gone"), "word");
    check(|document| document.with("placed_at", Node::Null), "missing");
    check(|document| document.with("id", 7), "type");
    check(|document| document.with("currency", "rupiah"), "currency");
}

#[test]
fn a_closed_order_of_a_source_without_payments_is_live_and_books_nothing() {
    let paid = order(0, &[45], &[2]).1.document();
    let done = paid.with("state", "done").with("payments", Vec::<Node>::new());
    let order = Order::from_document(&done).expect("opening balance 0");
    assert_eq!(ledger::entries(&order), Ok(Vec::new()));
}

#[test]
fn a_sale_is_owed_by_the_provider_to_the_seller_and_the_state() {
    let (_, order) = order(1_100, &[100], &[1]);
    let entries = ledger::entries(&order).expect("small");
    let booked: Vec<(Account, i64)> = entries.iter().map(|entry| (entry.account, entry.amount.minor())).collect();
    assert_eq!(booked, [(Account::Clearing, 911_100), (Account::Payable, -910_000), (Account::Tax, -1_100)]);
}

proptest! {
    #[test]
    fn checkouts_and_orders_come_back_from_their_documents(
        tax_bp in 0..3_000_i64,
        basket in prop::collection::vec((1..1_000_000_i64, 1..500_u32), 1..8),
    ) {
        let (rupiah, quantities): (Vec<_>, Vec<_>) = basket.into_iter().unzip();
        let (completed, order) = order(tax_bp, &rupiah, &quantities);
        prop_assert_eq!(Checkout::from_document(&completed.document()), Ok(completed));
        prop_assert_eq!(Order::from_document(&order.document()), Ok(order.clone()));
        let totals = order.totals();
        let goods: i64 = rupiah.iter().zip(&quantities).map(|(price, quantity)| price * 100 * i64::from(*quantity)).sum();
        prop_assert_eq!(totals.subtotal().minor(), goods);
        prop_assert!(totals.tax().is_whole());
        prop_assert_eq!(totals.total().minor(), goods + totals.tax().minor() + 900_000);
    }
}
