//! Is this answer right? Pure: a plan, the memory of its shop and the answer in; changes and complaints out.
//!
//! Changes are taken from an answer even where it is complained of, so that one wrong answer is reported once.

mod later;

use crate::arithmetic::{Back, Parts, broken_sum, given_back, order_of};
use crate::memory::{Change, Memory};
use crate::plan::{Expect, Plan, Wanted};
use crate::seen::{Kind, Line, Seen, amount, list, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A shown price must have been true within this; a checkout's, within the request.
const SHOWN_SLACK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    Wrong(String),
    /// Two orders of one checkout, two resources of one key.
    Twice(String),
    /// An acknowledged resource is not found.
    Missing(String),
}

/// How a request was asked. `sent` is when first, none where an earlier run did. A repeated one may get the resource as
/// it stands, without the words that went with the first answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub sent: Option<Instant>,
    pub repeated: bool,
}

/// `refused` is the code of a refusal.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    pub refused: Option<String>,
    /// The resource that was answered.
    pub id: Option<String>,
    /// Where a buyer goes on who pays later.
    pub link: Option<String>,
    pub changes: Vec<Change>,
    pub complaints: Vec<Complaint>,
}

impl Judged {
    fn wrong(&mut self, what: impl Into<String>) {
        self.complaints.push(Complaint::Wrong(what.into()));
    }

    fn is(&mut self, seen: Seen, cart: Option<&String>) {
        self.id = Some(seen.id.clone());
        self.changes.push(Change::Is { seen, cart: cart.cloned() });
    }
}

/// Judges a complete 2xx answer.
pub fn judge(plan: &Plan, memory: &Memory, answer: &Value, asked: Asked) -> Judged {
    let mut judged = Judged::default();
    match answer.pointer("/ucp/status").and_then(Value::as_str) {
        Some("error") => refusal(&mut judged, plan, memory, answer),
        Some("success") => {
            if let Err(missing) = success(&mut judged, plan, memory, answer, asked) {
                judged.wrong(missing);
            }
        }
        _ => judged.wrong("no ucp.status"),
    }
    judged
}

fn refusal(judged: &mut Judged, plan: &Plan, memory: &Memory, answer: &Value) {
    let messages = list(answer, "messages").iter();
    let code = messages.filter(|message| message.get("type").and_then(Value::as_str) == Some("error"));
    let code = code.filter_map(|message| text(message, "code").ok()).next().unwrap_or_default();
    let known = |kind: Kind, id: &str| memory.seen(kind, id).is_some();
    let fits = match &plan.expect {
        Expect::Shelf => false,
        Expect::Known { kind, id } => code == "not_found" && !known(*kind, id),
        Expect::Cart { .. } => matches!(code.as_str(), "item_unavailable" | "ids_exhausted"),
        Expect::Checkout { cart: Some(cart), .. } if !known(Kind::Cart, cart) => code == "not_found",
        Expect::Checkout { .. } => matches!(code.as_str(), "item_unavailable" | "ids_exhausted"),
        Expect::Canceled { .. } | Expect::Later { .. } => false,
        Expect::OnPage { id } => code == "payment_unavailable" && later::is_payable_nowhere(memory, id),
        Expect::Completed { approve: true, .. } => matches!(code.as_str(), "out_of_stock" | "ids_exhausted"),
        Expect::Completed { approve: false, .. } => matches!(code.as_str(), "out_of_stock" | "payment_failed"),
        Expect::GivenBack { id, back, parts } => due_refusal(memory, id, *back, parts) == Some(code.as_str()),
        Expect::Edited { stock_delta, .. } => code == "stock_below_zero" && *stock_delta < 0,
    };
    if let (Expect::Known { kind, id }, "not_found", false) = (&plan.expect, code.as_str(), fits) {
        judged.complaints.push(Complaint::Missing(format!("{kind:?} {id} is not found")));
    } else if !fits {
        judged.wrong(format!("refused with `{code}`"));
    }
    judged.refused = Some(code);
}

fn due_refusal(memory: &Memory, id: &str, back: Back, parts: &Parts) -> Option<&'static str> {
    given_back(memory.seen(Kind::Order, id)?, back, parts, memory.opening.terms).err()
}

fn success(judged: &mut Judged, plan: &Plan, memory: &Memory, answer: &Value, asked: Asked) -> Result<(), String> {
    match &plan.expect {
        Expect::Shelf => shelf(judged, memory, answer, asked.sent),
        Expect::Known { kind, id } => known(judged, memory, &Seen::parse(*kind, answer)?, id),
        Expect::Cart { id, wanted } => {
            let seen = Seen::parse(Kind::Cart, answer)?;
            lines(judged, memory, &seen, wanted, asked.sent);
            new_or(judged, memory, &seen, id.as_ref(), None);
            judged.is(seen, None);
        }
        Expect::Checkout { id, cart, wanted, ready } => {
            let seen = Seen::parse(Kind::Checkout, answer)?;
            lines(judged, memory, &seen, wanted, asked.sent);
            new_or(judged, memory, &seen, id.as_ref(), cart.as_ref());
            checkout_state(judged, &seen, *ready);
            if !asked.repeated {
                repriced(judged, memory, &seen, answer);
            }
            judged.is(seen, cart.as_ref());
        }
        Expect::Canceled { kind, id } => canceled(judged, memory, Seen::parse(*kind, answer)?, id),
        Expect::Completed { id, approve } => {
            completed(judged, memory, Seen::parse(Kind::Checkout, answer)?, id, *approve)
        }
        Expect::OnPage { id } => later::on_page(judged, memory, answer, id)?,
        Expect::Later { id, left } => {
            later::looked(judged, memory, Seen::parse(Kind::Checkout, answer)?, id, *left);
        }
        Expect::GivenBack { id, back, parts } => {
            gave_back(judged, memory, Seen::parse(Kind::Order, answer)?, id, *back, parts);
        }
        Expect::Edited { product, price, stock_delta } => {
            edited(judged, answer.get("product").unwrap_or(&Value::Null), product, *price, *stock_delta);
        }
    }
    Ok(())
}

fn shelf(judged: &mut Judged, memory: &Memory, answer: &Value, sent: Option<Instant>) {
    for (product, price) in shown(answer) {
        if !memory.was_current(&product, price, sent, SHOWN_SLACK) {
            judged.wrong(format!("product {product} shown at {price}"));
        }
    }
}

/// Products and prices of a catalogue answer.
pub fn shown(answer: &Value) -> Vec<(String, i64)> {
    let pair =
        |product: &Value| Some((text(product, "id").ok()?, product.pointer("/variants/0/price").and_then(amount)?));
    list(answer, "products").iter().chain(answer.get("product")).filter_map(pair).collect()
}

fn known(judged: &mut Judged, memory: &Memory, got: &Seen, id: &str) {
    judged.complaints.extend(compare(memory, got, id).into_iter().map(Complaint::Wrong));
    // Only the first look teaches: what was acknowledged stays what it was.
    let first_look = memory.seen(got.kind, id).is_none_or(|seen| seen.lines.iter().any(|line| line.id.is_empty()));
    let unknown = !memory.known.contains_key(&(got.kind, id.to_owned()));
    if judged.complaints.is_empty() && (first_look || unknown) {
        judged.is(got.clone(), None);
    }
}

/// What is wrong with a resource that is shown, against what is remembered of it.
pub fn compare(memory: &Memory, got: &Seen, id: &str) -> Option<String> {
    if got.id != id {
        return Some(format!("{:?} {id} asked, {} shown", got.kind, got.id));
    }
    match memory.known.get(&(got.kind, id.to_owned())) {
        // Made before the run, on terms of its own: what is shown first is what counts.
        None => None,
        Some(known) => match &known.seen {
            None => Some(format!("{:?} {id} is gone, yet shown", got.kind)),
            // A cart's prices are the moment's, so they are not remembered, but they must add up.
            Some(seen) if got.kind == Kind::Cart => {
                seen.differs_from(got).or_else(|| broken_sum(got, memory.opening.terms))
            }
            Some(seen) => seen.differs_from(got),
        },
    }
}

/// The lines are those that were asked for, at prices that are current, and they add up.
fn lines(judged: &mut Judged, memory: &Memory, seen: &Seen, wanted: &Wanted, sent: Option<Instant>) {
    let mut wanted = wanted.clone();
    wanted.sort();
    if seen.wanted() != wanted {
        judged.wrong(format!("{:?} {} asked for {wanted:?}, shows {:?}", seen.kind, seen.id, seen.wanted()));
    }
    for Line { product, price, .. } in &seen.lines {
        let price = price.unwrap_or(0);
        if !memory.was_current(product, price, sent, Duration::ZERO) {
            judged.wrong(format!("{:?} {} prices {product} at {price}", seen.kind, seen.id));
        }
    }
    if let Some(broken) = broken_sum(seen, memory.opening.terms) {
        judged.wrong(broken);
    }
}

/// The id is the one asked for, or new. A cart that is already being checked out gives that checkout again.
fn new_or(judged: &mut Judged, memory: &Memory, seen: &Seen, id: Option<&String>, cart: Option<&String>) {
    match id {
        Some(id) if *id != seen.id => judged.wrong(format!("{:?} {id} asked, {} shown", seen.kind, seen.id)),
        Some(_) => {}
        None => {
            let known = memory.known.get(&(seen.kind, seen.id.clone()));
            if known.is_some_and(|known| cart.is_none() || known.cart.as_ref() != cart) {
                judged.complaints.push(Complaint::Twice(format!("{:?} {} was given out before", seen.kind, seen.id)));
            }
        }
    }
}

fn checkout_state(judged: &mut Judged, seen: &Seen, ready: bool) {
    let state = if ready { "ready_for_complete" } else { "incomplete" };
    if seen.status != state {
        judged.wrong(format!("checkout {} is {}, not {state}", seen.id, seen.status));
    }
}

/// Frozen totals change only with a word of warning, unless the shopper asked for other lines.
fn repriced(judged: &mut Judged, memory: &Memory, seen: &Seen, answer: &Value) {
    let Some(before) = memory.seen(Kind::Checkout, &seen.id) else {
        return;
    };
    let same = |name: &str| before.total(name) == seen.total(name);
    let warned = list(answer, "messages").iter().any(|message| text(message, "code").as_deref() == Ok("price_changed"));
    if before.wanted() == seen.wanted() && !(same("subtotal") && same("tax")) && !warned {
        judged.wrong(format!(
            "totals of checkout {} changed without a word: {:?} → {:?}",
            seen.id, before.totals, seen.totals
        ));
    }
}

fn canceled(judged: &mut Judged, memory: &Memory, seen: Seen, id: &str) {
    let mut expected = memory.seen(seen.kind, id).cloned();
    if let (Some(expected), Kind::Checkout) = (&mut expected, seen.kind) {
        expected.status = "canceled".to_owned();
    }
    if let Some(differs) = expected.and_then(|expected| expected.differs_from(&seen)) {
        judged.wrong(differs);
    }
    judged.id = Some(id.to_owned());
    judged.changes.push(match seen.kind {
        Kind::Cart => Change::Gone { kind: Kind::Cart, id: id.to_owned() },
        Kind::Checkout | Kind::Order => Change::Is { seen, cart: None },
    });
}

fn completed(judged: &mut Judged, memory: &Memory, seen: Seen, id: &str, approve: bool) {
    if !approve {
        judged.wrong(format!("checkout {id} was declined, and completed"));
    }
    ordered(judged, memory, seen, id);
}

/// The checkout has become its one order, the same as ever.
fn ordered(judged: &mut Judged, memory: &Memory, seen: Seen, id: &str) {
    let Some(order) = seen.order.clone() else {
        return judged.wrong(format!("checkout {id} completed without an order"));
    };
    if let Some(before) = memory.seen(Kind::Checkout, id) {
        let mut expected = before.clone();
        (expected.status, expected.order) = ("completed".to_owned(), Some(order.clone()));
        if let Some(differs) = expected.differs_from(&seen) {
            judged.wrong(differs);
        }
    }
    let first = memory.orders.get(id);
    let taken = memory.known.contains_key(&(Kind::Order, order.clone()));
    if first.is_some_and(|first| *first != order) || (first.is_none() && taken) {
        judged.complaints.push(Complaint::Twice(format!("checkout {id} has order {order}, after {first:?}")));
    }
    if first.is_none() {
        judged.changes.push(Change::Is { seen: order_of(&seen, &order), cart: None });
        // Units that are kept for whoever pays later are sold already.
        if memory.seen(Kind::Checkout, id).is_none_or(|before| before.status != later::WAITS) {
            judged.changes.extend(sold(&seen));
        }
    }
    if let Some(cart) = memory.known.get(&(Kind::Checkout, id.to_owned())).and_then(|known| known.cart.clone()) {
        judged.changes.push(Change::Gone { kind: Kind::Cart, id: cart });
    }
    judged.is(seen, None);
    judged.id = Some(order);
}

fn sold(seen: &Seen) -> impl Iterator<Item = Change> {
    seen.lines.iter().map(|line| Change::Sold { product: line.product.clone(), units: line.quantity })
}

fn gave_back(judged: &mut Judged, memory: &Memory, seen: Seen, id: &str, back: Back, parts: &Parts) {
    let Some(before) = memory.seen(Kind::Order, id) else {
        return judged.wrong(format!("order {id} was never acknowledged, yet changed"));
    };
    match given_back(before, back, parts, memory.opening.terms) {
        Ok(expected) => {
            if let Some(differs) = expected.differs_from(&seen) {
                judged.wrong(differs);
            }
        }
        Err(code) => judged.wrong(format!("{} of order {id} went through; it should be refused: {code}", back.word())),
    }
    let was: BTreeMap<&str, i64> = before.lines.iter().map(|line| (line.id.as_str(), line.left)).collect();
    // Lines are matched by id; where the order was never looked at, by product, which no order has twice.
    let by_product: BTreeMap<&str, i64> = before.lines.iter().map(|line| (line.product.as_str(), line.left)).collect();
    for line in &seen.lines {
        let before = was.get(line.id.as_str()).or_else(|| by_product.get(line.product.as_str()));
        let units = before.map_or(0, |before| before - line.left);
        if units != 0 {
            judged.changes.push(Change::Returned { product: line.product.clone(), units });
        }
    }
    judged.is(seen, None);
}

fn edited(judged: &mut Judged, answer: &Value, product: &str, price: Option<i64>, stock_delta: i64) {
    let shown = answer.pointer("/variants/0/price").and_then(amount);
    if text(answer, "id").as_deref() != Ok(product) || (price.is_some() && shown != price) {
        judged.wrong(format!("edit of product {product} to {price:?} shows {answer}"));
    }
    if let Some(price) = price {
        judged.changes.push(Change::Priced { product: product.to_owned(), price });
    }
    if stock_delta != 0 {
        judged.changes.push(Change::Adjusted { product: product.to_owned(), units: stock_delta });
    }
    judged.id = Some(product.to_owned());
}

#[cfg(test)]
mod tests {
    use super::{Asked, Complaint, judge};
    use crate::arithmetic::Terms;
    use crate::memory::{Change, Memory, Opening};
    use crate::plan::Plan;
    use crate::seen::Kind;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::time::Instant;

    fn memory() -> Memory {
        let opening =
            Opening { shop: "1".into(), terms: Terms::new("IDR", 1100, 0), stock: BTreeMap::new(), orders: Vec::new() };
        let mut memory = Memory::new(opening);
        memory.stocked("p", 10_000);
        memory
    }

    /// A checkout or an order of one unit of `p` at this price.
    fn answer(id: &str, status: &str, price: i64, order: Option<&str>) -> Value {
        let tax = (price * 11 / 100 + 50) / 100 * 100;
        let line = json!({"id": "l", "item": {"id": "p", "price": price}, "quantity": 1,
            "totals": [{"type": "total", "amount": price}]});
        let totals = json!([{"type": "subtotal", "amount": price}, {"type": "tax", "amount": tax},
            {"type": "total", "amount": price + tax}]);
        let order = order.map(|id| json!({"id": id}));
        json!({"ucp": {"status": "success"}, "id": id, "status": status, "line_items": [line], "totals": totals, "order": order})
    }

    fn refusal(code: &str) -> Value {
        json!({"ucp": {"status": "error"}, "messages": [{"type": "error", "code": code}]})
    }

    /// What is complained of, after the plan's answer to each of these.
    fn complaints(memory: &mut Memory, plan: &Plan, answer: &Value, repeated: bool) -> Vec<String> {
        let judged = judge(plan, memory, answer, Asked { sent: Some(Instant::now()), repeated });
        judged.changes.iter().for_each(|change| memory.apply(change, Instant::now()));
        let word = |complaint: Complaint| match complaint {
            Complaint::Wrong(what) => format!("wrong: {what}"),
            Complaint::Twice(what) => format!("twice: {what}"),
            Complaint::Missing(what) => format!("missing: {what}"),
        };
        judged.complaints.into_iter().map(word).collect()
    }

    fn check(memory: &mut Memory, plan: &Plan, answer: &Value, complaint: Option<&str>) {
        let got = complaints(memory, plan, answer, false);
        match complaint {
            None => assert_eq!(got, Vec::<String>::new()),
            Some(part) => assert!(got.len() == 1 && got[0].contains(part), "{part}: {got:?}"),
        }
    }

    fn wanted() -> Vec<(String, i64)> {
        vec![("p".to_owned(), 1)]
    }

    fn create() -> Plan {
        Plan::checkout_create("k".into(), "1", None, wanted())
    }

    fn complete(approve: bool) -> Plan {
        Plan::complete("k".into(), "1", "c", approve)
    }

    #[test]
    fn a_sale_is_right_and_its_order_costs_what_the_checkout_cost() {
        let mut memory = memory();
        check(&mut memory, &create(), &answer("c", "incomplete", 10_000, None), None);
        check(&mut memory, &complete(true), &answer("c", "completed", 10_000, Some("o")), None);
        check(&mut memory, &Plan::get("1", Kind::Order, "o"), &answer("o", "paid", 10_000, None), None);
        check(
            &mut memory,
            &Plan::get("1", Kind::Order, "o"),
            &answer("o", "paid", 20_000, None),
            Some("lines of Order o"),
        );
        assert_eq!(memory.moves().sold, 1);
    }

    #[test]
    fn a_price_that_never_was_and_an_id_given_out_twice_are_named() {
        check(&mut memory(), &create(), &answer("c", "incomplete", 30_000, None), Some("prices p at 30000"));
        let mut memory = memory();
        check(&mut memory, &create(), &answer("c", "incomplete", 10_000, None), None);
        check(&mut memory, &create(), &answer("c", "incomplete", 10_000, None), Some("twice: Checkout c"));
    }

    #[test]
    fn frozen_totals_change_only_with_a_word_unless_the_answer_is_a_repeated_one() {
        let update = Plan::checkout_update("k".into(), "1", "c", wanted(), 1);
        let mut changed = answer("c", "ready_for_complete", 20_000, None);
        let after_a_price = || {
            let mut memory = memory();
            check(&mut memory, &create(), &answer("c", "incomplete", 10_000, None), None);
            memory.price_asked("p", 20_000);
            memory
        };
        check(&mut after_a_price(), &update, &changed, Some("without a word"));
        assert_eq!(complaints(&mut after_a_price(), &update, &changed, true), Vec::<String>::new());
        changed["messages"] = json!([{"type": "warning", "code": "price_changed"}]);
        check(&mut after_a_price(), &update, &changed, None);
    }

    #[test]
    fn a_decline_that_pays_and_a_second_order_are_named() {
        let mut memory = memory();
        check(&mut memory, &create(), &answer("c", "incomplete", 10_000, None), None);
        check(&mut memory, &complete(false), &refusal("payment_failed"), None);
        check(&mut memory, &complete(true), &refusal("payment_failed"), Some("refused with `payment_failed`"));
        check(&mut memory, &complete(false), &answer("c", "completed", 10_000, Some("o")), Some("was declined"));
        let second = complaints(&mut memory, &complete(true), &answer("c", "completed", 10_000, Some("o2")), false);
        assert!(second.iter().any(|what| what.starts_with("twice: checkout c has order o2")), "{second:?}");
        assert_eq!(memory.moves().sold, 1, "what one checkout takes is taken once");
    }

    #[test]
    fn what_was_acknowledged_is_missing_and_what_is_gone_is_not() {
        let mut memory = memory();
        let get = Plan::get("1", Kind::Checkout, "c");
        check(&mut memory, &create(), &answer("c", "incomplete", 10_000, None), None);
        check(&mut memory, &get, &refusal("not_found"), Some("missing: Checkout c"));
        memory.apply(&Change::Gone { kind: Kind::Checkout, id: "c".into() }, Instant::now());
        check(&mut memory, &get, &refusal("not_found"), None);
        check(&mut memory, &get, &answer("c", "incomplete", 10_000, None), Some("is gone, yet shown"));
    }

    #[test]
    fn a_shelf_refuses_nothing_and_an_edit_only_stock_below_zero() {
        let mut memory = memory();
        check(&mut memory, &Plan::product("1", "p"), &refusal("not_found"), Some("refused with `not_found`"));
        check(&mut memory, &Plan::edit("k".into(), "1", "p", None, -5), &refusal("stock_below_zero"), None);
        check(
            &mut memory,
            &Plan::edit("k".into(), "1", "p", None, 5),
            &refusal("stock_below_zero"),
            Some("refused with"),
        );
        check(&mut memory, &Plan::product("1", "p"), &json!({"id": "p"}), Some("no ucp.status"));
    }
}
