//! What is no answer of the shop: a request that is no proper one, or a world that failed. `{code, content}`.

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use shop::Failure;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    content: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, content: impl Into<String>) -> Self {
        Self { status, code, content: content.into() }
    }

    /// Something in the request is not what it should be: what, and where.
    pub fn invalid(path: &str, what: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", format!("{path} {what}"))
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "the bearer key is missing or wrong")
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (status, code) = match &failure {
            Failure::UnknownShop => (StatusCode::NOT_FOUND, "not_found"),
            Failure::NotOwner { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not_owner"),
            Failure::StaleEpoch { .. } => (StatusCode::SERVICE_UNAVAILABLE, "stale_epoch"),
            Failure::Fenced => (StatusCode::SERVICE_UNAVAILABLE, "fenced"),
            Failure::KeyReused => (StatusCode::CONFLICT, "idempotency_conflict"),
            Failure::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Failure::NoTerms | Failure::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Failure::Broken { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        // Whose fault it is decides who has to read about it.
        match &failure {
            Failure::Broken { fault, .. } => tracing::error!(%failure, %fault, "a stored document cannot be read"),
            Failure::Store(error) => tracing::error!(?error, "the store failed"),
            Failure::UnknownShop
            | Failure::NotOwner { .. }
            | Failure::StaleEpoch { .. }
            | Failure::Fenced
            | Failure::KeyReused
            | Failure::Busy
            | Failure::NoTerms => tracing::debug!(%failure, "not served"),
        }
        // How the store failed is for whoever reads the log.
        let content = if matches!(failure, Failure::Store(_)) {
            "the shop's storage has failed; the same request may be repeated".to_owned()
        } else {
            failure.to_string()
        };
        Self::new(status, code, content)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "code": self.code, "content": self.content });
        let mut response = (self.status, axum::Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
