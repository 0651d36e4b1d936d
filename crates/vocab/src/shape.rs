//! The shape of a document: which fields, of which type. Data, handed to the mapping's compiler.

use crate::id::Kind;

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A public id, as text.
    Id,
    Text,
    Int,
    Bool,
    /// Minor units of the document's currency.
    Money,
    /// ISO 4217 code; a mapping file's header gives it to every document.
    Currency,
    /// Microseconds since the epoch, UTC.
    Instant,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Stock on hand: moves by signed differences, never by overwriting.
    Count,
    /// Elements, each with an `origin`.
    List(&'static [Field]),
    /// One element or null.
    One(&'static [Field]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub ty: Type,
    pub nullable: bool,
}

/// The document of one kind. Beside its fields every document and every element may carry `origin` (text).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub kind: Kind,
    pub fields: &'static [Field],
}

pub const fn field(name: &'static str, ty: Type) -> Field {
    Field { name, ty, nullable: false }
}

pub const fn optional(name: &'static str, ty: Type) -> Field {
    Field { name, ty, nullable: true }
}
