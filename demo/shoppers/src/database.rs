//! Reading somebody else's database: SQL in, rows of text out, never a write.

use anyhow::{Context, bail};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::{NoTls, SimpleQueryMessage};

const BUSY_MAX: Duration = Duration::from_secs(5);

/// A row's values as text; none where null.
pub type Row = Vec<Option<String>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Database {
    /// A `postgres://` URL, or a path with or without `sqlite:` before it.
    pub fn parse(url: &str) -> Self {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Self::Postgres(url.to_owned());
        }
        let path = ["sqlite://", "sqlite:", "file:"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let path = path.unwrap_or(url);
        Self::Sqlite(path.split('?').next().unwrap_or(path).into())
    }

    /// What each of the statements gives, all of them in one snapshot.
    pub async fn read(&self, statements: &[String]) -> anyhow::Result<Vec<Vec<Row>>> {
        match self {
            Self::Sqlite(path) => {
                let (path, statements) = (path.clone(), statements.to_vec());
                tokio::task::spawn_blocking(move || sqlite(&path, &statements)).await?
            }
            Self::Postgres(url) => postgres(url, statements).await,
        }
    }
}

fn sqlite(path: &PathBuf, statements: &[String]) -> anyhow::Result<Vec<Vec<Row>>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).with_context(|| format!("opening {}", path.display()))?;
    connection.busy_timeout(BUSY_MAX)?;
    let snapshot = connection.transaction()?;
    let mut answers = Vec::new();
    for statement in statements {
        let mut prepared = snapshot.prepare(statement).with_context(|| statement.clone())?;
        let width = prepared.column_count();
        let mut rows = prepared.query([])?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next().with_context(|| statement.clone())? {
            answer.push((0..width).map(|column| as_text(row.get_ref(column)?)).collect::<anyhow::Result<Row>>()?);
        }
        answers.push(answer);
    }
    Ok(answers)
}

fn as_text(value: ValueRef<'_>) -> anyhow::Result<Option<String>> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Real(_) | ValueRef::Blob(_) => bail!("a float or a blob where text or a number is expected"),
    })
}

async fn postgres(url: &str, statements: &[String]) -> anyhow::Result<Vec<Vec<Row>>> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("connecting to the legacy's database")?;
    tokio::spawn(connection);
    client.batch_execute("begin transaction isolation level repeatable read, read only").await?;
    let mut answers = Vec::new();
    for statement in statements {
        let messages = client.simple_query(statement).await.with_context(|| statement.clone())?;
        answers.push(messages.iter().filter_map(row).collect());
    }
    client.batch_execute("commit").await?;
    Ok(answers)
}

fn row(message: &SimpleQueryMessage) -> Option<Row> {
    let SimpleQueryMessage::Row(row) = message else {
        return None;
    };
    Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::Database;

    #[test]
    fn urls_and_paths_name_their_engine() {
        assert_eq!(Database::parse("sqlite:///tmp/a.db"), Database::Sqlite("/tmp/a.db".into()));
        assert_eq!(Database::parse("sqlite:a.db?mode=ro"), Database::Sqlite("a.db".into()));
        assert_eq!(Database::parse("/tmp/a.db"), Database::Sqlite("/tmp/a.db".into()));
        let url = "postgres://postgres@127.0.0.1:1/a";
        assert_eq!(Database::parse(url), Database::Postgres(url.into()));
    }

    #[tokio::test]
    async fn rows_come_as_text_and_nothing_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch("create table t (a, b); insert into t values (1, null)")
            .unwrap();
        let database = Database::Sqlite(path);
        let rows = database.read(&["select a, b from t".into()]).await.unwrap();
        assert_eq!(rows, [[[Some("1".to_owned()), None]]]);
        assert!(database.read(&["delete from t".into()]).await.is_err());
    }
}
