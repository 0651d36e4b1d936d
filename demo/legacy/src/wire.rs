//! What goes over the wire: the envelope, the two kinds of no, and the pieces of a request.

use crate::database;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

const VERSION: &str = "2026-08-25";

/// Whether another request may pass, or the buyer has to go on.
const RECOVERABLE: &str = "recoverable";
const BUYER: &str = "requires_buyer_input";

/// Bounds on what is asked for.
const LINES_MAX: usize = 200;
const QUANTITY_MAX: i64 = 1_000_000;

/// The fields of an answer, without the envelope.
pub type Fields = Map<String, Json>;

/// Why a request was not carried out.
#[derive(Debug)]
pub enum Stop {
    /// The shop says no.
    Refused(Refusal),
    /// The request itself is wrong.
    Bad { status: StatusCode, code: &'static str, content: String },
    /// The database failed; nothing was done.
    Database(database::Error),
}

impl From<database::Error> for Stop {
    fn from(error: database::Error) -> Self {
        Self::Database(error)
    }
}

impl Stop {
    pub fn invalid(content: impl Into<String>) -> Self {
        Self::bad(StatusCode::BAD_REQUEST, "invalid_request", content)
    }

    pub fn bad(status: StatusCode, code: &'static str, content: impl Into<String>) -> Self {
        Self::Bad { status, code, content: content.into() }
    }

    /// The rows are not ours to write, as somebody has decided who put a guard on them.
    pub const fn is_guard(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_guard)
    }

    pub fn no_such_path() -> Self {
        Self::bad(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Cart,
    Checkout,
    Order,
    Product,
}

impl Kind {
    /// The table it stands in, as `idem.jenis` names it.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Cart => "keranjang",
            Self::Checkout => "transaksi",
            Self::Order => "jual",
            Self::Product => "produk",
        }
    }

    pub fn of_table(table: &str) -> Option<Self> {
        [Self::Cart, Self::Checkout, Self::Order, Self::Product].into_iter().find(|kind| kind.table() == table)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Order => "order",
            Self::Product => "product",
        }
    }
}

/// The shop says no: a code, what to tell people, and the resource as it stands.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub code: &'static str,
    content: String,
    path: Option<String>,
    severity: &'static str,
    /// What to show beside it.
    pub about: Option<(Kind, String)>,
}

impl Refusal {
    pub fn new(code: &'static str, content: impl Into<String>) -> Self {
        Self { code, content: content.into(), path: None, severity: RECOVERABLE, about: None }
    }

    pub fn not_found(kind: Kind, id: &str) -> Self {
        Self::new("not_found", format!("no {} `{id}` in this shop", kind.word())).for_good()
    }

    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    #[must_use]
    pub fn for_good(self) -> Self {
        Self { severity: "unrecoverable", ..self }
    }

    /// No refusal after all: the buyer goes on by themselves.
    #[must_use]
    pub fn for_buyer(self) -> Self {
        Self { severity: BUYER, ..self }
    }

    pub fn is_for_buyer(&self) -> bool {
        self.severity == BUYER
    }

    #[must_use]
    pub fn about(self, kind: Kind, id: impl ToString) -> Self {
        Self { about: Some((kind, id.to_string())), ..self }
    }

    pub fn message(&self) -> Json {
        let (code, content, severity) = (self.code, &self.content, self.severity);
        let mut message = json!({"type": "error", "code": code, "content": content, "severity": severity});
        if let Some(path) = &self.path {
            message["path"] = json!(path);
        }
        message
    }
}

/// `{"type": "…", "amount": n}` for each.
pub fn totals(parts: &[(&str, i64)]) -> Json {
    parts.iter().map(|(name, amount)| json!({"type": name, "amount": amount})).collect()
}

/// An answer with its envelope, and what the resource itself has to say in it.
pub fn answer(status: StatusCode, word: &str, mut fields: Fields) -> Response<Body> {
    let mut ucp = fields.remove("ucp").unwrap_or_else(|| json!({}));
    ucp["version"] = json!(VERSION);
    ucp["status"] = json!(word);
    fields.insert("ucp".into(), ucp);
    body(status, &Json::Object(fields))
}

/// The handlers of a checkout; `ways` are those in which it can be paid on the page of the shop.
pub fn payment_handlers(ways: &[&str]) -> Json {
    let handler = |id: &str, types: &[&str]| {
        let instruments: Vec<Json> = types.iter().map(|name| json!({"type": name})).collect();
        json!([{"id": id, "version": VERSION, "available_instruments": instruments}])
    };
    let mut handlers = json!({"dev.baliklayar.instant": handler("instant", &["instant"])});
    if !ways.is_empty() {
        handlers["dev.baliklayar.pay"] = handler("pay", ways);
    }
    handlers
}

/// The answer to a request that is wrong, or that the database failed.
pub fn failure(stop: &Stop) -> Response<Body> {
    match stop {
        Stop::Bad { status, code, content } => body(*status, &json!({"code": code, "content": content})),
        Stop::Refused(refusal) => {
            let fields = Fields::from_iter([("messages".to_owned(), json!([refusal.message()]))]);
            answer(StatusCode::OK, "error", fields)
        }
        Stop::Database(error) => {
            // Whatever the reason is: nothing was done, the same request may be sent again.
            eprintln!("kios: {error}");
            unavailable("the shop's database did not answer")
        }
    }
}

/// Nothing was done, and the same may be sent again soon.
pub fn unavailable(content: &str) -> Response<Body> {
    let mut response = body(StatusCode::SERVICE_UNAVAILABLE, &json!({"code": "unavailable", "content": content}));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Puts messages before those that the resource has of itself.
pub fn say_first(fields: &mut Fields, messages: &[Json]) {
    let own = fields.get("messages").and_then(Json::as_array).cloned().unwrap_or_default();
    let all: Vec<Json> = messages.iter().cloned().chain(own).collect();
    if !all.is_empty() {
        fields.insert("messages".into(), Json::Array(all));
    }
}

fn body(status: StatusCode, content: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(content.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Reads a request's body; an empty one is an empty object.
///
/// # Errors
/// `invalid_request` with the place.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Stop> {
    let bytes = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| Stop::invalid(format!("the body is not as expected: {error}")))
}

/// An id as shown outside, where it can be one of ours.
pub fn number(id: &str) -> Option<i64> {
    let number: i64 = id.parse().ok()?;
    (number > 0 && number.to_string() == id).then_some(number)
}

#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    pub id: String,
}

/// A line as asked for; whatever it says about prices is ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct WantedLine {
    pub item: Item,
    pub quantity: i64,
}

/// # Errors
/// `invalid_request` where there are none or too many, or a quantity is out of bounds.
pub fn check_lines(lines: &[WantedLine]) -> Result<(), Stop> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(Stop::invalid(format!("$.line_items needs 1 to {LINES_MAX} lines")));
    }
    match lines.iter().position(|line| !(1..=QUANTITY_MAX).contains(&line.quantity)) {
        Some(index) => Err(Stop::invalid(format!("$.line_items[{index}].quantity is not 1 to {QUANTITY_MAX}"))),
        None => Ok(()),
    }
}
