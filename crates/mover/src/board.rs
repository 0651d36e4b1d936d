//! What others may see of a move: where each shop stands, and the table of losers. Nobody decides by it.

use crate::context::Context;
use crate::drive::{Board, Seen};
use crate::error::{Error, Result};
use crate::records;
use crate::run::{HOUSEKEEPING, Setup};
use crate::staged::Staged;
use crate::throttle::Throttle;
use cutover::progress::Progress;
use cutover::record::Head;
use cutover::state::State;
use cutover::step::For;
use cutover::throttle::{Shown, Why};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use store::Store;
use vocab::document::Record;
use vocab::id::{Epoch, Name, ShopId, Side};

/// Writes down what others may see: the note `board`, and the table of losers.
pub(crate) async fn write_board(setup: Setup, cx: Context, board: Board) -> Result<()> {
    let mut written = Record::default();
    let mut losers = None;
    loop {
        tokio::time::sleep(HOUSEKEEPING / 2).await;
        let now = render(&board.lock().unwrap_or_else(PoisonError::into_inner), &cx.throttle);
        if now != written {
            setup.store.note("board", now.clone()).await?;
            written = now;
        }
        // Whoever looks at the table sees all of it: written beside and renamed.
        let changes = cx.staged.losers_changed();
        if losers != Some(changes) {
            let table = cx.staged.run(Staged::losers_csv).await?;
            let (draft, path) = (setup.work.join("losers.csv.draft"), setup.work.join("losers.csv"));
            if tokio::fs::write(&draft, table).await.is_ok() && tokio::fs::rename(&draft, &path).await.is_ok() {
                losers = Some(changes);
            }
        }
    }
}

fn render(board: &BTreeMap<ShopId, Seen>, throttle: &Throttle) -> Record {
    let int = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut record = Record::default();
    for (shop, seen) in board {
        let throttled = throttle.shown(shop);
        // A long step under way waits for nothing else.
        let resume = throttled.filter(|shown| shown.why == Why::Paused).map(|_| For::Resume.to_string());
        let row = Record::default()
            .with("state", seen.state.name())
            .with("epoch", int(seen.epoch.0))
            .with("stopped", seen.stopped.as_deref())
            .with("waits_for", resume.as_deref().or(seen.waits_for.as_deref()))
            .with("dirty", int(seen.dirty))
            .with("lag_us", seen.lag_ms.map(|lag_ms| i64::from(lag_ms) * 1_000))
            .with("catalog_dial", seen.catalog_dial)
            .with("catalog_reads", seen.catalog_reads.name())
            .with("facts_left", seen.facts_left.map(int))
            .with("findings_open", int(seen.findings_open))
            .with("debt", int(seen.debt))
            .with("back_waits_for", seen.back_waits_for)
            .with("throttle", throttled.map(told));
        record.set(Name::from(shop.as_str()), row);
    }
    record
}

fn told(shown: Shown) -> Record {
    let us = |us: Option<u64>| us.map(|us| i64::try_from(us).unwrap_or(i64::MAX));
    Record::default()
        .with("rows_per_s", i64::try_from(shown.rows_per_s).unwrap_or(i64::MAX))
        .with("why", shown.why.name())
        .with("p99_us", us(shown.p99_us))
        .with("quiet_p99_us", us(shown.quiet_p99_us))
}

/// What the mover last wrote down, by shop; empty before it began.
///
/// # Errors
/// The store cannot be read.
pub async fn status(store: &Store) -> Result<Record> {
    Ok(store.noted("board").await?.unwrap_or_default())
}

/// Whose a shop is, and where its records say that it stands. What the mover last wrote down may be older.
///
/// # Errors
/// The shop is not known, or the store cannot be read.
pub async fn stands(store: &Store, shop: &ShopId) -> Result<(store::Head, State)> {
    let (head, progress) = progress(store, shop).await?;
    Ok((head, progress.state()))
}

pub(crate) async fn progress(store: &Store, shop: &ShopId) -> Result<(store::Head, Progress)> {
    let records = records::load(store, shop).await?;
    let stored = store.head(shop).await?.ok_or_else(|| Error::UnknownShop(shop.clone()))?;
    let head = Head { owner: stored.owner, epoch: stored.epoch, fenced: stored.fenced };
    Ok((stored, cutover::progress::progress(&records, head)))
}

impl Seen {
    /// A shop without a driver, which waits for the install.
    pub(crate) fn planned(waits_for: String) -> Self {
        Self {
            state: State::Planned,
            owner: Side::Legacy,
            epoch: Epoch(1),
            stopped: None,
            waits_for: Some(waits_for),
            dirty: 0,
            lag_ms: None,
            catalog_dial: false,
            catalog_reads: Side::Legacy,
            findings_open: 0,
            facts_left: None,
            debt: 0,
            back_waits_for: None,
        }
    }

    /// The driver cannot even look: where the shop stood last, and why nobody knows more.
    pub(crate) fn fails(&mut self, code: &'static str) {
        self.stopped = Some(code.into());
        self.waits_for = Some(For::Help(code.into()).to_string());
    }
}
