//! What the seam itself answers: protocol errors, holds past their deadline, owners that are gone.
//!
//! Invariant: every one of them carries `balik-answered-by: seam`, a stable code, and where the same request may pass
//! a moment later, `Retry-After`.
//! Absent on purpose: refusals of a shop; only its owner speaks for it.

use http::StatusCode;

use crate::gate::Refused;
use crate::headers::ANSWERED_BY;
use crate::operation::NoTarget;
use crate::{fields, upstream};

/// Why the seam answers instead of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    NotFound,
    AmbiguousPath,
    InvalidHost,
    InvalidBody,
    BodyTooLarge,
    BodyTooSlow,
    Loop,
    RoutesStale,
    TooManyShops,
    ShopHeld,
    ResourceBusy,
    Stopping,
    ClientLeft,
    OwnerUnreachable,
    OwnerClosed,
    OwnerTooSlow,
    AnswerTooLarge,
}

struct Wording {
    status: StatusCode,
    code: &'static str,
    content: &'static str,
    /// The request was not executed and may pass when repeated a second later.
    retry: bool,
}

const fn wording(status: StatusCode, code: &'static str, content: &'static str, retry: bool) -> Wording {
    Wording { status, code, content, retry }
}

impl Reason {
    const fn wording(self) -> Wording {
        use StatusCode as S;
        match self {
            Self::NotFound => wording(S::NOT_FOUND, "not_found", "no such path or shop", false),
            Self::AmbiguousPath => {
                wording(S::BAD_REQUEST, "invalid_request", "the path can be read in two ways", false)
            }
            Self::InvalidHost => wording(S::BAD_REQUEST, "invalid_request", "exactly one Host is needed", false),
            Self::InvalidBody => {
                wording(S::BAD_REQUEST, "invalid_request", "the body ended early or is malformed", false)
            }
            Self::BodyTooLarge => {
                wording(S::PAYLOAD_TOO_LARGE, "request_too_large", "the body is over the limit", false)
            }
            Self::BodyTooSlow => {
                wording(S::REQUEST_TIMEOUT, "request_timeout", "the body did not arrive in time", false)
            }
            Self::Loop => wording(S::LOOP_DETECTED, "loop_detected", "this request has passed here before", false),
            Self::RoutesStale => wording(S::SERVICE_UNAVAILABLE, "routes_stale", "the routes may be out of date", true),
            Self::TooManyShops => wording(S::SERVICE_UNAVAILABLE, "busy", "too many unknown shops are busy", true),
            Self::ShopHeld => {
                wording(S::SERVICE_UNAVAILABLE, "shop_held", "the shop is being moved; nothing was executed", true)
            }
            Self::ResourceBusy => wording(
                S::SERVICE_UNAVAILABLE,
                "busy",
                "too many writes of this resource wait; nothing was executed",
                true,
            ),
            Self::Stopping => wording(S::SERVICE_UNAVAILABLE, "stopping", "ending; nothing was executed", true),
            // Nobody reads it.
            Self::ClientLeft => wording(S::BAD_REQUEST, "client_left", "nothing was executed", false),
            Self::OwnerUnreachable => wording(S::BAD_GATEWAY, "owner_unreachable", "nothing was executed", true),
            Self::OwnerClosed => wording(
                S::BAD_GATEWAY,
                "owner_closed",
                "the connection ended before the answer; repeat with the same key",
                false,
            ),
            Self::OwnerTooSlow => {
                wording(S::GATEWAY_TIMEOUT, "owner_timeout", "no answer in time; repeat with the same key", false)
            }
            Self::AnswerTooLarge => wording(S::BAD_GATEWAY, "answer_too_large", "the answer is over the limit", false),
        }
    }

    /// Whether unread bytes of the request may still be on the connection.
    pub const fn ends_connection(self) -> bool {
        matches!(self, Self::InvalidBody | Self::BodyTooLarge | Self::BodyTooSlow | Self::Stopping | Self::ClientLeft)
    }

    /// Writes the whole answer, `more` among its fields, in place of what `out` contains. Returns its status.
    pub fn write(self, more: &[u8], out: &mut Vec<u8>) -> u16 {
        let Wording { status, code, content, retry } = self.wording();
        out.clear();
        begin(status, out);
        if retry {
            fields::push(out, "retry-after", b"1");
        }
        if self.ends_connection() {
            fields::push(out, "connection", b"close");
        }
        out.extend_from_slice(more);
        end(&format!(r#"{{"code":"{code}","content":"{content}"}}"#), out);
        status.as_u16()
    }
}

impl From<NoTarget> for Reason {
    fn from(no: NoTarget) -> Self {
        match no {
            NoTarget::NotFound => Self::NotFound,
            NoTarget::Ambiguous => Self::AmbiguousPath,
        }
    }
}

impl From<Refused> for Reason {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Held => Self::ShopHeld,
            Refused::Busy => Self::ResourceBusy,
            Refused::Stopping => Self::Stopping,
        }
    }
}

impl From<upstream::Error> for Reason {
    fn from(error: upstream::Error) -> Self {
        match error {
            upstream::Error::Unreachable(_) => Self::OwnerUnreachable,
            upstream::Error::Closed(_) => Self::OwnerClosed,
            upstream::Error::TooSlow => Self::OwnerTooSlow,
            upstream::Error::TooLarge => Self::AnswerTooLarge,
        }
    }
}

/// Writes the answer of `/health` and `/ready`.
pub fn write_state(ok: bool, out: &mut Vec<u8>) {
    if ok {
        out.clear();
        begin(StatusCode::OK, out);
        end(r#"{"status":"ok"}"#, out);
    } else {
        Reason::RoutesStale.write(&[], out);
    }
}

fn begin(status: StatusCode, out: &mut Vec<u8>) {
    let reason = status.canonical_reason().unwrap_or_default();
    out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
    fields::push(out, "content-type", b"application/json");
    fields::push(out, ANSWERED_BY, b"seam");
}

fn end(body: &str, out: &mut Vec<u8>) {
    fields::push_number(out, "content-length", u64::try_from(body.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body.as_bytes());
}
