//! A document: one aggregate as plain data, the common tongue of commerce, mapping and store.
//!
//! Money is an integer of minor units, an instant an integer of microseconds, an id text.

mod fields;

pub use fields::{FieldName, Fields};

/// A value in a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Node>),
    Record(Record),
}

/// Fields by name, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record(pub Fields);

impl Record {
    /// Room for so many fields.
    pub fn with_capacity(fields: usize) -> Self {
        Self(Fields::with_capacity(fields))
    }

    pub fn get(&self, name: &str) -> Option<&Node> {
        self.0.get(name)
    }

    pub fn set(&mut self, name: impl Into<FieldName>, value: impl Into<Node>) {
        self.0.insert(name, value.into());
    }

    #[must_use]
    pub fn with(mut self, name: impl Into<FieldName>, value: impl Into<Node>) -> Self {
        self.set(name, value);
        self
    }

    /// The text of a field; none where it is absent, null or no text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Node::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Node::Int(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Node::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The elements of a list; empty where it is absent or no list.
    pub fn list(&self, name: &str) -> &[Node] {
        match self.get(name) {
            Some(Node::List(nodes)) => nodes,
            _ => &[],
        }
    }

    pub fn record(&self, name: &str) -> Option<&Record> {
        match self.get(name) {
            Some(Node::Record(record)) => Some(record),
            _ => None,
        }
    }
}

impl From<i64> for Node {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Node {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Node {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Record> for Node {
    fn from(value: Record) -> Self {
        Self::Record(value)
    }
}

impl From<Vec<Node>> for Node {
    fn from(value: Vec<Node>) -> Self {
        Self::List(value)
    }
}

impl<T: Into<Node>> From<Option<T>> for Node {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
