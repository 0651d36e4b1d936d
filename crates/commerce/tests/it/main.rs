//! The rules of commerce over made-up shops, baskets and histories of what was given back.

mod books;
mod given_back;
mod payments;
mod sold;

use commerce::Refusal;
use commerce::catalogue::Catalogue;
use commerce::checkout::{Checkout, Details, Opening, OrderIds};
use commerce::lines::Wanted;
use commerce::order::Order;
use commerce::payment::{Attempt, Choice};
use commerce::product::Product;
use commerce::terms::Terms;
use vocab::document::{Node, Record};
use vocab::id::{Minted, Origin, PublicId, Timestamp};

/// A shop that takes `tax_bp` and sends for Rp 9,000.
fn terms(tax_bp: i64) -> Terms {
    let document = Record::default()
        .with("id", "1")
        .with("name", "Toko Satu")
        .with("currency", "IDR")
        .with("tax_bp", tax_bp)
        .with("shipping_flat", 900_000);
    Terms::from_document(&document).expect("terms")
}

/// Products `0`, `1`, … at these prices in rupiah.
fn catalogue(rupiah: &[i64]) -> Catalogue {
    let product = |(index, price): (usize, &i64)| {
        let id = index.to_string();
        let variant = Record::default().with("id", id.as_str()).with("price", price * 100);
        let document = Record::default()
            .with("id", id.as_str())
            .with("title", format!("Barang {id}"))
            .with("state", "active")
            .with("currency", "IDR")
            .with("variants", vec![Node::Record(variant)]);
        Product::from_document(&document).expect("a product")
    };
    rupiah.iter().enumerate().map(product).collect()
}

fn minted(table: &str, from: usize, count: usize) -> Vec<Minted> {
    let one = |number: usize| Minted {
        id: PublicId::new(number.to_string()),
        origin: Some(Origin::new(format!("{table}:{number}"))),
    };
    (from..from + count).map(one).collect()
}

fn one(table: &str, number: usize) -> Minted {
    minted(table, number, 1).remove(0)
}

fn wanted(quantities: &[u32]) -> Vec<Wanted> {
    let line = |(index, quantity): (usize, &u32)| {
        Wanted::new(PublicId::new(index.to_string()), *quantity).expect("a quantity")
    };
    quantities.iter().enumerate().map(line).collect()
}

fn details() -> Details {
    let some = |text: &str| Some(text.to_owned());
    Details {
        buyer_name: some("Sari"),
        buyer_phone: some("0812"),
        street: some("Jl. Melati 1"),
        city: some("Bandung"),
        postal_code: some("40115"),
        country: some("ID"),
        flat: true,
        ..Details::default()
    }
}

/// A checkout of so many units of each product.
fn checkout(tax_bp: i64, rupiah: &[i64], quantities: &[u32]) -> Result<Checkout, Refusal> {
    let line_ids = minted("checkout_line", 1, quantities.len());
    let opening = Opening { id: one("checkout", 7), cart: None, line_ids, at: Timestamp(1_000_000) };
    Checkout::create(opening, &wanted(quantities), details(), &terms(tax_bp), &catalogue(rupiah))
}

/// The same, paid.
fn order(tax_bp: i64, rupiah: &[i64], quantities: &[u32]) -> (Checkout, Order) {
    let attempt = Attempt::new("attempt-1", Choice::Approve).expect("an attempt");
    let open = checkout(tax_bp, rupiah, quantities).expect("a checkout");
    let (paying, _) = open.pay(attempt, &catalogue(rupiah), |_| i64::MAX).expect("enough of everything");
    let ids = OrderIds {
        order: one("order", 70),
        buyer: one("buyer", 3),
        payment: one("payment", 5),
        lines: minted("order_line", 10, quantities.len()),
    };
    paying.approved(ids, Timestamp(2_000_000)).expect("an order")
}
