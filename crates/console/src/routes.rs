//! Which address shows what.

use crate::Console;
use crate::ask::Ask;
use crate::live::{self, View};
use crate::page::{Page, Section, answer, plain};
use crate::route::{Trouble, Visit};
use crate::shop::Look;
use crate::{assets, board, confirm, findings, guard, shop};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::middleware;
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use http::{HeaderMap, StatusCode};
use maud::html;
use std::future::Future;
use tokio::net::TcpListener;
use vocab::id::ShopId;

/// The largest form: a reason, and nothing else.
const FORM_BYTES_MAX: usize = 4 << 10;

/// All pages, behind what every answer carries and every request must be.
pub fn router(console: Console) -> Router {
    Router::new()
        .route("/", get(show_board))
        .route("/live", get(follow_board))
        .route("/shops/{shop}", get(show_shop))
        .route("/shops/{shop}/live", get(follow_shop))
        .route("/shops/{shop}/{verb}", get(confirm::page_of_shop).post(confirm::wish_of_shop))
        .route("/all/{verb}", get(confirm::page_of_all).post(confirm::wish_of_all))
        .route("/findings", get(findings::list))
        .route("/findings/{verb}", get(confirm::page_of_findings).post(confirm::wish_of_findings))
        .route("/finding", get(findings::one))
        .route("/console.css", get(assets::style))
        .route("/console.js", get(assets::script))
        .route("/icon.svg", get(assets::icon))
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn(guard::guard))
        .with_state(console)
}

/// Serves until `shutdown` resolves.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // Events are small and must not wait for each other.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn nothing(visit: Visit) -> Response {
    plain(StatusCode::NOT_FOUND, visit.lang, visit.lang.not_found())
}

async fn show_board(State(console): State<Console>, visit: Visit) -> Result<Response, Trouble> {
    let (lang, ask) = (visit.lang, Ask::of(&visit.query));
    let query = ask.address();
    let here = format!("/{query}");
    let (live, body) = match console.picture().await? {
        Some(picture) => {
            let now = console.now();
            let fragments = board::fragments(lang, &picture, &ask, now);
            let live = live::address(&format!("/live{query}"), lang, &fragments);
            (Some(live), board::body(lang, &picture, &ask, now))
        }
        None => {
            let body = html! { section .panel .narrow { h1 { (lang.no_plan()) } p { (lang.no_plan_do()) } } };
            (None, body)
        }
    };
    let page = Page { lang, title: lang.board(), section: Section::Board, here: &here, live, body };
    Ok(answer(StatusCode::OK, &page, visit.chosen))
}

async fn show_shop(
    State(console): State<Console>,
    Path(shop): Path<String>,
    visit: Visit,
) -> Result<Response, Trouble> {
    let lang = visit.lang;
    let look = match ShopId::parse(&shop) {
        Ok(shop) => Look::at(&console, &shop).await?,
        Err(_) => None,
    };
    let Some(look) = look else { return Ok(plain(StatusCode::NOT_FOUND, lang, lang.not_planned())) };
    let here = format!("/shops/{}", look.row.shop);
    let live = live::address(&format!("{here}/live"), lang, &shop::fragments(lang, &look));
    let title = format!("{} {}", lang.shop(), look.row.shop);
    let lengths = console.store().hold_lengths(shop::HOLDS_READ).await?;
    let body = shop::body(lang, &look, &lengths);
    let page = Page { lang, title: &title, section: Section::Board, here: &here, live: Some(live), body };
    Ok(answer(StatusCode::OK, &page, visit.chosen))
}

async fn follow_board(State(console): State<Console>, visit: Visit, headers: HeaderMap) -> Response {
    let view = View::Board(Ask::of(&visit.query));
    live::follow(console, view, visit.lang, visit.query.get("known").map(String::as_str), &headers)
}

async fn follow_shop(
    State(console): State<Console>,
    Path(shop): Path<String>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    match ShopId::parse(&shop) {
        Ok(shop) => {
            let known = visit.query.get("known").map(String::as_str);
            live::follow(console, View::Shop(shop), visit.lang, known, &headers)
        }
        Err(_) => plain(StatusCode::NOT_FOUND, visit.lang, visit.lang.not_planned()),
    }
}
