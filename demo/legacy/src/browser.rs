//! What a person's browser asks for, as opposed to a host app: invoices, and the style sheet that they refer to.
//!
//! Invariant: without the key of its link, or the host's, an invoice looks like one that does not exist.

use crate::database::Database;
use crate::invoice::{self, Links};
use crate::page::{self, Words};
use crate::pay_page;
use crate::shop::Ctx;
use crate::wire::Stop;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;

const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = "faktur.css";

/// A page or a part of one.
#[derive(Debug, Clone)]
pub enum Page {
    Invoice(String),
    Asset(String),
}

/// What was asked with it.
pub struct Asked<'a> {
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// The caller bears the host's key, which opens everything.
    pub is_host: bool,
}

impl Asked<'_> {
    pub fn parameter(&self, wanted: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == wanted)).map(|it| it.1)
    }

    pub fn words(&self) -> &'static Words {
        let accepted = self.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Words::choose(self.parameter("lang"), accepted.unwrap_or_default())
    }
}

/// # Errors
/// What the database says.
pub async fn answer(
    database: &Database,
    links: &Links,
    shop: i64,
    page: Page,
    asked: &Asked<'_>,
) -> Result<Response<Body>, Stop> {
    let words = asked.words();
    let nomor = match page {
        Page::Asset(name) if name == STYLE => {
            return Ok(asset("text/css; charset=utf-8", include_str!("../assets/faktur.css")));
        }
        Page::Asset(name) if name == pay_page::SCRIPT_NAME => {
            return Ok(asset("text/javascript; charset=utf-8", pay_page::SCRIPT));
        }
        Page::Asset(_) => return Err(Stop::no_such_path()),
        Page::Invoice(nomor) => nomor,
    };
    let opens = asked.is_host || asked.parameter("key").is_some_and(|key| links.opens(shop, &nomor, key));
    if !opens {
        return Ok(html(StatusCode::NOT_FOUND, POLICY, page::none(words)));
    }
    let links = links.clone();
    let found = database
        .read(move |tx| {
            let ctx = Ctx::load(tx, shop, Timestamp::now(), &links)?;
            Ok(invoice::render(tx, &ctx, &nomor, words)?)
        })
        .await?;
    Ok(match found {
        Some(page) => html(StatusCode::OK, POLICY, page),
        None => html(StatusCode::NOT_FOUND, POLICY, page::none(words)),
    })
}

/// A page under a policy.
pub fn html(status: StatusCode, policy: &str, page: String) -> Response<Body> {
    guarded(status, "text/html; charset=utf-8", policy, page)
}

/// What no cache keeps and no other site is told of.
pub fn guarded(status: StatusCode, kind: &'static str, policy: &str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The address is a secret between the buyer and the shop.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::VARY, "accept-language"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // What is no header would leave the page to anybody.
    let policy =
        HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn asset(kind: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
