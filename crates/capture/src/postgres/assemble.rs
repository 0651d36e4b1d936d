//! Puts the messages between a begin and its commit together into one transaction.

use super::pgoutput::{self, Message, Relation, Tuple, Value};
use super::shape::{Layout, Shape};
use crate::cut::{Position, Tx, from_postgres_micros, full_xid};
use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::transaction::{Marker, SchemaChange, Transaction};
use std::collections::HashMap;
use vocab::id::{Seq, ShopId, Timestamp};
use vocab::row::{Applied, Change, TableNo};

/// What the messages of ours in the stream begin with.
pub(super) const PREFIX: &str = "balik";
/// Rows of one transaction that are handed out together. It is known to be committed from its first message on, so a
/// larger one is handed out in pieces, and no memory depends on its size.
pub(super) const PIECE: usize = 4_096;

/// A transaction, and the places in its changes whose rows lack values that the log does not tell: rows with a new key
/// and large values as before, which are known under the old key only.
pub(super) struct Assembled {
    pub transaction: Transaction,
    pub gaps: Vec<usize>,
}

pub(super) struct Assembly {
    declared: Declared,
    name: String,
    /// The last full transaction id seen: the next one is near.
    near: u64,
    shapes: HashMap<u32, Shape>,
    /// What was last told about each table.
    told: HashMap<TableNo, SchemaChange>,
    open: Option<Transaction>,
    gaps: Vec<usize>,
}

/// The content of a marker's message: which capture it is for, then its word.
pub(super) fn marker_content(name: &str, marker: &Marker) -> String {
    format!("{name} {}", marker.0)
}

impl Assembly {
    pub fn new(declared: Declared, name: String, near: u64) -> Self {
        Self { declared, name, near, shapes: HashMap::new(), told: HashMap::new(), open: None, gaps: Vec::new() }
    }

    /// Which transaction has begun, and when it was committed.
    pub fn begun(&self) -> Option<(Tx, Option<Timestamp>)> {
        self.open.as_ref().map(|open| (open.tx, open.committed_at))
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub fn begin(&mut self, order: u64, xid: u32, micros: i64) {
        self.near = full_xid(xid, self.near);
        self.open = Some(Transaction {
            tx: Tx { order, xid: self.near },
            position: Position(order),
            emptied: Vec::new(),
            changes: Vec::new(),
            more: false,
            markers: Vec::new(),
            ours: false,
            applied: None,
            committed_at: Some(from_postgres_micros(micros)),
            schema: Vec::new(),
        });
    }

    pub fn commit(&mut self, position: Position) -> Option<Assembled> {
        let gaps = std::mem::take(&mut self.gaps);
        let transaction = self.open.take()?;
        Some(Assembled { transaction: Transaction { position, ..transaction }, gaps })
    }

    /// What has come of a transaction that is large, once that is enough; the rest follows.
    pub fn piece(&mut self) -> Option<Assembled> {
        let open = self.open.as_mut().filter(|open| open.changes.len() >= PIECE)?;
        let piece = Transaction {
            more: true,
            emptied: std::mem::take(&mut open.emptied),
            changes: std::mem::take(&mut open.changes),
            schema: std::mem::take(&mut open.schema),
            markers: Vec::new(),
            applied: None,
            ..*open
        };
        Some(Assembled { transaction: piece, gaps: std::mem::take(&mut self.gaps) })
    }

    pub fn marker(&mut self, prefix: &str, content: &[u8]) {
        let text = String::from_utf8_lossy(content);
        let word = text.split_once(' ').filter(|(name, _)| prefix == PREFIX && *name == self.name);
        if let (Some(open), Some((_, word))) = (&mut self.open, word) {
            open.markers.push(Marker(word.to_owned()));
        }
    }

    pub fn message(&mut self, bytes: &[u8]) -> Result<()> {
        match pgoutput::decode(bytes)? {
            Message::Relation(relation) => self.relation(&relation),
            Message::Insert { relation, new } => self.upsert(relation, None, &new)?,
            Message::Update { relation, old, new } => {
                self.applied(relation, &new)?;
                self.upsert(relation, old.as_ref(), &new)?;
            }
            Message::Delete { relation, old } => self.delete(relation, &old)?,
            Message::Truncate { relations } => self.truncate(&relations),
            Message::Other => {}
        }
        Ok(())
    }

    fn relation(&mut self, relation: &Relation) {
        let shape = Shape::of(&self.declared, relation);
        if let Shape::Table(layout) = &shape {
            let change = layout.difference(&self.declared, relation);
            let before = self.told.get(&layout.table);
            let news = before.map_or(!change.is_none(), |before| *before != change);
            if let (true, Some(open)) = (news, &mut self.open) {
                open.schema.push(change.clone());
                self.told.insert(layout.table, change);
            }
        }
        self.shapes.insert(relation.id, shape);
    }

    fn upsert(&mut self, relation: u32, old: Option<&Tuple>, new: &Tuple) -> Result<()> {
        let Some(layout) = layout(&self.shapes, relation)? else { return Ok(()) };
        let mut cells = layout.cells(&self.declared, new);
        let old = old.map(|old| layout.cells(&self.declared, old));
        let old_key = old.as_ref().and_then(|old| layout.key(&self.declared, old));
        if let Some(old) = &old {
            // A full identity tells out-of-line values too.
            for (place, (cell, before)) in cells.iter_mut().zip(old).enumerate() {
                let known = is_told(before.as_ref());
                if cell.is_none() && (known || self.declared.table(layout.table).key.contains(&place)) {
                    cell.clone_from(before);
                }
            }
        }
        let key = layout.key(&self.declared, &cells);
        let key = key.ok_or_else(|| Error::Decode("a changed row without its key".to_owned()))?;
        let table = layout.table;
        if let Some(old_key) = old_key.filter(|old| *old != key) {
            self.push(Change { table, key: old_key, row: None, moved: None })?;
            if let (true, Some(open)) = (cells.contains(&None), &self.open) {
                self.gaps.push(open.changes.len());
            }
        }
        self.push(Change { table, key, row: Some(cells), moved: None })
    }

    fn delete(&mut self, relation: u32, old: &Tuple) -> Result<()> {
        let Some(layout) = layout(&self.shapes, relation)? else { return Ok(()) };
        let cells = layout.cells(&self.declared, old);
        let key = layout.key(&self.declared, &cells);
        let key = key.ok_or_else(|| Error::Decode("a deleted row without its key".to_owned()))?;
        let table = layout.table;
        self.push(Change { table, key, row: None, moved: None })
    }

    fn truncate(&mut self, relations: &[u32]) {
        let Some(open) = &mut self.open else { return };
        for relation in relations {
            if let Some(Shape::Table(layout)) = self.shapes.get(relation) {
                open.changes.retain(|change| change.table != layout.table);
                // Their places have moved; a gap too many costs a read.
                self.gaps = (0..open.changes.len()).collect();
                open.emptied.push(layout.table);
            }
        }
    }

    /// Only write-back updates the row; install inserts it.
    fn applied(&mut self, relation: u32, new: &Tuple) -> Result<()> {
        let Some(Shape::Applied { shop, seq }) = self.shapes.get(&relation) else { return Ok(()) };
        let (Some(Value::Text(shop)), Some(Value::Text(seq))) = (new.get(*shop), new.get(*seq)) else {
            return Err(Error::Decode("a row of balik_applied without its values".to_owned()));
        };
        let shop = ShopId::parse(shop).map_err(|error| Error::Decode(error.to_string()))?;
        let seq = seq.parse().map(Seq).map_err(|_| Error::Decode(format!("fact number {seq}")))?;
        if let Some(open) = &mut self.open {
            open.ours = true;
            open.applied = Some(Applied { shop, seq });
        }
        Ok(())
    }

    fn push(&mut self, change: Change) -> Result<()> {
        let open = self.open.as_mut().ok_or_else(|| Error::Decode("a row outside a transaction".to_owned()))?;
        open.changes.push(change);
        Ok(())
    }
}

/// None: a relation that is not declared.
fn layout(shapes: &HashMap<u32, Shape>, relation: u32) -> Result<Option<&Layout>> {
    match shapes.get(&relation) {
        Some(Shape::Table(layout)) => Ok(Some(layout)),
        Some(Shape::Applied { .. } | Shape::Foreign) => Ok(None),
        None => Err(Error::Decode(format!("a row of the relation {relation}, which was not announced"))),
    }
}

/// An old tuple that holds only the key says null for everything else.
fn is_told(cell: Option<&vocab::row::Cell>) -> bool {
    cell.is_some_and(|cell| *cell != vocab::row::Cell::Null)
}
