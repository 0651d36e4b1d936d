//! The style sheet, the script and the mark, compiled in.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

// A new version of the program must not meet an old script: browsers ask each time.
const CACHE: (http::HeaderName, &str) = (CACHE_CONTROL, "no-cache");

pub async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), CACHE], include_str!("../assets/host.css")).into_response()
}

pub async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8"), CACHE], include_str!("../assets/host.js")).into_response()
}

pub async fn icon() -> Response {
    ([(CONTENT_TYPE, "image/svg+xml"), CACHE], include_str!("../assets/icon.svg")).into_response()
}
