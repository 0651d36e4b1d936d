//! The operations: each parses its request, runs one command or read, and renders the answer.

use crate::Keys;
use crate::call::Call;
use crate::framing::WebOrigin;
use crate::invoice;
use crate::limit::{self, Limiter, Rate};
use crate::link::Links;
use crate::problem::Problem;
use crate::wire::request::{self, Instrument};
use crate::wire::response;
use crate::{notices, pay, sheet};
use axum::Router;
use axum::extract::State;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use http::{HeaderValue, StatusCode};
use shop::{Answer, Command, Service};
use std::sync::Arc;

pub struct Api {
    pub service: Service,
    pub keys: Keys,
    pub links: Links,
    /// Of the page where a buyer pays.
    pub pay_policy: HeaderValue,
}

pub type Shared = State<Arc<Api>>;
type Answered = Result<Response, Problem>;

/// What may be left out.
#[derive(Default)]
pub struct Options {
    /// How often each shop may be asked; none: as often as one likes.
    pub rate: Option<Rate>,
    /// Host apps that may show the page where a buyer pays in a frame.
    pub framed_by: Vec<WebOrigin>,
}

/// All paths of the backend. Nothing is served beside them.
pub fn router(service: Service, keys: Keys, options: Options) -> Router {
    let mut shop = paths_of_a_shop();
    if let Some(rate) = options.rate {
        shop =
            shop.route_layer(middleware::from_fn_with_state(Arc::new(Limiter::new(rate, keys.clone())), limit::keep));
    }
    let links = Links::of(&keys.invoices, &keys.pages);
    let pay_policy = pay::policy(service.cards_at(), &options.framed_by);
    Router::new()
        .route("/health", get(|| async { StatusCode::OK }))
        .route("/ready", get(ready))
        .route("/notices/{rail}", post(notices::admit))
        .nest("/shops/{shop}", shop)
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "not with this method")
        })
        .with_state(Arc::new(Api { service, keys, links, pay_policy }))
}

fn paths_of_a_shop() -> Router<Arc<Api>> {
    Router::new()
        .route("/catalog/search", post(search))
        .route("/catalog/lookup", post(lookup))
        .route("/catalog/product", post(product))
        .route("/carts", post(create_cart))
        .route("/carts/{id}", get(cart).put(update_cart))
        .route("/carts/{id}/cancel", post(cancel_cart))
        .route("/checkout-sessions", post(create_checkout))
        .route("/checkout-sessions/{id}", get(checkout).put(update_checkout))
        .route("/checkout-sessions/{id}/complete", post(complete))
        .route("/checkout-sessions/{id}/cancel", post(cancel_checkout))
        .route("/orders/{id}", get(order))
        .route("/orders/{id}/invoice", get(invoice::show))
        .route("/assets/{name}", get(sheet::asset))
        .route("/checkout/{id}", get(pay::show).post(pay::confirm))
        .route("/checkout/{id}/state", get(pay::state))
        .route("/orders/{id}/cancel", post(cancel_order))
        .route("/orders/{id}/refund", post(refund_order))
        .route("/seller/products/{id}", put(edit_product))
}

impl Api {
    fn render(&self, call: &Call, answer: &Answer) -> Response {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
        (status, axum::Json(response::body(&self.links, &call.frame.shop, answer))).into_response()
    }

    async fn execute(&self, call: &Call, command: Command) -> Answered {
        Ok(self.render(call, &self.service.execute(&call.frame, &call.keyed()?, &command).await?))
    }
}

async fn ready(State(api): Shared) -> Result<StatusCode, Problem> {
    api.service.ready().await?;
    Ok(StatusCode::OK)
}

async fn search(State(api): Shared, call: Call) -> Answered {
    let page = request::page(&call.json()?)?;
    let found = api.service.search(&call.frame.shop, page.query.as_deref(), page.after.as_ref(), page.limit).await?;
    Ok(api.render(&call, &found))
}

async fn lookup(State(api): Shared, call: Call) -> Answered {
    let ids = request::ids(&call.json()?)?;
    Ok(api.render(&call, &api.service.lookup(&call.frame.shop, &ids).await?))
}

async fn product(State(api): Shared, call: Call) -> Answered {
    let id = request::id(&call.json()?)?;
    Ok(api.render(&call, &api.service.product(&call.frame.shop, &id).await?))
}

async fn create_cart(State(api): Shared, call: Call) -> Answered {
    let lines = request::lines(&call.json()?)?;
    api.execute(&call, Command::CreateCart { lines }).await
}

async fn cart(State(api): Shared, call: Call) -> Answered {
    Ok(api.render(&call, &api.service.cart(&call.frame.shop, &call.id()?).await?))
}

async fn update_cart(State(api): Shared, call: Call) -> Answered {
    let lines = request::lines(&call.json()?)?;
    api.execute(&call, Command::UpdateCart { id: call.id()?, lines }).await
}

async fn cancel_cart(State(api): Shared, call: Call) -> Answered {
    api.execute(&call, Command::CancelCart { id: call.id()? }).await
}

async fn create_checkout(State(api): Shared, call: Call) -> Answered {
    let body = call.json()?;
    let (basket, details) = (request::basket(&body)?, request::details(&body)?);
    api.execute(&call, Command::CreateCheckout { basket, details }).await
}

async fn checkout(State(api): Shared, call: Call) -> Answered {
    Ok(api.render(&call, &api.service.checkout(&call.frame.shop, &call.id()?).await?))
}

async fn update_checkout(State(api): Shared, call: Call) -> Answered {
    let body = call.json()?;
    let (lines, details) = (request::lines(&body)?, request::details(&body)?);
    api.execute(&call, Command::UpdateCheckout { id: call.id()?, lines, details }).await
}

async fn complete(State(api): Shared, call: Call) -> Answered {
    let instrument = request::instrument(&call.json()?)?;
    let (keyed, id) = (call.keyed()?, call.id()?);
    let answer = match instrument {
        Instrument::Instant(choice) => api.service.complete(&call.frame, &keyed, &id, &choice).await?,
        Instrument::OnPage => api.service.choose_page(&call.frame, &id).await?,
        Instrument::WithCredential(path) => api.service.refuse_credential(&call.frame, &id, &path).await?,
    };
    Ok(api.render(&call, &answer))
}

async fn cancel_checkout(State(api): Shared, call: Call) -> Answered {
    api.execute(&call, Command::CancelCheckout { id: call.id()? }).await
}

async fn order(State(api): Shared, call: Call) -> Answered {
    call.must_be_host(&api.keys)?;
    Ok(api.render(&call, &api.service.order(&call.frame.shop, &call.id()?).await?))
}

async fn cancel_order(State(api): Shared, call: Call) -> Answered {
    call.must_be_host(&api.keys)?;
    let back = request::back(&call.json()?)?;
    api.execute(&call, Command::CancelOrder { id: call.id()?, back }).await
}

async fn refund_order(State(api): Shared, call: Call) -> Answered {
    call.must_be_host(&api.keys)?;
    let back = request::back(&call.json()?)?;
    api.execute(&call, Command::RefundOrder { id: call.id()?, back }).await
}

async fn edit_product(State(api): Shared, call: Call) -> Answered {
    call.must_be_seller(&api.keys)?;
    let edit = request::edit(&call.json()?)?;
    api.execute(&call, Command::EditProduct { id: call.id()?, edit }).await
}
