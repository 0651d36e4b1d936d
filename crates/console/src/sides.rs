//! Both sides of an aggregate, field by field: what the legacy's rows mean now, and what we have.
//!
//! The legacy's side is read by whoever serves the console, or prints: only its document comes here. What may be somebody's
//! name, number or address is not shown; whether it is the same on both sides is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use store::{Store, Stored};
use vocab::document::{Node, Record};
use vocab::id::{Kind, Name, Origin, PublicId, ShopId};

/// What the source says of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Legacy {
    Document(Record),
    /// It has no rows for it.
    Nothing,
    /// In words, why it cannot be told.
    Unknown(String),
}

/// Reads the legacy's side now.
pub type Look = Arc<dyn Fn(ShopId, Kind, Origin) -> Pin<Box<dyn Future<Output = Legacy> + Send>> + Send + Sync>;

/// One field on both sides; none where that side has no such field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub path: String,
    pub legacy: Option<String>,
    pub ours: Option<String>,
    /// Told before anything was hidden.
    pub same: bool,
}

/// Fields of one aggregate that are shown; a cart of the largest size has more.
const FIELDS_MAX: usize = 400;
/// Fields that tell of a person, wherever they stand.
const PERSONAL: [&str; 8] = ["street", "city", "region", "postal_code", "country", "phone", "email", "reference"];
/// What is shown in their place.
pub const HIDDEN: &str = "(personal)";

/// Our document of this origin, with the units on hand beside it.
///
/// # Errors
/// The store cannot be read.
pub async fn ours(
    store: &Store,
    shop: &ShopId,
    kind: Kind,
    origin: &Origin,
) -> store::Result<Option<(PublicId, Stored)>> {
    let found = store.load_by_origin(shop, &[(kind, origin.clone())]).await?.into_iter().next().flatten();
    let Some((id, mut stored)) = found else { return Ok(None) };
    if kind == Kind::Product {
        let variants: Vec<PublicId> = stored.document.list("variants").iter().filter_map(variant).collect();
        let on_hand = store.stock(shop, &variants).await?;
        let known = variants.into_iter().zip(on_hand).filter_map(|(variant, on_hand)| Some((variant, on_hand?)));
        stored.document = with_stock(stored.document, known);
    }
    Ok(Some((id, stored)))
}

fn variant(node: &Node) -> Option<PublicId> {
    match node {
        Node::Record(variant) => variant.text("id").map(PublicId::new),
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) | Node::List(_) => None,
    }
}

/// A document with the units on hand of its variants, as both sides show them.
pub fn with_stock(document: Record, on_hand: impl IntoIterator<Item = (PublicId, i64)>) -> Record {
    let mut units = Record::default();
    for (variant, count) in on_hand {
        units.set(Name::from(variant.as_str()), count);
    }
    if units.0.is_empty() { document } else { document.with("on_hand", units) }
}

/// Both documents field by field, in the order of the legacy's; what only we have comes last.
pub fn fields(legacy: Option<&Record>, ours: Option<&Record>) -> Vec<Field> {
    let (legacy, ours) = (flat(legacy), flat(ours));
    let value =
        |side: &[(String, String)], path: &str| side.iter().find(|(at, _)| at == path).map(|(_, value)| value.clone());
    let mut paths: Vec<&String> = legacy.iter().map(|(path, _)| path).collect();
    paths.extend(ours.iter().map(|(path, _)| path).filter(|path| !legacy.iter().any(|(at, _)| at == *path)));
    let both = paths.into_iter().map(|path| {
        let (legacy, ours) = (value(&legacy, path), value(&ours, path));
        let same = legacy == ours;
        let shown =
            |value: Option<String>| value.map(|value| if is_personal(path) { HIDDEN.to_owned() } else { value });
        Field { path: path.clone(), legacy: shown(legacy), ours: shown(ours), same }
    });
    both.collect()
}

/// Whether a field may tell who somebody is, or where. Every field of a buyer does, and its id does not.
pub fn is_personal(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    PERSONAL.contains(&last) || last.starts_with("buyer_") || (path.starts_with("buyer.") && last != "id")
}

fn flat(record: Option<&Record>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some(record) = record {
        flatten("", &Node::Record(record.clone()), &mut found);
    }
    found
}

/// A node by the paths of its fields.
pub fn flatten(at: &str, node: &Node, found: &mut Vec<(String, String)>) {
    if found.len() >= FIELDS_MAX {
        return;
    }
    let mut leaf = |text: String| found.push((at.to_owned(), text));
    match node {
        Node::Null => leaf("–".to_owned()),
        Node::Bool(value) => leaf(value.to_string()),
        Node::Int(value) => leaf(value.to_string()),
        Node::Text(text) => leaf(text.clone()),
        Node::List(nodes) => {
            for (place, node) in nodes.iter().enumerate() {
                flatten(&format!("{at}[{place}]"), node, found);
            }
        }
        Node::Record(record) => {
            for (name, node) in &record.0 {
                let path = if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
                flatten(&path, node, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_by_the_paths_of_its_fields() {
        let line = Record::default().with("id", "1").with("quantity", 2_i64);
        let record = Record::default().with("lines", vec![Node::Record(line)]).with("title", Node::Null);
        let flat: Vec<String> =
            flat(Some(&record)).into_iter().map(|(path, value)| format!("{path} {value}")).collect();
        assert_eq!(flat, ["lines[0].id 1", "lines[0].quantity 2", "title –"]);
    }

    #[test]
    fn both_sides_stand_beside_each_other_and_what_is_personal_is_only_compared() {
        let buyer = |phone: &str| Record::default().with("id", "b").with("name", "Ana").with("phone", phone);
        let legacy = Record::default().with("id", "1").with("total", 5_i64).with("buyer", buyer("1"));
        let ours = Record::default().with("id", "1").with("total", 7_i64).with("buyer", buyer("2")).with("new", true);
        let line = |field: Field| {
            let side = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            format!("{} {} {} {}", field.path, side(field.legacy), side(field.ours), field.same)
        };
        let said: Vec<String> = fields(Some(&legacy), Some(&ours)).into_iter().map(line).collect();
        let expected = [
            "buyer.id b b true",
            "buyer.name (personal) (personal) true",
            "buyer.phone (personal) (personal) false",
            "id 1 1 true",
            "total 5 7 false",
            "new none true false",
        ];
        assert_eq!(said, expected);
        assert!(is_personal("buyer_email") && is_personal("payments[0].reference") && !is_personal("name"));
    }
}
