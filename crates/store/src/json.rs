//! Records as JSON and back, one to one. Integers only: a float is refused, never rounded.

use crate::error::Error;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use vocab::document::{FieldName, Fields, Node, Record};

/// Levels of lists and records. serde_json reads at most 128, and what is stored must be readable inside a fact too.
const DEPTH_MAX: usize = 100;
/// Room for the fields of most records.
const FIELDS: usize = 12;

/// The record as a JSON object, its fields in the order of their names.
///
/// # Errors
/// `Invalid` if it is nested too deeply to be read back.
pub fn encode(record: &Record) -> Result<String, Error> {
    if record.0.values().any(|node| deeper(node, DEPTH_MAX)) {
        return Err(Error::Invalid(format!("a document nested deeper than {DEPTH_MAX} levels")));
    }
    serde_json::to_string(&Object(record)).map_err(|error| Error::Invalid(error.to_string()))
}

/// # Errors
/// `Corrupt` if it is no JSON object, names a field twice, or holds a number that is no 64-bit integer.
pub fn decode(text: &str) -> Result<Record, Error> {
    parse::<Tree>(text, "document").and_then(|tree| record(tree.0))
}

/// A document that was read.
pub fn record(node: Node) -> Result<Record, Error> {
    match node {
        Node::Record(record) => Ok(record),
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) | Node::List(_) => {
            Err(Error::Corrupt { what: "document", why: "it is no JSON object".to_owned() })
        }
    }
}

/// Reads any JSON that the store wrote.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str, what: &'static str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(corrupt(what))
}

pub fn corrupt(what: &'static str) -> impl FnOnce(serde_json::Error) -> Error {
    move |error| Error::Corrupt { what, why: error.to_string() }
}

fn deeper(node: &Node, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return true };
    match node {
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) => false,
        Node::List(nodes) => nodes.iter().any(|node| deeper(node, below)),
        Node::Record(record) => record.0.values().any(|node| deeper(node, below)),
    }
}

struct Object<'a>(&'a Record);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.0.iter().map(|(name, node)| (&**name, Plain(node))))
    }
}

struct Plain<'a>(&'a Node);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(*value),
            Node::Int(value) => serializer.serialize_i64(*value),
            Node::Text(text) => serializer.serialize_str(text),
            Node::List(nodes) => serializer.collect_seq(nodes.iter().map(Plain)),
            Node::Record(record) => Object(record).serialize(serializer),
        }
    }
}

/// A node as it is read.
pub struct Tree(pub Node);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Builder).map(Self)
    }
}

/// Makes nodes.
pub struct Builder;

impl<'de> Visitor<'de> for Builder {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, a 64-bit integer, text, a list or an object")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        i64::try_from(value).map(Node::Int).map_err(|_| E::custom("an integer beyond 64 bits with sign"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(Tree(node)) = elements.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut fields = Fields::with_capacity(FIELDS);
        while let Some((Label(name), Tree(node))) = entries.next_entry()? {
            if fields.insert(name, node).is_some() {
                return Err(de::Error::custom("a field named twice"));
            }
        }
        Ok(Node::Record(Record(fields)))
    }
}

/// A field's name, read without a detour over `String`.
struct Label(FieldName);

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Labels)
    }
}

struct Labels;

impl Visitor<'_> for Labels {
    type Value = Label;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Label, E> {
        Ok(Label(FieldName::named(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Record {
        let list: Vec<Node> = vec![Node::Null, i64::MIN.into(), i64::MAX.into(), Record::default().into()];
        Record::default()
            .with("a", list)
            .with("b", true)
            .with("c", "q\"\u{1}é")
            .with("d", Record::default().with("e", 0))
    }

    #[test]
    fn a_record_reads_back_as_it_was() {
        let text = encode(&everything()).unwrap();
        assert_eq!(
            text,
            r#"{"a":[null,-9223372036854775808,9223372036854775807,{}],"b":true,"c":"q\"\u0001é","d":{"e":0}}"#
        );
        assert_eq!(decode(&text).unwrap(), everything());
    }

    #[test]
    fn what_is_no_record_of_integers_is_refused() {
        for text in [r#"{"a":1.0}"#, r#"{"a":1e2}"#, r#"{"a":9223372036854775808}"#, "[]", r#"{"a":1,"a":2}"#, "{"] {
            assert!(matches!(decode(text), Err(Error::Corrupt { .. })), "{text}");
        }
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        let nested = |levels: usize| {
            let node = (0..levels).fold(Node::Int(1), |node, _| Node::List(vec![node]));
            Record::default().with("deep", node)
        };
        let deepest = encode(&nested(DEPTH_MAX - 1)).unwrap();
        assert_eq!(decode(&deepest).unwrap(), nested(DEPTH_MAX - 1));
        assert!(matches!(encode(&nested(DEPTH_MAX)), Err(Error::Invalid(_))));
    }
}
