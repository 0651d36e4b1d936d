//! The fields of a record: names that cost nothing to repeat, in one piece of memory, in the order of their names.
//!
//! Documents have some twenty fields and are made by the hundred thousand: one allocation for all fields, and none for
//! a name that was seen before.

use crate::document::Node;
use crate::id::Name;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::sync::{PoisonError, RwLock};

/// The name of a field.
#[derive(Clone)]
pub struct FieldName(Form);

#[derive(Clone)]
enum Form {
    Known(&'static str),
    Other(Name),
}

impl FieldName {
    /// A name of a file or of a document that is read: one of a few.
    pub fn named(name: &str) -> Self {
        known(name).map_or_else(|| Self(Form::Other(name.into())), |known| Self(Form::Known(known)))
    }
}

impl Deref for FieldName {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Form::Known(name) => name,
            Form::Other(name) => name,
        }
    }
}

impl From<&'static str> for FieldName {
    fn from(name: &'static str) -> Self {
        Self(Form::Known(name))
    }
}

/// One of many, such as an id: no place is kept for it.
impl From<Name> for FieldName {
    fn from(name: Name) -> Self {
        Self(Form::Other(name))
    }
}

impl From<&Name> for FieldName {
    fn from(name: &Name) -> Self {
        Self::named(name)
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl PartialEq for FieldName {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for FieldName {}

impl PartialOrd for FieldName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FieldName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl std::hash::Hash for FieldName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Names that are kept for as long as the process lives: those of mapping files and documents are few. What comes when
/// so many are known, or looks like an id, is not kept.
const KNOWN_MAX: usize = 2_048;
const LONG: usize = 40;
/// Where a thread remembers names that it met lately.
const NEAR: usize = 256;

thread_local! {
    static MET: RefCell<[&'static str; NEAR]> = const { RefCell::new([""; NEAR]) };
}

fn known(name: &str) -> Option<&'static str> {
    static KNOWN: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());
    let bytes = name.as_bytes();
    let (first, last) = (*bytes.first()?, *bytes.last()?);
    if !first.is_ascii_lowercase() || name.len() > LONG || bytes.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let place = (usize::from(first) * 31 + usize::from(last) * 7 + bytes.len()) % NEAR;
    let near = MET.with_borrow(|met| met[place]);
    if near == name {
        return Some(near);
    }
    let (found, full) = {
        let all = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        (all.get(name).copied(), all.len() >= KNOWN_MAX)
    };
    let known = match found {
        Some(known) => known,
        None if full => return None,
        None => keep(&mut KNOWN.write().unwrap_or_else(PoisonError::into_inner), name)?,
    };
    MET.with_borrow_mut(|met| met[place] = known);
    Some(known)
}

fn keep(all: &mut BTreeSet<&'static str>, name: &str) -> Option<&'static str> {
    if let Some(known) = all.get(name) {
        return Some(known);
    }
    if all.len() >= KNOWN_MAX {
        return None;
    }
    let known: &'static str = Box::leak(name.into());
    all.insert(known);
    Some(known)
}

/// Nodes by name, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fields(Vec<Pair>);

impl Fields {
    /// Room for so many.
    pub fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// One null for each of these names: for records that are made again and again, by place and not by name.
    pub fn nulls(names: impl IntoIterator<Item = FieldName>) -> Self {
        let mut fields = Self::default();
        for name in names {
            fields.insert(name, Node::Null);
        }
        fields
    }

    /// Where a name stands among the others.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.place(name).ok()
    }

    /// Replaces what stands at a place; nothing where there is none.
    pub fn put(&mut self, place: usize, node: Node) {
        if let Some((_, stands)) = self.0.get_mut(place) {
            *stands = node;
        }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(field, _)| (**field).cmp(name))
    }

    pub fn get(&self, name: &str) -> Option<&Node> {
        self.place(name).ok().map(|place| &self.0[place].1)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.place(name).ok().map(|place| &mut self.0[place].1)
    }

    /// What stood there before.
    pub fn insert(&mut self, name: impl Into<FieldName>, node: Node) -> Option<Node> {
        let name = name.into();
        // Whoever writes in the order of the names writes at the end.
        if self.0.last().is_none_or(|(last, _)| *last < name) {
            self.0.push((name, node));
            return None;
        }
        match self.place(&name) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, node)),
            Err(place) => {
                self.0.insert(place, (name, node));
                None
            }
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<Node> {
        self.place(name).ok().map(|place| self.0.remove(place).1)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&FieldName, &Node) -> bool) {
        self.0.retain(|(name, node)| keep(name, node));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn keys(&self) -> impl Iterator<Item = &FieldName> {
        self.0.iter().map(|(name, _)| name)
    }

    pub fn values(&self) -> impl Iterator<Item = &Node> {
        self.0.iter().map(|(_, node)| node)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.0.iter_mut().map(|(_, node)| node)
    }

    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(|(name, node)| (name, node))
    }

    pub fn iter_mut(&mut self) -> IterMut<'_> {
        self.0.iter_mut().map(|(name, node)| (&*name, node))
    }
}

type Pair = (FieldName, Node);
type Iter<'a> = std::iter::Map<std::slice::Iter<'a, Pair>, fn(&'a Pair) -> (&'a FieldName, &'a Node)>;
type IterMut<'a> = std::iter::Map<std::slice::IterMut<'a, Pair>, fn(&'a mut Pair) -> (&'a FieldName, &'a mut Node)>;

impl<'a> IntoIterator for &'a Fields {
    type Item = (&'a FieldName, &'a Node);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Fields {
    type Item = (&'a FieldName, &'a mut Node);
    type IntoIter = IterMut<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldName, Fields, KNOWN_MAX, LONG};
    use crate::document::Node;

    #[test]
    fn fields_stand_in_the_order_of_their_names_however_they_came() {
        let mut fields = Fields::default();
        for (name, value) in [("id", 1), ("total", 2), ("at", 3), ("id", 4), ("lines", 5)] {
            fields.insert(name, Node::Int(value));
        }
        let names: Vec<&str> = fields.keys().map(|name| &**name).collect();
        assert_eq!(names, ["at", "id", "lines", "total"]);
        assert_eq!((fields.get("id"), fields.get("idx"), fields.len()), (Some(&Node::Int(4)), None, 4));
        assert_eq!(fields.remove("lines"), Some(Node::Int(5)));
        fields.retain(|name, _| &**name != "at");
        let mut read = Fields::default();
        for name in ["total", "id"] {
            read.insert(FieldName::named(name), Node::Null);
        }
        fields.values_mut().for_each(|node| *node = Node::Null);
        assert_eq!(fields, read);
    }

    #[test]
    fn names_are_the_same_however_many_are_known() {
        let letters = |number: usize| format!("{number:012b}").replace('0', "a").replace('1', "b");
        let many: Vec<String> = (0..KNOWN_MAX + 10).map(letters).collect();
        let others = ["x".repeat(LONG + 1), String::new(), "71".to_owned(), "toko-71".to_owned()];
        for name in many.iter().chain(&others) {
            assert_eq!((&*FieldName::named(name), FieldName::named(name)), (name.as_str(), FieldName::named(name)));
        }
        assert_eq!(FieldName::named("total"), FieldName::from("total"));
    }
}
