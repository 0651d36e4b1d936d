//! Reading plain documents: what is missing, of the wrong type, or breaks a live rule is a [`Fault`] with its place.

use crate::money::{Currency, Money};
use std::fmt;
use vocab::document::{Node, Record};
use vocab::id::{Origin, PublicId, Timestamp};

/// Why a document is no live aggregate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} at {path}: {content}")]
pub struct Fault {
    /// Stable, from a small vocabulary: `missing`, `type`, `word`, `amount`, `no_lines`, `total_differs` …
    pub code: &'static str,
    /// As in `$.lines[2].quantity`.
    pub path: String,
    pub content: String,
}

/// Where a record stands in its document; rendered only when something is wrong.
#[derive(Debug, Clone, Copy)]
enum Place {
    Root,
    One(&'static str),
    Element(&'static str, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::One(list) => write!(f, "$.{list}"),
            Self::Element(list, index) => write!(f, "$.{list}[{index}]"),
        }
    }
}

/// A record being read, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    record: &'a Record,
    place: Place,
}

impl<'a> Reader<'a> {
    pub(crate) fn root(record: &'a Record) -> Self {
        Self { record, place: Place::Root }
    }

    pub(crate) fn fault(&self, code: &'static str, name: &str, content: impl Into<String>) -> Fault {
        Fault { code, path: format!("{}.{name}", self.place), content: content.into() }
    }

    /// The field, none where it is absent or null.
    fn field(&self, name: &str) -> Option<&'a Node> {
        self.record.get(name).filter(|node| **node != Node::Null)
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Fault> {
        value.ok_or_else(|| self.fault("missing", name, "has no value"))
    }

    fn optional_str(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        match self.field(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault("type", name, "is not text")),
        }
    }

    fn str(&self, name: &str) -> Result<&'a str, Fault> {
        let text = self.optional_str(name)?;
        self.required(name, text)
    }

    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.optional_str(name)?.map(str::to_owned))
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, Fault> {
        Ok(self.str(name)?.to_owned())
    }

    pub(crate) fn optional_id(&self, name: &str) -> Result<Option<PublicId>, Fault> {
        match self.optional_text(name)? {
            Some(text) if text.is_empty() => Err(self.fault("empty_id", name, "is an empty id")),
            other => Ok(other.map(PublicId::new)),
        }
    }

    pub(crate) fn id(&self, name: &str) -> Result<PublicId, Fault> {
        let id = self.optional_id(name)?;
        self.required(name, id)
    }

    pub(crate) fn optional_int(&self, name: &str) -> Result<Option<i64>, Fault> {
        match self.field(name) {
            None => Ok(None),
            Some(Node::Int(value)) => Ok(Some(*value)),
            Some(_) => Err(self.fault("type", name, "is not an integer")),
        }
    }

    pub(crate) fn int(&self, name: &str) -> Result<i64, Fault> {
        let value = self.optional_int(name)?;
        self.required(name, value)
    }

    /// A count of units; `u32` is far more than any line holds.
    pub(crate) fn count(&self, name: &str) -> Result<u32, Fault> {
        let value = self.int(name)?;
        u32::try_from(value).map_err(|_| self.fault("quantity", name, format!("{value} is no count of units")))
    }

    pub(crate) fn instant(&self, name: &str) -> Result<Timestamp, Fault> {
        self.int(name).map(Timestamp)
    }

    pub(crate) fn optional_instant(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        Ok(self.optional_int(name)?.map(Timestamp))
    }

    pub(crate) fn currency(&self, name: &str) -> Result<Currency, Fault> {
        let text = self.str(name)?;
        Currency::parse(text).ok_or_else(|| self.fault("currency", name, format!("`{text}` is no currency code")))
    }

    /// An amount ≥ 0, in whole units of what the currency rounds to.
    pub(crate) fn money(&self, name: &str, currency: Currency) -> Result<Money, Fault> {
        let money = self.amount(name, currency)?;
        if !money.is_whole() {
            return Err(self.fault("amount", name, format!("{} is not a whole {currency} amount", money.minor())));
        }
        Ok(money)
    }

    /// An amount ≥ 0, in any fraction: what somebody else says that it was.
    pub(crate) fn amount(&self, name: &str, currency: Currency) -> Result<Money, Fault> {
        let minor = self.int(name)?;
        let money = Money::new(minor, currency).map_err(|error| self.fault("amount", name, error.to_string()))?;
        if money.is_negative() {
            return Err(self.fault("amount", name, format!("{minor} is less than nothing")));
        }
        Ok(money)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Fault> {
        let value = match self.field(name) {
            None => None,
            Some(Node::Bool(value)) => Some(*value),
            Some(_) => return Err(self.fault("type", name, "is neither true nor false")),
        };
        self.required(name, value)
    }

    pub(crate) fn optional_count(&self, name: &str) -> Result<Option<u32>, Fault> {
        self.field(name).map(|_| self.count(name)).transpose()
    }

    pub(crate) fn optional_word<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Fault> {
        self.field(name).map(|_| self.word(name, parse)).transpose()
    }

    pub(crate) fn word<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Fault> {
        let text = self.str(name)?;
        parse(text).ok_or_else(|| self.fault("word", name, format!("`{text}` is not one of its words")))
    }

    pub(crate) fn origin(&self) -> Option<Origin> {
        self.record.text("origin").map(Origin::new)
    }

    /// The element of a `one`; none where it is absent or null.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<Reader<'a>>, Fault> {
        match self.field(name) {
            None => Ok(None),
            Some(Node::Record(record)) => Ok(Some(Reader { record, place: Place::One(name) })),
            Some(_) => Err(self.fault("type", name, "is not an element")),
        }
    }

    /// Every element of a list, read by `read`; an absent list is empty.
    pub(crate) fn elements<T>(
        &self,
        name: &'static str,
        read: impl Fn(Reader<'a>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let nodes = match self.field(name) {
            None => return Ok(Vec::new()),
            Some(Node::List(nodes)) => nodes,
            Some(_) => return Err(self.fault("type", name, "is not a list")),
        };
        let elements = nodes.iter().enumerate().map(|(index, node)| {
            let Node::Record(record) = node else {
                return Err(self.fault("type", name, format!("element {index} is not a record")));
            };
            read(Reader { record, place: Place::Element(name, index) })
        });
        elements.collect()
    }
}

/// `record` with its origin, where it has one.
pub(crate) fn with_origin(record: Record, origin: Option<&Origin>) -> Record {
    match origin {
        Some(origin) => record.with("origin", origin.as_str()),
        None => record,
    }
}

/// An id as a field.
pub(crate) fn id_node(id: &PublicId) -> Node {
    Node::from(id.as_str())
}

pub(crate) fn optional_id_node(id: Option<&PublicId>) -> Node {
    id.map_or(Node::Null, id_node)
}
