//! Numbers without gaps: what a kind of document counts in one row, 1, 2, 3 …, in each shop.
//!
//! Invariant: the next number is one more than the highest that stands, live or history, in the transaction that writes
//! it. So a refusal spends none, a group of commits takes them one after the other, and an import needs no counter.
//! Absent on purpose: what the number is for.

use crate::documents::Put;
use crate::sql::{Ask, Bind, Connection};
use crate::{Error, Result, Store, sql};
use std::borrow::Cow;
use vocab::document::{Node, Record};
use vocab::id::{Kind, ShopId};

/// The field in which documents of a kind have their number; none where they are not numbered.
pub const fn field(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Order => Some("invoice"),
        Kind::Shop | Kind::Product | Kind::Cart | Kind::Checkout | Kind::Idempotency | Kind::Intent => None,
    }
}

/// The number of a document that is being written.
pub fn of(put: &Put<'_>) -> Option<i64> {
    put.serial.or_else(|| put.document.int(field(put.kind)?))
}

impl Store {
    /// The highest number of a kind in a shop; none where nothing is numbered.
    pub async fn last_serial(&self, shop: &ShopId, kind: Kind) -> Result<Option<i64>> {
        let shop = shop.clone();
        self.read_briefly(move |connection| last(connection, &shop, kind)).await
    }
}

const READ: &str = "read of the last number";
const LAST: &str = "select serial from document indexed by document_by_serial
                    where shop = ?1 and kind = ?2 and serial is not null order by serial desc limit 1";

/// The question for the highest number, with others.
pub fn ask<'a>(shop: &'a ShopId, kind: Kind, place: &'a mut Option<i64>) -> Ask<'a> {
    Ask::first(READ, LAST, vec![shop.as_str().value(), kind.name().value()], place, |row| sql::cell(row, 0))
}

fn last(connection: &Connection, shop: &ShopId, kind: Kind) -> Result<Option<i64>> {
    sql::first(connection, READ, LAST, [shop.as_str(), kind.name()], |row| sql::cell(row, 0))
}

/// The number after the highest one.
pub fn after(shop: &ShopId, highest: Option<i64>) -> Result<i64> {
    let last = highest.unwrap_or(0);
    last.checked_add(1).ok_or_else(|| Error::Invalid(format!("no number after {last} of {shop}")))
}

/// A text with a place for a number in it, so that all but the number is made before it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gapped {
    text: String,
    /// Where the number goes; none: the text is whole.
    at: Option<usize>,
}

impl Gapped {
    pub const fn whole(text: String) -> Self {
        Self { text, at: None }
    }

    /// The encoded document, which must have a null in the field, in whose place the number will stand.
    ///
    /// # Errors
    /// `Invalid` where documents of the kind have no number, or this one has one.
    pub fn document(kind: Kind, document: &Record, encoded: String) -> Result<Self> {
        let field = field(kind).ok_or_else(|| Error::Invalid(format!("a {} has no number", kind.name())))?;
        if document.get(field) != Some(&Node::Null) {
            return Err(Error::Invalid(format!("a new {} whose `{field}` is not null", kind.name())));
        }
        // A quote inside a text is escaped, so this is a field; and of those of the same name the outermost is meant.
        let marked = format!("\"{field}\":null");
        let at = outermost(&encoded, &marked).ok_or_else(|| Error::Invalid(format!("`{field}` cannot be found")))?;
        let gap = at + marked.len() - NULL.len();
        Ok(Self { text: format!("{}{}", &encoded[..gap], &encoded[gap + NULL.len()..]), at: Some(gap) })
    }

    /// A text that contains another one, whose gap becomes its own.
    ///
    /// # Errors
    /// `Invalid` where it does not contain it.
    pub fn around(text: String, inner: &Self) -> Result<Self> {
        let Some(gap) = inner.at else { return Ok(Self::whole(text)) };
        let filled = inner.filled(None);
        let at = text.find(&*filled).ok_or_else(|| Error::Invalid("a document is not in its fact".to_owned()))? + gap;
        Ok(Self { text: format!("{}{}", &text[..at], &text[at + NULL.len()..]), at: Some(at) })
    }

    pub const fn is_whole(&self) -> bool {
        self.at.is_none()
    }

    /// With the number in its place; without one there is a null.
    pub fn filled(&self, number: Option<i64>) -> Cow<'_, str> {
        let Some(at) = self.at else { return Cow::Borrowed(&self.text) };
        let number = number.map_or_else(|| NULL.to_owned(), |number| number.to_string());
        Cow::Owned(format!("{}{number}{}", &self.text[..at], &self.text[at..]))
    }
}

const NULL: &str = "null";

/// Where `field` stands directly in the object that `encoded` is.
fn outermost(encoded: &str, field: &str) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in encoded.bytes().enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' if depth == 1 && encoded[at..].starts_with(field) => return Some(at),
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn gapped(document: &Record) -> Result<Gapped> {
        Gapped::document(Kind::Order, document, json::encode(document)?)
    }

    #[test]
    fn the_number_goes_where_the_documents_own_field_is_and_nowhere_else() {
        let decoys = Record::default().with("invoice", Node::Null).with("title", r#"","invoice":null,"x":""#);
        let document = Record::default()
            .with("a", vec![Node::Record(decoys.clone())])
            .with("buyer", decoys)
            .with("invoice", Node::Null)
            .with("z", r#"{"invoice":null}"#);
        let gapped = gapped(&document).unwrap();
        assert_eq!(json::decode(&gapped.filled(Some(61))).unwrap(), document.clone().with("invoice", 61));
        assert_eq!(json::decode(&gapped.filled(None)).unwrap(), document);
        let fact = format!("{{\"first\":{{\"invoice\":null}},\"second\":{}}}", gapped.filled(None));
        let fact = Gapped::around(fact, &gapped).unwrap();
        let second = json::decode(&fact.filled(Some(7))).unwrap().record("second").cloned();
        assert_eq!(second.unwrap().int("invoice"), Some(7));
    }

    #[test]
    fn what_has_a_number_or_cannot_have_one_gets_none() {
        assert!(gapped(&Record::default().with("invoice", 3)).is_err(), "it has one");
        assert!(gapped(&Record::default()).is_err(), "it has no place for one");
        let cart = Record::default().with("invoice", Node::Null);
        assert!(Gapped::document(Kind::Cart, &cart, json::encode(&cart).unwrap()).is_err());
    }

    #[test]
    fn the_highest_number_is_read_from_the_index_alone() {
        let connection = Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        crate::schema::migrate(&connection).unwrap();
        let explained = format!("explain query plan {LAST}");
        let plan: Vec<String> =
            sql::all(&connection, "test", &explained, ["1", "order"], |row| sql::cell(row, 3)).unwrap();
        assert_eq!(plan, ["SEARCH document USING COVERING INDEX document_by_serial (shop=? AND kind=? AND serial>?)"]);
    }
}
