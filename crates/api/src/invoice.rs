//! The invoice of an order, as a page that a person opens by its link, reads and prints.
//!
//! Invariant: without the key of the link, or the host's bearer key, every invoice looks like one that does not exist.
//! The page has no script, refers to one style sheet of its own, and is kept by no cache.
//! Absent on purpose: anything that changes an order.

mod figures;
mod page;
mod words;

use crate::call::Call;
use crate::problem::Problem;
use crate::routes::{Api, Shared};
use crate::sheet;
use axum::extract::State;
use axum::response::Response;
pub use figures::{amount, instant};
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderValue, StatusCode};
pub use page::OPERATOR;
use shop::Failure;
use vocab::id::{PublicId, ShopId};
pub use words::Lang;

const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub async fn show(State(api): Shared, call: Call) -> Result<Response, Problem> {
    let lang = Lang::choose(call.parameter("lang"), call.header(&ACCEPT_LANGUAGE));
    let (shop, order) = (&call.frame.shop, call.id()?);
    if !may_open(&api, &call, shop, &order) {
        return Ok(html(StatusCode::NOT_FOUND, page::none(lang)));
    }
    let found = match api.service.invoice(shop, &order).await {
        Ok(found) => found,
        Err(Failure::UnknownShop) => None,
        Err(failure) => return Err(failure.into()),
    };
    Ok(match found {
        Some(invoice) => html(StatusCode::OK, page::invoice(lang, &invoice, &api.links.key(shop, &order))),
        None => html(StatusCode::NOT_FOUND, page::none(lang)),
    })
}

fn may_open(api: &Api, call: &Call, shop: &ShopId, order: &PublicId) -> bool {
    let by_link = call.parameter("key").is_some_and(|key| api.links.opens(shop, order, key));
    by_link || call.must_be_host(&api.keys).is_ok()
}

fn html(status: StatusCode, page: maud::Markup) -> Response {
    sheet::answer(status, HeaderValue::from_static(POLICY), page)
}
