//! The provider's own book beside the shops': whatever a buyer paid was paid once, and there is one completed checkout for
//! it; and an order that was paid later was paid, and its money stayed.
//!
//! Nobody here gives back what was paid later. Money of a second code, or of a code whose order could not be placed, may
//! rightly go back; a charge all of whose money went back has paid nothing. Absent on purpose: payouts. They name no charge.
//!
//! All of it counts, whoever paid: people at the host page too.

use crate::findings::Findings;
use crate::later::Stage;
use crate::memory::Memory;
use crate::seen::{Kind, list, text};
use crate::truth::Collected;
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeMap;

/// The provider counts whole rupiah.
const RUPIAH: i64 = 100;

/// What came by one charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    id: String,
    reference: String,
    /// Each payment, in minor units.
    came: Vec<i64>,
    /// What went back of it, or is on its way.
    back: i64,
}

/// Of the provider; none where it is not known, or its book is closed to us.
pub async fn all(world: &World) -> anyhow::Result<Option<Vec<Charge>>> {
    let addresses = world.client.addresses();
    let (Some(control), Some(key)) = (addresses.provider_control, addresses.keys.provider) else { return Ok(None) };
    Ok(Some(read(&world.client.book(&control, "/book", &key).await?)))
}

fn read(book: &Value) -> Vec<Charge> {
    let mut came: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for movement in list(book, "movement").iter().filter(|it| text(it, "kind").as_deref() == Ok("captured")) {
        let amount = movement.get("amount").and_then(Value::as_i64).unwrap_or(0);
        came.entry(text(movement, "charge").unwrap_or_default()).or_default().push(amount * RUPIAH);
    }
    let mut back: BTreeMap<String, i64> = BTreeMap::new();
    for refund in list(book, "refund").iter().filter(|it| text(it, "status").as_deref() != Ok("rejected")) {
        let amount = refund.get("amount").and_then(Value::as_i64).unwrap_or(0);
        *back.entry(text(refund, "charge").unwrap_or_default()).or_default() += amount * RUPIAH;
    }
    let charge = |row: &Value| {
        let (id, reference) = (text(row, "id").ok()?, text(row, "reference").ok()?);
        let (came, back) = (came.remove(&id).unwrap_or_default(), back.remove(&id).unwrap_or_default());
        Some(Charge { id, reference, came, back })
    };
    list(book, "charge").iter().filter_map(charge).collect()
}

impl Charge {
    /// What came by it and stayed.
    fn stayed(&self) -> i64 {
        self.came.iter().sum::<i64>() - self.back
    }
}

/// By shop: what each reference is about.
pub type Books = BTreeMap<String, BTreeMap<String, Collected>>;

/// Compares the provider's book with the shops' and with what their buyers know.
pub fn audit(charges: &[Charge], books: &Books, memories: &BTreeMap<String, Memory>, findings: &mut Findings) {
    let mut paid = Paid::new();
    for charge in charges.iter().filter(|charge| !charge.came.is_empty()) {
        if charge.came.len() > 1 {
            findings.twice(format!("charge {} was paid {} times", charge.id, charge.came.len()));
        }
        let of = |(shop, references): (&'_ String, &'_ BTreeMap<String, Collected>)| {
            references.contains_key(&charge.reference).then(|| shop.clone())
        };
        let shops: Vec<String> = books.iter().filter_map(of).collect();
        if shops.len() > 1 {
            findings.twice(format!("charge {} is in the books of shops {shops:?}", charge.id));
        }
        let found = books.iter().find_map(|(shop, references)| Some((shop, references.get(&charge.reference)?)));
        let gone = charge.stayed() == 0;
        if let Some((shop, Collected { checkout, .. })) = found.filter(|_| gone) {
            // It may have been the second one, so it hides no other.
            paid.entry((shop, checkout)).or_insert(0);
            continue;
        }
        let Some((shop, Collected { checkout, order: Some(order) })) = found else {
            let shop = shops.into_iter().next().unwrap_or_default();
            findings.missing((shop, Kind::Order, format!("of paid charge {}", charge.id)));
            continue;
        };
        if paid.insert((shop, checkout), charge.stayed()).is_some_and(|before| before != 0) {
            findings.twice(format!("shop {shop} checkout {checkout} was paid by two charges"));
        }
        let known = memories.get(shop).and_then(|memory| memory.orders.get(checkout));
        if known.is_some_and(|known| known != order) {
            findings.twice(format!("shop {shop} checkout {checkout} is order {known:?}, and {order} was paid"));
        }
    }
    for (shop, memory) in memories {
        unpaid(shop, memory, &paid, findings);
    }
}

/// What stayed, by shop and checkout; 0 where all of it went back.
type Paid<'a> = BTreeMap<(&'a str, &'a str), i64>;

/// Orders that nobody paid, or not what they cost, or whose money went back.
fn unpaid(shop: &str, memory: &Memory, paid: &Paid<'_>, findings: &mut Findings) {
    for (checkout, _) in memory.later.iter().filter(|(_, later)| later.stage == Stage::Completed) {
        let due = memory.seen(Kind::Checkout, checkout).map_or(0, |seen| seen.total("total"));
        match paid.get(&(shop, checkout.as_str())) {
            None => findings.missing((shop.to_owned(), Kind::Checkout, format!("the payment of {checkout}"))),
            Some(came) if *came != due => {
                let thing = (shop.to_owned(), Kind::Checkout, checkout.clone());
                findings.different(thing, &format!("checkout {checkout} costs {due}, and {came} was paid and stayed"));
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Books, audit, read};
    use crate::arithmetic::Terms;
    use crate::findings::Findings;
    use crate::later::Step;
    use crate::memory::{Change, Memory, Opening};
    use crate::seen::{Kind, Seen};
    use crate::truth::Collected;
    use serde_json::json;
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Instant;

    /// A shop in which checkout `c` was paid later, and is order `o`.
    fn memories() -> BTreeMap<String, Memory> {
        let opening =
            Opening { shop: "1".into(), terms: Terms::new("IDR", 1100, 0), stock: BTreeMap::new(), orders: Vec::new() };
        let mut memory = Memory::new(opening);
        let answer = json!({"id": "c", "status": "completed", "line_items": [], "order": {"id": "o"},
            "totals": [{"type": "total", "amount": 500}]});
        let seen = Seen::parse(Kind::Checkout, &answer).unwrap();
        let step = |step| Change::Later { checkout: "c".into(), step };
        let chooses = step(Step::Chooses { link: String::new() });
        for change in [Change::Is { seen, cart: None }, chooses, step(Step::Completed)] {
            memory.apply(&change, Instant::now());
        }
        BTreeMap::from([("1".to_owned(), memory)])
    }

    fn about(reference: &str, checkout: &str, order: Option<&str>) -> (String, Collected) {
        (reference.to_owned(), Collected { checkout: checkout.to_owned(), order: order.map(str::to_owned) })
    }

    /// Missing, different and twice, after payments (charge, rupiah) and what the shop's books say of the references.
    fn check(payments: &[(&str, i64)], books: &[(String, Collected)], found: (usize, usize, usize)) {
        check_back(payments, &[], books, found);
    }

    /// The same with what went back (charge, rupiah, status).
    fn check_back(
        payments: &[(&str, i64)],
        back: &[(&str, i64, &str)],
        books: &[(String, Collected)],
        found: (usize, usize, usize),
    ) {
        let refund = |(charge, amount, status): &(&str, i64, &str)| json!({"charge": charge, "amount": amount, "status": status});
        let refunds: Vec<_> = back.iter().map(refund).collect();
        let charges = ["a", "b"].map(|id| json!({"id": id, "reference": format!("r{id}")}));
        let movement = |(charge, amount): &(&str, i64)| json!({"charge": charge, "kind": "captured", "amount": amount});
        let movements: Vec<_> = payments.iter().map(movement).collect();
        let charges = read(&json!({"charge": charges, "movement": movements, "refund": refunds}));
        let books = Books::from([("1".to_owned(), books.iter().cloned().collect())]);
        let mut findings = Findings::new(BTreeSet::new());
        audit(&charges, &books, &memories(), &mut findings);
        let got = (findings.missing.len(), findings.different.len(), findings.twice.len());
        assert_eq!(got, found, "{payments:?} {back:?} {books:?}: {:?}", findings.examples);
    }

    #[test]
    fn what_was_paid_once_for_one_order_is_right_and_everything_else_is_named() {
        let ordered = || vec![about("ra", "c", Some("o")), about("rb", "c", None)];
        check(&[("a", 5)], &ordered(), (0, 0, 0));
        check(&[("a", 5), ("a", 5)], &ordered(), (0, 1, 1));
        check(&[("a", 4)], &ordered(), (0, 1, 0));
        check(&[], &ordered(), (1, 0, 0));
        // Paid, and no order; paid, and nobody knows for what.
        check(&[("a", 5), ("b", 5)], &ordered(), (1, 0, 0));
        check(&[("a", 5), ("b", 5)], &[about("ra", "c", Some("o"))], (1, 0, 0));
        // Two charges of one checkout, and a second order.
        check(&[("a", 5), ("b", 5)], &[about("ra", "c", Some("o")), about("rb", "c", Some("o"))], (0, 0, 1));
        check(&[("a", 5)], &[about("ra", "c", Some("p"))], (0, 0, 1));
    }

    #[test]
    fn money_of_an_order_stays_and_that_of_a_second_code_may_go_back() {
        let two = || vec![about("ra", "c", Some("o")), about("rb", "c", Some("o"))];
        let not_placed = || vec![about("ra", "c", Some("o")), about("rb", "d", None)];
        for status in ["accepted", "confirmed"] {
            check_back(&[("a", 5)], &[("a", 5, status)], &two(), (0, 1, 0));
            check_back(&[("a", 5)], &[("a", 2, status)], &two(), (0, 1, 0));
            check_back(&[("a", 5)], &[("a", 5, status), ("a", 5, status)], &two(), (0, 1, 0));
            for second in ["a", "b"] {
                check_back(&[("a", 5), ("b", 5)], &[(second, 5, status)], &two(), (0, 0, 0));
            }
            check_back(&[("a", 5), ("b", 5)], &[("a", 5, status), ("b", 5, status)], &two(), (0, 1, 0));
            check_back(&[("a", 5), ("b", 5)], &[("b", 5, status)], &not_placed(), (0, 0, 0));
            // Given back by nobody's book.
            check_back(&[("a", 5), ("b", 5)], &[("b", 5, status)], &[about("ra", "c", Some("o"))], (1, 0, 0));
        }
        check_back(&[("a", 5)], &[("a", 5, "rejected")], &two(), (0, 0, 0));
    }
}
