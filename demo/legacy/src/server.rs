//! HTTP: which call it is, whether the caller may, and the answer in words the other side knows.
//!
//! Every write is one transaction with its row in `idem`; a refusal writes nothing at all.

use crate::browser::{self, Asked, Page};
use crate::cashier::{Cashier, Noticed};
use crate::database::{Database, Transaction};
use crate::give_back::{self, Command};
use crate::invoice::Links;
use crate::loket::{self, Loket, Provider, notice};
use crate::pay_page::{self, Desk, Visit};
use crate::shop::{self, Ctx, Done, KEY_MAX, Key};
use crate::wire::{self, Fields, Kind, Stop, number, parse};
use crate::{cart, catalog, checkout};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use axum::serve::ListenerExt;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The longest request body, in bytes.
const BODY_MAX: usize = 256 * 1024;
/// The longest notice, in bytes.
const NOTICE_MAX: usize = 64 * 1024;

/// Who may look at orders, and who may change products.
#[derive(Debug, Clone)]
pub struct Keys {
    pub host: String,
    pub seller: String,
}

struct App {
    database: Database,
    keys: Keys,
    links: Links,
    /// None where nobody pays later.
    cashier: Option<Cashier>,
    /// Of the page where buyers pay.
    pay_policy: String,
}

/// Serves until the listener fails; buyers pay at once only.
///
/// # Errors
/// What the listener says.
pub async fn serve(listener: TcpListener, database: Database, keys: Keys) -> std::io::Result<()> {
    let links = Links::of(&keys.host, None);
    serve_app(listener, App { database, keys, links, cashier: None, pay_policy: pay_page::policy(&[]) }).await
}

/// The same, and buyers may pay later, through a provider.
///
/// # Errors
/// What the listener says; a provider that is none.
pub async fn serve_with(
    listener: TcpListener,
    database: Database,
    keys: Keys,
    provider: &Provider,
) -> anyhow::Result<()> {
    let links = Links::of(&keys.host, Some(&provider.page_key));
    let cashier = Cashier::new(database.clone(), Loket::new(provider)?, links.clone());
    let rounds = cashier.clone().work();
    let pay_policy = pay_page::policy(&provider.host_origins);
    let app = App { database, keys, links, cashier: Some(cashier), pay_policy };
    tokio::select! {
        served = serve_app(listener, app) => Ok(served?),
        () = rounds => Ok(()),
    }
}

async fn serve_app(listener: TcpListener, app: App) -> std::io::Result<()> {
    let app = Router::new().fallback(handle).with_state(Arc::new(app));
    let listener = listener.tap_io(|stream| {
        // An answer is one small write: waiting for more would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("kios: {error}");
        }
    });
    axum::serve(listener, app).await
}

async fn handle(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    answer(&app, request).await.unwrap_or_else(|stop| wire::failure(&stop))
}

async fn answer(app: &App, request: Request<Body>) -> Result<Response<Body>, Stop> {
    let (head, body) = request.into_parts();
    let path: Vec<&str> = head.uri.path().trim_start_matches('/').split('/').collect();
    if path == ["health"] {
        return Ok(Response::new(Body::from("ok\n")));
    }
    if let (["notices", loket::ACCOUNT], Some(cashier)) = (path.as_slice(), &app.cashier) {
        return notice(cashier, &head.method, &head.headers, body).await;
    }
    let ["shops", shop, rest @ ..] = path.as_slice() else { return Err(Stop::no_such_path()) };
    let call = Call::of(&head.method, rest).ok_or_else(Stop::no_such_path)?;
    call.guard(&app.keys, &head.headers)?;
    let is_host = bears(&head.headers, &app.keys.host);
    let shop = number(shop).ok_or_else(Stop::no_such_path)?;
    let body = axum::body::to_bytes(body, BODY_MAX).await.map_err(|_| {
        Stop::bad(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", format!("a body has at most {BODY_MAX} bytes"))
    })?;
    match call {
        Call::Page(page) => {
            let asked = Asked { query: head.uri.query().unwrap_or_default(), headers: &head.headers, is_host };
            browser::answer(&app.database, &app.links, shop, page, &asked).await
        }
        Call::Pay(id, visit) => {
            let cashier = app.cashier.as_ref().ok_or_else(Stop::no_such_path)?;
            cashier.rounds().asked_for(shop);
            let asked = Asked { query: head.uri.query().unwrap_or_default(), headers: &head.headers, is_host };
            let desk = Desk { cashier, links: &app.links, policy: &app.pay_policy };
            pay_page::answer(desk, (shop, &id), visit, &asked, &body).await
        }
        Call::Read(read) => answer_read(app, shop, read, body).await,
        Call::Write(write) => {
            let key = key_of(&head.headers, &write, &body)?;
            answer_write(app, shop, write, key, body).await
        }
    }
}

/// A call that changes nothing that anybody was promised.
#[derive(Debug, Clone)]
enum Read {
    Search,
    Lookup,
    /// Counted as a view.
    Product,
    Cart(String),
    Checkout(String),
    Order(String),
}

/// A call with an idempotency key.
#[derive(Debug, Clone)]
enum Write {
    CartCreate,
    CartUpdate(String),
    CartCancel(String),
    CheckoutCreate,
    CheckoutUpdate(String),
    CheckoutComplete(String),
    CheckoutCancel(String),
    OrderCancel(String),
    OrderRefund(String),
    ProductEdit(String),
}

#[derive(Debug, Clone)]
enum Call {
    Page(Page),
    /// The page where a checkout is paid.
    Pay(String, Visit),
    Read(Read),
    Write(Write),
}

impl Call {
    fn of(method: &Method, path: &[&str]) -> Option<Self> {
        let id = |id: &&str| (*id).to_owned();
        Some(match (method.as_str(), path) {
            ("POST", ["catalog", "search"]) => Self::Read(Read::Search),
            ("POST", ["catalog", "lookup"]) => Self::Read(Read::Lookup),
            ("POST", ["catalog", "product"]) => Self::Read(Read::Product),
            ("GET", ["carts", cart]) => Self::Read(Read::Cart(id(cart))),
            ("GET", ["checkout-sessions", checkout]) => Self::Read(Read::Checkout(id(checkout))),
            ("GET", ["orders", order]) => Self::Read(Read::Order(id(order))),
            ("GET", ["orders", order, "invoice"]) => Self::Page(Page::Invoice(id(order))),
            ("GET", ["assets", name]) => Self::Page(Page::Asset(id(name))),
            ("GET", ["checkout", it]) => Self::Pay(id(it), Visit::Show),
            ("GET", ["checkout", it, "state"]) => Self::Pay(id(it), Visit::State),
            ("POST", ["checkout", it]) => Self::Pay(id(it), Visit::Choose),
            ("POST", ["carts"]) => Self::Write(Write::CartCreate),
            ("PUT", ["carts", cart]) => Self::Write(Write::CartUpdate(id(cart))),
            ("POST", ["carts", cart, "cancel"]) => Self::Write(Write::CartCancel(id(cart))),
            ("POST", ["checkout-sessions"]) => Self::Write(Write::CheckoutCreate),
            ("PUT", ["checkout-sessions", it]) => Self::Write(Write::CheckoutUpdate(id(it))),
            ("POST", ["checkout-sessions", it, "complete"]) => Self::Write(Write::CheckoutComplete(id(it))),
            ("POST", ["checkout-sessions", it, "cancel"]) => Self::Write(Write::CheckoutCancel(id(it))),
            ("POST", ["orders", order, "cancel"]) => Self::Write(Write::OrderCancel(id(order))),
            ("POST", ["orders", order, "refund"]) => Self::Write(Write::OrderRefund(id(order))),
            ("PUT", ["seller", "products", product]) => Self::Write(Write::ProductEdit(id(product))),
            _ => return None,
        })
    }

    /// Orders are the host's to see, products the seller's to change.
    fn guard(&self, keys: &Keys, headers: &HeaderMap) -> Result<(), Stop> {
        let key = match self {
            Self::Read(Read::Order(_)) | Self::Write(Write::OrderCancel(_) | Write::OrderRefund(_)) => &keys.host,
            Self::Write(Write::ProductEdit(_)) => &keys.seller,
            // A page has a key of its own in its address.
            Self::Page(_) | Self::Pay(..) | Self::Read(_) | Self::Write(_) => return Ok(()),
        };
        if bears(headers, key) {
            return Ok(());
        }
        Err(Stop::bad(StatusCode::UNAUTHORIZED, "unauthorized", "this needs another key"))
    }
}

fn bears(headers: &HeaderMap, key: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    same(given, format!("Bearer {key}").as_bytes())
}

/// Compares without telling, by the time it takes, how much of it was right.
fn same(given: &[u8], right: &[u8]) -> bool {
    given.len() == right.len() && given.iter().zip(right).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

impl Write {
    const fn operation(&self) -> &'static str {
        match self {
            Self::CartCreate => "cart.create",
            Self::CartUpdate(_) => "cart.update",
            Self::CartCancel(_) => "cart.cancel",
            Self::CheckoutCreate => "checkout.create",
            Self::CheckoutUpdate(_) => "checkout.update",
            Self::CheckoutComplete(_) => "checkout.complete",
            Self::CheckoutCancel(_) => "checkout.cancel",
            Self::OrderCancel(_) => "order.cancel",
            Self::OrderRefund(_) => "order.refund",
            Self::ProductEdit(_) => "product.edit",
        }
    }

    fn about(&self) -> Option<&String> {
        match self {
            Self::CartCreate | Self::CheckoutCreate => None,
            Self::CartUpdate(id)
            | Self::CartCancel(id)
            | Self::CheckoutUpdate(id)
            | Self::CheckoutComplete(id)
            | Self::CheckoutCancel(id)
            | Self::OrderCancel(id)
            | Self::OrderRefund(id)
            | Self::ProductEdit(id) => Some(id),
        }
    }

    fn run(&self, tx: &mut Transaction<'_>, ctx: &Ctx, body: &[u8]) -> Result<Done, Stop> {
        match self {
            Self::CartCreate => cart::create(tx, ctx, &parse(body)?),
            Self::CartUpdate(id) => cart::update(tx, ctx, id, &parse(body)?),
            Self::CartCancel(id) => cart::cancel(tx, ctx, id),
            Self::CheckoutCreate => checkout::create(tx, ctx, &parse(body)?),
            Self::CheckoutUpdate(id) => checkout::update(tx, ctx, id, &parse(body)?),
            Self::CheckoutComplete(id) => checkout::complete(tx, ctx, id, &parse(body)?),
            Self::CheckoutCancel(id) => checkout::cancel(tx, ctx, id),
            Self::OrderCancel(id) => give_back::give_back(tx, ctx, id, Command::Cancel, &parse(body)?),
            Self::OrderRefund(id) => give_back::give_back(tx, ctx, id, Command::Refund, &parse(body)?),
            Self::ProductEdit(id) => catalog::edit(tx, ctx, id, &parse(body)?),
        }
    }
}

impl Read {
    fn run(&self, tx: &mut Transaction<'_>, ctx: &Ctx, body: &[u8]) -> Result<Fields, Stop> {
        match self {
            Self::Search => catalog::search(tx, ctx, &parse(body)?),
            Self::Lookup => catalog::lookup(tx, ctx, &parse(body)?),
            Self::Product => catalog::view(tx, ctx, &parse::<wire::Item>(body)?.id),
            Self::Cart(id) => cart::get(tx, ctx, id),
            Self::Checkout(id) => shop::render(tx, ctx, Kind::Checkout, id),
            Self::Order(id) => shop::render(tx, ctx, Kind::Order, id),
        }
    }
}

async fn answer_read(app: &App, shop: i64, read: Read, body: Bytes) -> Result<Response<Body>, Stop> {
    let counts = matches!(read, Read::Product);
    let links = app.links.clone();
    let work = move |tx: &mut Transaction<'_>| {
        let ctx = Ctx::load(tx, shop, Timestamp::now(), &links)?;
        read.run(tx, &ctx, &body)
    };
    let fields = if counts { app.database.write(work).await? } else { app.database.read(work).await? };
    Ok(wire::answer(StatusCode::OK, "success", fields))
}

async fn answer_write(app: &App, shop: i64, write: Write, key: Key, body: Bytes) -> Result<Response<Body>, Stop> {
    let links = app.links.clone();
    let work = move |tx: &mut Transaction<'_>| {
        let ctx = Ctx::load(tx, shop, Timestamp::now(), &links)?;
        let done = shop::once(tx, &ctx, &key, |tx| write.run(tx, &ctx, &body))?;
        let mut fields = shop::render(tx, &ctx, done.kind, &done.id)?;
        wire::say_first(&mut fields, &done.messages);
        Ok((done, fields))
    };
    match app.database.write(work).await {
        Ok((done, fields)) => {
            if let Some(cashier) = &app.cashier {
                cashier.rounds().asked_for(shop);
                if let Some(pending) = done.pending {
                    cashier.go_on_with(pending, done.sends);
                }
            }
            Ok(wire::answer(done.status, "success", fields))
        }
        Err(Stop::Refused(refusal)) => refused(app, shop, refusal).await,
        Err(stop) => Err(stop),
    }
}

/// The refusal, and beside it the resource as it stands now that nothing was done.
async fn refused(app: &App, shop: i64, refusal: wire::Refusal) -> Result<Response<Body>, Stop> {
    let Some((kind, id)) = refusal.about.clone() else { return Err(Stop::Refused(refusal)) };
    let links = app.links.clone();
    let shown = app
        .database
        .read(move |tx| {
            let ctx = Ctx::load(tx, shop, Timestamp::now(), &links)?;
            shop::render(tx, &ctx, kind, &id)
        })
        .await;
    let mut fields = match shown {
        Ok(fields) => fields,
        Err(Stop::Refused(_)) => Fields::new(),
        Err(stop) => return Err(stop),
    };
    wire::say_first(&mut fields, &[refusal.message()]);
    // That a person has to go on is no error: the shop takes the order, and the page is where.
    let word = if refusal.is_for_buyer() { "success" } else { "error" };
    if refusal.is_for_buyer() {
        fields.insert("status".into(), "requires_escalation".into());
    }
    Ok(wire::answer(StatusCode::OK, word, fields))
}

/// The provider tells a fact: 200 says that it is committed here, 503 that it has to be told again.
async fn notice(cashier: &Cashier, method: &Method, headers: &HeaderMap, body: Body) -> Result<Response<Body>, Stop> {
    if *method != Method::POST {
        return Err(Stop::no_such_path());
    }
    let body = axum::body::to_bytes(body, NOTICE_MAX).await.map_err(|_| {
        Stop::bad(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request_too_large",
            format!("a notice has at most {NOTICE_MAX} bytes"),
        )
    })?;
    let mut given = headers.get_all(notice::HEADER).iter();
    let signature = match (given.next(), given.next()) {
        (Some(signature), None) => signature.to_str().unwrap_or_default(),
        _ => "",
    };
    match cashier.notice(signature, &body).await {
        Noticed::Heard => Ok(Response::new(Body::empty())),
        Noticed::Unsigned => {
            Err(Stop::bad(StatusCode::UNAUTHORIZED, "unauthorized", "it is not signed by the provider"))
        }
        Noticed::Unreadable => Err(Stop::invalid("it does not say what it is about")),
        Noticed::Unknown => Err(Stop::bad(StatusCode::NOT_FOUND, "not_found", "nobody here knows this reference")),
        Noticed::Later => Ok(wire::unavailable("it could not be put down")),
    }
}

fn key_of(headers: &HeaderMap, write: &Write, body: &[u8]) -> Result<Key, Stop> {
    let missing = || {
        let content = format!("a write needs an Idempotency-Key of 1 to {KEY_MAX} letters");
        Stop::bad(StatusCode::BAD_REQUEST, "idempotency_key_missing", content)
    };
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(missing());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    let body = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Key { operation: write.operation(), about: write.about().cloned(), key: key.to_owned(), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_right_or_it_is_not() {
        assert!(same(b"Bearer a", b"Bearer a"));
        for wrong in [&b""[..], b"Bearer b", b"Bearer ", b"Bearer aa"] {
            assert!(!same(wrong, b"Bearer a"));
        }
    }

    #[test]
    fn an_unknown_path_is_no_call() {
        assert!(Call::of(&Method::GET, &["carts"]).is_none());
        assert!(Call::of(&Method::POST, &["orders", "1", "ship"]).is_none());
        assert!(Call::of(&Method::POST, &["carts"]).is_some());
    }
}
