//! What every handler shares: the language of a visit, and what is answered when the store cannot be read.

use crate::ask::Query;
use crate::lang::Lang;
use crate::page::plain;
use axum::extract::{FromRequestParts, Query as Parameters};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use std::convert::Infallible;

/// Who asks: in which language, and with which parameters.
pub struct Visit {
    pub lang: Lang,
    /// The address itself chose the language, so that it is kept.
    pub chosen: bool,
    pub query: Query,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut query = Parameters::<Query>::try_from_uri(&parts.uri).map(|query| query.0).unwrap_or_default();
        // Nothing that is asked for has a character of value zero, and not every store could look for one.
        query.retain(|_, value| !value.contains('\0'));
        let chosen = query.get("lang").and_then(|code| Lang::from_code(code));
        let lang = chosen.unwrap_or_else(|| Lang::of_headers(&parts.headers));
        Ok(Self { lang, chosen: chosen.is_some(), query })
    }
}

/// The store could not be read or written.
pub struct Trouble(store::Error);

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        tracing::error!(error = %self.0, "the console could not use the store");
        // Which language is not known here any more.
        plain(StatusCode::SERVICE_UNAVAILABLE, Lang::En, Lang::En.trouble())
    }
}
