//! One request of a shopper, as data: what is sent, and what the answer must be. A write stands in the journal before
//! it is sent, so that a later run can repeat it byte for byte.

use crate::arithmetic::{Back, Parts};
use crate::seen::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Products and quantities.
pub type Wanted = Vec<(String, i64)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bearer {
    Host,
    Seller,
}

/// `key` and `op` are those of a write; a read has neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub shop: String,
    pub method: String,
    pub path: String,
    pub body: Option<String>,
    pub op: Option<String>,
    pub key: Option<String>,
    pub bearer: Option<Bearer>,
    pub expect: Expect,
}

/// What must come back. Ids are public ids of the plan's shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Products at prices that are current.
    Shelf,
    /// The resource as it is remembered; a gone one is not found.
    Known {
        kind: Kind,
        id: String,
    },
    /// A cart of these lines: a new one, or the one named.
    Cart {
        id: Option<String>,
        wanted: Wanted,
    },
    /// The checkout of these lines, from a cart or not; ready to complete or not yet.
    Checkout {
        id: Option<String>,
        cart: Option<String>,
        wanted: Wanted,
        ready: bool,
    },
    /// The state before for a cart, `canceled` for a checkout.
    Canceled {
        kind: Kind,
        id: String,
    },
    /// An order where the choice approves; a refusal where it declines.
    Completed {
        id: String,
        approve: bool,
    },
    /// The checkout as it is, and a link: the buyer goes on there.
    OnPage {
        id: String,
    },
    /// A checkout whose buyer pays later: as it was, waiting, or, where it may be paid, with its order. One that an
    /// earlier run left may have waited for too long.
    Later {
        id: String,
        left: bool,
    },
    GivenBack {
        id: String,
        back: Back,
        parts: Parts,
    },
    Edited {
        product: String,
        price: Option<i64>,
        stock_delta: i64,
    },
}

impl Expect {
    /// What this write changes, so that nobody compares it while the answer is out.
    pub fn target(&self) -> Option<(Kind, &str)> {
        match self {
            Self::Shelf | Self::Known { .. } | Self::Later { .. } | Self::Edited { .. } => None,
            Self::Cart { id, .. } => id.as_deref().map(|id| (Kind::Cart, id)),
            Self::Checkout { id, .. } => id.as_deref().map(|id| (Kind::Checkout, id)),
            Self::Canceled { kind, id } => Some((*kind, id)),
            Self::Completed { id, .. } | Self::OnPage { id } => Some((Kind::Checkout, id)),
            Self::GivenBack { id, .. } => Some((Kind::Order, id)),
        }
    }
}

fn path(shop: &str, rest: &str) -> String {
    format!("/shops/{shop}/{rest}")
}

/// Reads.
impl Plan {
    fn reads(shop: &str, method: &str, rest: &str, body: Option<Value>, expect: Expect) -> Self {
        Self {
            shop: shop.to_owned(),
            method: method.to_owned(),
            path: path(shop, rest),
            body: body.map(|body| body.to_string()),
            op: None,
            key: None,
            bearer: None,
            expect,
        }
    }

    pub fn search(shop: &str, query: &str, cursor: Option<&str>, limit: u32) -> Self {
        let mut body = json!({"query": query, "pagination": {"limit": limit}});
        if let (Some(cursor), Some(pagination)) = (cursor, body.get_mut("pagination")) {
            pagination["cursor"] = json!(cursor);
        }
        Self::reads(shop, "POST", "catalog/search", Some(body), Expect::Shelf)
    }

    pub fn lookup(shop: &str, ids: &[String]) -> Self {
        Self::reads(shop, "POST", "catalog/lookup", Some(json!({"ids": ids})), Expect::Shelf)
    }

    pub fn product(shop: &str, id: &str) -> Self {
        Self::reads(shop, "POST", "catalog/product", Some(json!({"id": id})), Expect::Shelf)
    }

    pub fn get(shop: &str, kind: Kind, id: &str) -> Self {
        let expect = Expect::Known { kind, id: id.to_owned() };
        let mut plan = Self::reads(shop, "GET", &format!("{}/{id}", kind.path()), None, expect);
        plan.bearer = (kind == Kind::Order).then_some(Bearer::Host);
        plan
    }

    /// What has become of a checkout that is paid later.
    pub fn look(shop: &str, id: &str, left: bool) -> Self {
        let expect = Expect::Later { id: id.to_owned(), left };
        Self::reads(shop, "GET", &format!("{}/{id}", Kind::Checkout.path()), None, expect)
    }
}

/// Writes; each takes the idempotency key it is sent under.
impl Plan {
    fn writes(key: String, shop: &str, op: &str, method: &str, rest: &str, body: &Value, expect: Expect) -> Self {
        let mut plan = Self::reads(shop, method, rest, Some(body.clone()), expect);
        (plan.op, plan.key) = (Some(op.to_owned()), Some(key));
        plan
    }

    pub fn cart_create(key: String, shop: &str, wanted: Wanted) -> Self {
        let body = json!({"line_items": line_items(&wanted)});
        Self::writes(key, shop, "cart.create", "POST", "carts", &body, Expect::Cart { id: None, wanted })
    }

    pub fn cart_update(key: String, shop: &str, id: &str, wanted: Wanted) -> Self {
        let body = json!({"line_items": line_items(&wanted)});
        let expect = Expect::Cart { id: Some(id.to_owned()), wanted };
        Self::writes(key, shop, "cart.update", "PUT", &format!("carts/{id}"), &body, expect)
    }

    pub fn cancel(key: String, shop: &str, kind: Kind, id: &str) -> Self {
        let op = if kind == Kind::Cart { "cart.cancel" } else { "checkout.cancel" };
        let expect = Expect::Canceled { kind, id: id.to_owned() };
        Self::writes(key, shop, op, "POST", &format!("{}/{id}/cancel", kind.path()), &json!({}), expect)
    }

    /// From a cart, whose lines `wanted` repeats, or from the lines themselves.
    pub fn checkout_create(key: String, shop: &str, cart: Option<&str>, wanted: Wanted) -> Self {
        let body = cart.map_or_else(|| json!({"line_items": line_items(&wanted)}), |cart| json!({"cart_id": cart}));
        let expect = Expect::Checkout { id: None, cart: cart.map(str::to_owned), wanted, ready: false };
        Self::writes(key, shop, "checkout.create", "POST", "checkout-sessions", &body, expect)
    }

    /// With everything that makes it ready: buyer, address, option.
    pub fn checkout_update(key: String, shop: &str, id: &str, wanted: Wanted, buyer: u64) -> Self {
        let body = json!({
            "line_items": line_items(&wanted),
            "buyer": {"full_name": format!("Pembeli {buyer}"), "phone_number": format!("+62811{buyer:07}")},
            "fulfillment": {"methods": [{"id": "shipping", "type": "shipping",
                "destinations": [{"id": "address", "type": "shipping_address",
                    "street_address": format!("Jalan Melati {}", buyer % 200 + 1), "address_locality": "Bandung",
                    "postal_code": format!("40{:03}", buyer % 1000), "address_country": "ID"}],
                "selected_destination_id": "address",
                "groups": [{"id": "package", "selected_option_id": "flat"}]}]},
        });
        let expect = Expect::Checkout { id: Some(id.to_owned()), cart: None, wanted, ready: true };
        Self::writes(key, shop, "checkout.update", "PUT", &format!("checkout-sessions/{id}"), &body, expect)
    }

    pub fn complete(key: String, shop: &str, id: &str, approve: bool) -> Self {
        let choice = if approve { "approve" } else { "decline" };
        let instrument = json!({"id": choice, "handler_id": "instant", "type": "instant", "selected": true});
        Self::completes(key, shop, id, &instrument, Expect::Completed { id: id.to_owned(), approve })
    }

    /// The buyer will pay in their own time.
    pub fn pay_later(key: String, shop: &str, id: &str) -> Self {
        let instrument = json!({"id": "m", "handler_id": "pay", "selected": true});
        Self::completes(key, shop, id, &instrument, Expect::OnPage { id: id.to_owned() })
    }

    fn completes(key: String, shop: &str, id: &str, instrument: &Value, expect: Expect) -> Self {
        let body = json!({"payment": {"instruments": [instrument]}});
        Self::writes(key, shop, "checkout.complete", "POST", &format!("checkout-sessions/{id}/complete"), &body, expect)
    }

    pub fn give_back(key: String, shop: &str, id: &str, back: Back, parts: Parts) -> Self {
        let lines: Vec<Value> = parts.iter().map(|(line, units)| json!({"id": line, "quantity": units})).collect();
        let body = if parts.is_empty() { json!({}) } else { json!({"lines": lines}) };
        let verb = if back == Back::Cancellation { "cancel" } else { "refund" };
        let expect = Expect::GivenBack { id: id.to_owned(), back, parts };
        let mut plan =
            Self::writes(key, shop, &format!("order.{verb}"), "POST", &format!("orders/{id}/{verb}"), &body, expect);
        plan.bearer = Some(Bearer::Host);
        plan
    }

    pub fn edit(key: String, shop: &str, product: &str, price: Option<i64>, stock_delta: i64) -> Self {
        let mut body = json!({});
        if let Some(price) = price {
            body["price"] = json!(price);
        }
        if stock_delta != 0 {
            body["stock_delta"] = json!(stock_delta);
        }
        let expect = Expect::Edited { product: product.to_owned(), price, stock_delta };
        let mut plan =
            Self::writes(key, shop, "product.edit", "PUT", &format!("seller/products/{product}"), &body, expect);
        plan.bearer = Some(Bearer::Seller);
        plan
    }
}

fn line_items(wanted: &Wanted) -> Vec<Value> {
    wanted.iter().map(|(product, quantity)| json!({"item": {"id": product}, "quantity": quantity})).collect()
}
