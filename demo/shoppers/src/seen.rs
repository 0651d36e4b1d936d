//! What an answer shows of a cart, a checkout or an order: the part that the oracle remembers and compares.
//!
//! Absent on purpose: titles, buyers, addresses, times. Compared are id, status, lines, totals and money given back.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Cart,
    Checkout,
    Order,
}

impl Kind {
    /// The first part of its paths.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Cart => "carts",
            Self::Checkout => "checkout-sessions",
            Self::Order => "orders",
        }
    }
}

/// Money in minor units. `order` is a checkout's; `adjustments` and `recorded_total` (decimal text of a history
/// order) are an order's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub kind: Kind,
    pub id: String,
    pub status: String,
    pub lines: Vec<Line>,
    pub totals: BTreeMap<String, i64>,
    pub order: Option<String>,
    pub adjustments: Vec<Adjustment>,
    pub recorded_total: Option<String>,
    /// The number of an order's invoice; none where nobody has looked yet.
    #[serde(default)]
    pub invoice: Option<String>,
}

/// `id` is empty for a line of an order that nobody has looked at yet. `left` is `quantity` without what was
/// cancelled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    pub id: String,
    pub product: String,
    pub price: Option<i64>,
    pub quantity: i64,
    pub left: i64,
    pub total: Option<i64>,
}

/// Money given back: units by line (none named where a whole order was), and the amount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Adjustment {
    #[serde(rename = "type")]
    pub of: String,
    pub units: BTreeMap<String, i64>,
    pub amount: i64,
}

impl Seen {
    /// Reads a resource of the wire; the error names the field that is missing.
    pub fn parse(kind: Kind, from: &Value) -> Result<Self, String> {
        let lines = list(from, "line_items").iter().map(line).collect::<Result<_, _>>()?;
        let adjustments = list(from, "adjustments").iter().map(adjustment).collect::<Result<_, _>>()?;
        Ok(Self {
            kind,
            id: text(from, "id")?,
            status: if kind == Kind::Cart { "open".to_owned() } else { text(from, "status")? },
            lines,
            totals: totals(from),
            order: from.pointer("/order/id").and_then(Value::as_str).map(str::to_owned),
            adjustments,
            recorded_total: from.get("recorded_total").and_then(Value::as_str).map(str::to_owned),
            invoice: from.pointer("/invoice/number").and_then(Value::as_str).map(str::to_owned),
        })
    }

    pub fn total(&self, name: &str) -> i64 {
        self.totals.get(name).copied().unwrap_or(0)
    }

    /// The products and quantities, in an order of their own.
    pub fn wanted(&self) -> Vec<(String, i64)> {
        let mut wanted: Vec<_> = self.lines.iter().map(|line| (line.product.clone(), line.quantity)).collect();
        wanted.sort();
        wanted
    }

    /// What is remembered of this one that `got` does not show; none where they are the same. A cart's prices are
    /// the catalogue's of the moment and are no part of it; a line without an id accepts any.
    pub fn differs_from(&self, got: &Self) -> Option<String> {
        let (old, new) = (self.compared(false), got.compared(self.lines.iter().any(|line| line.id.is_empty())));
        let fields = [
            ("id", old.id != new.id),
            ("status", old.status != new.status),
            ("lines", old.lines != new.lines),
            ("totals", old.totals != new.totals || old.recorded_total != new.recorded_total),
            ("order", old.order != new.order),
            ("adjustments", old.adjustments != new.adjustments),
            ("invoice", old.invoice.is_some() && old.invoice != new.invoice),
        ];
        let (name, _) = fields.iter().find(|(_, differs)| *differs)?;
        Some(format!("{name} of {:?} {}: expected {old:?}, got {new:?}", self.kind, self.id))
    }

    fn compared(&self, without_line_ids: bool) -> Self {
        let mut seen = self.clone();
        if seen.kind == Kind::Cart {
            seen.totals.clear();
            seen.lines.iter_mut().for_each(|line| (line.price, line.total) = (None, None));
        }
        if without_line_ids {
            seen.lines.iter_mut().for_each(|line| line.id.clear());
        }
        seen.totals.retain(|_, amount| *amount != 0);
        seen.recorded_total = seen.recorded_total.map(without_idle_zeros);
        seen.lines.sort();
        seen.adjustments.sort();
        seen
    }
}

/// The text under a name; an error that says which is missing.
pub fn text(from: &Value, name: &str) -> Result<String, String> {
    from.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("no text `{name}` in {from}"))
}

/// The elements under a name; none where it is absent.
pub fn list<'a>(from: &'a Value, name: &str) -> &'a [Value] {
    from.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An amount, plain or with its currency beside it.
pub fn amount(from: &Value) -> Option<i64> {
    from.as_i64().or_else(|| from.get("amount").and_then(Value::as_i64))
}

/// The same decimal, however many places it was written with.
fn without_idle_zeros(decimal: String) -> String {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.').to_owned() } else { decimal }
}

fn totals(from: &Value) -> BTreeMap<String, i64> {
    let pair = |total: &Value| Some((text(total, "type").ok()?, amount(total)?));
    list(from, "totals").iter().filter_map(pair).collect()
}

fn line(from: &Value) -> Result<Line, String> {
    let item = from.get("item").unwrap_or(&Value::Null);
    let quantity = from.get("quantity").unwrap_or(&Value::Null);
    let ordered = quantity.as_i64().or_else(|| quantity.get("original").and_then(Value::as_i64));
    let ordered = ordered.ok_or_else(|| format!("no quantity in line {from}"))?;
    Ok(Line {
        id: text(from, "id").unwrap_or_default(),
        product: text(item, "id").or_else(|_| text(item, "title"))?,
        price: item.get("price").and_then(amount),
        quantity: ordered,
        left: quantity.get("total").and_then(Value::as_i64).unwrap_or(ordered),
        total: totals(from).get("total").copied(),
    })
}

fn adjustment(from: &Value) -> Result<Adjustment, String> {
    let unit = |line: &Value| Some((text(line, "id").ok()?, -line.get("quantity").and_then(Value::as_i64)?));
    Ok(Adjustment {
        of: text(from, "type")?,
        units: list(from, "line_items").iter().filter_map(unit).collect(),
        amount: -totals(from).get("total").copied().ok_or_else(|| format!("no total in adjustment {from}"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Kind, Seen};
    use serde_json::{Value, json};

    fn order(line_id: &str, left: i64) -> Seen {
        let answer = json!({"id": "9", "status": "paid", "line_items": [
            {"id": line_id, "item": {"id": "p", "title": "P", "price": 500}, "quantity": {"original": 2, "total": left},
             "totals": [{"type": "total", "amount": 1000}]}],
            "totals": [{"type": "subtotal", "amount": 1000}, {"type": "fulfillment", "amount": 0}, {"type": "total", "amount": 1000}]});
        Seen::parse(Kind::Order, &answer).unwrap()
    }

    #[test]
    fn a_line_nobody_has_seen_yet_accepts_any_id_and_nothing_else() {
        assert_eq!(order("", 2).differs_from(&order("7", 2)), None);
        assert!(order("7", 2).differs_from(&order("8", 2)).unwrap().starts_with("lines"));
        assert!(order("", 2).differs_from(&order("7", 1)).unwrap().starts_with("lines"));
    }

    #[test]
    fn the_number_of_an_invoice_stays_once_it_was_shown() {
        let numbered = |number: Option<&str>| Seen { invoice: number.map(str::to_owned), ..order("7", 2) };
        assert_eq!(numbered(None).differs_from(&numbered(Some("61"))), None);
        assert_eq!(numbered(Some("61")).differs_from(&numbered(Some("61"))), None);
        for other in [None, Some("62")] {
            assert!(numbered(Some("61")).differs_from(&numbered(other)).unwrap().starts_with("invoice"));
        }
    }

    #[test]
    fn a_cart_is_compared_without_the_prices_of_the_moment() {
        let cart = |price: i64, quantity: i64| {
            let line = json!({"id": "1", "item": {"id": "p", "price": price}, "quantity": quantity});
            Seen::parse(
                Kind::Cart,
                &json!({"id": "c", "line_items": [line], "totals": [{"type": "total", "amount": price}]}),
            )
            .unwrap()
        };
        assert_eq!(cart(500, 1).differs_from(&cart(700, 1)), None);
        assert!(cart(500, 1).differs_from(&cart(500, 2)).is_some());
    }

    #[test]
    fn a_history_order_keeps_its_recorded_total_as_text() {
        let history = |total: &str| {
            let line = json!({"id": "3", "item": {"title": "CREAM"}, "quantity": {"original": -1}});
            let answer =
                json!({"id": "h", "status": "history", "line_items": [line], "totals": [], "recorded_total": total});
            Seen::parse(Kind::Order, &answer).unwrap()
        };
        assert_eq!(history("-4.950").lines[0].product, "CREAM");
        assert_eq!(history("-4.950").differs_from(&history("-4.95")), None);
        assert!(history("-4.951").differs_from(&history("-4.95")).unwrap().starts_with("totals"));
        assert!(history("40").differs_from(&history("4")).is_some());
    }

    #[test]
    fn an_answer_without_an_id_is_named() {
        assert!(Seen::parse(Kind::Cart, &Value::Null).unwrap_err().contains("`id`"));
    }
}
