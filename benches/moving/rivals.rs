//! What people would use instead.

use crate::rows::TABLES;
use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt, pin_mut};
use std::process::Stdio;
use std::time::{Duration, Instant};
use testkit::postgres::Database;
use tokio::process::Command;

/// The legacy's tables without anything in them.
const SCHEMA: &str = include_str!("../../demo/legacy/schema/postgres.sql");

/// Copies the whole database, indexes and all, into an empty one, in two jobs each; answers how long it took.
pub async fn pgcopydb(source: &str, target: &Database) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    let output = Command::new("pgcopydb")
        .args(["clone", "--source", source, "--target", &target.url])
        .args(["--table-jobs", "2", "--index-jobs", "2", "--no-owner", "--no-acl", "--skip-large-objects"])
        .arg("--dir")
        .arg(folder.path().join("pgcopydb"))
        .stdin(Stdio::null())
        .output()
        .await
        .context("starting pgcopydb; `./test cargo bench …` installs it")?;
    let took = begun.elapsed();
    ensure!(output.status.success(), "pgcopydb: {}", String::from_utf8_lossy(&output.stderr));
    Ok(took)
}

/// Pipes table after table from COPY to COPY, in the binary form, into tables that have their keys and indexes.
pub async fn pipe(source: &tokio_postgres::Client, target: &Database) -> Result<Duration> {
    let into = target.connect().await;
    into.batch_execute(SCHEMA).await?;
    let begun = Instant::now();
    for table in TABLES {
        let rows = source.copy_out(&format!("copy {table} to stdout (format binary)")).await?;
        let sink = into.copy_in::<_, bytes::Bytes>(&format!("copy {table} from stdin (format binary)")).await?;
        pin_mut!(rows, sink);
        while let Some(piece) = rows.next().await {
            sink.feed(piece?).await?;
        }
        sink.finish().await?;
    }
    Ok(begun.elapsed())
}
