//! What a backend does to documents: sensible commands and hostile ones, as facts.

use crate::paying;
use crate::world::{Dice, SHOP, mapping, rule};
use mapping::{Anchor, RuleNo};
use std::collections::BTreeMap;
use vocab::document::{Node, Record};
use vocab::id::{Element, Kind, PublicId, ShopId};

/// The documents of a shop, by rule and anchor.
pub type Documents = BTreeMap<(RuleNo, Anchor), Record>;

/// What one command did.
pub struct Fact {
    pub changes: Vec<(RuleNo, Anchor, Option<Record>)>,
    pub stock: Vec<(PublicId, i64)>,
}

/// The next key of every block.
pub struct Mint(pub u64);

impl Mint {
    pub fn element(&mut self, kind: Kind, part: Option<&'static str>) -> Record {
        self.0 += 1;
        let minted = mapping().minted(Element { kind, part }, self.0);
        let record = Record::default().with("id", minted.id.as_str());
        match minted.origin {
            Some(origin) => record.with("origin", origin.as_str()),
            None => record,
        }
    }
}

/// 2024-06-01T00:00:00Z, and a little more each time, down to the microsecond.
pub fn instant(mint: &Mint) -> i64 {
    1_717_200_000_000_000 + i64::try_from(mint.0).unwrap() * 1_000_003
}

pub fn shop() -> ShopId {
    ShopId::parse(&SHOP.to_string()).unwrap()
}

/// How many commands there are; no multiple of 7, by which the mutants step through them.
pub const COMMANDS: u8 = 75;

/// One command; none if it does not apply to what is there.
pub fn run(command: u8, which: u8, documents: &Documents, mint: &mut Mint, dice: &mut Dice) -> Option<Fact> {
    let kind = match command {
        5..=8 | 29 => Kind::Product,
        9..=12 | 30 | 35 => Kind::Cart,
        13..=15 | 31 | 36 | 37 => Kind::Checkout,
        32 | 38 | 39 => Kind::Idempotency,
        40 => return Some(birth_of_checkout(mint)),
        16 => return Some(birth_of_order(mint, dice)),
        17 => return Some(birth_of_cart(mint)),
        18 => return Some(birth_of_idempotency(mint)),
        19 => return Some(stock_edit(which, dice)),
        45 => return Some(paying::birth(mint)),
        46..=74 => Kind::Intent,
        _ => Kind::Order,
    };
    let no = rule(kind);
    let of_kind: Vec<_> = documents.iter().filter(|((rule, _), _)| *rule == no).collect();
    let ((rule, anchor), document) = *of_kind.get(usize::from(which) % of_kind.len().max(1))?;
    let mut after = document.clone();
    let mut stock = Vec::new();
    let kept = match kind {
        Kind::Order => on_order(command, &mut after, &mut stock, mint, dice)?,
        Kind::Product => on_product(command, &mut after, dice)?,
        Kind::Cart => on_cart(command, &mut after, mint, dice)?,
        Kind::Checkout => on_checkout(command, &mut after, mint, dice)?,
        Kind::Idempotency => {
            match command {
                32 => after.set("status", 500),
                38 => after.set("key", "another"),
                _ => after.set("body", "ffff"),
            }
            true
        }
        Kind::Intent => paying::on_intent(command, &mut after, mint, dice)?,
        Kind::Shop => return None,
    };
    Some(Fact { changes: vec![(*rule, anchor.clone(), kept.then_some(after))], stock })
}

pub fn elements<'a>(record: &'a mut Record, list: &str) -> Option<&'a mut Vec<Node>> {
    match record.0.get_mut(list) {
        Some(Node::List(nodes)) => Some(nodes),
        _ => None,
    }
}

pub fn element<'a>(record: &'a mut Record, list: &str, dice: &mut Dice) -> Option<&'a mut Record> {
    let nodes = elements(record, list)?;
    let count = u64::try_from(nodes.len()).unwrap();
    if count == 0 {
        return None;
    }
    match nodes.get_mut(usize::try_from(dice.roll(count)).unwrap()) {
        Some(Node::Record(record)) => Some(record),
        _ => None,
    }
}

fn cancel(after: &mut Record, stock: &mut Vec<(PublicId, i64)>, mint: &mut Mint, dice: &mut Dice) -> Option<()> {
    let at = instant(mint);
    let line = element(after, "lines", dice)?;
    let left = line.int("quantity")? - line.int("cancelled")?;
    if left <= 0 {
        return None;
    }
    line.set("cancelled", line.int("cancelled")? + 1);
    stock.push((PublicId::new(line.text("product")?), 1));
    let id = line.text("id")?.to_owned();
    let adjustment = mint.element(Kind::Order, Some("adjustments"));
    let adjustment = adjustment
        .with("type", "cancellation")
        .with("at", at)
        .with("line", id)
        .with("quantity", 1)
        .with("amount", 1_100_000);
    elements(after, "adjustments")?.push(Node::Record(adjustment));
    Some(())
}

/// False: the document is gone.
fn on_order(
    command: u8,
    after: &mut Record,
    stock: &mut Vec<(PublicId, i64)>,
    mint: &mut Mint,
    dice: &mut Dice,
) -> Option<bool> {
    match command {
        0 | 1 => cancel(after, stock, mint, dice)?,
        2 => {
            after.set("state", "cancelled");
            after.set("cancelled_at", instant(mint));
            let whole = mint.element(Kind::Order, Some("adjustments")).with("type", "cancellation");
            let whole =
                whole.with("at", instant(mint)).with("line", Node::Null).with("quantity", 1).with("amount", 500);
            elements(after, "adjustments")?.push(Node::Record(whole));
        }
        3 => after.set("state", dice.of(&["open", "paid", "shipped", "done"])),
        4 => {
            let payment = element(after, "payments", dice)?;
            payment.set("state", dice.of(&["pending", "captured", "failed"]));
            payment.set("reference", "att-1");
            payment.set("paid_at", payment.int("paid_at").map(|at| at + 5_000_000));
        }
        20 => after.set("id", "TRX-9999999"),
        21 => match after.0.get_mut("buyer") {
            Some(Node::Record(buyer)) => buyer.set("name", "Somebody else"),
            _ => return None,
        },
        22 => drop(elements(after, "lines")?.pop()?),
        23 => drop(elements(after, "payments")?.pop()?),
        24 => elements(after, "lines")?.reverse(),
        25 => element(after, "lines", dice)?.set("quantity", 0),
        26 => after.set("total", after.int("total")? + 1),
        27 => after.set("street", format!("a\0{}", "x".repeat(usize::try_from(dice.roll(300)).unwrap()))),
        28 => return Some(false),
        33 => after.set("placed_at", after.int("placed_at")? + 3_600_000_000),
        34 => element(after, "lines", dice)?.set("product", "2"),
        43 => after.set("checkout", "1"),
        44 => after.set("invoice", after.int("invoice")? + 1),
        41 => after.set("placed_at", "not an instant"),
        _ => after.set("surprise", 1),
    }
    Some(true)
}

fn on_product(command: u8, after: &mut Record, dice: &mut Dice) -> Option<bool> {
    match command {
        5 => element(after, "variants", dice)?.set("price", 100 * (1 + dice.int(99_999))),
        6 => after.set("title", format!("Thing {}", dice.roll(9))),
        7 => after.set("state", dice.of(&["active", "withdrawn"])),
        8 => return Some(false),
        _ => {
            let more = elements(after, "variants")?.first()?.clone();
            elements(after, "variants")?.push(more);
        }
    }
    Some(true)
}

fn on_cart(command: u8, after: &mut Record, mint: &mut Mint, dice: &mut Dice) -> Option<bool> {
    after.set("changed_at", instant(mint));
    match command {
        9 => {
            let line = mint.element(Kind::Cart, Some("lines"));
            let line = line.with("product", (1 + dice.roll(2)).to_string()).with("quantity", 1 + dice.int(5));
            let at = if dice.one_in(3) { 0 } else { elements(after, "lines")?.len() };
            elements(after, "lines")?.insert(at, Node::Record(line));
        }
        10 => drop(elements(after, "lines")?.pop()?),
        11 => element(after, "lines", dice)?.set("quantity", 1 + dice.int(9)),
        12 => after.set("state", dice.of(&["open", "converted", "canceled", "expired"])),
        35 => after.set("created_at", after.int("created_at")? + 3_600_000_000),
        _ => element(after, "lines", dice)?.set("product", "not a key"),
    }
    Some(true)
}

fn on_checkout(command: u8, after: &mut Record, mint: &mut Mint, dice: &mut Dice) -> Option<bool> {
    match command {
        13 => {
            after.set("buyer_name", "Ani");
            after.set("street", "Jl. Mawar 1");
            after.set("country", dice.of(&["ID", "IDN"]));
        }
        14 => {
            after.set("state", dice.of(&["completed", "canceled"]));
            after.set("order", "TRX-0000001");
        }
        15 => {
            elements(after, "lines")?.pop();
            let line = mint.element(Kind::Checkout, Some("lines"));
            let line = line.with("product", "2").with("title", "Thing 2").with("unit_price", 2_000_000);
            elements(after, "lines")?.push(Node::Record(line.with("quantity", 3).with("total", 6_000_000)));
        }
        36 => after.set("created_at", after.int("created_at")? + 3_600_000_000),
        37 => after.set("cart", "77"),
        _ => {
            after.set("state", "paying");
            after.set("attempt", "att-7");
        }
    }
    Some(true)
}

pub fn born(kind: Kind, document: Record) -> (RuleNo, Anchor, Option<Record>) {
    let no = rule(kind);
    let anchor = mapping().anchor_of(no, &shop(), &document).unwrap();
    (no, anchor, Some(document))
}

fn birth_of_order(mint: &mut Mint, dice: &mut Dice) -> Fact {
    let at = instant(mint);
    let mut lines = Vec::new();
    let mut stock = Vec::new();
    let mut subtotal = 0;
    for product in 1..=1 + dice.int(2) {
        let quantity = 1 + dice.int(3);
        let line = mint.element(Kind::Order, Some("lines"));
        let line = line.with("product", product.to_string()).with("title", "Thing").with("unit_price", 1_000_000);
        let line = line.with("quantity", quantity).with("cancelled", 0).with("refunded", 0);
        lines.push(Node::Record(line.with("total", quantity * 1_000_000)));
        stock.push((PublicId::new(product.to_string()), -quantity));
        subtotal += quantity * 1_000_000;
    }
    let payment = mint.element(Kind::Order, Some("payments"));
    let payment = payment.with("method", "instant").with("amount", subtotal).with("paid_at", at);
    let payment = payment.with("state", "captured");
    let payment = payment.with("reference", Node::Null).with("intent", Node::Null);
    let buyer = match dice.roll(3) {
        0 => Node::Null,
        _ => Node::Record(mint.element(Kind::Order, Some("buyer")).with("name", "New").with("phone", "0813")),
    };
    let order = mint.element(Kind::Order, None).with("invoice", i64::try_from(mint.0).unwrap());
    let order = order.with("checkout", Node::Null).with("state", "paid").with("currency", "IDR").with("placed_at", at);
    let order = order.with("cancelled_at", Node::Null).with("subtotal", subtotal).with("shipping", 900_000);
    let order = order.with("tax", 333_300).with("total", subtotal + 1_233_300).with("buyer", buyer);
    let mut order =
        order.with("lines", lines).with("payments", vec![Node::Record(payment)]).with("adjustments", vec![]);
    for name in ["street", "city", "region", "postal_code", "country"] {
        order.set(name, Node::Null);
    }
    Fact { changes: vec![born(Kind::Order, order)], stock }
}

fn birth_of_checkout(mint: &mut Mint) -> Fact {
    let at = instant(mint);
    let mut checkout = mint.element(Kind::Checkout, None).with("state", "open").with("currency", "IDR");
    let null = [
        "cart",
        "buyer_name",
        "buyer_phone",
        "buyer_email",
        "street",
        "city",
        "region",
        "postal_code",
        "country",
        "shipping_option",
        "order",
        "attempt",
        "instrument",
        "intent",
    ];
    for name in null {
        checkout.set(name, Node::Null);
    }
    let checkout = checkout.with("created_at", at).with("subtotal", 0).with("shipping", 0).with("tax", 0);
    Fact { changes: vec![born(Kind::Checkout, checkout.with("total", 0).with("lines", vec![]))], stock: Vec::new() }
}

fn birth_of_cart(mint: &mut Mint) -> Fact {
    let line = mint.element(Kind::Cart, Some("lines")).with("product", "1").with("quantity", 2);
    let cart = mint.element(Kind::Cart, None).with("state", "open").with("currency", "IDR");
    let at = instant(mint);
    let cart = cart.with("created_at", at).with("changed_at", at).with("lines", vec![Node::Record(line)]);
    Fact { changes: vec![born(Kind::Cart, cart)], stock: Vec::new() }
}

fn birth_of_idempotency(mint: &mut Mint) -> Fact {
    mint.0 += 1;
    let record = Record::default().with("operation", "cart.create").with("key", format!("key,{}", mint.0));
    let record = record.with("body", "00ff").with("status", 201).with("result_kind", "cart").with("result_id", "1");
    Fact { changes: vec![born(Kind::Idempotency, record)], stock: Vec::new() }
}

fn stock_edit(which: u8, dice: &mut Dice) -> Fact {
    let product = 1 + which % 2;
    Fact { changes: Vec::new(), stock: vec![(PublicId::new(product.to_string()), 1 - dice.int(3))] }
}
