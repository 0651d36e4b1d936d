//! What is made in an SQLite source, and how it goes away again.
//!
//! Made: tables `balik_changes`, `balik_fence`, `balik_applied`, `balik_writer`, `balik_origin`, and triggers on every
//! declared table. All in one transaction, so the legacy sees all or nothing.

use super::Sqlite;
use super::catalogue::{self, Unique};
use super::session::{File, failed};
use crate::declared::{Declared, held_columns};
use crate::error::Result;
use crate::sql::{self, Dialect, ident, object};
use rusqlite::{Connection, TransactionBehavior};
use vocab::id::ShopId;
use vocab::row::{Table, TableNo};

pub(super) const CHANGES: &str = "balik_changes";
/// What stands for a table's name in rows that are not changes.
pub(super) const APPLIED: &str = "balik_applied";
pub(super) const MARKER: &str = "balik_marker";

/// Microseconds since 1970; to the millisecond, as far as an old SQLite can tell.
pub(super) const NOW: &str = "cast((julianday('now') - 2440587.5) * 86400000000.0 as integer)";
/// 1 in our own write-back.
const OURS: &str = "(select count(*) from balik_writer)";
const OPEN: &str = "not exists (select 1 from balik_writer)";

const TABLES: [&str; 5] = [
    "create table if not exists balik_changes (seq integer primary key autoincrement, tbl text not null, \
     key text not null, ours integer not null, moved integer not null, at integer not null)",
    "create table if not exists balik_fence (shop text primary key, closed integer not null default 0, \
     epoch integer not null default 0) without rowid",
    "create table if not exists balik_applied (shop text primary key, seq integer not null default 0) without rowid",
    "create table if not exists balik_writer (only_one integer primary key check (only_one = 1))",
    "create table if not exists balik_origin (name text primary key, acknowledged integer not null) without rowid",
];

impl Sqlite {
    /// Reads the file's indexes, because what REPLACE may delete depends on them.
    pub async fn install_sql(&self, shops: &[ShopId]) -> Result<Vec<String>> {
        let shops = shops.to_vec();
        self.with(move |file, connection| statements(file, connection, &shops)).await
    }

    pub async fn install(&self, shops: &[ShopId]) -> Result<()> {
        let shops = shops.to_vec();
        self.with(move |file, connection| {
            let installing = failed("install in");
            let statements = statements(file, connection, &shops)?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(installing)?;
            drop_all(&transaction, "trigger")?;
            for statement in statements {
                transaction.execute_batch(&statement).map_err(installing)?;
            }
            transaction.commit().map_err(installing)
        })
        .await
    }

    pub async fn uninstall(&self) -> Result<()> {
        self.with(|_, connection| {
            let uninstalling = failed("uninstall from");
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(uninstalling)?;
            drop_all(&transaction, "trigger")?;
            drop_all(&transaction, "table")?;
            transaction.commit().map_err(uninstalling)
        })
        .await
    }
}

fn drop_all(connection: &Connection, kind: &str) -> Result<()> {
    let removing = failed("remove our objects from");
    let sql = "select name from sqlite_master where type = ?1 and name like 'balik\\_%' escape '\\'";
    let mut statement = connection.prepare(sql).map_err(removing)?;
    let names = statement.query_map([kind], |row| row.get::<_, String>(0)).map_err(removing)?;
    let names: Vec<_> = names.collect::<rusqlite::Result<_>>().map_err(removing)?;
    for name in names {
        connection.execute_batch(&format!("drop {kind} {}", ident(&name))).map_err(removing)?;
    }
    Ok(())
}

pub(super) fn statements(file: &File, connection: &Connection, shops: &[ShopId]) -> Result<Vec<String>> {
    let mut statements: Vec<String> = TABLES.iter().map(|&table| table.to_owned()).collect();
    // Numbers begin at the clock, so that a position of an earlier install is below all of a later one's.
    statements.push(format!(
        "insert into sqlite_sequence (name, seq) select 'balik_changes', {NOW} \
         where not exists (select 1 from sqlite_sequence where name = 'balik_changes')"
    ));
    statements.push(format!(
        "insert or ignore into balik_origin (name, acknowledged) \
         select {}, seq from sqlite_sequence where name = 'balik_changes'",
        sql::text(Dialect::Sqlite, &file.name)
    ));
    for shop in shops {
        let shop = sql::text(Dialect::Sqlite, shop.as_str());
        statements.push(format!("insert or ignore into balik_fence (shop) values ({shop})"));
        statements.push(format!("insert or ignore into balik_applied (shop) values ({shop})"));
    }
    for (no, table) in file.declared.each() {
        let uniques = catalogue::uniques(connection, &table.name)?;
        let uniques: Vec<_> = uniques.into_iter().filter(|unique| !unique.opaque).collect();
        statements.extend(change_triggers(no, table));
        statements.extend(replace_trigger(no, table, &uniques));
        if file.declared.fenced(no) {
            statements.extend(fence_triggers(&file.declared, no, table));
            statements.extend(replace_fences(&file.declared, no, table, uniques));
        }
    }
    Ok(statements)
}

/// `quote(new.a) || ',' || quote(new.b)`: the key as a list of literals.
fn quoted_key(table: &Table, row: &str) -> String {
    let parts = table.key.iter().map(|&column| format!("quote({row}.{})", ident(&table.columns[column].name)));
    parts.collect::<Vec<_>>().join(" || ',' || ")
}

/// `moved`: whether a cell that takes part in the move changed.
fn noted(table: &Table, row: &str, moved: &str) -> String {
    format!(
        "insert into balik_changes (tbl, key, ours, moved, at) select {}, {}, {OURS}, {moved}, {NOW}",
        sql::text(Dialect::Sqlite, &table.name),
        quoted_key(table, row)
    )
}

fn trigger(kind: &str, no: TableNo, table: &Table, event: &str, when: &str, body: &str) -> String {
    let name = ident(&object(kind, no, table));
    format!("create trigger {name} {event} on {} {when} begin {body}; end", ident(&table.name))
}

/// A changed key is two changes: the old one is gone.
fn change_triggers(no: TableNo, table: &Table) -> [String; 3] {
    let differs = table.key.iter().map(|&column| {
        let name = ident(&table.columns[column].name);
        format!("old.{name} is not new.{name}")
    });
    let differs = differs.collect::<Vec<_>>().join(" or ");
    let (old, new) = (noted(table, "old", "1"), noted(table, "new", "1"));
    let changed = noted(table, "new", &format!("({})", held_change(table)));
    [
        trigger("inserted", no, table, "after insert", "", &new),
        trigger("updated", no, table, "after update", "", &format!("{old} where {differs}; {changed}")),
        trigger("deleted", no, table, "after delete", "", &old),
    ]
}

/// The rows that a REPLACE would delete: SQLite fires no delete trigger for them unless the legacy's connection says
/// so. They are noted beforehand; a row that stays is only read once more.
fn replace_trigger(no: TableNo, table: &Table, uniques: &[Unique]) -> Vec<String> {
    if uniques.is_empty() {
        return Vec::new();
    }
    let note = format!("{} from {} v where {}", noted(table, "v", "1"), ident(&table.name), collides(uniques));
    vec![
        trigger("replacing_insert", no, table, "before insert", "", &note),
        trigger("replacing_update", no, table, "before update", &uniques_change(uniques), &note),
    ]
}

fn collides(uniques: &[Unique]) -> String {
    let same = uniques.iter().map(|unique| {
        let columns = unique.columns.iter().map(|column| format!("v.{0} = new.{0}", ident(column)));
        format!("({})", columns.collect::<Vec<_>>().join(" and "))
    });
    format!("({})", same.collect::<Vec<_>>().join(" or "))
}

fn uniques_change(uniques: &[Unique]) -> String {
    let columns = uniques.iter().flat_map(|unique| &unique.columns);
    let changed = columns.map(|column| format!("old.{0} is not new.{0}", ident(column)));
    format!("when {}", changed.collect::<Vec<_>>().join(" or "))
}

/// Whether an update changed a cell that takes part in the move.
fn held_change(table: &Table) -> String {
    let changed = held_columns(table).map(|column| format!("old.{0} is not new.{0}", ident(&column.name)));
    changed.collect::<Vec<_>>().join(" or ")
}

/// Children whose parent is gone pass: the fence stood before the parent.
fn fence_triggers(declared: &Declared, no: TableNo, table: &Table) -> [String; 3] {
    let new = sql::shop_of(Dialect::Sqlite, declared, no, "new");
    let old = sql::shop_of(Dialect::Sqlite, declared, no, "old");
    let changed = held_change(table);
    let when = |shops: &str, and: &str| {
        format!("when {OPEN}{and} and exists (select 1 from balik_fence where closed = 1 and shop in ({shops}))")
    };
    [
        trigger("fence_insert", no, table, "after insert", &when(&new, ""), REFUSE),
        trigger(
            "fence_update",
            no,
            table,
            "after update",
            &when(&format!("{old}, {new}"), &format!(" and ({changed})")),
            REFUSE,
        ),
        trigger("fence_delete", no, table, "after delete", &when(&old, ""), REFUSE),
    ]
}

const REFUSE: &str = "select raise(abort, 'balik_fence: the shop is closed for writing')";

/// A REPLACE by another shop's row that would delete a row of a closed shop. Within one shop the other triggers see it.
fn replace_fences(declared: &Declared, no: TableNo, table: &Table, uniques: Vec<Unique>) -> [String; 2] {
    let key = table.key.iter().map(|&column| table.columns[column].name.to_string()).collect();
    let mut all = vec![Unique { columns: key, opaque: false }];
    all.extend(uniques);
    let (of_old, of_new) = ["v", "new"].map(|row| sql::shop_of(Dialect::Sqlite, declared, no, row)).into();
    let when = format!(
        "when {OPEN} and exists (select 1 from {} v join balik_fence f on f.shop = {of_old} and f.closed = 1 \
         where {} and {of_old} is not {of_new})",
        ident(&table.name),
        collides(&all)
    );
    [
        trigger("fence_replacing_insert", no, table, "before insert", &when, REFUSE),
        trigger("fence_replacing_update", no, table, "before update", &when, REFUSE),
    ]
}
