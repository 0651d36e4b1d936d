//! The shop's arithmetic, done a second time: what totals must be, and what a cancellation or refund gives back.
//!
//! Written from the commercial rules, not from either shop. The two sides round tax differently (once per order, or
//! per line), and the oracle cannot see who answered: a tax is right if one of the two rules gives it.

use crate::seen::{Adjustment, Kind, Seen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// On what a shop sells. `whole` is the smallest amount it charges: 100 minor units for IDR, 1 elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub tax_bp: i64,
    pub shipping_flat: i64,
    pub whole: i64,
}

impl Terms {
    pub fn new(currency: &str, tax_bp: i64, shipping_flat: i64) -> Self {
        Self { tax_bp, shipping_flat, whole: if currency == "IDR" { 100 } else { 1 } }
    }

    /// Rounded half up to whole charges.
    fn tax(self, of: i64) -> i64 {
        let unit = 10_000 * self.whole;
        (of * self.tax_bp + unit / 2).div_euclid(unit) * self.whole
    }

    /// Down to whole charges.
    fn floor(self, amount: i64) -> i64 {
        amount.div_euclid(self.whole) * self.whole
    }
}

/// Where what is shown does not add up, or is taxed by neither rule. History keeps what was recorded.
pub fn broken_sum(seen: &Seen, terms: Terms) -> Option<String> {
    if seen.recorded_total.is_some() {
        return None;
    }
    for line in &seen.lines {
        if line.total != line.price.map(|price| price * line.quantity) {
            return Some(format!(
                "line {} of {:?} {}: {:?} × {} ≠ {:?}",
                line.id, seen.kind, seen.id, line.price, line.quantity, line.total
            ));
        }
    }
    let subtotal: i64 = seen.lines.iter().filter_map(|line| line.total).sum();
    let (shipping, tax) = (seen.total("fulfillment"), seen.total("tax"));
    let adds_up = seen.total("subtotal") == subtotal && seen.total("total") == subtotal + shipping + tax;
    let per_line: i64 = seen.lines.iter().filter_map(|line| line.total).map(|total| terms.tax(total)).sum();
    // An order of before the run may have been made on older terms.
    let taxed = seen.kind != Kind::Checkout || tax == terms.tax(subtotal) || tax == per_line;
    let shipped = seen.kind != Kind::Checkout || shipping == 0 || shipping == terms.shipping_flat;
    (!adds_up || !taxed || !shipped)
        .then(|| format!("totals of {:?} {}: {:?} over lines of {subtotal}", seen.kind, seen.id, seen.totals))
}

/// The order that a paid checkout becomes. Its lines have no ids until somebody looks.
pub fn order_of(checkout: &Seen, id: &str) -> Seen {
    let mut order = checkout.clone();
    (order.kind, order.id, order.order) = (Kind::Order, id.to_owned(), None);
    order.status = "paid".to_owned();
    order.lines.iter_mut().for_each(|line| line.id.clear());
    order
}

/// Which way money goes back: with the goods, or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Back {
    Cancellation,
    Refund,
}

impl Back {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cancellation => "cancellation",
            Self::Refund => "refund",
        }
    }
}

/// Units of lines (by line id); no lines means all that is left.
pub type Parts = Vec<(String, i64)>;

/// The order after the command, or the code of the refusal that must be the answer.
pub fn given_back(order: &Seen, back: Back, parts: &Parts, terms: Terms) -> Result<Seen, &'static str> {
    let allowed: &[&str] = match back {
        Back::Cancellation => &["paid"],
        Back::Refund => &["paid", "shipped", "done"],
    };
    if !allowed.contains(&order.status.as_str()) {
        return Err("order_not_cancellable");
    }
    let mut after = order.clone();
    if order.lines.iter().all(|line| remaining(order, &line.id) == 0) {
        return Err("quantity_exceeds_remaining");
    }
    if parts.is_empty() {
        give_back_the_rest(&mut after, back);
    } else {
        for (line, units) in parts {
            give_back_units(&mut after, back, line, *units, terms)?;
        }
    }
    if back == Back::Cancellation && after.lines.iter().all(|line| line.left == 0) {
        after.status = "cancelled".to_owned();
    }
    Ok(after)
}

fn adjusted(order: &Seen) -> i64 {
    order.adjustments.iter().map(|adjustment| adjustment.amount).sum()
}

/// Units of a line that were neither cancelled nor refunded.
fn remaining(order: &Seen, line: &str) -> i64 {
    let refunds = order.adjustments.iter().filter(|adjustment| adjustment.of == Back::Refund.word());
    let refunds = refunds.map(|adjustment| &adjustment.units);
    if refunds.clone().any(BTreeMap::is_empty) {
        return 0;
    }
    let refunded: i64 = refunds.filter_map(|units| units.get(line)).sum();
    order.lines.iter().find(|seen| seen.id == line).map_or(0, |seen| seen.left - refunded)
}

fn give_back_the_rest(order: &mut Seen, back: Back) {
    let amount = order.total("total") - adjusted(order);
    if back == Back::Cancellation {
        order.lines.iter_mut().for_each(|line| line.left = 0);
    }
    order.adjustments.push(Adjustment { of: back.word().to_owned(), units: BTreeMap::new(), amount });
}

fn give_back_units(order: &mut Seen, back: Back, id: &str, units: i64, terms: Terms) -> Result<(), &'static str> {
    if units > remaining(order, id) {
        return Err("quantity_exceeds_remaining");
    }
    let price = order.lines.iter().find(|line| line.id == id).and_then(|line| line.price).unwrap_or(0);
    let gross = price * units;
    let tax = (order.total("tax") * gross).checked_div(order.total("subtotal")).unwrap_or(0);
    let last = order.lines.iter().map(|line| remaining(order, &line.id)).sum::<i64>() == units;
    let rest = order.total("total") - adjusted(order);
    let amount = if last { rest } else { gross + terms.floor(tax) };
    if back == Back::Cancellation {
        order.lines.iter_mut().filter(|line| line.id == id).for_each(|line| line.left -= units);
    }
    order.adjustments.push(Adjustment {
        of: back.word().to_owned(),
        units: BTreeMap::from([(id.to_owned(), units)]),
        amount,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Back, Terms, broken_sum, given_back, order_of};
    use crate::seen::{Kind, Line, Seen};
    use std::collections::BTreeMap;

    const TERMS: Terms = Terms { tax_bp: 1_100, shipping_flat: 900_000, whole: 100 };

    /// A checkout over lines of (price, quantity) with this tax, shipped.
    fn checkout(lines: &[(i64, i64)], tax: i64) -> Seen {
        let line = |(at, (price, quantity)): (usize, &(i64, i64))| Line {
            id: format!("l{at}"),
            product: format!("p{at}"),
            price: Some(*price),
            quantity: *quantity,
            left: *quantity,
            total: Some(price * quantity),
        };
        let subtotal: i64 = lines.iter().map(|(price, quantity)| price * quantity).sum();
        let totals =
            [("subtotal", subtotal), ("fulfillment", 900_000), ("tax", tax), ("total", subtotal + 900_000 + tax)];
        Seen {
            kind: Kind::Checkout,
            id: "c".into(),
            status: "ready_for_complete".into(),
            lines: lines.iter().enumerate().map(line).collect(),
            totals: totals.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect(),
            order: None,
            adjustments: Vec::new(),
            recorded_total: None,
            invoice: None,
        }
    }

    fn order(lines: &[(i64, i64)], tax: i64) -> Seen {
        let checkout = checkout(lines, tax);
        let mut order = order_of(&checkout, "o");
        order.lines = checkout.lines;
        order
    }

    #[test]
    fn tax_of_either_rule_is_right_and_of_no_rule_is_not() {
        // 11 % of 15,500: half up per line 1,700 + 1,700; once per order 11 % of 31,000 = 3,410 → 3,400.
        let lines = [(1_550_000, 1), (1_549_500, 1)];
        // Once: 340,945 → 340,900. Per line: 170,500 and 170,445 → 170,500 + 170,400.
        assert_eq!(broken_sum(&checkout(&lines, 340_900), TERMS), None);
        assert!(broken_sum(&checkout(&lines, 341_000), TERMS).is_some());
        // Three lines of 450 minor: 49.5 → 0 each; together 148.5 → 100.
        let small = [(450, 1), (450, 1), (450, 1)];
        assert_eq!(broken_sum(&checkout(&small, 0), TERMS), None);
        assert_eq!(broken_sum(&checkout(&small, 100), TERMS), None);
        assert!(broken_sum(&checkout(&small, 200), TERMS).is_some());
    }

    #[test]
    fn a_total_that_does_not_add_up_is_named() {
        let mut wrong = checkout(&[(450, 2)], 100);
        wrong.totals.insert("total".into(), 1);
        assert!(broken_sum(&wrong, TERMS).unwrap().starts_with("totals of Checkout c"));
        let mut line = checkout(&[(450, 2)], 100);
        line.lines[0].total = Some(450);
        assert!(broken_sum(&line, TERMS).unwrap().starts_with("line l0"));
    }

    #[test]
    fn parts_give_back_their_share_and_the_last_takes_the_rest() {
        let order = order(&[(1_000_000, 2), (500_000, 1)], 275_000);
        let one = given_back(&order, Back::Cancellation, &vec![("l0".into(), 1)], TERMS).unwrap();
        assert_eq!((one.adjustments[0].amount, one.lines[0].left, one.status.as_str()), (1_110_000, 1, "paid"));
        let all = given_back(&one, Back::Cancellation, &vec![("l0".into(), 1), ("l1".into(), 1)], TERMS).unwrap();
        assert_eq!(all.adjustments.iter().map(|a| a.amount).sum::<i64>(), order.total("total"));
        assert_eq!(all.status, "cancelled");
    }

    #[test]
    fn the_whole_is_one_adjustment_over_what_was_left() {
        let order = order(&[(1_000_000, 2)], 220_000);
        let part = given_back(&order, Back::Cancellation, &vec![("l0".into(), 1)], TERMS).unwrap();
        let whole = given_back(&part, Back::Cancellation, &Vec::new(), TERMS).unwrap();
        assert_eq!(whole.adjustments[1].units, BTreeMap::new());
        assert_eq!(whole.adjustments[1].amount, order.total("total") - 1_110_000);
    }

    #[test]
    fn a_refund_keeps_state_and_goods_and_counts_against_what_remains() {
        let order = order(&[(1_000_000, 2)], 220_000);
        let refund = given_back(&order, Back::Refund, &vec![("l0".into(), 1)], TERMS).unwrap();
        assert_eq!((refund.status.as_str(), refund.lines[0].left), ("paid", 2));
        let again = given_back(&refund, Back::Refund, &vec![("l0".into(), 2)], TERMS);
        assert_eq!(again, Err("quantity_exceeds_remaining"));
        let mut done = order;
        done.status = "done".into();
        assert_eq!(given_back(&done, Back::Cancellation, &Vec::new(), TERMS), Err("order_not_cancellable"));
    }
}
