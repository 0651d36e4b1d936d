//! What the fake shop shows.

use super::{Document, Fault, Line, Shop};
use serde_json::{Value, json};

impl Shop {
    pub fn show(&self, kind: &str, id: &str) -> Value {
        if kind == "product" {
            return json!({"ucp": {"status": "success"}, "product": self.show_product(id)});
        }
        let document = &self.documents[&(kind.to_owned(), id.to_owned())];
        let (subtotal, mut tax, mut total) = document.sums();
        if self.fault == Fault::WrongTax {
            (tax, total) = (tax + 300, total + 300);
        }
        let mut shown = json!({"ucp": {"status": "success"}, "id": id, "currency": "IDR",
            "line_items": document.lines.iter().map(|line| line.show(kind)).collect::<Vec<_>>(),
            "totals": [{"type": "subtotal", "amount": subtotal}, {"type": "total", "amount": if kind == "carts" { subtotal } else { total }}]});
        if kind == "carts" {
            return shown;
        }
        let totals = shown["totals"].as_array_mut().unwrap();
        totals.push(json!({"type": "tax", "amount": tax}));
        totals.push(json!({"type": "fulfillment", "amount": if document.ready { 900_000 } else { 0 }}));
        shown["status"] = json!(match document.status.as_str() {
            "open" if document.ready => "ready_for_complete",
            "open" => "incomplete",
            other => other,
        });
        if let Some(order) = &document.order {
            shown["order"] = json!({"id": order});
        }
        let adjustment = |(of, line, units, amount): &(&str, Option<String>, i64, i64)| {
            let lines: Vec<Value> = line.iter().map(|id| json!({"id": id, "quantity": -units})).collect();
            json!({"type": of, "line_items": lines, "totals": [{"type": "total", "amount": -amount}]})
        };
        shown["adjustments"] = document.given_back.iter().map(adjustment).collect();
        // A price may have changed since; the fake always says so.
        shown["messages"] = json!([{"type": "warning", "code": "price_changed"}]);
        shown
    }
}

impl Document {
    /// Subtotal, tax (once per order) and total.
    pub fn sums(&self) -> (i64, i64, i64) {
        let subtotal: i64 = self.lines.iter().map(|line| line.price * line.quantity).sum();
        let tax = (subtotal * 1_100 + 500_000) / 1_000_000 * 100;
        (subtotal, tax, subtotal + tax + if self.ready { 900_000 } else { 0 } + self.skew)
    }
}

impl Line {
    fn show(&self, kind: &str) -> Value {
        let quantity = match kind {
            "orders" => json!({"original": self.quantity, "total": self.quantity - self.cancelled, "fulfilled": 0}),
            _ => json!(self.quantity),
        };
        let total = self.price * self.quantity;
        json!({"id": self.id, "item": {"id": self.product, "title": "Produk", "price": self.price}, "quantity": quantity,
            "totals": [{"type": "subtotal", "amount": total}, {"type": "total", "amount": total}]})
    }
}

pub fn refusal(code: &str) -> (u16, Value) {
    (200, json!({"ucp": {"status": "error"}, "messages": [{"type": "error", "code": code, "content": "no"}]}))
}
