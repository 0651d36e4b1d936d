//! Documents of a kind, page by page, whole or in part: whoever adds up a figure over all of them need not have the rest
//! made.

use crate::documents::{self, Stored};
use crate::json::{Builder, Tree};
use crate::sql::params;
use crate::{Result, Store, json, sql};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use vocab::document::{FieldName, Fields, Node, Record};
use vocab::id::{Kind, PublicId, ShopId};

/// Which fields of a document, and of the elements of its lists and records: at first none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// All of what stands here, whatever `fields` says.
    all: bool,
    fields: BTreeMap<String, Wanted>,
}

impl Wanted {
    /// Adds a field, and all in it, by its path from the document on: `["lines", "quantity"]`.
    pub fn add<'a>(&mut self, path: impl IntoIterator<Item = &'a str>) {
        self.at(path).all = true;
    }

    /// Adds a list or a record, and nothing in it: whoever counts elements need not read them.
    pub fn add_empty<'a>(&mut self, path: impl IntoIterator<Item = &'a str>) {
        self.at(path);
    }

    fn at<'a>(&mut self, path: impl IntoIterator<Item = &'a str>) -> &mut Self {
        path.into_iter().fold(self, |at, name| at.fields.entry(name.to_owned()).or_default())
    }
}

impl Store {
    /// Documents of a kind, live and history, in the order of their ids as text, after the id `after`.
    pub async fn documents(
        &self,
        shop: &ShopId,
        kind: Kind,
        after: Option<&PublicId>,
        limit: usize,
    ) -> Result<Vec<(PublicId, Stored)>> {
        self.page(shop, kind, after, limit, json::decode).await
    }

    /// The same with the fields that are wanted and no other.
    pub async fn documents_in_part(
        &self,
        shop: &ShopId,
        kind: Kind,
        wanted: Arc<Wanted>,
        after: Option<&PublicId>,
        limit: usize,
    ) -> Result<Vec<(PublicId, Stored)>> {
        self.page(shop, kind, after, limit, move |text| decode_in_part(text, &wanted)).await
    }

    async fn page(
        &self,
        shop: &ShopId,
        kind: Kind,
        after: Option<&PublicId>,
        limit: usize,
        read: impl Fn(&str) -> Result<Record> + Send + 'static,
    ) -> Result<Vec<(PublicId, Stored)>> {
        let shop = shop.clone();
        let after = after.map_or_else(String::new, |id| id.as_str().to_owned());
        self.read(move |connection| {
            let sql = "select body, version, class, why, origin, source_tx, id from document
                       where shop = ?1 and kind = ?2 and id > ?3 order by id limit ?4";
            let cells = params![shop.as_str(), kind.name(), after, sql::limit(limit)];
            sql::all(connection, "read of documents", sql, cells, |row| {
                Ok((sql::public_id(row, 6)?, documents::stored_as(row, &read)?))
            })
        })
        .await
    }
}

/// What is wanted of a document's text.
///
/// # Errors
/// `Corrupt` if it is no JSON object, or what is wanted of it is nothing that the store writes.
pub fn decode_in_part(text: &str, wanted: &Wanted) -> Result<Record> {
    let mut reading = serde_json::Deserializer::from_str(text);
    let read = Part(wanted).deserialize(&mut reading).and_then(|node| reading.end().map(|()| node));
    json::record(read.map_err(json::corrupt("document"))?)
}

/// Reads a node, and of records only what is wanted.
struct Part<'a>(&'a Wanted);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Builder.expecting(f)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Builder.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Builder.visit_bool(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Builder.visit_i64(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Builder.visit_u64(value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        Builder.visit_str(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = elements.next_element_seed(Part(self.0))? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut fields = Fields::with_capacity(self.0.fields.len());
        while let Some(found) = entries.next_key_seed(Name(self.0))? {
            let Some((name, wanted)) = found else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            let node =
                if wanted.all { entries.next_value::<Tree>()?.0 } else { entries.next_value_seed(Part(wanted))? };
            if fields.insert(name, node).is_some() {
                return Err(de::Error::custom("a field named twice"));
            }
        }
        Ok(Node::Record(Record(fields)))
    }
}

/// Reads the name of a field, and finds out whether and what of it is wanted.
struct Name<'a>(&'a Wanted);

impl<'de, 'a> DeserializeSeed<'de> for Name<'a> {
    type Value = Option<(FieldName, &'a Wanted)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Name<'a> {
    type Value = Option<(FieldName, &'a Wanted)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.fields.get(text).map(|wanted| (FieldName::named(text), wanted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_read_as_ever_and_nothing_else() {
        let mut wanted = Wanted::default();
        for path in [&["total"][..], &["lines", "quantity"], &["buyer"], &["nothing"]] {
            wanted.add(path.iter().copied());
        }
        wanted.add_empty(["payments"]);
        let text = r#"{"buyer":{"name":"q\"é"},"lines":[{"id":"1","quantity":2},{"id":"2"}],"note":[1.5,{"a":null}],
            "payments":[{"id":"3"},{}],"total":-3}"#;
        let nothing = Record::default;
        let read = nothing()
            .with("buyer", nothing().with("name", "q\"é"))
            .with("lines", vec![nothing().with("quantity", 2).into(), nothing().into()])
            .with("payments", vec![nothing().into(), nothing().into()])
            .with("total", -3);
        assert_eq!(decode_in_part(text, &wanted).unwrap(), read);
        assert_eq!(decode_in_part(text, &Wanted::default()).unwrap(), nothing());
        for wrong in [r#"{"total":1.0}"#, r#"{"total":1,"total":1}"#, "[]", "{", r#"{"total":1}x"#, r#"{"note":}"#] {
            assert!(decode_in_part(wrong, &wanted).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wanted_as_a_whole_stays_so() {
        let text = r#"{"lines":[{"id":"1","quantity":2}]}"#;
        let paths = [&["lines"][..], &["lines", "id"]];
        for turned in [false, true] {
            let mut wanted = Wanted::default();
            let mut paths = paths.to_vec();
            if turned {
                paths.reverse();
            }
            paths.into_iter().for_each(|path| wanted.add(path.iter().copied()));
            assert_eq!(decode_in_part(text, &wanted).unwrap(), json::decode(text).unwrap());
        }
    }
}
