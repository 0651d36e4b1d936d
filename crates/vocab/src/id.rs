//! Who, which and when: shops, kinds, public ids, sides, epochs, sequence numbers, instants.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A name from a fixed vocabulary (a field, a table, an account): cheap to clone.
pub type Name = Arc<str>;

/// The tenant, the unit of isolation, of ownership and of moving. 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopId(Arc<str>);

/// Text that cannot be a shop's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a shop id: 1 to 64 of A-Z a-z 0-9 . _ -")]
pub struct NotAShopId(pub String);

impl ShopId {
    pub fn parse(text: &str) -> Result<Self, NotAShopId> {
        if !Self::fits(text) {
            return Err(NotAShopId(text.chars().take(80).collect()));
        }
        Ok(Self(text.into()))
    }

    /// Whether this is the text of a shop's id.
    pub fn fits(text: &str) -> bool {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        !text.is_empty() && text.len() <= 64 && text.bytes().all(fits)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A map by shop is asked with the text of an id.
impl Borrow<str> for ShopId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What anyone outside has seen as an id: opaque text, kept for ever.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicId(Arc<str>);

impl PublicId {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an element lives in a legacy: `table:key`, opaque to all but `mapping`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_like {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    )*};
}
text_like!(ShopId, PublicId, Origin);

/// An id freshly taken for a new element: what the outside will see, and the legacy key kept for it (none where
/// no mapping asks for one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    pub id: PublicId,
    pub origin: Option<Origin>,
}

/// One of the two owners a shop can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Legacy,
    Backend,
}

impl Side {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Backend => "backend",
        }
    }

    pub const fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Backend,
            Self::Backend => Self::Legacy,
        }
    }
}

/// Which way a cutover goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    ToBackend,
    ToLegacy,
}

impl Direction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToBackend => "to_backend",
            Self::ToLegacy => "to_legacy",
        }
    }

    pub const fn source(self) -> Side {
        self.target().other()
    }

    pub const fn target(self) -> Side {
        match self {
            Self::ToBackend => Side::Backend,
            Self::ToLegacy => Side::Legacy,
        }
    }
}

/// What is read, counted and weighted in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Catalog,
    Cart,
    Checkout,
    Payment,
    Order,
}

impl Part {
    pub const ALL: [Self; 5] = [Self::Catalog, Self::Cart, Self::Checkout, Self::Payment, Self::Order];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Payment => "payment",
            Self::Order => "order",
        }
    }
}

/// The kinds of aggregate: the unit of mapping and of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Shop,
    Product,
    Cart,
    Checkout,
    Order,
    Idempotency,
    /// What a checkout owes, and how it is paid.
    Intent,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Shop, Self::Product, Self::Cart, Self::Checkout, Self::Order, Self::Idempotency, Self::Intent];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Product => "product",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Order => "order",
            Self::Idempotency => "idempotency",
            Self::Intent => "intent",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What an id is minted for: an aggregate, or an element of one of its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    pub kind: Kind,
    /// The name of a list or of a `one` of the aggregate's shape; none for the aggregate itself.
    pub part: Option<&'static str>,
}

/// Raised at every change of owner and at every aborted hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    pub const FIRST: Self = Self(1);

    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The number of a fact of a shop, without gaps; 0 before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    pub const ZERO: Self = Self(0);

    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
