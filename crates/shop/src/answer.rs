//! What a request is answered with: typed resources, from which the wire is rendered.

use commerce::Refusal;
use commerce::cart::Cart;
use commerce::catalogue::Catalogue;
use commerce::checkout::Checkout;
use commerce::history::History;
use commerce::intent::Method;
use commerce::money::Money;
use commerce::order::Order;
use commerce::product::Product;
use vocab::id::PublicId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; that of the first answer where a key is repeated.
    pub status: u16,
    /// The resource as it stands; with a refusal, as it stood.
    pub resource: Option<Resource>,
    pub refusal: Option<Refusal>,
    pub notes: Vec<Note>,
    /// Of an order: how much of what it gave back has not reached the buyer yet, in minor units.
    pub on_its_way: i64,
    /// Of a checkout: its buyer has to say where money goes that is owed to them.
    pub asks_for_account: bool,
}

/// A product and how many of it there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub product: Product,
    pub on_hand: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A page of the catalogue; `next` is where the following one starts.
    Page {
        products: Vec<Listed>,
        next: Option<PublicId>,
    },
    /// Products asked for by id.
    Found(Vec<Listed>),
    Product(Listed),
    /// A product as its seller sees it.
    Shelf(Listed),
    /// A cart and the products it names, at today's prices.
    Cart(Cart, Catalogue),
    /// A checkout, what flat shipping would cost, how it can be paid on the page of the backend, and whether by the instant rail.
    Checkout {
        checkout: Checkout,
        flat: Money,
        ways: Vec<Method>,
        instant: bool,
    },
    Order(Order),
    History(History),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    Warning,
    Info,
}

/// Something to be told beside the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub kind: NoteKind,
    pub code: &'static str,
    pub content: String,
}

impl Answer {
    pub(crate) fn shown(status: u16, resource: Resource) -> Self {
        Self { resource: Some(resource), ..Self::bare(status) }
    }

    pub(crate) fn refused(refusal: Refusal, resource: Option<Resource>) -> Self {
        Self { resource, refusal: Some(refusal), ..Self::bare(200) }
    }

    fn bare(status: u16) -> Self {
        Self { status, resource: None, refusal: None, notes: Vec::new(), on_its_way: 0, asks_for_account: false }
    }
}
