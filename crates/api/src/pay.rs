//! The page where a buyer pays: what is due, the choice of how, and then what to pay with, until it is paid.
//!
//! Invariant: numbers, codes and addresses that a buyer pays with are on this page and nowhere else; without the key of its
//! link the page looks like one that does not exist. It has one script of its own, which only looks whether something
//! changed, and works without it. In a host app's frame it is the same page; what leads away from it, a wallet or an invoice,
//! opens in a window of its own, where a buyer sees whose it is. A card is typed in on a page of the provider, in a frame of
//! this one, which is told what the provider made of it and nothing else. Absent on purpose: fields for a card, and anything
//! else of another origin.

mod page;
mod qr;
mod qris;
mod words;

use crate::call::Call;
use crate::framing::{self, WebOrigin};
use crate::invoice::Lang;
use crate::problem::Problem;
use crate::routes::{Api, Shared};
use crate::sheet;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use commerce::Refusal;
use commerce::intent::Method;
use http::header::{ACCEPT_LANGUAGE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use shop::rails::CardToken;
use shop::{Chosen, Failure, ToPay};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};
use vocab::id::{PublicId, ShopId};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'self'";

/// How long a buyer waits for a provider before the page says that it is being asked.
const CONFIRMED_WITHIN: Duration = Duration::from_millis(300);

/// Why something was not done; none: it was.
type Refused = Result<Option<Refusal>, Failure>;

/// What the page is made of.
struct Sheet<'a> {
    lang: Lang,
    found: &'a ToPay,
    ways: Vec<Method>,
    /// Of the page's own link.
    key: &'a str,
    /// Where the invoice of the order is, once there is one.
    invoice: Option<String>,
    /// Where the provider takes a card, once the buyer wants to pay by one.
    card: Option<String>,
    /// Why what was just asked for was not done.
    refused: Option<&'static str>,
}

/// What the page may do, where it shows the provider's, and who may show it in a frame.
pub fn policy(cards_at: Option<&str>, hosts: &[WebOrigin]) -> HeaderValue {
    let provider = cards_at.and_then(|origin| origin.parse().ok());
    framing::policy(POLICY, provider.as_ref(), hosts)
}

pub async fn show(State(api): Shared, call: Call) -> Result<Response, Problem> {
    answer(&api, &call, None).await
}

/// The buyer has chosen how to pay, or says where money goes back to.
pub async fn confirm(State(api): Shared, call: Call) -> Result<Response, Problem> {
    if is_from_elsewhere(&call) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "this page answers to its own forms"));
    }
    let id = call.id()?;
    if key_of(&api, &call, &id).is_none() {
        return Ok(html(&api, StatusCode::NOT_FOUND, page::none(lang_of(&call))));
    }
    if let Some(account) = call.field("account") {
        return pay_out(&api, &call, id, account).await;
    }
    let method = call.field("method").as_deref().and_then(Method::from_name);
    let method = method.ok_or_else(|| Problem::invalid("method", "is not a way to pay"))?;
    let card = call.field("card").filter(|card| method == Method::CardToken && !card.is_empty());
    let card =
        card.map(|card| CardToken::parse(&card).ok_or_else(|| Problem::invalid("card", "is not a provider's token")));
    let chosen = Chosen { method, card: card.transpose()? };
    let (service, frame) = (api.service.clone(), call.frame.clone());
    let asking = Arc::new(Notify::new());
    let tell = Arc::clone(&asking);
    let work = async move { Ok(service.confirm(&frame, &id, &chosen, || tell.notify_one()).await?.refusal) };
    let mut work = tokio::spawn(work);
    // What the shop itself says is waited for, like any other answer of it; what the provider says, not for long.
    let refused = tokio::select! {
        done = &mut work => known(done)?,
        () = asking.notified() => soon(work).await?,
    };
    answer(&api, &call, refused).await
}

/// Loaded again, the page sends no account a second time.
async fn pay_out(api: &Api, call: &Call, id: PublicId, account: String) -> Result<Response, Problem> {
    let (service, frame, checkout) = (api.service.clone(), call.frame.clone(), id.clone());
    let refused = soon(tokio::spawn(async move { service.pay_out(&frame, &checkout, &account).await })).await?;
    if refused.is_some() {
        return answer(api, call, refused).await;
    }
    let lang = lang_of(call).code();
    let page = format!("{}&lang={lang}", api.links.checkout(&call.frame.shop, &id));
    Ok((StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response())
}

/// Why it was not done, if that is known soon. A provider that is slow keeps no write in flight at the seam: the work goes on,
/// and the page looks what has become of it.
async fn soon(work: JoinHandle<Refused>) -> Result<Option<&'static str>, Problem> {
    tokio::time::timeout(CONFIRMED_WITHIN, work).await.map_or(Ok(None), known)
}

fn known(done: Result<Refused, JoinError>) -> Result<Option<&'static str>, Problem> {
    match done {
        Ok(done) => Ok(done?.map(|refusal| refusal.code)),
        Err(_) => Ok(Some("internal")),
    }
}

/// What the script compares: another word, and the page has to be loaded again.
pub async fn state(State(api): Shared, call: Call) -> Result<Response, Problem> {
    let id = call.id()?;
    let found = match key_of(&api, &call, &id) {
        Some(_) => look(&api, &call.frame.shop, &id).await?,
        None => None,
    };
    let found = found.ok_or_else(Problem::not_found)?;
    let mut response = page::mark(&found).into_response();
    sheet::guard(response.headers_mut(), api.pay_policy.clone());
    Ok(response)
}

async fn answer(api: &Api, call: &Call, refused: Option<&'static str>) -> Result<Response, Problem> {
    let (lang, id) = (lang_of(call), call.id()?);
    let Some(key) = key_of(api, call, &id) else { return Ok(html(api, StatusCode::NOT_FOUND, page::none(lang))) };
    let shop = &call.frame.shop;
    let Some(found) = look(api, shop, &id).await? else {
        return Ok(html(api, StatusCode::NOT_FOUND, page::none(lang)));
    };
    let invoice = found.checkout.order().map(|order| api.links.invoice(shop, order));
    let ways = api.service.ways_to_pay(shop, found.checkout.totals().total());
    let by_card = call.parameter("way") == Some(Method::CardToken.name()) && ways.contains(&Method::CardToken);
    let card = api.service.cards_at().filter(|_| by_card).map(|origin| format!("{origin}/card"));
    let sheet = Sheet { lang, found: &found, ways, key, invoice, card, refused };
    Ok(html(api, StatusCode::OK, page::show(&sheet)))
}

async fn look(api: &Api, shop: &ShopId, id: &PublicId) -> Result<Option<ToPay>, Problem> {
    match api.service.to_pay(shop, id).await {
        Ok(found) => Ok(found),
        Err(Failure::UnknownShop) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// A form or a script of another origin sent it: browsers say so, and no page can forge it. A host app's page has the link of
/// its buyer, and yet is not to choose how they pay, nor where their money goes.
fn is_from_elsewhere(call: &Call) -> bool {
    !["", "same-origin", "none"].contains(&call.header(&HeaderName::from_static("sec-fetch-site")))
}

fn lang_of(call: &Call) -> Lang {
    Lang::choose(call.parameter("lang"), call.header(&ACCEPT_LANGUAGE))
}

/// The key of the link, and not the host's own: what a host looks at by habit shows nothing to pay with. A host that opens the
/// link itself is not kept from it by this; that takes a buyer who signs in.
fn key_of<'a>(api: &Api, call: &'a Call, id: &PublicId) -> Option<&'a str> {
    call.parameter("key").filter(|key| api.links.opens_checkout(&call.frame.shop, id, key))
}

fn html(api: &Api, status: StatusCode, page: maud::Markup) -> Response {
    sheet::answer(status, api.pay_policy.clone(), page)
}
