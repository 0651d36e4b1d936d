//! Requests: JSON into what `shop` understands, or what is wrong and where. Fields that are not asked for are ignored,
//! and so is what a client may not say: prices, totals, status.

use super::{INSTANT, PAGE};
use crate::problem::Problem;
use commerce::checkout::{Details, FLAT};
use commerce::lines::{LINES_MAX, QUANTITY_MAX, Wanted};
use commerce::order::Back;
use commerce::product::{Edit, STOCK_DELTA_MAX};
use http::StatusCode;
use serde_json::Value;
use shop::Basket;
use vocab::id::PublicId;

/// How many products a page has if nobody says, and at most.
const PAGE_SIZE: u64 = 10;
const PAGE_MAX: u64 = 50;
/// How many products are looked up at once.
const LOOKUP_MAX: usize = 50;
/// The longest text of a buyer's detail, in characters.
const TEXT_MAX: usize = 200;

/// A value and where it stands.
struct At<'a> {
    value: Option<&'a Value>,
    path: String,
}

impl<'a> At<'a> {
    fn root(value: &'a Value) -> Result<Self, Problem> {
        if value.is_object() {
            return Ok(Self { value: Some(value), path: "$".to_owned() });
        }
        Err(Problem::invalid("$", "is not an object"))
    }

    /// A member; absent and null are the same.
    fn member(&self, name: &str) -> Result<Self, Problem> {
        let path = format!("{}.{name}", self.path);
        let value = match self.value {
            None => None,
            Some(Value::Object(members)) => members.get(name).filter(|value| !value.is_null()),
            Some(_) => return Err(Problem::invalid(&self.path, "is not an object")),
        };
        Ok(Self { value, path })
    }

    /// An element of a list; absent where the list is, or is shorter.
    fn first(&self) -> Result<Self, Problem> {
        let value = self.list()?.and_then(|list| list.first());
        Ok(Self { value, path: format!("{}[0]", self.path) })
    }

    fn list(&self) -> Result<Option<&'a Vec<Value>>, Problem> {
        match self.value {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(Problem::invalid(&self.path, "is not a list")),
        }
    }

    /// The elements of a list that has to be there and not to be empty.
    fn elements(&self, max: usize) -> Result<Vec<Self>, Problem> {
        let list = self.list()?.filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| Problem::invalid(&self.path, "is required and must not be empty"))?;
        if list.len() > max {
            return Err(Problem::invalid(&self.path, &format!("has more than {max} elements")));
        }
        let at = |(index, value)| Self { value: Some(value), path: format!("{}[{index}]", self.path) };
        Ok(list.iter().enumerate().map(at).collect())
    }

    /// Text without blanks around it; an empty one counts as absent.
    fn text(&self) -> Result<Option<String>, Problem> {
        let Some(value) = self.value else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| Problem::invalid(&self.path, "is not a string"))?.trim();
        if text.chars().count() > TEXT_MAX {
            return Err(Problem::invalid(&self.path, &format!("is longer than {TEXT_MAX} characters")));
        }
        if text.contains('\0') {
            return Err(Problem::invalid(&self.path, "has a NUL character"));
        }
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    fn id(&self) -> Result<PublicId, Problem> {
        self.text()?.map(PublicId::new).ok_or_else(|| self.required())
    }

    fn int(&self) -> Result<Option<i64>, Problem> {
        let Some(value) = self.value else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| Problem::invalid(&self.path, "is not an integer"))
    }

    /// A number of units, at least one.
    fn quantity(&self) -> Result<u32, Problem> {
        let value = self.int()?.ok_or_else(|| self.required())?;
        let fits = u32::try_from(value).ok().filter(|quantity| (1..=QUANTITY_MAX).contains(quantity));
        fits.ok_or_else(|| Problem::invalid(&self.path, &format!("is not between 1 and {QUANTITY_MAX}")))
    }

    fn required(&self) -> Problem {
        Problem::invalid(&self.path, "is required")
    }
}

pub struct Page {
    pub query: Option<String>,
    pub after: Option<PublicId>,
    pub limit: usize,
}

/// Which page of the catalogue is wanted.
///
/// # Errors
/// `invalid_request`.
pub fn page(body: &Value) -> Result<Page, Problem> {
    let root = At::root(body)?;
    let pagination = root.member("pagination")?;
    let limit = pagination.member("limit")?;
    let count = match limit.int()? {
        None => PAGE_SIZE,
        Some(count) => u64::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| Problem::invalid(&limit.path, "is not a positive integer"))?,
    };
    Ok(Page {
        query: root.member("query")?.text()?,
        after: pagination.member("cursor")?.text()?.map(PublicId::new),
        limit: usize::try_from(count.min(PAGE_MAX)).unwrap_or(0),
    })
}

/// The products to look up.
///
/// # Errors
/// `invalid_request`; `request_too_large` for more than fifty.
pub fn ids(body: &Value) -> Result<Vec<PublicId>, Problem> {
    let ids = At::root(body)?.member("ids")?;
    if ids.list()?.is_some_and(|list| list.len() > LOOKUP_MAX) {
        let content = format!("{} has more than {LOOKUP_MAX} elements", ids.path);
        return Err(Problem::new(StatusCode::BAD_REQUEST, "request_too_large", content));
    }
    ids.elements(LOOKUP_MAX)?.iter().map(At::id).collect()
}

/// # Errors
/// `invalid_request`.
pub fn id(body: &Value) -> Result<PublicId, Problem> {
    At::root(body)?.member("id")?.id()
}

/// The lines of a cart or a checkout.
///
/// # Errors
/// `invalid_request`.
pub fn lines(body: &Value) -> Result<Vec<Wanted>, Problem> {
    let items = At::root(body)?.member("line_items")?.elements(LINES_MAX)?;
    let line = |at: &At<'_>| {
        let product = at.member("item")?.member("id")?.id()?;
        let quantity = at.member("quantity")?;
        Wanted::new(product, quantity.quantity()?).ok_or_else(|| quantity.required())
    };
    items.iter().map(line).collect()
}

/// What a new checkout is made of: a cart, if one is named, whatever is said beside it.
///
/// # Errors
/// `invalid_request`.
pub fn basket(body: &Value) -> Result<Basket, Problem> {
    match At::root(body)?.member("cart_id")?.text()? {
        Some(cart) => Ok(Basket::Cart(PublicId::new(cart))),
        None => lines(body).map(Basket::Lines),
    }
}

/// Who buys and where to: the first destination of the first method, and the option of its first group.
///
/// # Errors
/// `invalid_request`.
pub fn details(body: &Value) -> Result<Details, Problem> {
    let root = At::root(body)?;
    let buyer = root.member("buyer")?;
    let method = root.member("fulfillment")?.member("methods")?.first()?;
    let destination = method.member("destinations")?.first()?;
    let option = method.member("groups")?.first()?.member("selected_option_id")?;
    let selected = option.text()?;
    if selected.as_deref().is_some_and(|selected| selected != FLAT) {
        return Err(Problem::invalid(&option.path, "is not one of the options"));
    }
    Ok(Details {
        buyer_name: buyer.member("full_name")?.text()?,
        buyer_phone: buyer.member("phone_number")?.text()?,
        buyer_email: buyer.member("email")?.text()?,
        street: destination.member("street_address")?.text()?,
        city: destination.member("address_locality")?.text()?,
        region: destination.member("address_region")?.text()?,
        postal_code: destination.member("postal_code")?.text()?,
        country: destination.member("address_country")?.text()?,
        flat: selected.is_some(),
    })
}

/// What the host says about paying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instrument {
    /// An instrument of the instant rail.
    Instant(String),
    /// The buyer wants to pay on the page of the backend.
    OnPage,
    /// It carries something to pay with, which is to stay where it came from; where in the request.
    WithCredential(String),
}

/// The instrument to pay with: the selected one, or the only one.
///
/// # Errors
/// `invalid_request`.
pub fn instrument(body: &Value) -> Result<Instrument, Problem> {
    let instruments = At::root(body)?.member("payment")?.member("instruments")?.elements(LINES_MAX)?;
    // Of any of them, chosen or not.
    for instrument in &instruments {
        let credential = instrument.member("credential")?;
        if credential.value.is_some() {
            return Ok(Instrument::WithCredential(credential.path));
        }
    }
    let is_selected = |at: &&At<'_>| at.value.and_then(|value| value.get("selected")) == Some(&Value::Bool(true));
    let chosen =
        instruments.iter().find(is_selected).or_else(|| instruments.first().filter(|_| instruments.len() == 1));
    let chosen = chosen.ok_or_else(|| Problem::invalid("$.payment.instruments", "has none selected"))?;
    let handler = chosen.member("handler_id")?;
    match handler.text()?.as_deref() {
        Some(PAGE) => return Ok(Instrument::OnPage),
        None | Some(INSTANT) => {}
        Some(_) => return Err(Problem::invalid(&handler.path, &format!("is neither `{INSTANT}` nor `{PAGE}`"))),
    }
    let kind = chosen.member("type")?;
    if kind.text()?.is_some_and(|value| value != INSTANT) {
        return Err(Problem::invalid(&kind.path, &format!("is not `{INSTANT}`")));
    }
    chosen.member("id")?.text()?.map(Instrument::Instant).ok_or_else(|| chosen.required())
}

/// How much of an order goes back; all of it where no lines are named.
///
/// # Errors
/// `invalid_request`.
pub fn back(body: &Value) -> Result<Back, Problem> {
    let lines = At::root(body)?.member("lines")?;
    if lines.list()?.is_none_or(Vec::is_empty) {
        return Ok(Back::Whole);
    }
    let line = |at: &At<'_>| Ok((at.member("id")?.id()?, at.member("quantity")?.quantity()?));
    lines.elements(LINES_MAX)?.iter().map(line).collect::<Result<_, Problem>>().map(Back::Lines)
}

/// What a seller changes: a price, a difference of stock, or both.
///
/// # Errors
/// `invalid_request`.
pub fn edit(body: &Value) -> Result<Edit, Problem> {
    let root = At::root(body)?;
    let delta = root.member("stock_delta")?;
    let edit = Edit { price_minor: root.member("price")?.int()?, stock_delta: delta.int()? };
    if edit.stock_delta.is_some_and(|units| units.unsigned_abs() > STOCK_DELTA_MAX.unsigned_abs()) {
        let what = format!("is not between -{STOCK_DELTA_MAX} and {STOCK_DELTA_MAX}");
        return Err(Problem::invalid(&delta.path, &what));
    }
    if edit.price_minor.is_none() && edit.stock_delta.is_none() {
        return Err(Problem::invalid("$", "has neither price nor stock_delta"));
    }
    Ok(edit)
}
