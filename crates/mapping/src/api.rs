//! What callers hold: rules, anchors, rows, what `get` and `put` are given and answer.

use std::fmt;
use vocab::document::Record;
use vocab::id::{Kind, Name, PublicId, ShopId, Timestamp};
use vocab::row::{Cell, ColumnNo, Edit, Row, RowKey, Table, TableNo};

/// The index of a rule among the rules of a mapping.
pub type RuleNo = usize;

/// The ids that the backend may mint for a table until the seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub table: TableNo,
    /// How many keys are taken at once.
    pub size: u64,
    /// The pattern of the public id, as in `TRX-{id:07}`; none: the key as decimal text.
    pub pattern: Option<String>,
}

/// Which rows make up one aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gather {
    /// One row of `table`, and the rows of other tables that hang on it.
    Anchored { table: TableNo, joins: Vec<Join> },
    /// All rows of `table` with the same cell in `column`.
    Grouped { table: TableNo, column: ColumnNo },
}

/// Rows of `table` whose `column` equals the anchor row's `anchor_column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    pub table: TableNo,
    pub column: ColumnNo,
    pub anchor_column: ColumnNo,
    /// The joined rows belong to many shops.
    pub shared: bool,
}

/// Which aggregates of a rule a changed row dirties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touch {
    Anchor(RowKey),
    /// Every anchor row whose column has this cell.
    AnchorsWhere(ColumnNo, Cell),
    Group(Cell),
}

/// One aggregate of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Anchor {
    Row(RowKey),
    Group(Cell),
}

/// The rows of one aggregate, by table and key: a few, so they stand in one piece of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows(Vec<(TableNo, RowKey, Row)>);

impl Rows {
    fn place(&self, table: TableNo, key: &RowKey) -> Result<usize, usize> {
        self.0.binary_search_by(|(of, found, _)| (of, found).cmp(&(&table, key)))
    }

    pub fn insert(&mut self, table: TableNo, key: RowKey, row: Row) {
        match self.place(table, &key) {
            Ok(place) => self.0[place].2 = row,
            Err(place) => self.0.insert(place, (table, key, row)),
        }
    }

    pub fn get(&self, table: TableNo, key: &RowKey) -> Option<&Row> {
        self.keyed(table, key).map(|(_, row)| row)
    }

    pub fn get_mut(&mut self, table: TableNo, key: &RowKey) -> Option<&mut Row> {
        self.place(table, key).ok().map(|place| &mut self.0[place].2)
    }

    /// A row, and its key as it stands here.
    pub(crate) fn keyed(&self, table: TableNo, key: &RowKey) -> Option<(&RowKey, &Row)> {
        self.place(table, key).ok().map(|place| (&self.0[place].1, &self.0[place].2))
    }

    pub fn remove(&mut self, table: TableNo, key: &RowKey) {
        if let Ok(place) = self.place(table, key) {
            self.0.remove(place);
        }
    }

    /// The rows of a table, by key.
    pub fn of(&self, table: TableNo) -> impl Iterator<Item = (&RowKey, &Row)> {
        let begin = self.0.partition_point(|(of, ..)| *of < table);
        self.0[begin..].iter().take_while(move |(of, ..)| *of == table).map(|(_, key, row)| (key, row))
    }

    /// All rows, by table and key.
    pub fn iter(&self) -> impl Iterator<Item = (TableNo, &RowKey, &Row)> {
        self.0.iter().map(|(table, key, row)| (*table, key, row))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows as they stand after `edits`. An update or deletion of a row that is not here does nothing.
    pub fn apply(&mut self, tables: &[Table], edits: &[Edit]) {
        crate::edits::apply(self, tables, edits);
    }
}

/// What a rule may ask about other aggregates.
pub struct Context<'a> {
    /// The class of the aggregate of this kind and group or key: `live`, or the reason it is something else; none
    /// if there is no such aggregate.
    pub class_of: &'a dyn Fn(Kind, &str) -> Option<Name>,
}

impl Context<'static> {
    /// Nobody else is there: right for rules without `use`.
    pub const ALONE: Self = Self { class_of: &|_, _| None };
}

/// What the rows of one aggregate say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// `where` is false, or there is no anchor row.
    Absent,
    /// Count fields (stock) are in the document; they are split off before it is stored.
    Live {
        document: Record,
        losers: Vec<Loser>,
        reports: Vec<Report>,
    },
    /// `{id, placed_at?, currency, total, lines: [{product, title, unit_price, quantity}]}`, amounts as decimal text.
    History {
        document: Record,
        why: Name,
    },
    Merged {
        why: Name,
    },
    Refused {
        faults: Vec<Fault>,
    },
}

/// A value of a group that was not taken (`losers` of a rule).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loser {
    pub field: Name,
    pub value: String,
    pub votes: u64,
}

/// Something that does not fit but is moved as it is: an assert that is false, a derived column that says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub code: &'static str,
    pub what: String,
}

/// A cell that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: &'static str,
    pub table: Name,
    pub key: String,
    pub column: Option<Name>,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.table)?;
        if let Some(column) = &self.column {
            write!(f, ".{column}")?;
        }
        write!(f, " ({}) {}", self.key, self.what)
    }
}

/// One fact to carry back: the aggregates it changed, and how the stock moved.
pub struct Put<'a> {
    pub shop: &'a ShopId,
    /// When the fact was made.
    pub at: Timestamp,
    pub changes: Vec<ChangeOf<'a>>,
    /// Variants and by how much their stock moved.
    pub stock: Vec<(PublicId, i64)>,
    /// The rows now of the products whose stock moves.
    pub stock_rows: &'a Rows,
}

/// One aggregate that a fact changed.
pub struct ChangeOf<'a> {
    pub rule: RuleNo,
    pub anchor: Anchor,
    /// The aggregate's rows at the flip; empty if it was born since.
    pub base: &'a Rows,
    /// The aggregate's rows now.
    pub rows: &'a Rows,
    pub before: Option<&'a Record>,
    pub after: Option<&'a Record>,
}

/// Cells of a row that must read back like this.
pub type Foreseen = (TableNo, RowKey, Vec<(ColumnNo, Cell)>);

/// What write-back does for one fact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOutcome {
    /// Parents first, deletions last.
    pub edits: Vec<Edit>,
    /// After the edits and the legacy's triggers, in the same transaction.
    pub expect: Vec<Foreseen>,
    pub debts: Vec<Debt>,
}

/// A change that the legacy cannot express.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Debt {
    pub kind: Kind,
    /// The aggregate's public id, or its key where it has none.
    pub id: String,
    pub name: &'static str,
    pub detail: String,
}
