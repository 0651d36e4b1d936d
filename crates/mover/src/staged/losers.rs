//! Values of derived documents that a rule did not take: kept with what they were derived from, as the table of losers.

use super::dirty::take_off;
use super::{Dirty, Ledger, Staged, number, signed};
use crate::cells;
use crate::error::Result;
use mapping::{Anchor, Loser, RuleNo};
use rusqlite::{Connection, params};
use std::sync::atomic::Ordering;
use vocab::id::{Kind, PublicId, ShopId};

/// What one derived document did not take.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    pub(crate) kind: Kind,
    pub(crate) id: PublicId,
    pub(crate) losers: Vec<Loser>,
}

impl Staged {
    /// Takes derived aggregates off the list, as `settle` does, and keeps what each did not take.
    pub(crate) fn settle_derived(&self, shop: &ShopId, done: &[(Dirty, Option<Lost>)]) -> Result<()> {
        let changed = self.lightly(|tx| {
            let mut changed = false;
            for (dirty, lost) in done {
                take_off(tx, Ledger::Derive, shop, dirty)?;
                changed |= keep(tx, shop, dirty.rule, &dirty.anchor, lost.as_ref())?;
            }
            Ok(changed)
        })?;
        self.0.losers_changed.fetch_add(u64::from(changed), Ordering::Relaxed);
        Ok(())
    }

    /// What was copied of a rule is derived up to an anchor; some of it did not take everything.
    pub(crate) fn derived_until(
        &self,
        shop: &ShopId,
        rule: RuleNo,
        last: &[u8],
        lost: &[(Anchor, Lost)],
    ) -> Result<()> {
        self.lightly(|tx| {
            let sql = "UPDATE underived SET after = ?3 WHERE shop = ?1 AND rule = ?2";
            tx.prepare_cached(sql)?.execute(params![shop.as_str(), number(rule), last])?;
            lost.iter().try_for_each(|(anchor, lost)| keep(tx, shop, rule, anchor, Some(lost)).map(drop))
        })?;
        self.0.losers_changed.fetch_add(u64::from(!lost.is_empty()), Ordering::Relaxed);
        Ok(())
    }

    /// Another number whenever this process has changed the table of losers.
    pub(crate) fn losers_changed(&self) -> u64 {
        self.0.losers_changed.load(Ordering::Relaxed)
    }

    /// One line per value not taken, as CSV.
    pub(crate) fn losers_csv(&self) -> Result<String> {
        let mut out = String::from("shop,kind,id,field,value,votes\n");
        let reader = self.reader();
        let sql = "SELECT shop, kind, id, field, value, votes FROM loser ORDER BY shop, kind, id, field, value";
        let mut select = reader.prepare_cached(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..5 {
                out.push_str(&quoted(row.get_ref(column)?.as_str().unwrap_or_default()));
                out.push(',');
            }
            out.push_str(&format!("{}\n", row.get::<_, i64>(5)?));
        }
        Ok(out)
    }
}

/// Whether anything changed.
fn keep(db: &Connection, shop: &ShopId, rule: RuleNo, anchor: &Anchor, lost: Option<&Lost>) -> Result<bool> {
    let anchor = cells::encode_anchor(anchor);
    let gone = db
        .prepare_cached("DELETE FROM loser WHERE shop = ?1 AND rule = ?2 AND anchor = ?3")?
        .execute(params![shop.as_str(), number(rule), anchor])?;
    let Some(lost) = lost else { return Ok(gone > 0) };
    for loser in &lost.losers {
        let cells = params![
            shop.as_str(),
            number(rule),
            anchor,
            lost.kind.name(),
            lost.id.as_str(),
            &*loser.field,
            loser.value,
            signed(loser.votes)
        ];
        db.prepare_cached("INSERT OR REPLACE INTO loser VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(cells)?;
    }
    Ok(true)
}

/// Quoted where it has to be.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
