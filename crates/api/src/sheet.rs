//! What the pages of the backend have in common: the frame around them, what they refer to, and the headers that all of it
//! is sent with.
//!
//! Their addresses are secrets of whoever was given them, so that no cache keeps them and no other site is told.

use crate::invoice::Lang;
use crate::problem::Problem;
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};

/// Names under `assets/`.
pub const INVOICE_STYLE: &str = "invoice.css";
pub const PAY_STYLE: &str = "pay.css";
pub const PAY_SCRIPT: &str = "pay.js";

/// Around the body: what else is in the head, and what the body says about itself.
pub fn frame(lang: Lang, title: &str, head: &Markup, mark: Option<&str>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                // None: a browser asks for one otherwise.
                link rel="icon" href="data:,";
                (head)
            }
            body data-mark=[mark] { (body) }
        }
    }
}

/// A page, under this policy.
pub fn answer(status: StatusCode, policy: HeaderValue, page: Markup) -> Response {
    let mut response = (status, Html(page.into_string())).into_response();
    guard(response.headers_mut(), policy);
    response
}

/// What keeps an answer from caches, other sites and guesses.
pub fn guard(headers: &mut HeaderMap, policy: HeaderValue) {
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept-language"));
}

/// What pages refer to.
pub async fn asset(Path((_, name)): Path<(String, String)>) -> Result<Response, Problem> {
    const CSS: &str = "text/css; charset=utf-8";
    let (kind, text) = match name.as_str() {
        INVOICE_STYLE => (CSS, concat!(include_str!("../assets/sheet.css"), include_str!("../assets/invoice.css"))),
        PAY_STYLE => (CSS, concat!(include_str!("../assets/sheet.css"), include_str!("../assets/pay.css"))),
        PAY_SCRIPT => ("text/javascript; charset=utf-8", include_str!("../assets/pay.js")),
        _ => return Err(Problem::not_found()),
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A new version of the program must not meet an old sheet.
        (CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, text).into_response())
}
