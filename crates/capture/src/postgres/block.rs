//! A block of ids out of the legacy's own sequence: the legacy will not give them away, others may take between.

use super::Postgres;
use super::install::quoted;
use super::session::{cell_of, number};
use crate::error::{Error, Result};
use crate::sql::{Dialect, ident, table_name};
use vocab::id::Name;
use vocab::row::TableNo;

impl Postgres {
    pub async fn take_block(&self, table: TableNo, n: u32) -> Result<Vec<(i64, i64)>> {
        let of = self.declared.table(table);
        let none = |reason: &str| Error::NoSequence { table: Name::clone(&of.name), reason: reason.to_owned() };
        let sequence = self.sequence(table).await?.ok_or_else(|| none("its key has no sequence"))?;
        let ids = format!("select nextval({}) from generate_series(1, {n})", quoted(&sequence));
        // The largest key first: what others take and insert after that is not below what we take.
        let largest = self.largest_key(table);
        let answers = self.sessions.run("take ids from", &format!("{largest}; {ids}")).await?;
        let [largest, taken] = answers.as_slice() else {
            return Err(Error::Decode("a sequence without an answer".to_owned()));
        };
        let taken = (0..taken.rows.len()).map(|row| number(cell_of(&taken.rows, row, 0)?));
        let mut taken: Vec<i64> = taken.collect::<Result<_>>()?;
        taken.sort_unstable();
        let largest: i64 = number(cell_of(&largest.rows, 0, 0)?)?;
        if taken.first().is_some_and(|first| *first <= largest) {
            return Err(none("its sequence stands below its largest key"));
        }
        Ok(runs(&taken))
    }

    /// The sequence behind the table's key, as a name for `nextval`; none where there is none.
    pub(super) async fn sequence(&self, table: TableNo) -> Result<Option<String>> {
        let of = self.declared.table(table);
        let [key] = of.key.as_slice() else { return Ok(None) };
        let name = quoted(&table_name(Dialect::Postgres, &of.name));
        let column = quoted(&of.columns[*key].name);
        let sql = format!(
            "select coalesce(pg_get_serial_sequence({name}, {column}), \
             (select substring(pg_get_expr(d.adbin, d.adrelid) from $$nextval\\('(.*)'::regclass\\)$$) \
              from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum \
              where d.adrelid = {name}::regclass and a.attname = {column}))"
        );
        let rows = self.sessions.rows("look for a sequence in", &sql).await?;
        Ok(rows.into_iter().next().and_then(|cells| cells.into_iter().next().flatten()))
    }

    pub(super) fn largest_key(&self, table: TableNo) -> String {
        let of = self.declared.table(table);
        let key = ident(&of.columns[of.key[0]].name);
        format!("select coalesce(max({key}), 0) from {}", table_name(Dialect::Postgres, &of.name))
    }
}

/// Ordered numbers as runs without gaps, both ends included.
fn runs(numbers: &[i64]) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for &next in numbers {
        match runs.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(next) => *to = next,
            _ => runs.push((next, next)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn a_gap_ends_a_run() {
        assert_eq!(runs(&[1, 2, 3, 7, 9, 10]), [(1, 3), (7, 7), (9, 10)]);
        assert_eq!(runs(&[]), []);
    }
}
