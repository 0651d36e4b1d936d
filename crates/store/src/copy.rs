//! A store copied whole: into a file that is a backup, and from such a file into a store of either engine.
//!
//! Table by table and row by row, in the order of their keys, from one snapshot into one transaction. The tables themselves are made
//! by the migrations; what is copied is what they hold. Leases stay behind: who held one is not there where the copy is.

use crate::error::{Error, during};
use crate::sql::{self, Begin, Connection, Owned};
use crate::{ADDRESS, Result, Store, Tables, cannot_open, connect_all, schema, sqlite};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// A file comes under its name only whole, and never in the place of another one; on PostgreSQL it is one transaction.
    ///
    /// # Errors
    /// There is a store already, the backup is none or newer than this program, or the world fails; then there is none.
    pub fn restore(dir: &Path, url: Option<&str>, backup: &Path) -> Result<Rows> {
        sqlite::make_folder(dir)?;
        let file = dir.join("store.sqlite");
        if file.exists() || dir.join(ADDRESS).exists() {
            return Err(Error::Invalid(format!("{} has a store already", dir.display())));
        }
        let drafts = Drafts(dir.join(format!("restore.{}", std::process::id())));
        // A copy is brought up to date, so that the backup stays what it was.
        let from = drafts.copy_of(backup)?;
        if schema::is_empty(&from)? {
            return Err(Error::Schema(format!("{} is no backup of a store", backup.display())));
        }
        schema::migrate(&from)?;
        match url {
            None => restore_to_file(&from, &drafts.0.join("to"), &file),
            Some(url) => {
                let rows = restore_to_postgres(from, url)?;
                let address = dir.join(ADDRESS);
                sqlite::write_privately(&address, url).map_err(|source| cannot_open(address.display(), source))?;
                Ok(rows)
            }
        }
    }
}

/// A folder of our own for what is not whole yet, gone with this.
struct Drafts(PathBuf);

impl Drafts {
    fn copy_of(&self, backup: &Path) -> Result<Connection> {
        sqlite::make_folder(&self.0)?;
        let draft = self.0.join("from");
        std::fs::copy(backup, &draft).map_err(|source| cannot_open(backup.display(), source))?;
        Ok(Connection::Sqlite(sqlite::connect(&draft)?))
    }
}

impl Drop for Drafts {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn restore_to_file(from: &Connection, draft: &Path, file: &Path) -> Result<Rows> {
    let to = Connection::Sqlite(sqlite::connect(draft)?);
    schema::migrate(&to)?;
    let rows = fill(from, &to)?;
    to.batch(ACT, "pragma journal_mode = delete")?;
    drop(to);
    sync(draft)?;
    // Unlike a renaming this fails where somebody has made a store meanwhile.
    std::fs::hard_link(draft, file).map_err(|source| cannot_open(file.display(), source))?;
    sync(file)?;
    Ok(rows)
}

/// Connections that wait are opened and used on a thread of their own.
fn restore_to_postgres(from: Connection, url: &str) -> Result<Rows> {
    let fill = move || {
        let (mut writers, _) = connect_all(url, Tables::Renewed)?;
        let to = writers.pop().ok_or(Error::Closed)?;
        to.takes_long();
        self::fill(&from, &to)
    };
    std::thread::scope(|scope| scope.spawn(fill).join()).map_err(|_| Error::Closed)?
}

/// All, or nothing, in one transaction.
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
        let content = format!(
            "the table {} of where it is to go is not empty; what an interrupted restore left there is whole: write its address into {ADDRESS}",
            table.name
        );
        return Err(Error::Invalid(content));
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
