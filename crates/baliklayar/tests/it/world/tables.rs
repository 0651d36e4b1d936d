//! What is in the legacy's tables, whichever engine has them.

use super::{Home, World};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

impl World {
    /// The rows that a query answers at the legacy's database, every cell as text; null is `-`.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.table(sql, Text::Bare).await.1
    }

    /// The first column of each row.
    pub async fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).await.into_iter().map(|mut row| row.swap_remove(0)).collect()
    }

    pub async fn one(&self, sql: &str) -> String {
        self.column(sql).await.into_iter().next().unwrap_or_else(|| panic!("no row: {sql}"))
    }

    async fn table(&self, sql: &str, text: Text) -> (Vec<String>, Vec<Vec<String>>) {
        match &self.home {
            Home::Sqlite(folder) => from_sqlite(folder, sql, text),
            Home::Postgres(database) => from_postgres(database, sql).await,
        }
    }

    /// Every row of every table that is the legacy's own.
    pub async fn dump(&self) -> Dump {
        let tables = match &self.home {
            Home::Sqlite(_) => {
                "select name from sqlite_master where type = 'table' \
                 and name not like 'balik$_%' escape '$' and name not like 'sqlite$_%' escape '$' order by name"
            }
            Home::Postgres(_) => {
                "select tablename from pg_tables where schemaname = 'public' and tablename not like 'balik\\_%' \
                 order by tablename"
            }
        };
        let mut dump = Dump::new();
        for table in self.column(tables).await {
            let (names, rows) = self.table(&format!("select * from {table}"), Text::Quoted).await;
            let keyed = rows.into_iter().map(|row| {
                let cells: Cells = names.iter().cloned().zip(row).collect();
                (key_of(&table, &cells), cells)
            });
            let keyed = keyed.collect();
            dump.insert(table.clone(), keyed);
        }
        dump
    }
}

/// SQLite keeps a class with every cell, and `5` is not `'5'`: a comparison of cells wants to see which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Bare,
    Quoted,
}

pub type Cells = BTreeMap<String, String>;
/// Table, key, column, cell.
pub type Dump = BTreeMap<String, BTreeMap<String, Cells>>;

fn key_of(table: &str, cells: &Cells) -> String {
    match table {
        "idem" => [&cells["toko_id"], &cells["op"], &cells["kunci"]].map(String::as_str).join("/"),
        "arsip" => cells["rowno"].clone(),
        "pesanan_coba" => format!("{}/{}", cells["pesanan_id"], cells["ke"]),
        "pesanan_uang" | "pesanan_balik" => format!("{}/{}", cells["pesanan_id"], cells["urut"]),
        _ => cells["id"].clone(),
    }
}

fn from_sqlite(folder: &TempDir, sql: &str, shown: Text) -> (Vec<String>, Vec<Vec<String>>) {
    let connection = rusqlite::Connection::open(folder.path().join("kios.sqlite")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let width = names.len();
    let rows = statement.query_map([], |row| {
        let cell = |at| {
            Ok(match row.get_ref(at)? {
                rusqlite::types::ValueRef::Null => "-".to_owned(),
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                rusqlite::types::ValueRef::Text(text) if shown == Text::Quoted => {
                    format!("'{}'", str::from_utf8(text).unwrap())
                }
                rusqlite::types::ValueRef::Text(text) => str::from_utf8(text).unwrap().to_owned(),
                other @ (rusqlite::types::ValueRef::Real(_) | rusqlite::types::ValueRef::Blob(_)) => {
                    panic!("{other:?} from {sql}")
                }
            })
        };
        (0..width).map(cell).collect::<rusqlite::Result<Vec<String>>>()
    });
    let rows = rows.unwrap().map(Result::unwrap).collect();
    (names, rows)
}

async fn from_postgres(database: &testkit::postgres::Database, sql: &str) -> (Vec<String>, Vec<Vec<String>>) {
    use tokio_postgres::SimpleQueryMessage as Message;
    let client = database.connect().await;
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for message in client.simple_query(sql).await.unwrap() {
        if let Message::RowDescription(columns) = &message {
            names = columns.iter().map(|it| it.name().to_owned()).collect();
        }
        if let Message::Row(row) = &message {
            rows.push((0..row.len()).map(|at| row.get(at).unwrap_or("-").to_owned()).collect());
        }
    }
    (names, rows)
}
