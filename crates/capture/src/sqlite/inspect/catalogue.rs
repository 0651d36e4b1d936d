//! What an SQLite file says about all of its tables.

use crate::error::Result;
use crate::inspect::{Column, Reference, TABLES_MAX};
use crate::sqlite::catalogue::{Unique, uniques, unsigned};
use crate::sqlite::session::failed;
use rusqlite::{Connection, Params, Row};

/// One table.
pub(super) struct Relation {
    pub name: String,
    pub is_virtual: bool,
    pub without_rowid: bool,
    pub is_autoincrement: bool,
    pub columns: Vec<Attribute>,
    pub key: Vec<String>,
    pub uniques: Vec<Unique>,
    /// Names of all indexes, those that SQLite made too.
    pub indexes: Vec<String>,
    pub triggers: Vec<String>,
    pub references: Vec<Reference>,
}

pub(super) struct Attribute {
    pub column: Column,
    pub affinity: Affinity,
    pub is_generated: bool,
}

/// What SQLite tries to make of a value (datatype3.html §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

impl Affinity {
    pub fn of(declared: &str) -> Self {
        let word = declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
        if has(&["INT"]) {
            Self::Integer
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if word.is_empty() || has(&["BLOB"]) {
            Self::Blob
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Numeric
        }
    }
}

impl Relation {
    /// The key is the rowid itself.
    pub fn has_rowid_key(&self) -> bool {
        let [key] = self.key.as_slice() else { return false };
        let is_integer = |of: &&Attribute| of.column.type_name.eq_ignore_ascii_case("integer");
        !self.without_rowid && self.columns.iter().filter(is_integer).any(|of| of.column.name == *key)
    }
}

/// What is looked at: `l` is the list of tables.
const OF_OTHERS: &str = "l.schema = 'main' and l.type in ('table', 'virtual') \
     and l.name not like 'sqlite\\_%' escape '\\' and l.name not like 'balik\\_%' escape '\\'";

pub(super) fn count(connection: &Connection) -> Result<u64> {
    let sql = format!("select count(*) from pragma_table_list l where {OF_OTHERS}");
    let count: i64 = connection.query_row(&sql, [], |row| row.get(0)).map_err(failed("open"))?;
    unsigned(count)
}

pub(super) fn relations(connection: &Connection) -> Result<Vec<Relation>> {
    let sql = format!(
        "select l.name, l.type = 'virtual', l.wr, coalesce(m.sql, '') from pragma_table_list l \
         left join sqlite_master m on m.type = 'table' and m.name = l.name \
         where {OF_OTHERS} order by l.name limit {TABLES_MAX}"
    );
    let tables = rows(connection, &sql, [], |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?))
    })?;
    let relation = |(name, is_virtual, without_rowid, text): (String, bool, bool, String)| {
        let (columns, key) = columns(connection, &name)?;
        Ok(Relation {
            is_virtual,
            without_rowid,
            is_autoincrement: text.to_ascii_uppercase().contains("AUTOINCREMENT"),
            columns,
            key,
            uniques: uniques(connection, &name)?,
            indexes: rows(connection, "select name from pragma_index_list(?1)", [&name], |row| row.get(0))?,
            triggers: rows(connection, TRIGGERS, [&name], |row| row.get(0))?,
            references: references(connection, &name)?,
            name,
        })
    };
    tables.into_iter().map(relation).collect()
}

const TRIGGERS: &str = "select name from sqlite_master where type = 'trigger' and tbl_name = ?1 \
     and name not like 'balik\\_%' escape '\\' order by name";

/// All columns, and the names of those of the key in its order.
fn columns(connection: &Connection, table: &str) -> Result<(Vec<Attribute>, Vec<String>)> {
    let sql = "select name, type, \"notnull\", pk, hidden from pragma_table_xinfo(?1) order by cid";
    let found = rows(connection, sql, [table], |row| {
        let (name, type_name): (String, String) = (row.get(0)?, row.get(1)?);
        let (required, place): (bool, i64) = (row.get(2)?, row.get(3)?);
        // 1 is hidden in a virtual table; 2 and 3 are generated.
        let hidden: i64 = row.get(4)?;
        let affinity = Affinity::of(&type_name);
        let column = Column { name, type_name, nullable: !required && place == 0 };
        Ok((Attribute { column, affinity, is_generated: hidden > 1 }, place))
    })?;
    let mut key: Vec<(i64, String)> =
        found.iter().filter(|(_, place)| *place > 0).map(|(of, place)| (*place, of.column.name.clone())).collect();
    key.sort();
    Ok((found.into_iter().map(|(of, _)| of).collect(), key.into_iter().map(|(_, name)| name).collect()))
}

fn references(connection: &Connection, table: &str) -> Result<Vec<Reference>> {
    let sql = "select seq, \"from\", \"table\", \"to\", on_delete, on_update \
               from pragma_foreign_key_list(?1) order by id desc, seq";
    let found = rows(connection, sql, [table], |row| {
        let effect = |word: String| {
            let acts = !["NO ACTION", "RESTRICT"].contains(&word.as_str());
            acts.then(|| word.to_ascii_lowercase())
        };
        let (seq, here): (i64, String) = (row.get(0)?, row.get(1)?);
        let there: Option<String> = row.get(3)?;
        let (on_delete, on_update) = (effect(row.get(4)?), effect(row.get(5)?));
        let to = there.into_iter().collect();
        Ok((seq, Reference { columns: vec![here], table: row.get(2)?, to, on_delete, on_update }))
    })?;
    let mut references: Vec<Reference> = Vec::new();
    for (seq, next) in found {
        match references.last_mut().filter(|_| seq > 0) {
            Some(open) => {
                open.columns.extend(next.columns);
                open.to.extend(next.to);
            }
            None => references.push(next),
        }
    }
    Ok(references)
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let reading = failed("read the catalogue of");
    let mut statement = connection.prepare_cached(sql).map_err(reading)?;
    let rows = statement.query_map(parameters, read).map_err(reading)?;
    rows.collect::<rusqlite::Result<_>>().map_err(reading)
}
