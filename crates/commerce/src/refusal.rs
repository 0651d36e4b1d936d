//! The shop says no: expected, with a stable code, and whether asking again can help.

use crate::money;

/// What the caller can do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request may pass later.
    Later,
    /// Another request may pass.
    Changed,
    /// The buyer can go on, on the page of the backend, and nobody else.
    Buyer,
    /// Nothing helps.
    Never,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {content}")]
pub struct Refusal {
    /// Stable, lower case with underscores.
    pub code: &'static str,
    /// For people; English.
    pub content: String,
    /// What in the request or the resource it is about, as in `$.line_items[0]`.
    pub path: Option<String>,
    pub retry: Retry,
}

impl Refusal {
    pub fn new(code: &'static str, retry: Retry, content: impl Into<String>) -> Self {
        Self { code, content: content.into(), path: None, retry }
    }

    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// There is no such thing in this shop, or no longer.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new("not_found", Retry::Never, format!("no {what} `{id}` in this shop"))
    }
}

impl From<money::Error> for Refusal {
    fn from(error: money::Error) -> Self {
        let code = match error {
            money::Error::TooLarge => "amount_too_large",
            money::Error::Currencies(..) => "currency_differs",
        };
        Self::new(code, Retry::Changed, error.to_string())
    }
}
