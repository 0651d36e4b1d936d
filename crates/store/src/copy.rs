//! A store copied whole: into a file that is a backup, and from such a file into a store of either engine.
//!
//! Table by table and row by row, in the order of their keys, from one snapshot into one transaction. The tables themselves are made
//! by the migrations; what is copied is what they hold. Leases stay behind: who held one is not there where the copy is.

use crate::error::{Error, during};
use crate::sql::{self, Begin, Connection, Owned};
use crate::{ADDRESS, Result, Store, cannot_open, connect_all, schema, sqlite};
use std::collections::BTreeMap;
use std::path::Path;

/// Rows that are in memory at one time, and in one statement.
const ROWS: usize = 200;
const LEFT_BEHIND: [&str; 2] = ["lease", "migration"];
const ACT: &str = "copy of a store";

/// How many rows each table had.
pub type Rows = BTreeMap<String, u64>;

struct Table {
    name: String,
    columns: Vec<String>,
    key: Vec<String>,
}

impl Store {
    /// Copies all that is in the store now into a new file; others go on reading and writing meanwhile.
    ///
    /// # Errors
    /// The file is there already, or the world fails. What it leaves then is no backup.
    pub async fn back_up(&self, file: &Path) -> Result<Rows> {
        if file.exists() {
            return Err(Error::Invalid(format!("{} is there already", file.display())));
        }
        let file = file.to_owned();
        self.read(move |from| {
            from.takes_long();
            let to = Connection::Sqlite(sqlite::connect(&file)?);
            schema::migrate(&to)?;
            let rows = copy(from, &to)?;
            // One file, without a log beside it.
            to.batch(ACT, "pragma journal_mode = delete")?;
            sync(&file)?;
            Ok(rows)
        })
        .await
    }

    /// Fills the store of a folder, which is new, from a backup: in a file, or in a database of PostgreSQL that is empty. The backup
    /// may be of an earlier version.
    ///
    /// # Errors
    /// There is a store already, the backup is none or newer than this program, or the world fails; then nothing is stored.
    pub fn restore(dir: &Path, url: Option<&str>, backup: &Path) -> Result<Rows> {
        std::fs::create_dir_all(dir).map_err(|source| cannot_open(dir.display(), source))?;
        let (file, draft) = (dir.join("store.sqlite"), dir.join("restore.draft"));
        if file.exists() || dir.join(ADDRESS).exists() {
            return Err(Error::Invalid(format!("{} has a store already", dir.display())));
        }
        let restored = restore(&file, &draft, url, backup);
        let _ = std::fs::remove_file(&draft);
        if restored.is_err() {
            let _ = std::fs::remove_file(&file);
        }
        let rows = restored?;
        if let Some(url) = url {
            let address = dir.join(ADDRESS);
            sqlite::write_privately(&address, url).map_err(|source| cannot_open(address.display(), source))?;
        }
        Ok(rows)
    }
}

fn restore(file: &Path, draft: &Path, url: Option<&str>, backup: &Path) -> Result<Rows> {
    // A copy is brought up to date, so that the backup stays what it was.
    std::fs::copy(backup, draft).map_err(|source| cannot_open(backup.display(), source))?;
    let from = Connection::Sqlite(sqlite::connect(draft)?);
    if schema::is_empty(&from)? {
        return Err(Error::Schema(format!("{} is no backup of a store", backup.display())));
    }
    schema::migrate(&from)?;
    match url {
        None => {
            let to = Connection::Sqlite(sqlite::connect(file)?);
            schema::migrate(&to)?;
            let rows = fill(&from, &to)?;
            to.batch(ACT, "pragma journal_mode = delete")?;
            sync(file)?;
            Ok(rows)
        }
        // Connections that wait are opened and used on a thread of their own.
        Some(url) => std::thread::scope(|scope| {
            let filled = scope.spawn(move || {
                let (mut writers, _) = connect_all(url)?;
                let to = writers.pop().ok_or(Error::Closed)?;
                to.takes_long();
                fill(&from, &to)
            });
            filled.join().map_err(|_| Error::Closed)?
        }),
    }
}

/// What is empty gets all, or nothing.
fn fill(from: &Connection, to: &Connection) -> Result<Rows> {
    from.begin(Begin::Read, ACT)?;
    let rows = copy(from, to);
    let _ = from.rollback(ACT);
    rows
}

fn copy(from: &Connection, to: &Connection) -> Result<Rows> {
    let layout = if from.is_postgres() { to } else { from };
    let tables = tables(layout)?;
    to.begin(Begin::Write, ACT)?;
    to.takes_long();
    let copied =
        tables.iter().map(|table| Ok((table.name.clone(), copy_table(from, to, table)?))).collect::<Result<Rows>>();
    if copied.is_ok() {
        to.commit(ACT)?
    } else {
        to.rollback(ACT)?
    }
    copied
}

/// As SQLite describes them: both engines have the same.
fn tables(sqlite: &Connection) -> Result<Vec<Table>> {
    let sql = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name";
    let names = sql::all(sqlite, ACT, sql, sql::NOTHING, |row| sql::cell::<String>(row, 0))?;
    let kept = names.into_iter().filter(|name| !LEFT_BEHIND.contains(&name.as_str()));
    kept.map(|name| {
        let sql = "select name, pk from pragma_table_info(?1) order by cid";
        let columns = sql::all(sqlite, ACT, sql, [name.as_str()], |row| {
            Ok((sql::cell::<String>(row, 0)?, sql::cell::<i64>(row, 1)?))
        })?;
        let mut key: Vec<_> = columns.iter().filter(|(_, place)| *place > 0).collect();
        key.sort_by_key(|(_, place)| place);
        let key = key.into_iter().map(|(name, _)| name.clone()).collect();
        Ok(Table { name, key, columns: columns.into_iter().map(|(name, _)| name).collect() })
    })
    .collect()
}

fn copy_table(from: &Connection, to: &Connection, table: &Table) -> Result<u64> {
    let there = sql::first(to, ACT, &format!("select 1 from {} limit 1", table.name), sql::NOTHING, |_| Ok(()))?;
    if there.is_some() {
        return Err(Error::Invalid(format!("the table {} of where it is to go is not empty", table.name)));
    }
    let places: Vec<usize> =
        table.key.iter().filter_map(|name| table.columns.iter().position(|column| column == name)).collect();
    let (columns, key) = (table.columns.join(", "), table.key.join(", "));
    let mut after: Vec<Owned> = Vec::new();
    let mut copied = 0;
    loop {
        let behind =
            if after.is_empty() { String::new() } else { format!("where ({key}) > ({})", marks(0, after.len())) };
        let sql = format!("select {columns} from {} {behind} order by {key} limit {ROWS}", table.name);
        let rows = sql::all(from, ACT, &sql, after.as_slice(), |row| {
            (0..table.columns.len()).map(|at| sql::cell::<Owned>(row, at)).collect::<Result<Vec<_>>>()
        })?;
        let Some(last) = rows.last() else { return Ok(copied) };
        after = places.iter().map(|at| last[*at].clone()).collect();
        insert(to, table, &columns, &rows)?;
        copied += sql::count(rows.len())?;
    }
}

fn insert(to: &Connection, table: &Table, columns: &str, rows: &[Vec<Owned>]) -> Result<()> {
    let width = table.columns.len();
    let values: Vec<String> = (0..rows.len()).map(|nth| format!("({})", marks(nth * width, width))).collect();
    let sql = format!("insert into {} ({columns}) values {}", table.name, values.join(", "));
    let cells: Vec<Owned> = rows.iter().flatten().cloned().collect();
    sql::execute(to, ACT, &sql, cells.as_slice()).map(drop)
}

/// `?1, ?2`, so many after the first `skipped`.
fn marks(skipped: usize, count: usize) -> String {
    (skipped + 1..=skipped + count).map(|nth| format!("?{nth}")).collect::<Vec<_>>().join(", ")
}

fn sync(file: &Path) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let synced = std::fs::File::open(file).and_then(|file| file.sync_all());
    synced.and_then(|()| std::fs::File::open(folder)?.sync_all()).map_err(during(ACT))
}
