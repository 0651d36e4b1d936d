//! What is said to a shop, and what is heard, as data: of docs/ucp.md the part that a person's purchase needs.

use serde::Deserialize;
use serde_json::{Value, json};

/// One request. A write has a key, and is sent again only with the very same key and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub method: &'static str,
    pub path: String,
    pub key: Option<String>,
    pub body: String,
}

/// Products and how many of each.
pub type Wanted = Vec<(String, i64)>;

/// Who buys, and where it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Details {
    pub name: String,
    pub phone: String,
    pub street: String,
    pub city: String,
    pub postal_code: String,
    /// The one way of shipping is chosen.
    pub shipping: Option<String>,
}

impl Ask {
    fn read(method: &'static str, shop: &str, rest: &str, body: &Value) -> Self {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Self { method, path: format!("/shops/{shop}/{rest}"), key: None, body }
    }

    fn write(key: String, method: &'static str, shop: &str, rest: &str, body: &Value) -> Self {
        Self { key: Some(key), ..Self::read(method, shop, rest, body) }
    }

    pub fn search(shop: &str, limit: usize) -> Self {
        Self::read("POST", shop, "catalog/search", &json!({"pagination": {"limit": limit}}))
    }

    pub fn look_up(shop: &str, product: &str) -> Self {
        Self::read("POST", shop, "catalog/lookup", &json!({"ids": [product]}))
    }

    pub fn cart(shop: &str, id: &str) -> Self {
        Self::read("GET", shop, &format!("carts/{id}"), &Value::Null)
    }

    pub fn checkout(shop: &str, id: &str) -> Self {
        Self::read("GET", shop, &format!("checkout-sessions/{id}"), &Value::Null)
    }

    pub fn order(shop: &str, id: &str) -> Self {
        Self::read("GET", shop, &format!("orders/{id}"), &Value::Null)
    }

    pub fn new_cart(key: String, shop: &str, wanted: &Wanted) -> Self {
        Self::write(key, "POST", shop, "carts", &json!({"line_items": line_items(wanted)}))
    }

    pub fn change_cart(key: String, shop: &str, id: &str, wanted: &Wanted) -> Self {
        Self::write(key, "PUT", shop, &format!("carts/{id}"), &json!({"line_items": line_items(wanted)}))
    }

    pub fn cancel_cart(key: String, shop: &str, id: &str) -> Self {
        Self::write(key, "POST", shop, &format!("carts/{id}/cancel"), &json!({}))
    }

    pub fn new_checkout(key: String, shop: &str, cart: &str) -> Self {
        Self::write(key, "POST", shop, "checkout-sessions", &json!({"cart_id": cart}))
    }

    /// Everything anew: what is left out is removed.
    pub fn change_checkout(key: String, shop: &str, id: &str, wanted: &Wanted, details: &Details) -> Self {
        let mut body = json!({"line_items": line_items(wanted)});
        let buyer = filled(&[("full_name", &details.name), ("phone_number", &details.phone)]);
        let mut address = filled(&[
            ("street_address", &details.street),
            ("address_locality", &details.city),
            ("postal_code", &details.postal_code),
        ]);
        let mut method = json!({"id": "shipping", "type": "shipping"});
        if is_filled(&address) {
            address["id"] = json!("address");
            address["type"] = json!("shipping_address");
            address["address_country"] = json!("ID");
            method["destinations"] = json!([address]);
            method["selected_destination_id"] = json!("address");
        }
        if let Some(option) = &details.shipping {
            method["groups"] = json!([{"id": "package", "selected_option_id": option}]);
        }
        if is_filled(&buyer) {
            body["buyer"] = buyer;
        }
        body["fulfillment"] = json!({"methods": [method]});
        Self::write(key, "PUT", shop, &format!("checkout-sessions/{id}"), &body)
    }

    pub fn complete(key: String, shop: &str, id: &str, approve: bool) -> Self {
        let choice = if approve { "approve" } else { "decline" };
        let instrument = json!({"id": choice, "handler_id": "instant", "type": "instant", "selected": true});
        let body = json!({"payment": {"instruments": [instrument]}});
        Self::write(key, "POST", shop, &format!("checkout-sessions/{id}/complete"), &body)
    }
}

fn line_items(wanted: &Wanted) -> Vec<Value> {
    wanted.iter().map(|(product, quantity)| json!({"item": {"id": product}, "quantity": quantity})).collect()
}

/// An object of the texts that are not empty.
fn filled(texts: &[(&str, &String)]) -> Value {
    let there = texts.iter().filter(|(_, text)| !text.trim().is_empty());
    Value::Object(there.map(|(name, text)| ((*name).to_owned(), json!(text.trim()))).collect())
}

fn is_filled(object: &Value) -> bool {
    object.as_object().is_some_and(|members| !members.is_empty())
}

#[derive(Debug, Clone, Deserialize)]
pub struct Products {
    #[serde(default)]
    pub products: Vec<Product>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Product {
    pub id: String,
    pub title: String,
    variants: Vec<Variant>,
}

#[derive(Debug, Clone, Deserialize)]
struct Variant {
    price: Price,
    availability: Availability,
}

#[derive(Debug, Clone, Deserialize)]
struct Price {
    amount: i64,
}

#[derive(Debug, Clone, Deserialize)]
struct Availability {
    available: bool,
}

impl Product {
    /// In minor units.
    pub fn price(&self) -> i64 {
        self.variants.first().map_or(0, |variant| variant.price.amount)
    }

    pub fn is_available(&self) -> bool {
        self.variants.first().is_some_and(|variant| variant.availability.available)
    }
}

/// A cart, a checkout or an order: what they have in common, and what only some have.
#[derive(Debug, Clone, Deserialize)]
pub struct Bill {
    pub id: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub line_items: Vec<Line>,
    #[serde(default)]
    totals: Vec<Total>,
    #[serde(default)]
    buyer: Buyer,
    #[serde(default)]
    fulfillment: Fulfillment,
    /// Of a completed checkout.
    #[serde(default)]
    pub order: Option<Named>,
    /// Of a checkout: where the buyer can pay it, on a page of the shop.
    continue_url: Option<String>,
    /// Of an order: where its invoice is.
    permalink_url: Option<String>,
    invoice: Option<Invoice>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    pub id: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Invoice {
    number: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    pub item: Item,
    quantity: Quantity,
    #[serde(default)]
    totals: Vec<Total>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    /// Absent in history.
    #[serde(default)]
    pub id: String,
    pub title: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Quantity {
    Count(i64),
    Of { original: i64 },
}

#[derive(Debug, Clone, Deserialize)]
struct Total {
    #[serde(rename = "type")]
    of: String,
    amount: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Buyer {
    full_name: Option<String>,
    phone_number: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Fulfillment {
    #[serde(default)]
    methods: Vec<Method>,
}

#[derive(Debug, Clone, Deserialize)]
struct Method {
    #[serde(default)]
    destinations: Vec<Destination>,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Deserialize)]
struct Destination {
    street_address: Option<String>,
    address_locality: Option<String>,
    postal_code: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Group {
    selected_option_id: Option<String>,
    #[serde(default)]
    options: Vec<Choice>,
}

#[derive(Debug, Clone, Deserialize)]
struct Choice {
    #[serde(default)]
    totals: Vec<Total>,
}

impl Line {
    pub const fn quantity(&self) -> i64 {
        match self.quantity {
            Quantity::Count(quantity) | Quantity::Of { original: quantity } => quantity,
        }
    }

    pub fn total(&self) -> i64 {
        sum_of(&self.totals, "total")
    }
}

impl Bill {
    pub fn wanted(&self) -> Wanted {
        self.line_items.iter().map(|line| (line.item.id.clone(), line.quantity())).collect()
    }

    pub fn units(&self) -> i64 {
        self.line_items.iter().map(Line::quantity).sum()
    }

    /// `subtotal`, `fulfillment`, `tax` or `total`, in minor units.
    pub fn total(&self, of: &str) -> i64 {
        sum_of(&self.totals, of)
    }

    pub fn has_details(&self) -> bool {
        self.status == "ready_for_complete"
    }

    /// What of a buyer it knows.
    pub fn details(&self) -> Details {
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        let method = self.fulfillment.methods.first();
        let to = method.and_then(|method| method.destinations.first());
        let group = method.and_then(|method| method.groups.first());
        Details {
            name: text(self.buyer.full_name.as_ref()),
            phone: text(self.buyer.phone_number.as_ref()),
            street: text(to.and_then(|to| to.street_address.as_ref())),
            city: text(to.and_then(|to| to.address_locality.as_ref())),
            postal_code: text(to.and_then(|to| to.postal_code.as_ref())),
            shipping: group.and_then(|group| group.selected_option_id.clone()),
        }
    }

    /// What shipping costs or would cost, as soon as the shop says.
    pub fn shipping_fee(&self) -> Option<i64> {
        let group = self.fulfillment.methods.first()?.groups.first()?;
        Some(sum_of(&group.options.first()?.totals, "total"))
    }

    /// Where the buyer can pay it, relative to the shops' origin.
    pub fn pay_link(&self) -> Option<&str> {
        self.continue_url.as_deref().filter(|link| link.starts_with('/'))
    }

    /// A code is out that has not been paid, or a payment is being made this moment.
    pub fn is_being_paid(&self) -> bool {
        self.status == "complete_in_progress"
    }

    /// Where the invoice is, relative to the shops' origin.
    pub fn invoice_link(&self) -> Option<&str> {
        self.permalink_url.as_deref().filter(|link| link.starts_with('/'))
    }

    pub fn invoice_number(&self) -> Option<&str> {
        self.invoice.as_ref().map(|invoice| invoice.number.as_str())
    }
}

fn sum_of(totals: &[Total], of: &str) -> i64 {
    totals.iter().find(|total| total.of == of).map_or(0, |total| total.amount)
}

/// The shop's own no.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    pub code: String,
    #[serde(default)]
    pub content: String,
}

#[derive(Deserialize)]
struct Envelope {
    ucp: Ucp,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Ucp {
    status: String,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    of: String,
    #[serde(flatten)]
    refusal: Refusal,
}

/// Whether a 2xx says no, and with which words.
pub fn refusal(body: &Value) -> Option<Refusal> {
    let envelope = Envelope::deserialize(body).ok()?;
    if envelope.ucp.status != "error" {
        return None;
    }
    let said = envelope.messages.into_iter().find(|message| message.of == "error").map(|message| message.refusal);
    Some(said.unwrap_or(Refusal { code: "refused".into(), content: String::new() }))
}

/// Whether a 2xx carries the note that prices are others now.
pub fn says_price_changed(body: &Value) -> bool {
    Envelope::deserialize(body).is_ok_and(|envelope| {
        envelope.messages.iter().any(|message| message.of == "warning" && message.refusal.code == "price_changed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_is_read_and_said_again_as_it_was() {
        let said = json!({"id": "9", "status": "ready_for_complete",
            "line_items": [{"id": "1", "item": {"id": "p", "title": "P", "price": 500}, "quantity": 2,
                            "totals": [{"type": "total", "amount": 1000}]}],
            "totals": [{"type": "total", "amount": 1910}],
            "buyer": {"full_name": "Sari", "phone_number": "+62811"},
            "fulfillment": {"methods": [{"destinations": [{"street_address": "Jalan 1", "address_locality": "Bandung",
                "postal_code": "40115", "address_country": "ID"}],
                "groups": [{"id": "package", "selected_option_id": "flat",
                            "options": [{"totals": [{"type": "total", "amount": 900}]}]}]}]}});
        let bill = Bill::deserialize(&said).unwrap();
        assert_eq!((bill.total("total"), bill.shipping_fee(), bill.has_details()), (1910, Some(900), true));
        let ask = Ask::change_checkout("k".into(), "7", "9", &bill.wanted(), &bill.details());
        let body: Value = serde_json::from_str(&ask.body).unwrap();
        assert_eq!(body["buyer"], said["buyer"]);
        let address = &body["fulfillment"]["methods"][0]["destinations"][0];
        assert_eq!((&address["postal_code"], &address["address_country"]), (&json!("40115"), &json!("ID")));
        assert_eq!(body["line_items"], json!([{"item": {"id": "p"}, "quantity": 2}]));
    }

    #[test]
    fn only_an_error_is_a_refusal() {
        let answer = |status: &str, of: &str| json!({"ucp": {"version": "1", "status": status}, "messages": [{"type": of, "code": "c", "content": "t"}]});
        let said = refusal(&answer("error", "error")).unwrap();
        assert_eq!((said.code.as_str(), said.content.as_str()), ("c", "t"));
        assert_eq!(refusal(&answer("success", "warning")), None);
        assert_eq!(refusal(&answer("error", "warning")).unwrap().code, "refused");
    }
}
