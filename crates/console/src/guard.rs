//! What every answer carries, and what no request gets past.
//!
//! There is no sign-in: whoever reaches the port is the operator. So a page of another site must neither write a wish
//! (`Sec-Fetch-Site` of every POST is `same-origin`, which no page can forge), nor reach the console under a name of
//! its own (the host is a loopback one).

use crate::lang::Lang;
use crate::page::plain;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const CARRIED: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

pub async fn guard(request: Request, next: Next) -> Response {
    let lang = Lang::of_headers(request.headers());
    let mut response = if !is_here(request.headers()) {
        plain(StatusCode::FORBIDDEN, lang, lang.refused_host())
    } else if is_from_elsewhere(&request) {
        plain(StatusCode::FORBIDDEN, lang, lang.refused_site())
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in CARRIED {
        headers.insert(name, value);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The console's own names; any other may be somebody's who makes it point here.
fn is_here(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(
        host,
        |(name, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
        },
    );
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

/// A write that no page of ours sent.
fn is_from_elsewhere(request: &Request) -> bool {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    !reads && request.headers().get("sec-fetch-site").is_none_or(|site| site != "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_ours() {
        let check = |host: &str, ours: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            assert_eq!(is_here(&headers), ours, "{host}");
        };
        check("127.0.0.1:7401", true);
        check("localhost", true);
        check("[::1]:7401", true);
        check("127.0.0.1.evil.example:7401", false);
        check("evil.example", false);
        check("localhost:evil", false);
        check("", false);
    }
}
