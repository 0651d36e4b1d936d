//! Whether our triggers and the publication still stand in a PostgreSQL source as they were made: a rebuilt table has
//! lost both, a disabled trigger fires no more, and nobody is told. And whether the tables still are as declared: the
//! stream says so only before the next row.

use super::Postgres;
use super::install::{publication, quoted};
use super::pgoutput::{Relation, RelationColumn};
use super::session::{Answer, cell_of, number};
use super::shape::Layout;
use crate::error::{Error, Result};
use crate::guards::Guards;
use crate::sql::{Dialect, table_name};

impl Postgres {
    /// The tables that are not captured, or whose fence would not be asked, and those that are not as declared. In one
    /// round trip: a hold asks too.
    pub async fn guards(&self) -> Result<Guards> {
        let questions = format!("{}; {}", self.missing(), self.shapes());
        let answers = self.sessions.run("look for our triggers in", &questions).await?;
        let [missing, columns] = answers.as_slice() else {
            return Err(Error::Decode("two questions without two answers".to_owned()));
        };
        let name = |row| Ok(cell_of(&missing.rows, row, 0)?.to_owned());
        let missing = (0..missing.rows.len()).map(name).collect::<Result<_>>()?;
        Ok(Guards { missing, changed: self.changed(columns)? })
    }

    fn missing(&self) -> String {
        let tables = self.declared.each().map(|(no, table)| {
            let name = quoted(&table_name(Dialect::Postgres, &table.name));
            let fences = if self.declared.fenced(no) { 2 } else { 0 };
            format!("({}, to_regclass({name}), {fences})", quoted(&table.name))
        });
        format!(
            "select t.name from (values {}) as t(name, class, fences) where \
             (select count(*) from pg_trigger g where g.tgrelid = t.class and g.tgenabled in ('O', 'A') \
              and g.tgname in ('balik_fence', 'balik_truncate')) < t.fences \
             or not exists (select from pg_publication_tables p where p.pubname = {} \
              and to_regclass(quote_ident(p.schemaname) || '.' || quote_ident(p.tablename)) = t.class)",
            tables.collect::<Vec<_>>().join(", "),
            quoted(&publication(&self.name)),
        )
    }

    fn shapes(&self) -> String {
        let tables = self
            .declared
            .each()
            .map(|(no, table)| format!("({no}, to_regclass({}))", quoted(&table_name(Dialect::Postgres, &table.name))));
        format!(
            "select t.no, a.attname, a.atttypid::bigint, a.atttypmod from (values {}) as t(no, class) \
             left join pg_attribute a on a.attrelid = t.class and a.attnum > 0 and not a.attisdropped \
             order by t.no, a.attnum",
            tables.collect::<Vec<_>>().join(", ")
        )
    }

    fn changed(&self, columns: &Answer) -> Result<Vec<crate::transaction::SchemaChange>> {
        let mut found: Vec<Vec<RelationColumn>> = self.declared.each().map(|_| Vec::new()).collect();
        for (row, cells) in columns.rows.iter().enumerate() {
            // Of a table that is gone there is a row without a column.
            let Some(Some(name)) = cells.get(1) else { continue };
            let column = RelationColumn {
                name: name.clone(),
                oid: number(cell_of(&columns.rows, row, 2)?)?,
                modifier: number(cell_of(&columns.rows, row, 3)?)?,
            };
            let table: usize = number(cell_of(&columns.rows, row, 0)?)?;
            found.get_mut(table).ok_or_else(|| Error::Decode(format!("table {table}")))?.push(column);
        }
        let changes = found.into_iter().enumerate().map(|(table, columns)| {
            let relation = Relation { id: 0, schema: String::new(), name: String::new(), columns };
            Layout::over(&self.declared, table, &relation).difference(&self.declared, &relation)
        });
        Ok(changes.filter(|change| !change.is_harmless()).collect())
    }
}
