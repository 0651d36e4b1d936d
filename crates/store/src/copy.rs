//! A store copied whole: into a file that is a backup, and from such a file into a store of either engine.
//!
//! Table by table and row by row, in the order of their keys, from one snapshot into one transaction. The tables themselves are made
//! by the migrations; what is copied is what they hold. Leases stay behind: who held one is not there where the copy is.

use crate::error::{Error, during};
use crate::sql::{self, Begin, Connection, Owned};
use crate::{ADDRESS, FILE, Result, Store, Tables, cannot_open, connect_all, schema, sqlite};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Rows that are in memory at one time, and in one statement.
const ROWS: usize = 200;
const LEFT_BEHIND: [&str; 2] = ["lease", "migration"];
const ACT: &str = "copy of a store";
/// One file, and no log beside it.
const WITHOUT_LOG: &str = "pragma journal_mode = delete";

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
            to.batch(ACT, WITHOUT_LOG)?;
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
        let file = dir.join(FILE);
        if file.exists() || dir.join(ADDRESS).exists() {
            return Err(Error::Invalid(format!("{} has a store already", dir.display())));
        }
        let draft = Draft::of(backup, dir.join(format!("restore.{}", std::process::id())))?;
        let from = Connection::Sqlite(sqlite::connect(&draft.file())?);
        if schema::is_empty(&from)? {
            return Err(Error::Schema(format!("{} is no backup of a store", backup.display())));
        }
        schema::migrate(&from)?;
        let Some(url) = url else { return put_in_place(from, &draft.file(), &file) };
        let rows = restore_to_postgres(from, url)?;
        let address = dir.join(ADDRESS);
        sqlite::write_privately(&address, url).map_err(|source| cannot_open(address.display(), source))?;
        Ok(rows)
    }
}

/// A copy of a backup, to be brought up to date, so that the backup stays what it was; in a folder of its own, gone with this.
struct Draft(PathBuf);

impl Draft {
    fn of(backup: &Path, folder: PathBuf) -> Result<Self> {
        sqlite::make_folder(&folder)?;
        let draft = Self(folder);
        // Whoever may read the backup need not be whoever may read the store.
        let copied = std::fs::copy(backup, draft.file())
            .and_then(|_| std::fs::set_permissions(draft.file(), Permissions::from_mode(0o600)));
        copied.map_err(|source| cannot_open(backup.display(), source))?;
        Ok(draft)
    }

    fn file(&self) -> PathBuf {
        self.0.join(FILE)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A backup that is up to date is a store already.
fn put_in_place(store: Connection, draft: &Path, file: &Path) -> Result<Rows> {
    let rows = tables(&store)?
        .into_iter()
        .map(|table| Ok((table.name.clone(), count(&store, &table)?)))
        .collect::<Result<_>>()?;
    store.batch(ACT, WITHOUT_LOG)?;
    drop(store);
    sync(draft)?;
    // Unlike a renaming this fails where somebody has made a store meanwhile.
    std::fs::hard_link(draft, file).map_err(|source| cannot_open(file.display(), source))?;
    sync(file)?;
    Ok(rows)
}

fn count(connection: &Connection, table: &Table) -> Result<u64> {
    let sql = format!("select count(*) from {}", table.name);
    Ok(sql::first(connection, ACT, &sql, sql::NOTHING, |row| sql::natural(row, 0))?.unwrap_or(0))
}

/// All of it, or nothing. Connections that wait are opened and used on a thread of their own.
fn restore_to_postgres(from: Connection, url: &str) -> Result<Rows> {
    let fill = move || {
        let (mut writers, ..) = connect_all(url, Tables::Renewed)?;
        let to = writers.pop().ok_or(Error::Closed)?;
        copy(&from, &to)
    };
    std::thread::scope(|scope| scope.spawn(fill).join()).map_err(|_| Error::Closed)?
}

fn copy(from: &Connection, to: &Connection) -> Result<Rows> {
    let layout = if from.is_postgres() { to } else { from };
    let tables = tables(layout)?;
    to.begin(Begin::Write, ACT)?;
    to.takes_long();
    let copied =
        tables.iter().map(|table| Ok((table.name.clone(), copy_table(from, to, table)?))).collect::<Result<Rows>>();
    to.end(copied, ACT)
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
