//! A request as it arrived: its shop and id, its headers, and the raw bytes of its body, digested before anything else.

use crate::keys::{KeyDigest, Keys, admit};
use crate::problem::Problem;
use axum::RequestPartsExt;
use axum::body::to_bytes;
use axum::extract::{FromRequest, RawPathParams, Request};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, StatusCode};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use shop::{Frame, Keyed};
use vocab::id::{Epoch, PublicId, ShopId};

/// The largest request body, in bytes.
const BODY_MAX: usize = 256 * 1024;
/// The longest idempotency key, in bytes: what a legacy's column for it holds.
const KEY_MAX: usize = 128;

pub struct Call {
    pub frame: Frame,
    id: Option<PublicId>,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// The id in the path.
    pub fn id(&self) -> Result<PublicId, Problem> {
        self.id.clone().ok_or_else(Problem::not_found)
    }

    /// A parameter of the query, as it was sent: none of ours needs an encoding.
    pub fn parameter(&self, wanted: &str) -> Option<&str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value).next()
    }

    /// A header's text; empty where it is absent.
    pub fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A field of a form.
    pub fn field(&self, wanted: &str) -> Option<String> {
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&self.body).ok()?;
        fields.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    }

    /// The body as JSON; an empty one is an empty object.
    pub fn json(&self) -> Result<Value, Problem> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body).map_err(|error| Problem::invalid("$", &format!("is not JSON: {error}")))
    }

    /// The key of a write, with the digest of its body.
    pub fn keyed(&self) -> Result<Keyed, Problem> {
        let Some(key) = self.headers.get("idempotency-key") else {
            let content = "a write needs the header Idempotency-Key";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_missing", content));
        };
        let fits = |key: &&str| !key.is_empty() && key.len() <= KEY_MAX;
        let key = key.to_str().ok().filter(fits).ok_or_else(|| {
            Problem::invalid("Idempotency-Key", &format!("is not between 1 and {KEY_MAX} visible characters"))
        })?;
        Ok(Keyed { key: key.to_owned(), body: hex(digest(&SHA256, &self.body).as_ref()) })
    }

    pub fn must_be_host(&self, keys: &Keys) -> Result<(), Problem> {
        self.must_bear(&keys.host)
    }

    pub fn must_be_seller(&self, keys: &Keys) -> Result<(), Problem> {
        self.must_bear(&keys.seller)
    }

    fn must_bear(&self, keys: &[KeyDigest]) -> Result<(), Problem> {
        if admit(keys, bearer(&self.headers)) { Ok(()) } else { Err(Problem::unauthorized()) }
    }
}

/// The key that a request bears; empty where it bears none.
pub fn bearer(headers: &HeaderMap) -> &str {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let params: RawPathParams = parts.extract().await.map_err(|_| Problem::not_found())?;
        let param = |wanted: &str| params.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
        let shop = ShopId::parse(&param("shop").unwrap_or_default()).map_err(|_| Problem::not_found())?;
        // No id has a character of code zero, and not every store could look for one.
        let id = param("id").filter(|id| !id.contains('\0')).map(PublicId::new);
        let epoch = epoch(&parts.headers)?;
        let body = to_bytes(body, BODY_MAX).await.map_err(|_| {
            let content = format!("the body is larger than {BODY_MAX} bytes, or was not sent whole");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", content)
        })?;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self { frame: Frame { shop, epoch }, id, query, headers: parts.headers, body })
    }
}

fn epoch(headers: &HeaderMap) -> Result<Option<Epoch>, Problem> {
    let Some(value) = headers.get("balik-epoch") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(|number| Some(Epoch(number))).ok_or_else(|| Problem::invalid("balik-epoch", "is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_lower_case_hex() {
        let empty = hex(digest(&SHA256, b"").as_ref());
        assert_eq!(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
