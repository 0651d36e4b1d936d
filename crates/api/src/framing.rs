//! Who may show the page where a buyer pays inside a page of their own: the host apps that were named, and nobody else.
//!
//! Invariant: a page that is shown in somebody's frame shows nothing of itself to them, but they could lay something over it;
//! so where nobody is named it is shown in no frame at all, and no name stands for more than one origin.

use http::HeaderValue;
use std::str::FromStr;

/// Where a host app's screen, or a provider's page for cards, is loaded from: `https://host[:port]`, or `http://` on the machine
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

impl WebOrigin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An origin that is none, or that names more or less than one place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin: https://host[:port], or http:// for 127.0.0.1 and localhost")]
pub struct NoOrigin(String);

impl FromStr for WebOrigin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        // What comes from elsewhere without TLS, anybody on the way could have written.
        let fits = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(authority), _) => is_name(named(authority)),
            (_, Some(authority)) => matches!(named(authority), Some("127.0.0.1" | "localhost")),
            (None, None) => false,
        };
        if fits { Ok(Self(text.to_owned())) } else { Err(NoOrigin(text.to_owned())) }
    }
}

/// The host of an authority whose port, if it has one, is a port.
fn named(authority: &str) -> Option<&str> {
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0 && port.to_string() == text);
    match authority.rsplit_once(':') {
        Some((host, port)) => is_port(port).then_some(host),
        None => Some(authority),
    }
}

/// A name as browsers write it in an origin; none of these letters means anything in a policy.
fn is_name(host: Option<&str>) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(fits))
}

/// What a page's policy says of whoever shows it.
pub fn ancestors(hosts: &[WebOrigin]) -> String {
    if hosts.is_empty() {
        return "frame-ancestors 'none'".to_owned();
    }
    let origins = hosts.iter().map(|host| host.0.as_str());
    ["frame-ancestors"].into_iter().chain(origins).collect::<Vec<_>>().join(" ")
}

/// A policy with what the page may show of others in a frame, and in which the last word is who may show the page.
pub fn policy(rest: &str, shows: Option<&WebOrigin>, hosts: &[WebOrigin]) -> HeaderValue {
    let frames = shows.map_or_else(String::new, |origin| format!("; frame-src {}", origin.0));
    let text = format!("{rest}{frames}; {}", ancestors(hosts));
    // All of it is visible ASCII; without it the page would be shown to anybody.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_place_and_no_more() {
        for right in ["https://app.example", "https://app.example:8443", "http://127.0.0.1:7402", "http://localhost"] {
            assert_eq!(right.parse::<WebOrigin>().map(|it| it.0).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "*",
            "https:",
            "https://",
            "https://*",
            "https://*.example",
            "https://app.example/",
            "https://app.example; script-src *",
            "https://app.example https://other.example",
            "https://App.example",
            "https://app.example:",
            "https://app.example:0",
            "https://app.example:080",
            "https://app.example:99999",
            "https://user@app.example",
            "http://app.example",
            "http://[::1]:7402",
            "http://127.0.0.1.evil.example",
            "'none'",
        ] {
            assert_eq!(wrong.parse::<WebOrigin>(), Err(NoOrigin(wrong.to_owned())));
        }
    }

    #[test]
    fn where_nobody_is_named_nobody_shows_the_page() {
        assert_eq!(policy("default-src 'none'", None, &[]), "default-src 'none'; frame-ancestors 'none'");
        let hosts = ["https://a.example", "http://localhost:7402"].map(|it| it.parse().unwrap());
        let cards = "https://pay.example".parse().unwrap();
        let shows = policy("default-src 'none'", Some(&cards), &[]);
        assert_eq!(shows, "default-src 'none'; frame-src https://pay.example; frame-ancestors 'none'");
        assert_eq!(ancestors(&hosts), "frame-ancestors https://a.example http://localhost:7402");
    }
}
