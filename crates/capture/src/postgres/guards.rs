//! Whether our triggers and the publication still stand in a PostgreSQL source as they were made: a rebuilt table has
//! lost both, a disabled trigger fires no more, and nobody is told.

use super::Postgres;
use super::install::{publication, quoted};
use super::session::cell_of;
use crate::error::Result;
use crate::sql::{Dialect, table_name};

impl Postgres {
    /// The tables that are not captured, or whose fence would not be asked.
    pub async fn missing_guards(&self) -> Result<Vec<String>> {
        let tables = self.declared.each().map(|(no, table)| {
            let name = quoted(&table_name(Dialect::Postgres, &table.name));
            let fences = if self.declared.fenced(no) { 2 } else { 0 };
            format!("({}, to_regclass({name}), {fences})", quoted(&table.name))
        });
        let sql = format!(
            "select t.name from (values {}) as t(name, class, fences) where \
             (select count(*) from pg_trigger g where g.tgrelid = t.class and g.tgenabled in ('O', 'A') \
              and g.tgname in ('balik_fence', 'balik_truncate')) < t.fences \
             or not exists (select from pg_publication_tables p where p.pubname = {} \
              and to_regclass(quote_ident(p.schemaname) || '.' || quote_ident(p.tablename)) = t.class)",
            tables.collect::<Vec<_>>().join(", "),
            quoted(&publication(&self.name)),
        );
        let rows = self.sessions.rows("look for our triggers in", &sql).await?;
        (0..rows.len()).map(|row| Ok(cell_of(&rows, row, 0)?.to_owned())).collect()
    }
}
