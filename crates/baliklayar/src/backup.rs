//! `backup` and `restore`: the store as one file that either engine can be made of again.
//!
//! The rows of a move under way are not in it: they belong to a place in the legacy's log that goes on. So a backup taken between the
//! plan of a shop and its seal is not restored.

use crate::exit::Exit;
use crate::moving::refuse;
use crate::{hex, print};
use anyhow::{Context, Result, bail};
use cutover::state::State;
use ring::digest::{Context as Digest, SHA256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use store::{Rows, Store};

const SCHEMA: &str = "baliklayar.backup/1";
const FILE: &str = "store.sqlite";
const LIST: &str = "backup.json";

/// Copies the store into a new folder; whoever serves goes on meanwhile
#[derive(Clone, clap::Args)]
pub struct BackupArgs {
    /// A folder that is not there yet, or is empty
    #[arg(long)]
    out: PathBuf,
    /// Folder of the store
    #[arg(long, env = "BALIK_WORK", default_value = "work")]
    work: PathBuf,
    /// Machine-readable
    #[arg(long)]
    json: bool,
}

#[derive(Clone, clap::Args)]
pub struct RestoreArgs {
    /// The folder of a backup
    #[arg(long)]
    from: PathBuf,
    /// Folder of the store to be made; there must be none in it
    #[arg(long, env = "BALIK_WORK", default_value = "work")]
    work: PathBuf,
    /// postgres://… of an empty database for it; without it the store is a file in the folder
    #[arg(long, env = "BALIK_STORE", hide_env_values = true)]
    store: Option<String>,
    /// Machine-readable
    #[arg(long)]
    json: bool,
}

/// What stands beside a copy, so that it is known whether it is whole.
#[derive(Debug, Serialize, Deserialize)]
struct List {
    schema: String,
    version: String,
    taken_at: String,
    /// Of the file, in lower-case hex.
    sha256: String,
    tables: Rows,
    /// Shops of a plan that were not sealed.
    moving: BTreeSet<String>,
}

pub async fn back_up(args: BackupArgs) -> Result<Exit> {
    let store = Store::open_unchanged(&args.work).context("opening the store; --work names the folder of one")?;
    make(&args.out)?;
    if args.out.read_dir()?.next().is_some() {
        bail!("{} is not empty: a backup has a folder of its own", args.out.display());
    }
    let file = args.out.join(FILE);
    // Before and after: whatever begins or ends meanwhile is then among them.
    let mut moving = unsealed(&store).await?;
    let taken_at = jiff::Timestamp::now().to_string();
    let tables = store.back_up(&file).await?;
    moving.extend(unsealed(&store).await?);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let list = List { schema: SCHEMA.to_owned(), version, taken_at, sha256: sha256(&file)?, tables, moving };
    // Written last: without it a folder is no backup.
    let (draft, path) = (args.out.join("backup.json.draft"), args.out.join(LIST));
    std::fs::write(&draft, serde_json::to_string_pretty(&list)?)?;
    File::open(&draft)?.sync_all()?;
    std::fs::rename(&draft, &path)?;
    File::open(&args.out)?.sync_all()?;
    tell(args.json, &list, &format!("backed up to {}", args.out.display()))?;
    if !list.moving.is_empty() {
        eprintln!(
            "{} shops are between the plan and the seal of their move: this backup cannot be restored, since the rows of a move are \
             not in it",
            list.moving.len()
        );
    }
    Ok(Exit::Clean)
}

pub async fn restore(args: RestoreArgs) -> Result<Exit> {
    let path = args.from.join(LIST);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} is no backup: reading {LIST}", args.from.display()))?;
    let list: List = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    if list.schema != SCHEMA {
        bail!("{} is of the form `{}`, and this version reads `{SCHEMA}`", path.display(), list.schema);
    }
    if !list.moving.is_empty() {
        let shops = list.moving.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        return refuse("moves_unfinished", &format!("shops {shops} were between the plan and the seal of their move"));
    }
    let file = args.from.join(FILE);
    if sha256(&file)? != list.sha256 {
        return refuse("backup_damaged", &format!("the digest of {} is another than {LIST} says", file.display()));
    }
    let work = args.work.clone();
    let restored = tokio::task::spawn_blocking(move || Store::restore(&work, args.store.as_deref(), &file)).await??;
    // A newer version has more tables, and those are empty.
    let whole = list.tables.iter().all(|(table, rows)| restored.get(table) == Some(rows));
    if !whole {
        bail!("what was restored has other rows than {LIST} says: {restored:?}");
    }
    tell(args.json, &list, &format!("restored to {}", args.work.display()))?;
    Ok(Exit::Clean)
}

fn tell(json: bool, list: &List, what: &str) -> Result<()> {
    if json {
        print(&serde_json::to_string(list)?);
    } else {
        let rows: u64 = list.tables.values().sum();
        print(&format!("{what}: {rows} rows, as of {}, SHA-256 {}", list.taken_at, list.sha256));
    }
    Ok(())
}

/// The folder of a backup, which its owner alone can read, also where it was there.
fn make(folder: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let closed = made.and_then(|()| std::fs::set_permissions(folder, Permissions::from_mode(0o700)));
    closed.with_context(|| format!("making {}", folder.display()))
}

/// Shops of the plan that are not sealed.
async fn unsealed(store: &Store) -> Result<BTreeSet<String>> {
    let mut moving = BTreeSet::new();
    for planned in store.plan().await?.map(|plan| plan.shops).unwrap_or_default() {
        let (_, state) = mover::stands(store, &planned.shop).await?;
        if state != State::Sealed {
            moving.insert(planned.shop.to_string());
        }
    }
    Ok(moving)
}

fn sha256(file: &Path) -> Result<String> {
    let mut opened = File::open(file).with_context(|| format!("reading {}", file.display()))?;
    let mut digest = Digest::new(&SHA256);
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        match opened.read(&mut buffer).with_context(|| format!("reading {}", file.display()))? {
            0 => break,
            read => digest.update(&buffer[..read]),
        }
    }
    Ok(hex(digest.finish().as_ref()))
}
