//! Seeded faults: each is done to the data, and a named detector has to notice.

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vocab::id::ShopId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A mapping that reads a value wrongly.
    Import(mover::Fault),
    ColumnDropped,
    AckedWriteRemoved,
    StockOversold,
    LedgerUnbalanced,
    WriterAfterFence,
}

/// How long a fault waits for the moment at which it can be done.
const MOMENT_MAX: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(50);

impl Fault {
    pub const ALL: [Self; 10] = [
        Self::Import(mover::Fault::AmountChanged),
        Self::Import(mover::Fault::RowMissing),
        Self::Import(mover::Fault::RowExtra),
        Self::Import(mover::Fault::RowsSwapped),
        Self::Import(mover::Fault::ScaleWrong),
        Self::ColumnDropped,
        Self::AckedWriteRemoved,
        Self::StockOversold,
        Self::LedgerUnbalanced,
        Self::WriterAfterFence,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Import(fault) => fault.name(),
            Self::ColumnDropped => "column_dropped",
            Self::AckedWriteRemoved => "acked_write_removed",
            Self::StockOversold => "stock_oversold",
            Self::LedgerUnbalanced => "ledger_unbalanced",
            Self::WriterAfterFence => "writer_after_fence",
        }
    }

    /// Who must name it.
    pub const fn detectors(self) -> &'static str {
        match self {
            Self::Import(_) => "verify.digest",
            Self::ColumnDropped => "mapping.coverage, control_total",
            Self::AckedWriteRemoved => "oracle",
            Self::StockOversold => "oracle.stock",
            Self::LedgerUnbalanced => "verify.ledger",
            Self::WriterAfterFence => "fence; without it rogue_watch",
        }
    }

    pub fn parse(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|fault| fault.name() == name);
        known.ok_or_else(|| format!("`{name}` is no fault; `demo --list-faults` prints them"))
    }

    pub const fn of_import(self) -> Option<mover::Fault> {
        match self {
            Self::Import(fault) => Some(fault),
            Self::ColumnDropped
            | Self::AckedWriteRemoved
            | Self::StockOversold
            | Self::LedgerUnbalanced
            | Self::WriterAfterFence => None,
        }
    }

    /// The mapping file with the fault in it: the tax rate is not read, and its column has no use. Without the check
    /// for that, the column is kept unread, and only the control totals are left to notice.
    pub fn mapping(self, name: &str, text: &str, without: &[String]) -> String {
        if self != Self::ColumnDropped || name != "kios.toml" {
            return text.to_owned();
        }
        let dropped = text.replace("tax_bp = \"pajak_bp\"", "tax_bp = { const = 0 }");
        if without.iter().any(|detector| detector == "mapping.coverage") {
            return dropped.replace("pajak_bp int", "pajak_bp int keep born 0");
        }
        dropped
    }

    /// Does what is done from outside, once the first shop is moved. Returns who refused it, where somebody did.
    pub async fn tamper(self, folder: PathBuf, legacy: String, shops: Vec<ShopId>) -> Result<Option<String>> {
        let done: fn(&Connection, &str) -> rusqlite::Result<usize> = match self {
            Self::Import(_) | Self::ColumnDropped => return Ok(None),
            Self::WriterAfterFence => return write_behind_the_fence(&folder, &legacy, &shops).await,
            Self::AckedWriteRemoved => remove_an_order,
            Self::StockOversold => raise_stock,
            Self::LedgerUnbalanced => raise_entry,
        };
        let store = folder.join("store.sqlite");
        let deadline = Instant::now() + MOMENT_MAX;
        loop {
            if let Some(shop) = moved_shop(&store, 5)? {
                let db = Connection::open(&store)?;
                db.busy_timeout(Duration::from_secs(10))?;
                if done(&db, &shop).context("seeding the fault")? > 0 {
                    return Ok(None);
                }
            }
            if Instant::now() > deadline {
                bail!("no moment came at which {} could be done", self.name());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A shop that the backend owns and that has sold there.
fn moved_shop(store: &Path, facts: i64) -> Result<Option<String>> {
    let db = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(Duration::from_secs(10))?;
    let mut select =
        db.prepare("select shop from shop_head where owner = 'backend' and seq >= ?1 order by shop limit 1")?;
    let mut rows = select.query([facts])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// Not the newest: its invoice number would be given again, and the legacy refuses a second of a number.
fn remove_an_order(db: &Connection, shop: &str) -> rusqlite::Result<usize> {
    db.execute(
        "delete from document where rowid = (select rowid from document
         where shop = ?1 and kind = 'order' and source_tx is null order by serial desc limit 1 offset 1)",
        [shop],
    )
}

fn raise_stock(db: &Connection, shop: &str) -> rusqlite::Result<usize> {
    db.execute(
        "update stock set on_hand = on_hand + 3 where shop = ?1
         and variant = (select min(variant) from stock where shop = ?1)",
        [shop],
    )
}

fn raise_entry(db: &Connection, shop: &str) -> rusqlite::Result<usize> {
    db.execute(
        "update ledger set amount = amount + 1 where (shop, order_id, n) in
         (select shop, order_id, n from ledger where shop = ?1 limit 1)",
        [shop],
    )
}

/// A program that nobody told writes to the legacy's tables behind the fence.
async fn write_behind_the_fence(folder: &Path, legacy: &str, shops: &[ShopId]) -> Result<Option<String>> {
    let deadline = Instant::now() + MOMENT_MAX;
    let shop = loop {
        if let Some(shop) = moved_shop(&folder.join("store.sqlite"), 1)? {
            break shop;
        }
        if Instant::now() > deadline || shops.is_empty() {
            bail!("no shop was moved in time");
        }
        tokio::time::sleep(LOOK).await;
    };
    let sql =
        format!("update produk set harga = '1.00' where id = (select min(id) from produk where toko_id = {shop})");
    let refused = match legacy.strip_prefix("sqlite:") {
        Some(path) => {
            let db = Connection::open(path)?;
            db.busy_timeout(Duration::from_secs(10))?;
            db.execute(&sql, []).err().map(|error| error.to_string())
        }
        None => {
            let (client, connection) = tokio_postgres::connect(legacy, tokio_postgres::NoTls).await?;
            let running = tokio::spawn(connection);
            let refused = client.execute(&sql, &[]).await.err().map(|error| format!("{error:?}"));
            drop(client);
            running.await??;
            refused
        }
    };
    match refused {
        None => Ok(None),
        Some(why) if why.contains("balik_fence") => Ok(Some("fence".to_owned())),
        Some(why) => bail!("the writer failed, but not at the fence: {why}"),
    }
}
