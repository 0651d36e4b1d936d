//! Responses: an answer as JSON. Pure, so that a repeated key is answered by rendering again. Omit, never null.

use super::{HANDLER, INSTANT, PAGE, PAGE_HANDLER, VERSION};
use crate::link::Links;
use commerce::cart::Cart;
use commerce::catalogue::Catalogue;
use commerce::checkout::{self, Checkout, FLAT, State};
use commerce::decision::Aggregate;
use commerce::history::History;
use commerce::intent::Method;
use commerce::invoice::InvoiceNo;
use commerce::money::Money;
use commerce::order::{self, Order};
use commerce::terms::Totals;
use commerce::{Refusal, Retry};
use serde_json::{Map, Value, json};
use shop::{Answer, Listed, Note, NoteKind, Resource};
use vocab::id::{PublicId, ShopId, Timestamp};

/// The body of an answer of this shop.
pub fn body(links: &Links, shop: &ShopId, answer: &Answer) -> Value {
    let link = |order: &PublicId| links.invoice(shop, order);
    let mut body = answer
        .resource
        .as_ref()
        .map(|resource| resource_members(&link, resource, answer.on_its_way))
        .unwrap_or_default();
    // That a person has to go on is no error: the shop takes the order, and the page is where.
    let escalates = answer.refusal.as_ref().is_some_and(|refusal| refusal.retry == Retry::Buyer);
    let status = if answer.refusal.is_some() && !escalates { "error" } else { "success" };
    let mut ucp = json!({ "version": VERSION, "status": status });
    let is_checkout = matches!(answer.resource, Some(Resource::Checkout { .. }));
    if let Some(Resource::Checkout { checkout, ways, instant, .. }) = &answer.resource {
        ucp["payment_handlers"] = handlers(ways, *instant);
        let ended = matches!(checkout.state(), State::Completed { .. } | State::Canceled);
        if answer.asks_for_account || (!ways.is_empty() && !ended) {
            body.insert("continue_url".to_owned(), links.checkout(shop, checkout.id()).into());
        }
        if escalates {
            body.insert("status".to_owned(), "requires_escalation".into());
        }
    }
    body.insert("ucp".to_owned(), ucp);
    let mut messages: Vec<Value> = answer.refusal.iter().map(refusal).chain(answer.notes.iter().map(note)).collect();
    if let Some(Resource::Checkout { checkout, .. }) = &answer.resource
        && checkout.has_lapsed()
    {
        messages.push(refusal(&checkout::not_paid_in_time()));
    }
    if is_checkout || !messages.is_empty() {
        body.insert("messages".to_owned(), Value::Array(messages));
    }
    Value::Object(body)
}

/// The ways to pay that a host may offer. Whoever is behind the page is nobody's business.
fn handlers(ways: &[Method], instant: bool) -> Value {
    let handler = |id: &str, instruments: Vec<Value>| json!([{ "id": id, "version": VERSION, "available_instruments": instruments }]);
    let mut handlers = json!({});
    if instant {
        handlers[HANDLER] = handler(INSTANT, vec![json!({ "type": INSTANT })]);
    }
    if !ways.is_empty() {
        let on_page = ways.iter().map(|method| json!({ "type": method.name() })).collect();
        handlers[PAGE_HANDLER] = handler(PAGE, on_page);
    }
    handlers
}

fn refusal(refusal: &Refusal) -> Value {
    let severity = match refusal.retry {
        Retry::Later | Retry::Changed => "recoverable",
        Retry::Buyer => "requires_buyer_input",
        Retry::Never => "unrecoverable",
    };
    let mut message =
        json!({ "type": "error", "code": refusal.code, "content": refusal.content, "severity": severity });
    set(&mut message, "path", refusal.path.as_deref());
    message
}

fn note(note: &Note) -> Value {
    let kind = match note.kind {
        NoteKind::Warning => "warning",
        NoteKind::Info => "info",
    };
    json!({ "type": kind, "code": note.code, "content": note.content })
}

/// Sets a member that has a value.
fn set(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[name] = value.into();
    }
}

/// Where a person looks at an order: its invoice.
type Link<'a> = &'a dyn Fn(&PublicId) -> String;

fn resource_members(link: Link<'_>, resource: &Resource, on_its_way: i64) -> Map<String, Value> {
    let value = match resource {
        Resource::Page { products, next } => page(products, next.as_ref()),
        Resource::Found(products) => {
            json!({ "products": products.iter().map(|listed| product(listed, Shown::Found)).collect::<Vec<_>>() })
        }
        Resource::Product(listed) => json!({ "product": product(listed, Shown::Plain) }),
        Resource::Shelf(listed) => json!({ "product": product(listed, Shown::Shelf) }),
        Resource::Cart(cart, catalogue) => cart_value(cart, catalogue),
        Resource::Checkout { checkout, flat, .. } => checkout_value(link, checkout, *flat),
        Resource::Order(order) => order_value(link, order, on_its_way),
        Resource::History(history) => history_value(link, history),
    };
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// What of a product is shown beside its price.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Plain,
    /// Which id found it.
    Found,
    /// How many there are.
    Shelf,
}

fn page(products: &[Listed], next: Option<&PublicId>) -> Value {
    let mut pagination = json!({ "has_next_page": next.is_some() });
    set(&mut pagination, "cursor", next.map(PublicId::as_str));
    let products: Vec<Value> = products.iter().map(|listed| product(listed, Shown::Plain)).collect();
    json!({ "products": products, "pagination": pagination })
}

fn product(listed: &Listed, shown: Shown) -> Value {
    let product = &listed.product;
    let (price, id) = (product.price(), product.id().as_str());
    let mut variant = json!({
        "id": product.variant().id().as_str(),
        "title": product.title(),
        "price": { "amount": price.minor(), "currency": price.currency().as_str() },
        "availability": { "available": product.is_active() && listed.on_hand > 0 },
    });
    match shown {
        Shown::Plain => {}
        Shown::Found => variant["inputs"] = json!([{ "id": id, "match": "exact" }]),
        Shown::Shelf => variant["stock"] = json!(listed.on_hand),
    }
    json!({ "id": id, "title": product.title(), "variants": [variant] })
}

fn amount(kind: &str, money: Money) -> Value {
    json!({ "type": kind, "amount": money.minor() })
}

fn goods(total: Money) -> Value {
    json!([amount("subtotal", total), amount("total", total)])
}

fn all_totals(totals: &Totals) -> Value {
    json!([
        amount("subtotal", totals.subtotal()),
        amount("fulfillment", totals.shipping()),
        amount("tax", totals.tax()),
        amount("total", totals.total()),
    ])
}

fn cart_value(cart: &Cart, catalogue: &Catalogue) -> Value {
    // Lines that come to more than the wire can carry are refused; only a price raised since can bring a cart there,
    // and it is then shown without lines rather than with a wrong sum.
    let subtotal = cart.subtotal(catalogue).unwrap_or(Money::zero(cart.currency()));
    let priced = cart.priced(catalogue).unwrap_or_default();
    let lines = priced.iter().map(|line| {
        json!({
            "id": line.line.as_str(),
            "item": { "id": line.product.as_str(), "title": line.title, "price": line.unit_price.minor() },
            "quantity": line.quantity,
            "totals": goods(line.total),
        })
    });
    json!({
        "id": cart.id().as_str(),
        "currency": cart.currency().as_str(),
        "line_items": lines.collect::<Vec<_>>(),
        "totals": goods(subtotal),
    })
}

fn sold(line: &checkout::Line) -> Value {
    json!({
        "id": line.id().as_str(),
        "item": { "id": line.product().as_str(), "title": line.title(), "price": line.unit_price().minor() },
        "quantity": line.quantity(),
        "totals": goods(line.total()),
    })
}

fn checkout_value(link: Link<'_>, checkout: &Checkout, flat: Money) -> Value {
    let status = match checkout.state() {
        State::Open if checkout.missing().is_none() => "ready_for_complete",
        State::Open => "incomplete",
        State::Paying(_) | State::Awaiting { .. } => "complete_in_progress",
        State::Completed { .. } => "completed",
        State::Canceled => "canceled",
    };
    let mut value = json!({
        "id": checkout.id().as_str(),
        "status": status,
        "currency": checkout.currency().as_str(),
        "line_items": checkout.lines().iter().map(sold).collect::<Vec<_>>(),
        "totals": all_totals(checkout.totals()),
        "links": [],
    });
    set(&mut value, "buyer", buyer(checkout));
    set(&mut value, "fulfillment", fulfillment(checkout, flat));
    if let State::Completed { order } = checkout.state() {
        value["order"] = json!({ "id": order.as_str(), "permalink_url": link(order) });
    }
    value
}

/// Documents of an older program have a number of its kind: their id.
fn invoice(link: Link<'_>, number: Option<InvoiceNo>, id: &PublicId) -> Value {
    let number = number.map_or_else(|| id.to_string(), |number| number.to_string());
    json!({ "number": number, "url": link(id) })
}

fn buyer(checkout: &Checkout) -> Option<Value> {
    let details = checkout.details();
    let mut buyer = json!({});
    set(&mut buyer, "full_name", details.buyer_name.as_deref());
    set(&mut buyer, "phone_number", details.buyer_phone.as_deref());
    set(&mut buyer, "email", details.buyer_email.as_deref());
    is_filled(&buyer).then_some(buyer)
}

fn is_filled(value: &Value) -> bool {
    value.as_object().is_some_and(|members| !members.is_empty())
}

/// Shipping, as soon as something about it is known.
fn fulfillment(checkout: &Checkout, flat: Money) -> Option<Value> {
    let details = checkout.details();
    let mut address = json!({});
    set(&mut address, "street_address", details.street.as_deref());
    set(&mut address, "address_locality", details.city.as_deref());
    set(&mut address, "address_region", details.region.as_deref());
    set(&mut address, "postal_code", details.postal_code.as_deref());
    set(&mut address, "address_country", details.country.as_deref());
    if !is_filled(&address) && !details.flat {
        return None;
    }
    let lines: Vec<&str> = checkout.lines().iter().map(|line| line.id().as_str()).collect();
    // A selected option costs what was acknowledged, whatever the shop's terms have become.
    let cost = if details.flat { checkout.totals().shipping() } else { flat };
    let option = json!({ "id": FLAT, "title": "Flat rate", "totals": [amount("total", cost)] });
    let mut group = json!({ "id": "package", "line_item_ids": lines, "options": [option] });
    set(&mut group, "selected_option_id", details.flat.then_some(FLAT));
    let mut method = json!({ "id": "shipping", "type": "shipping", "line_item_ids": lines, "groups": [group] });
    if is_filled(&address) {
        address["id"] = json!("address");
        address["type"] = json!("shipping_address");
        method["destinations"] = json!([address]);
        method["selected_destination_id"] = json!("address");
    }
    Some(json!({ "methods": [method] }))
}

fn order_value(link: Link<'_>, order: &Order, on_its_way: i64) -> Value {
    let mut value = json!({
        "id": order.id().as_str(),
        "permalink_url": link(order.id()),
        "invoice": invoice(link, order.invoice(), order.id()),
        "currency": order.currency().as_str(),
        "status": order.state().name(),
        "line_items": order.lines().iter().map(order_line).collect::<Vec<_>>(),
        "totals": all_totals(order.totals()),
        "fulfillment": { "expectations": [], "events": [] },
        "adjustments": adjustments(order, on_its_way),
    });
    set(&mut value, "checkout_id", order.checkout().map(PublicId::as_str));
    value
}

fn order_line(line: &order::Line) -> Value {
    let mut value = sold(line.sold());
    let original = line.sold().quantity();
    let total = original - line.cancelled();
    value["quantity"] = json!({ "original": original, "total": total, "fulfilled": 0 });
    value["status"] = json!(if total == 0 { "removed" } else { "processing" });
    value
}

/// In their order; of the newest, so much has not reached the buyer yet.
fn adjustments(order: &Order, mut on_its_way: i64) -> Vec<Value> {
    let newest_first = order.adjustments().iter().rev().map(|it| {
        let status = if on_its_way > 0 { "pending" } else { "completed" };
        on_its_way -= it.amount().minor();
        adjustment(it, status)
    });
    let mut shown: Vec<Value> = newest_first.collect();
    shown.reverse();
    shown
}

fn adjustment(adjustment: &order::Adjustment, status: &str) -> Value {
    let mut value = json!({
        "id": adjustment.id().as_str(),
        "type": adjustment.command().adjustment(),
        "occurred_at": occurred_at(adjustment.at()),
        "status": status,
        "totals": [{ "type": "total", "amount": -adjustment.amount().minor() }],
    });
    let back = -i64::from(adjustment.quantity());
    set(&mut value, "line_items", adjustment.line().map(|line| json!([{ "id": line.as_str(), "quantity": back }])));
    value
}

/// RFC 3339 in UTC, to the second.
fn occurred_at(Timestamp(micros): Timestamp) -> String {
    let second = jiff::Timestamp::from_second(micros.div_euclid(1_000_000)).unwrap_or_default();
    second.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Amounts of history are the source's own decimal text and never shown as integers.
fn history_value(link: Link<'_>, history: &History) -> Value {
    let lines = history.lines().iter();
    let lines = lines.map(|line| json!({ "item": { "title": line.title }, "quantity": { "original": line.quantity } }));
    json!({
        "id": history.id().as_str(),
        "permalink_url": link(history.id()),
        "invoice": invoice(link, history.invoice(), history.id()),
        "currency": history.currency().as_str(),
        "status": "history",
        "recorded_total": history.recorded_total().to_string(),
        "line_items": lines.collect::<Vec<_>>(),
        "totals": [],
        "fulfillment": { "expectations": [], "events": [] },
        "adjustments": [],
    })
}
