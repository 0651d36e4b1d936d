//! Where a store is: a folder, and for PostgreSQL a database of the server that is named; both go with it.
//!
//! Beside the product's own way to it there is the bare driver's, for whoever looks at rows or writes them himself.

use crate::kios;
use anyhow::Result;
use clap::ValueEnum;
use rusqlite::OpenFlags;
use store::Store;
use tempfile::TempDir;
use testkit::postgres::Database;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A store that nobody has used yet.
pub struct Place {
    pub folder: TempDir,
    pub database: Option<Database>,
}

impl Place {
    pub async fn new(engine: Engine) -> Result<Self> {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                kios::server_is_named()?;
                Some(testkit::postgres::fresh_database().await)
            }
        };
        Ok(Self { folder: tempfile::tempdir()?, database })
    }

    /// As the product opens it. The first time it makes the tables.
    pub fn open(&self) -> Result<Store> {
        let folder = self.folder.path();
        Ok(match &self.database {
            None => Store::open(folder)?,
            Some(database) => Store::open_at(folder, &database.url)?,
        })
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("store.sqlite")
    }

    /// The rows of a query, by the driver alone.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Cell>>> {
        match &self.database {
            None => {
                let connection = rusqlite::Connection::open_with_flags(self.file(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                let mut select = connection.prepare(sql)?;
                let columns = select.column_count();
                let read = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
                Ok(select.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
            }
            Some(database) => {
                let rows = database.connect().await.query(sql, &[]).await?;
                let cells = |row: tokio_postgres::Row| (0..row.len()).map(|at| row.try_get(at)).collect();
                Ok(rows.into_iter().map(cells).collect::<Result<_, _>>()?)
            }
        }
    }
}

/// What stands in the columns of a shop's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Null,
    Int(i64),
    Text(String),
}

impl rusqlite::types::FromSql for Cell {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        use rusqlite::types::ValueRef;
        match value {
            ValueRef::Null => Ok(Self::Null),
            ValueRef::Integer(number) => Ok(Self::Int(number)),
            ValueRef::Text(_) => value.as_str().map(|text| Self::Text(text.to_owned())),
            ValueRef::Real(_) | ValueRef::Blob(_) => Err(rusqlite::types::FromSqlError::InvalidType),
        }
    }
}

impl rusqlite::types::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => rusqlite::types::Null.into(),
            Self::Int(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
        })
    }
}

type Failed = Box<dyn std::error::Error + Sync + Send>;

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        if *ty == Type::INT8 {
            i64::from_sql(ty, raw).map(Self::Int)
        } else {
            String::from_sql(ty, raw).map(Self::Text)
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failed> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT)
    }
}

impl ToSql for Cell {
    fn to_sql(&self, ty: &Type, out: &mut bytes::BytesMut) -> Result<IsNull, Failed> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) => ToSql::to_sql(number, ty, out),
            Self::Text(text) => ToSql::to_sql(text, ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT)
    }

    to_sql_checked!();
}
