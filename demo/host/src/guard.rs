//! What every answer carries, and what no request gets past: pages run no script and take no style but our own, only our own
//! pages send forms, and nothing but the shops' own pages is shown in a frame.

use crate::App;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const CARRIED: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = if is_here(request.headers()) && !is_from_elsewhere(&request) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "this page answers to its own forms, on its own name").into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in CARRIED {
        headers.insert(name, value);
    }
    headers.insert(CONTENT_SECURITY_POLICY, policy(app.seam().addresses().origin()));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The frame is the shops', and cannot be led elsewhere: a browser asks the page around it, too.
fn policy(shops: &str) -> HeaderValue {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'/');
    let framed = if shops.bytes().all(fits) { shops } else { "'none'" };
    HeaderValue::try_from(format!("{POLICY}; frame-src {framed}")).unwrap_or(HeaderValue::from_static(POLICY))
}

/// A loopback name, so that no page of another site reaches this one under a name of its own.
fn is_here(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, after)| port(after)).map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

/// A form that no page of ours sent; browsers say so, and no page can forge it.
fn is_from_elsewhere(request: &Request) -> bool {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    !reads && request.headers().get("sec-fetch-site").is_none_or(|site| site != "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_shops_and_nobody_elses() {
        let of = |shops: &str| policy(shops).to_str().unwrap().rsplit_once("; ").unwrap().1.to_owned();
        assert_eq!(of("http://127.0.0.1:7400"), "frame-src http://127.0.0.1:7400");
        assert_eq!(of("http://127.0.0.1:7400 *; script-src *"), "frame-src 'none'");
    }

    #[test]
    fn only_loopback_names_are_ours() {
        for (host, ours) in [
            ("127.0.0.1:7402", true),
            ("localhost", true),
            ("[::1]:7402", true),
            ("127.0.0.1.evil.example", false),
            ("localhost:evil", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            assert_eq!(is_here(&headers), ours, "{host}");
        }
    }
}
