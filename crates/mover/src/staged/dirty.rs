//! Which aggregates are to be derived again, and which are not proven since they last changed.

use super::{Staged, number, unsigned};
use crate::cells;
use crate::error::{Error, Result};
use mapping::{Anchor, Gather, RuleNo};
use rusqlite::{Connection, Row, params};
use vocab::id::ShopId;

/// The two lists: `Derive` drives the import, `Prove` what verification still owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ledger {
    Derive,
    Prove,
}

impl Ledger {
    const fn table(self) -> &'static str {
        match self {
            Self::Derive => "dirty",
            Self::Prove => "unproven",
        }
    }
}

/// An aggregate on one of the lists; the generation tells whether it changed again meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Dirty {
    pub(crate) rule: RuleNo,
    pub(crate) anchor: Anchor,
    pub(crate) generation: i64,
}

impl Staged {
    pub(crate) fn listed(&self, list: Ledger, shop: &ShopId, limit: usize) -> Result<Vec<Dirty>> {
        self.listed_behind(list, shop, None, limit)
    }

    /// What is listed behind one that was listed before, wherever that is now.
    pub(crate) fn listed_behind(
        &self,
        list: Ledger,
        shop: &ShopId,
        behind: Option<&Dirty>,
        limit: usize,
    ) -> Result<Vec<Dirty>> {
        self.listed_between(list, shop, behind, None, limit)
    }

    /// The same up to another one, that one included.
    pub(crate) fn listed_between(
        &self,
        list: Ledger,
        shop: &ShopId,
        behind: Option<&Dirty>,
        until: Option<&Dirty>,
        limit: usize,
    ) -> Result<Vec<Dirty>> {
        let db = self.reader();
        let mut select = db.prepare_cached(&format!(
            "SELECT rule, anchor, gen FROM {} WHERE shop = ?1 AND (rule, anchor) > (?2, ?3)
             AND (rule, anchor) <= (?4, ?5) ORDER BY rule, anchor LIMIT ?6",
            list.table()
        ))?;
        let place = |dirty: Option<&Dirty>, rule| {
            let anchor = dirty.map_or_else(Vec::new, |dirty| cells::encode_anchor(&dirty.anchor));
            (dirty.map_or(rule, |dirty| number(dirty.rule)), anchor)
        };
        let (behind, until) = (place(behind, -1), place(until, i64::MAX));
        let cells = params![shop.as_str(), behind.0, behind.1, until.0, until.1, number(limit)];
        let mut rows = select.query(cells)?;
        let mut listed = Vec::new();
        while let Some(row) = rows.next()? {
            listed.push(self.dirty(row)?);
        }
        Ok(listed)
    }

    /// The last that is listed.
    pub(crate) fn last_listed(&self, list: Ledger, shop: &ShopId) -> Result<Option<Dirty>> {
        let db = self.reader();
        let mut select = db.prepare_cached(&format!(
            "SELECT rule, anchor, gen FROM {} WHERE shop = ?1 ORDER BY rule DESC, anchor DESC LIMIT 1",
            list.table()
        ))?;
        let mut rows = select.query([shop.as_str()])?;
        rows.next()?.map(|row| self.dirty(row)).transpose()
    }

    /// From `rule, anchor, gen`.
    fn dirty(&self, row: &Row<'_>) -> Result<Dirty> {
        let rule = usize::try_from(row.get::<_, i64>(0)?).map_err(|_| Error::Staged("a negative rule"))?;
        Ok(Dirty { rule, anchor: self.anchor(rule, &row.get::<_, Vec<u8>>(1)?)?, generation: row.get(2)? })
    }

    /// The newest generation given.
    pub(crate) fn generation(&self) -> Result<i64> {
        Ok(self.reader().query_row("SELECT next FROM gen", [], |row| row.get(0))?)
    }

    /// How many aggregates of a shop are on the list since a generation or longer.
    pub(crate) fn listed_until(&self, list: Ledger, shop: &ShopId, generation: i64) -> Result<u64> {
        let count: i64 = self.reader().query_row(
            &format!("SELECT count(*) FROM {} WHERE shop = ?1 AND gen <= ?2", list.table()),
            params![shop.as_str(), generation],
            |row| row.get(0),
        )?;
        Ok(unsigned(count))
    }

    /// How many aggregates of a shop are on the list. What was copied and not derived yet is on the list of derivation,
    /// as one for each rule.
    pub(crate) fn count(&self, list: Ledger, shop: &ShopId) -> Result<u64> {
        let count = |table: &str| -> Result<i64> {
            let sql = format!("SELECT count(*) FROM {table} WHERE shop = ?1");
            Ok(self.reader().prepare_cached(&sql)?.query_row([shop.as_str()], |row| row.get(0))?)
        };
        let copied = if list == Ledger::Derive { count("underived")? } else { 0 };
        Ok(unsigned(count(list.table())? + copied))
    }

    /// Takes aggregates off the list, but not those that changed again since they were read.
    pub(crate) fn settle(&self, list: Ledger, shop: &ShopId, done: &[Dirty]) -> Result<()> {
        self.lightly(|tx| done.iter().try_for_each(|dirty| take_off(tx, list, shop, dirty)))
    }

    /// Puts aggregates on the list.
    pub(crate) fn list(&self, list: Ledger, shop: &ShopId, anchors: &[(RuleNo, Anchor)]) -> Result<()> {
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        let generation: i64 = tx.query_row("UPDATE gen SET next = next + 1 RETURNING next", [], |row| row.get(0))?;
        for (rule, anchor) in anchors {
            tx.prepare_cached(&format!(
                "INSERT INTO {}(shop, rule, anchor, gen) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT(shop, rule, anchor) DO UPDATE SET gen = excluded.gen",
                list.table()
            ))?
            .execute(params![shop.as_str(), number(*rule), cells::encode_anchor(anchor), generation])?;
        }
        Ok(tx.commit()?)
    }

    pub(super) fn anchor(&self, rule: RuleNo, bytes: &[u8]) -> Result<Anchor> {
        match &self.0.mapping.rules()[rule].gather {
            Gather::Anchored { .. } => Ok(Anchor::Row(cells::decode_key(bytes)?)),
            Gather::Grouped { .. } => group(bytes),
        }
    }
}

/// Takes one aggregate off the list, unless it changed again since it was read.
pub(super) fn take_off(db: &Connection, list: Ledger, shop: &ShopId, dirty: &Dirty) -> Result<()> {
    let sql = format!("DELETE FROM {} WHERE shop = ?1 AND rule = ?2 AND anchor = ?3 AND gen = ?4", list.table());
    let key = params![shop.as_str(), number(dirty.rule), cells::encode_anchor(&dirty.anchor), dirty.generation];
    db.prepare_cached(&sql)?.execute(key)?;
    Ok(())
}

pub(super) fn group(bytes: &[u8]) -> Result<Anchor> {
    match cells::decode(bytes)?.pop() {
        Some(Some(cell)) => Ok(Anchor::Group(cell)),
        _ => Err(Error::Staged("a group without a cell")),
    }
}
