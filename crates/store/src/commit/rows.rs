//! The rows that commits of one shop leave, each table's together: what is written of many at once costs PostgreSQL little more
//! than what is written of one.
//!
//! Invariant: of what several of them change, a document, a stock, the head, the last is written, and only that.

use super::Commit;
use crate::sql::{Bind, Connection, Owned, Value};
use crate::{Result, documents, facts, head, ledger, stock};
use std::collections::BTreeMap;
use vocab::id::{PublicId, Seq, ShopId};

/// The cells of a row.
pub type Cells = Vec<Owned>;

#[derive(Debug, Default)]
pub struct Rows {
    documents: Vec<Cells>,
    stock: Moved,
    entries: Vec<Cells>,
    facts: Vec<Cells>,
    seq: Option<Seq>,
}

/// What becomes of the stock.
#[derive(Debug, Default)]
pub struct Moved {
    /// Of variants that came into being.
    pub begun: Vec<Cells>,
    /// On hand afterwards.
    pub left: BTreeMap<PublicId, i64>,
}

impl Rows {
    pub fn document(&mut self, row: Cells) {
        self.documents.push(row);
    }

    pub const fn stock(&mut self) -> &mut Moved {
        &mut self.stock
    }

    pub fn entries(&mut self, rows: Vec<Cells>) {
        self.entries.extend(rows);
    }

    /// The fact of a commit, whose number is the head's.
    pub fn fact(&mut self, commit: &Commit, seq: Seq, body: &str) -> Result<()> {
        self.facts.push(facts::row(commit, seq, body)?);
        self.seq = Some(seq);
        Ok(())
    }

    /// The rows of the next commit behind these.
    pub fn append(&mut self, next: Self) {
        self.documents.extend(next.documents);
        self.stock.begun.extend(next.stock.begun);
        self.stock.left.extend(next.stock.left);
        self.entries.extend(next.entries);
        self.facts.extend(next.facts);
        self.seq = next.seq.or(self.seq);
    }

    /// Nobody waits for it.
    pub fn write(self, connection: &Connection, shop: &ShopId) -> Result<()> {
        let Some(seq) = self.seq else { return Ok(()) };
        documents::put_all(connection, newest(self.documents))?;
        stock::put_all(connection, self.stock.begun)?;
        for (variant, left) in &self.stock.left {
            stock::set_left(connection, shop, variant, *left)?;
        }
        ledger::append_all(connection, self.entries)?;
        facts::append_all(connection, self.facts)?;
        head::raise(connection, shop, seq)
    }
}

/// Of rows of one document the last, in the order of those. One statement changes no row twice.
fn newest(rows: Vec<Cells>) -> Vec<Cells> {
    let mut places: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut newest: Vec<Cells> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.get(&key(&row)) {
            Some(place) => newest[*place] = row,
            None => {
                places.insert(key(&row), newest.len());
                newest.push(row);
            }
        }
    }
    newest
}

/// Kind and id of a row of documents, which the shop, the kind and the id begin.
fn key(row: &Cells) -> Vec<u8> {
    let texts = row.iter().skip(1).take(2).map(|cell| match cell.value() {
        Value::Text(text) => text.as_bytes(),
        Value::Null | Value::Int(_) | Value::Bytes(_) => &[],
    });
    // No id has a character of code zero.
    texts.collect::<Vec<_>>().join(&0)
}
