//! What a file compiles to: everything that `get` and `put` run, with every name resolved.

use crate::codec::Codec;
use crate::expr::Expr;
use std::ops::Deref;
use vocab::document::{FieldName, Fields, Node, Record};
use vocab::id::{Kind, Name};
use vocab::row::{Cell, ColumnNo, TableNo};
use vocab::shape::{Shape, Type};

/// How one field of a document or element is made, and written back.
#[derive(Debug, Clone)]
pub(crate) struct FieldForm {
    pub name: Name,
    /// Where it stands in its record.
    pub place: usize,
    pub ty: Type,
    pub nullable: bool,
    pub form: Form,
}

/// The forms of all fields of a document or element; values come last, each after those it reads.
#[derive(Debug, Clone)]
pub(crate) struct Forms {
    forms: Vec<FieldForm>,
    /// All of them and the origin, each null.
    blank: Record,
}

impl Forms {
    pub fn new(mut forms: Vec<FieldForm>) -> Self {
        let names = forms.iter().map(|form| FieldName::from(&form.name));
        let blank = Fields::nulls(names.chain([FieldName::from("origin")]));
        for form in &mut forms {
            form.place = blank.place_of(&form.name).unwrap_or(usize::MAX);
        }
        Self { forms, blank: Record(blank) }
    }

    /// A record that has nothing but its origin.
    pub fn blank(&self, origin: String) -> Record {
        let mut record = self.blank.clone();
        record.set("origin", origin);
        record
    }

    fn values_begin(&self) -> usize {
        let is_value = |form: &FieldForm| matches!(form.form, Form::Value(_));
        self.forms.iter().position(is_value).unwrap_or(self.forms.len())
    }

    /// Those that read no other field.
    pub fn plain(&self) -> &[FieldForm] {
        &self.forms[..self.values_begin()]
    }

    pub fn values(&self) -> &[FieldForm] {
        &self.forms[self.values_begin()..]
    }
}

impl Deref for Forms {
    type Target = [FieldForm];

    fn deref(&self) -> &[FieldForm] {
        &self.forms
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Form {
    Column(Binding),
    Const(Node),
    /// What a document says here has no place in the rows, and needs none: read anew it is this.
    Forgotten(Node),
    Value(Expr),
    Count(ColumnNo),
    Decide(Vec<Case>),
    Pick(Box<Pick>),
    Currency(Name),
    /// Made by the rule's list or `one` of this name.
    Part,
}

impl Form {
    /// The column that is counted, if the form is a count.
    pub fn counted(&self) -> Option<ColumnNo> {
        if let Self::Count(column) = self { Some(*column) } else { None }
    }
}

/// A field that is a cell.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub column: ColumnNo,
    pub codec: Codec,
    /// Written at birth only.
    pub once: bool,
    /// The column is set by structure (key, shop, link, order): the field is read, never written.
    pub structural: bool,
}

/// One class of a `decide`.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub class: Name,
    pub when: Expr,
    pub cells: Vec<(ColumnNo, Cell)>,
}

/// A value chosen among the rows of a group.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    pub how: PickHow,
    pub of: Of,
    pub filter: Option<Expr>,
    /// Values that do not count, as they are read.
    pub not: Option<Node>,
    /// What orders the rows for first and last.
    pub by: Vec<Of>,
    /// What breaks ties of `most`: the greatest of each, before the smallest text.
    pub tie: Vec<Of>,
    pub otherwise: Option<Otherwise>,
    pub report: bool,
    pub losers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PickHow {
    Only,
    Min,
    Max,
    First,
    Last,
    Most,
}

/// Something read from one row.
#[derive(Debug, Clone)]
pub(crate) enum Of {
    Cell(ColumnNo, Codec),
    Expr(Expr),
}

#[derive(Debug, Clone)]
pub(crate) enum Otherwise {
    Const(Node),
    /// The text of a column of the group.
    Column(ColumnNo),
}

/// What happens to rows whose element or aggregate is gone.
#[derive(Debug, Clone)]
pub(crate) enum Remove {
    Debt,
    Delete,
    Set(Vec<(ColumnNo, Cell)>),
}

#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub when: Expr,
    pub is: Fate,
    pub why: Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Live,
    History,
    Refused,
    Merged,
}

#[derive(Debug, Clone)]
pub(crate) struct ListForm {
    pub name: Name,
    pub from: From,
    pub table: TableNo,
    /// The column that orders the elements; none: by key, compared as a set.
    pub order: Option<ColumnNo>,
    /// The key of a row is its link and its place in the list, so that no key is minted for one.
    pub placed: bool,
    pub remove: Remove,
    pub fields: Forms,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// One element, of the anchor row or of the whole group.
    Own,
    /// Rows whose `column` equals the anchor's `anchor_column`.
    Join { column: ColumnNo, anchor_column: ColumnNo },
    /// Every row of the group.
    Group,
}

#[derive(Debug, Clone)]
pub(crate) struct OneForm {
    pub name: Name,
    pub nullable: bool,
    pub table: TableNo,
    pub column: ColumnNo,
    pub anchor_column: ColumnNo,
    /// Reads the link: null where there is nobody.
    pub link: Codec,
    pub shared: bool,
    /// A row may be inserted for it.
    pub births: bool,
    pub fields: Forms,
}

/// A column that is no field: told by the document.
#[derive(Debug, Clone)]
pub(crate) struct Derived {
    /// The list whose rows it is a column of; none: the anchor's.
    pub list: Option<usize>,
    pub column: ColumnNo,
    pub codec: Codec,
    pub how: DerivedHow,
    /// The fields that decide it, as (list or one, field).
    pub inputs: Vec<(Option<Name>, Name)>,
}

#[derive(Debug, Clone)]
pub(crate) enum DerivedHow {
    Value(Expr),
    /// The document's `field`, split over the list by `weight` in multiples of `unit`.
    Spread {
        field: Name,
        weight: Name,
        unit: i64,
        rest_last: bool,
    },
}

/// How a birth fills the columns of a table that nothing else writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Births {
    /// Constants.
    pub cells: Vec<(ColumnNo, Cell)>,
    /// The fact's time.
    pub now: Vec<(ColumnNo, Codec)>,
    /// The fact's time at every edit.
    pub touch: Vec<(ColumnNo, Codec)>,
}

/// `use = "order.class = 'live'"`: rows of a group that vote.
#[derive(Debug, Clone)]
pub(crate) struct Voters {
    pub kind: Kind,
    /// The column that holds the other aggregate's group.
    pub column: ColumnNo,
    pub class: Name,
    pub positive: bool,
}

/// Forms that differ in history documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct HistoryForms {
    pub total: Option<Binding>,
    /// Bindings of the lines' `product`, `title`, `unit_price`, `quantity` that replace the live ones.
    pub lines: Vec<(Name, Binding)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub shape: Shape,
    pub table: TableNo,
    /// The column that groups rows; none for an anchored rule.
    pub group: Option<ColumnNo>,
    pub currency: Name,
    /// Digits of the currency's minor unit.
    pub minor: u32,
    pub filter: Option<Expr>,
    pub remove: Remove,
    pub classes: Vec<Class>,
    pub fault_is_history: bool,
    pub fields: Forms,
    pub lists: Vec<ListForm>,
    pub ones: Vec<OneForm>,
    pub derived: Vec<Derived>,
    pub asserts: Vec<(String, Expr)>,
    pub history: HistoryForms,
    pub voters: Option<Voters>,
}

/// A trigger of the legacy's own that adds to a counter in another table.
#[derive(Debug, Clone)]
pub(crate) struct Trigger {
    pub on: TableNo,
    pub target: TableNo,
    pub column: ColumnNo,
    /// The column of the triggering row that holds the target's key.
    pub key_from: ColumnNo,
    pub adds: Expr,
    pub fires: Fires,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Fires {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
}
