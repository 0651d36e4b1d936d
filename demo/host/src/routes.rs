//! Which address shows what, and which form does what.

use crate::App;
use crate::deed::{self, Deed};
use crate::page::{Place, Sheet};
use crate::visit::Visit;
use crate::wire::Details;
use crate::{assets, basket, checkout, guard, live, order, product, steer};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use maud::html;
use serde::Deserialize;

/// The largest form: an address.
const FORM_BYTES_MAX: usize = 16 << 10;

pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(feed))
        .route("/basket", get(basket::show))
        .route("/orders", get(order::list))
        .route("/shops/{shop}/products/{id}", get(product::show))
        .route("/shops/{shop}/checkout", get(checkout::show).post(begin))
        .route("/shops/{shop}/orders/{id}", get(order::show))
        .route("/shops/{shop}/basket", post(add))
        .route("/shops/{shop}/units", post(set))
        .route("/shops/{shop}/details", post(say))
        .route("/shops/{shop}/pay", post(pay))
        .route("/shops/{shop}/again", post(again))
        .route("/shops/{shop}/hold", post(hold))
        .route("/live", get(live::follow))
        .route("/host.css", get(assets::style))
        .route("/host.js", get(assets::script))
        .route("/icon.svg", get(assets::icon))
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

async fn feed(State(app): State<App>, visit: Visit) -> Response {
    visit.show(&app, StatusCode::OK, Sheet::none()).await
}

pub async fn nothing(State(app): State<App>, visit: Visit) -> Response {
    let words = visit.lang.words();
    let body = html! { p { (words.no_such) } p { a .button href="/" data-swap { (words.back_to_feed) } } };
    let sheet = Sheet { title: "404".to_owned(), place: Place::Feed, shop: None, body: Some(body) };
    visit.show(&app, StatusCode::NOT_FOUND, sheet).await
}

#[derive(Deserialize)]
struct Product {
    tap: String,
    product: String,
}

#[derive(Deserialize)]
struct Units {
    tap: String,
    product: String,
    units: i64,
}

#[derive(Deserialize)]
struct Tapped {
    tap: String,
}

#[derive(Deserialize)]
struct Said {
    tap: String,
    #[serde(flatten)]
    details: Details,
}

#[derive(Deserialize)]
struct Choice {
    tap: String,
    choice: String,
    checkout: String,
    total: i64,
}

async fn add(State(app): State<App>, Path(shop): Path<String>, visit: Visit, Form(form): Form<Product>) -> Response {
    perform(app, visit, shop, form.tap, Deed::Add { product: form.product }).await
}

async fn set(State(app): State<App>, Path(shop): Path<String>, visit: Visit, Form(form): Form<Units>) -> Response {
    perform(app, visit, shop, form.tap, Deed::Set { product: form.product, units: form.units }).await
}

async fn begin(State(app): State<App>, Path(shop): Path<String>, visit: Visit, Form(form): Form<Tapped>) -> Response {
    perform(app, visit, shop, form.tap, Deed::Begin).await
}

async fn say(State(app): State<App>, Path(shop): Path<String>, visit: Visit, Form(form): Form<Said>) -> Response {
    perform(app, visit, shop, form.tap, Deed::Say(form.details)).await
}

async fn pay(State(app): State<App>, Path(shop): Path<String>, visit: Visit, Form(form): Form<Choice>) -> Response {
    let Choice { tap, choice, checkout, total } = form;
    perform(app, visit, shop, tap, Deed::Pay { approve: choice == "approve", checkout, total }).await
}

async fn perform(app: App, visit: Visit, shop: String, tap: String, deed: Deed) -> Response {
    if app.shop(&shop).is_none() || tap.is_empty() {
        return nothing(State(app), visit).await;
    }
    // Whoever sent it may hang up; what was begun is brought to its end all the same.
    let seat = visit.seat.clone();
    let doing = tokio::spawn(async move { deed::perform(app.seam(), &seat, tap, shop, deed).await });
    let location = doing.await.unwrap_or_else(|_| "/basket".to_owned());
    visit.lead(&location)
}

async fn again(State(app): State<App>, Path(shop): Path<String>, visit: Visit) -> Response {
    let location = deed::again(app.seam(), &visit.seat, &shop).await;
    visit.lead(&location)
}

async fn hold(State(app): State<App>, Path(shop): Path<String>, visit: Visit) -> Response {
    if app.shop(&shop).is_none() {
        return nothing(State(app), visit).await;
    }
    steer::hold(app, visit.seat.clone(), shop).await;
    if visit.swaps { StatusCode::NO_CONTENT.into_response() } else { visit.lead("/") }
}
