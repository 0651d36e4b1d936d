//! One request of a browser: who it is, in which language, and whether it wants a page or only what changed on one.

use crate::App;
use crate::lang::Lang;
use crate::page::{self, Sheet};
use crate::people::{Seat, Told};
use axum::extract::{FromRequestParts, Query};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use maud::Markup;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

/// What our script says when it only wants what it will put into the page that is there.
const SWAP: &str = "kelir-swap";

pub struct Visit {
    pub seat: Arc<Seat>,
    pub lang: Lang,
    pub query: BTreeMap<String, String>,
    /// The page is there and stays.
    pub swaps: bool,
    /// Path of this page, without the language.
    pub here: String,
    cookies: Vec<String>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let query = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri).map(|Query(query)| query);
        let query = query.unwrap_or_default();
        let chosen = query.get("lang").and_then(|code| Lang::from_code(code));
        let (seat, cookie) = app.people().of(&parts.headers);
        Ok(Self {
            seat,
            lang: chosen.unwrap_or_else(|| Lang::of_headers(&parts.headers)),
            query,
            swaps: parts.headers.contains_key(SWAP),
            here: parts.uri.path().to_owned(),
            cookies: cookie.into_iter().chain(chosen.map(Lang::cookie)).collect(),
        })
    }
}

impl Visit {
    /// What was to be told once, and is told now.
    pub fn note(&self) -> Option<Told> {
        self.seat.person().note.take()
    }

    /// The note, with what can be done about it in its own shop.
    pub fn tell(&self, told: Option<&Told>) -> Markup {
        page::told(self.lang, told.map(|told| &told.note), told.map(|told| told.shop.as_str()))
    }

    /// The page with this sheet, or what of it changes on a page that is there.
    pub async fn show(&self, app: &App, status: StatusCode, sheet: Sheet) -> Response {
        let html = page::render(app, self, &sheet).await;
        self.with_cookies((status, axum::response::Html(html.into_string())).into_response())
    }

    /// Leads on after a form.
    pub fn lead(&self, location: &str) -> Response {
        let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/"));
        self.with_cookies((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
    }

    fn with_cookies(&self, mut response: Response) -> Response {
        for cookie in &self.cookies {
            if let Ok(cookie) = HeaderValue::from_str(cookie) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
        }
        response
    }
}
