//! The documents of commerce, as shapes: what a mapping must give for each kind, and what the store keeps.
//!
//! A shape is the wire between the typed aggregates and everything that only sees plain data; the typed side is
//! in the modules named after each kind, whose `from_document` checks what a shape cannot say.

use crate::intent::{Ending, Fate, Method, ReceiptKind, RefundState, Settling, Why};
use vocab::id::Kind;
use vocab::shape::{Field, Shape, Type, field, optional};

/// Every kind's shape, in the order in which they depend on each other.
pub const SHAPES: &[Shape] = &[SHOP, PRODUCT, CART, CHECKOUT, ORDER, IDEMPOTENCY, INTENT];

/// A seller's store and the terms it sells on.
pub const SHOP: Shape = Shape {
    kind: Kind::Shop,
    fields: &[
        field("id", Type::Id),
        field("name", Type::Text),
        field("currency", Type::Currency),
        field("tax_bp", Type::Int),
        field("shipping_flat", Type::Money),
    ],
};

const VARIANT: &[Field] =
    &[field("id", Type::Id), optional("sku", Type::Text), field("price", Type::Money), field("stock", Type::Count)];

pub const PRODUCT: Shape = Shape {
    kind: Kind::Product,
    fields: &[
        field("id", Type::Id),
        field("title", Type::Text),
        field("state", Type::Word(&["active", "withdrawn"])),
        field("currency", Type::Currency),
        field("variants", Type::List(VARIANT)),
    ],
};

const CART_LINE: &[Field] = &[field("id", Type::Id), field("product", Type::Id), field("quantity", Type::Int)];

pub const CART: Shape = Shape {
    kind: Kind::Cart,
    fields: &[
        field("id", Type::Id),
        field("state", Type::Word(&["open", "converted", "canceled", "expired"])),
        field("currency", Type::Currency),
        field("created_at", Type::Instant),
        field("changed_at", Type::Instant),
        field("lines", Type::List(CART_LINE)),
    ],
};

const CHECKOUT_LINE: &[Field] = &[
    field("id", Type::Id),
    field("product", Type::Id),
    field("title", Type::Text),
    field("unit_price", Type::Money),
    field("quantity", Type::Int),
    field("total", Type::Money),
];

/// Totals are frozen at what was acknowledged; an update re-prices. `shipping_option` is `flat` or null.
/// `attempt` and `instrument` are there while the instant rail is asked (`paying`), `intent` while the buyer pays one
/// (`awaiting`), and while it is open again because that one lapsed.
pub const CHECKOUT: Shape = Shape {
    kind: Kind::Checkout,
    fields: &[
        field("id", Type::Id),
        field("state", Type::Word(&["open", "paying", "awaiting", "completed", "canceled"])),
        field("currency", Type::Currency),
        field("created_at", Type::Instant),
        optional("cart", Type::Id),
        optional("buyer_name", Type::Text),
        optional("buyer_phone", Type::Text),
        optional("buyer_email", Type::Text),
        optional("street", Type::Text),
        optional("city", Type::Text),
        optional("region", Type::Text),
        optional("postal_code", Type::Text),
        optional("country", Type::Text),
        optional("shipping_option", Type::Text),
        field("subtotal", Type::Money),
        field("shipping", Type::Money),
        field("tax", Type::Money),
        field("total", Type::Money),
        optional("order", Type::Id),
        optional("attempt", Type::Text),
        optional("instrument", Type::Text),
        optional("intent", Type::Id),
        field("lines", Type::List(CHECKOUT_LINE)),
    ],
};

const BUYER: &[Field] = &[field("id", Type::Id), field("name", Type::Text), optional("phone", Type::Text)];

/// `quantity` is as ordered; `cancelled` and `refunded` count units of it. A cancelled line stays.
const ORDER_LINE: &[Field] = &[
    field("id", Type::Id),
    field("product", Type::Id),
    field("title", Type::Text),
    field("unit_price", Type::Money),
    field("quantity", Type::Int),
    field("cancelled", Type::Int),
    field("refunded", Type::Int),
    field("total", Type::Money),
];

/// `intent` is the one that took the money; null where another program did, or the instant rail.
const PAYMENT: &[Field] = &[
    field("id", Type::Id),
    field("method", Type::Text),
    field("amount", Type::Money),
    optional("paid_at", Type::Instant),
    field("state", Type::Word(&["pending", "captured", "failed"])),
    optional("reference", Type::Text),
    optional("intent", Type::Id),
];

/// Money given back, one element per line and command; `line` null where the whole rest of the order (with its
/// shipping) was cancelled at once.
const ADJUSTMENT: &[Field] = &[
    field("id", Type::Id),
    field("type", Type::Word(&["cancellation", "refund"])),
    field("at", Type::Instant),
    optional("line", Type::Id),
    field("quantity", Type::Int),
    field("amount", Type::Money),
];

/// `invoice` is the order's number in its shop's series, 1, 2, 3 …; null where an older program numbered it otherwise,
/// and in an order that is just being placed: whoever stores it gives it the next one.
pub const ORDER: Shape = Shape {
    kind: Kind::Order,
    fields: &[
        field("id", Type::Id),
        optional("invoice", Type::Int),
        optional("checkout", Type::Id),
        field("state", Type::Word(&["open", "paid", "shipped", "done", "cancelled"])),
        field("currency", Type::Currency),
        field("placed_at", Type::Instant),
        optional("cancelled_at", Type::Instant),
        optional("street", Type::Text),
        optional("city", Type::Text),
        optional("region", Type::Text),
        optional("postal_code", Type::Text),
        optional("country", Type::Text),
        field("subtotal", Type::Money),
        field("shipping", Type::Money),
        field("tax", Type::Money),
        field("total", Type::Money),
        optional("buyer", Type::One(BUYER)),
        field("lines", Type::List(ORDER_LINE)),
        field("payments", Type::List(PAYMENT)),
        field("adjustments", Type::List(ADJUSTMENT)),
    ],
};

/// What an earlier answer to the same key was. Its id in the store is `operation:key`. `body` is the SHA-256 of the
/// raw request body in lower-case hex, `status` the HTTP status acknowledged; rendering is a function of the result.
pub const IDEMPOTENCY: Shape = Shape {
    kind: Kind::Idempotency,
    fields: &[
        field("operation", Type::Text),
        field("key", Type::Text),
        field("body", Type::Text),
        field("status", Type::Int),
        field("result_kind", Type::Word(&["cart", "checkout", "order", "product"])),
        field("result_id", Type::Id),
    ],
};

/// `shown` is what the buyer needs in order to pay: payment data, for the backend's own page.
const ATTEMPT: &[Field] = &[
    field("number", Type::Int),
    field("reference", Type::Text),
    field("method", Type::Word(Method::WORDS)),
    field("amount", Type::Money),
    field("fate", Type::Word(Fate::WORDS)),
    field("recorded_at", Type::Instant),
    field("asked", Type::Int),
    optional("asked_at", Type::Instant),
    optional("heard_at", Type::Instant),
    optional("absent_since", Type::Instant),
    optional("sent_again_at", Type::Instant),
    optional("over_since", Type::Instant),
    optional("told_to_end_first", Type::Instant),
    optional("told_to_end_last", Type::Instant),
    optional("settling", Type::Word(Settling::WORDS)),
    optional("settling_first", Type::Instant),
    optional("settling_last", Type::Instant),
    optional("expires_at", Type::Instant),
    optional("shown", Type::Text),
];

const RECEIPT: &[Field] = &[
    field("transaction", Type::Text),
    field("kind", Type::Word(ReceiptKind::WORDS)),
    field("attempt", Type::Int),
    field("amount", Type::Money),
    field("at", Type::Instant),
];

/// `attempt` is null where the money is paid out to an account, which is then in `account`.
const REFUND: &[Field] = &[
    field("number", Type::Int),
    field("key", Type::Text),
    optional("attempt", Type::Int),
    field("amount", Type::Money),
    field("why", Type::Word(Why::WORDS)),
    field("state", Type::Word(RefundState::WORDS)),
    field("recorded_at", Type::Instant),
    field("asked", Type::Int),
    optional("asked_at", Type::Instant),
    optional("absent_since", Type::Instant),
    optional("withdrawn_at", Type::Instant),
    optional("rejected_at", Type::Instant),
    optional("account", Type::Text),
];

/// What a checkout owes: tries, money that came, money that goes back. Its state is counted from these, never kept.
/// `reserved` is the number that its order will have, `order` is there once that is placed.
pub const INTENT: Shape = Shape {
    kind: Kind::Intent,
    fields: &[
        field("id", Type::Id),
        field("checkout", Type::Id),
        optional("reserved", Type::Id),
        field("account", Type::Text),
        field("currency", Type::Currency),
        field("due", Type::Money),
        field("created_at", Type::Instant),
        field("expires_at", Type::Instant),
        optional("cancel_asked_at", Type::Instant),
        optional("ended", Type::Word(Ending::WORDS)),
        optional("ended_at", Type::Instant),
        optional("order", Type::Id),
        field("returned", Type::Money),
        field("too_late", Type::Bool),
        field("attempts", Type::List(ATTEMPT)),
        field("receipts", Type::List(RECEIPT)),
        field("refunds", Type::List(REFUND)),
    ],
};
