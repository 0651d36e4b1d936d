//! Expressions that are checked: every name is a slot, every type is right. Evaluation cannot fail, it can say null.
//!
//! Null compares false. Text in a column that pads with blanks is read without them.

use crate::decimal::Decimal;
use crate::syntax::{Arithmetic, Comparison};
use std::borrow::Cow;
use vocab::document::Record;
use vocab::id::Name;
use vocab::row::{Cell, ColumnNo, Row};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ty {
    Null,
    Bool,
    Int,
    Decimal,
    /// Minor units.
    Money,
    Text,
    Instant,
}

impl Ty {
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Decimal => "decimal",
            Self::Money => "money",
            Self::Text => "text",
            Self::Instant => "instant",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// Also money in minor units, and instants in microseconds.
    Int(i64),
    Decimal(Decimal),
    Text(Cow<'a, str>),
}

/// Which elements a fold runs over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The rows of the rule's list of this number.
    Rows(usize),
    /// All rows of the group.
    Group,
    /// A list of the document.
    List(Name),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fold {
    Any,
    All,
    Sum,
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Round,
    Scale,
    Decimal,
    Trim,
    Lower,
    Starts,
    Ends,
    Length,
    If,
    Coalesce,
}

#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(String),
    /// A cell of the row at hand; with true, blanks at the end are padding.
    Column(ColumnNo, bool),
    /// A field of the document or element at hand.
    Field(Name),
    /// A field of a `one` of the document.
    OneField(Name, Name),
    /// Cells of the row before and after, in a trigger; 0 where there is no row.
    Old(ColumnNo),
    New(ColumnNo),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    IsNull(Box<Expr>, bool),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Negative(Box<Expr>),
    Count(Source),
    Fold(Fold, Source, Box<Expr>),
    Call(Function, Vec<Expr>),
}

/// What an expression can see.
#[derive(Clone, Copy, Default)]
pub(crate) struct Scope<'a> {
    pub row: Option<&'a Row>,
    /// The rows of each list of the rule, in the order of the lists.
    pub lists: &'a [Vec<&'a Row>],
    pub group: &'a [&'a Row],
    pub record: Option<&'a Record>,
    pub old: Option<&'a Row>,
    pub new: Option<&'a Row>,
}

impl Expr {
    /// Every document path that the expression reads, as `field`, `one.field` or `list.field`.
    pub fn reads(&self, list: Option<&Name>, into: &mut Vec<(Option<Name>, Name)>) {
        match self {
            Self::Field(name) => into.push((list.cloned(), name.clone())),
            Self::OneField(one, name) => into.push((Some(one.clone()), name.clone())),
            Self::Fold(_, source, inner) => match source {
                Source::List(name) => inner.reads(Some(name), into),
                Source::Rows(_) | Source::Group => inner.reads(list, into),
            },
            Self::Count(Source::List(name)) => into.push((Some(name.clone()), "".into())),
            Self::Not(a) | Self::Negative(a) | Self::IsNull(a, _) => a.reads(list, into),
            Self::And(a, b) | Self::Or(a, b) | Self::Compare(_, a, b) | Self::Arithmetic(_, a, b) => {
                a.reads(list, into);
                b.reads(list, into);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|argument| argument.reads(list, into)),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Decimal(_)
            | Self::Text(_)
            | Self::Column(..)
            | Self::Old(_)
            | Self::New(_)
            | Self::Count(_) => {}
        }
    }

    /// Every cell that the expression reads: the rows it is in, none for the row at hand.
    pub fn cells(&self, of: Option<&Source>, into: &mut Vec<(Option<Source>, ColumnNo)>) {
        match self {
            Self::Column(column, _) | Self::Old(column) | Self::New(column) => into.push((of.cloned(), *column)),
            Self::Fold(_, source, inner) => inner.cells(Some(source), into),
            Self::Not(a) | Self::Negative(a) | Self::IsNull(a, _) => a.cells(of, into),
            Self::And(a, b) | Self::Or(a, b) | Self::Compare(_, a, b) | Self::Arithmetic(_, a, b) => {
                a.cells(of, into);
                b.cells(of, into);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|argument| argument.cells(of, into)),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Decimal(_)
            | Self::Text(_)
            | Self::Field(_)
            | Self::OneField(..)
            | Self::Count(_) => {}
        }
    }

    /// The columns of the row at hand that the expression reads.
    pub fn columns(&self) -> Vec<ColumnNo> {
        let mut cells = Vec::new();
        self.cells(None, &mut cells);
        cells.into_iter().filter(|(source, _)| source.is_none()).map(|(_, column)| column).collect()
    }

    /// What the condition says of a row of which only some cells are known: none if that is not enough.
    pub fn settled(&self, known: &dyn Fn(ColumnNo) -> Option<Cell>) -> Option<bool> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all that is not logic is settled by its cells")]
        match self {
            Self::Bool(value) => Some(*value),
            Self::Not(a) => a.settled(known).map(|value| !value),
            Self::And(a, b) => match (a.settled(known), b.settled(known)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.settled(known), b.settled(known)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            other => other.settled_leaf(known),
        }
    }

    fn settled_leaf(&self, known: &dyn Fn(ColumnNo) -> Option<Cell>) -> Option<bool> {
        let columns = self.columns();
        if self.folds() {
            return None;
        }
        let width = columns.iter().max().map_or(0, |column| column + 1);
        let mut row = Row(vec![Cell::Null; width]);
        for column in columns {
            row.0[column] = known(column)?;
        }
        Some(self.holds(Scope { row: Some(&row), ..Scope::default() }))
    }

    /// True if other rows than the one at hand decide.
    fn folds(&self) -> bool {
        match self {
            Self::Count(_) | Self::Fold(..) => true,
            Self::Not(a) | Self::Negative(a) | Self::IsNull(a, _) => a.folds(),
            Self::And(a, b) | Self::Or(a, b) | Self::Compare(_, a, b) | Self::Arithmetic(_, a, b) => {
                a.folds() || b.folds()
            }
            Self::Call(_, arguments) => arguments.iter().any(Self::folds),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Decimal(_)
            | Self::Text(_)
            | Self::Column(..)
            | Self::Field(_)
            | Self::OneField(..)
            | Self::Old(_)
            | Self::New(_) => false,
        }
    }
}

/// The text of a cell, without the blanks that a `char(n)` column adds.
pub(crate) fn unpadded(text: &str, padded: bool) -> &str {
    if padded { text.trim_end_matches(' ') } else { text }
}
