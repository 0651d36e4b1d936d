//! The change stream: one transaction after the other, in the order of their commits.
//!
//! A large transaction is handed out in pieces, and counts when the last of them is. The slot is moved on by what was
//! acknowledged, and, where nothing handed out is unacknowledged, also by keepalives: a quiet table must not make the
//! source keep its log for ever.
//! A stream that goes on begins with the transaction that it ended with. A server that was set back, or another one that
//! was behind, may have written its log past our position since: only that transaction tells that it is not the same log.

use super::assemble::{Assembled, Assembly, PIECE};
use super::install::{self, Range};
use super::session::{APPLICATION, OPTIONS, Sessions, cell_of};
use super::{Postgres, read};
use crate::cut::{Cut, Position};
use crate::declared::Declared;
use crate::error::{Error, Lost, Result};
use crate::sql::{self, Dialect};
use crate::transaction::{Last, Transaction};
use pgwire_replication::{Lsn, ReplicationClient, ReplicationConfig, ReplicationEvent};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::config::Host;
use vocab::row::{Cell, Change};

/// How often the source hears how far we are.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// Events that wait between the connection and us; then the source waits.
const EVENTS_MAX: usize = 8_192;
/// What comes sooner after what was handed out before waits for company: whoever takes it syncs once for all of it.
const TOGETHER: Duration = Duration::from_millis(2);
/// Rows handed out at once, in whole transactions or pieces of them.
const CHANGES_MAX: usize = 2 * PIECE;

/// After a crash the server holds the slot until it notices.
const SLOT_ATTEMPTS_MAX: u32 = 100;
const SLOT_PAUSE: Duration = Duration::from_millis(50);
const SLOT_IN_USE: &str = "55006";

pub(crate) struct Stream {
    client: ReplicationClient,
    declared: Declared,
    sessions: Arc<Sessions>,
    assembly: Assembly,
    ready: VecDeque<Assembled>,
    handed_out: Position,
    handed_out_at: Instant,
    acknowledged: Position,
    /// The transaction with which it has to begin.
    expected: Option<Last>,
    /// That transaction is on its way, and was staged before.
    known: bool,
}

impl Postgres {
    pub async fn stream(&self, from: Option<Position>) -> Result<Stream> {
        self.open(from, from.unwrap_or(Position(0)), None).await
    }

    pub async fn resume(&self, last: Last) -> Result<Stream> {
        self.open(Some(last.position), last.before, Some(last)).await
    }

    async fn open(&self, wanted: Option<Position>, start: Position, expected: Option<Last>) -> Result<Stream> {
        let Range { begins, ends, thrown, confirmed } = self.stream_range().await?;
        if let Some(Position(wanted)) = wanted {
            let lost =
                [(thrown, Lost::Thrown), (wanted < begins, Lost::Begins(begins)), (wanted > ends, Lost::Ends(ends))];
            if let Some((_, why)) = lost.into_iter().find(|(lost, _)| *lost) {
                return Err(Error::PositionLost { wanted, why });
            }
        }
        // A slot that has our acknowledgement has our history too, for nobody else moves it. Otherwise we crashed before
        // that, or this server is one that is behind: then it has to begin with what we saw last.
        let expected = expected.filter(|last| confirmed < last.position.0);
        let start = if expected.is_some() { start } else { wanted.unwrap_or(start) };
        let near = self.next_xid().await?;
        let client = self.start(start).await?;
        Ok(Stream {
            client,
            declared: self.declared.clone(),
            sessions: Arc::clone(&self.sessions),
            assembly: Assembly::new(self.declared.clone(), self.name.clone(), near),
            ready: VecDeque::new(),
            handed_out: start,
            handed_out_at: Instant::now(),
            acknowledged: start,
            expected,
            known: false,
        })
    }

    async fn start(&self, start: Position) -> Result<ReplicationClient> {
        let mut attempt = 1;
        loop {
            let connecting = ReplicationClient::connect(self.replication(start)?).await;
            let mut client = connecting.map_err(Error::Replication)?;
            match client.wait_started().await {
                Ok(()) => return Ok(client),
                Err(error) if attempt < SLOT_ATTEMPTS_MAX && error.to_string().contains(SLOT_IN_USE) => {
                    attempt += 1;
                    tokio::time::sleep(SLOT_PAUSE).await;
                }
                Err(error) => return Err(Error::Replication(error)),
            }
        }
    }

    async fn stream_range(&self) -> Result<Range> {
        let rows = self.sessions.rows("look for the slot of", &install::slot_range(&self.slot)).await;
        let rows = rows.map_err(|error| match error.refusal() {
            Some(refusal) => Error::NotInstalled(refusal.to_string()),
            None => error,
        })?;
        if rows.is_empty() {
            return Err(Error::NotInstalled(format!("no slot {}", self.slot)));
        }
        Range::read(&rows)
    }

    async fn next_xid(&self) -> Result<u64> {
        let rows = self.sessions.rows("read the snapshot of", "select pg_current_snapshot()").await?;
        match Cut::from_snapshot(cell_of(&rows, 0, 0)?) {
            Some(Cut::Postgres { xmax, .. }) => Ok(xmax),
            Some(Cut::Sqlite(_)) | None => Err(Error::Decode("a snapshot without bounds".to_owned())),
        }
    }

    fn replication(&self, start: Position) -> Result<ReplicationConfig> {
        let config = self.sessions.config();
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(directory)) => directory.to_string_lossy().into_owned(),
            None => return Err(Error::Url("a URL without a host".to_owned())),
        };
        let password = config.get_password().map(String::from_utf8_lossy).unwrap_or_default();
        let user = config.get_user().unwrap_or("postgres");
        let database = config.get_dbname().unwrap_or(user);
        let slot = self.slot.as_str();
        let publication = install::publication(&self.name);
        Ok(ReplicationConfig::new(host, user, password, database, slot, publication)
            .with_port(config.get_ports().first().copied().unwrap_or(5432))
            .with_start_lsn(Lsn(start.0))
            .with_status_interval(STATUS_INTERVAL)
            .with_buffer_size(EVENTS_MAX)
            .with_options(format!("{OPTIONS} -c client_encoding=UTF8"))
            .with_application_name(APPLICATION))
    }
}

impl Stream {
    pub async fn next(&mut self, max: usize) -> Result<Vec<Transaction>> {
        while self.ready.len() < max.max(1) && self.changes() < CHANGES_MAX {
            // All that outlives a dropped future is in `self`; receiving itself loses nothing.
            let event = tokio::select! {
                biased;
                event = self.client.recv() => event,
                () = tokio::time::sleep_until(self.handed_out_at + TOGETHER), if !self.ready.is_empty() => break,
            };
            match event.map_err(Error::Replication)? {
                Some(event) => self.take(event)?,
                None => return Err(Error::Interrupted("the source ended the change stream")),
            }
        }
        let count = self.ready.len().min(max.max(1));
        for assembled in self.ready.iter_mut().take(count) {
            // A gap leaves the list only when it is filled, so that a dropped future does it again.
            while let Some(&gap) = assembled.gaps.last() {
                fill(&self.sessions, &self.declared, &mut assembled.transaction.changes[gap]).await?;
                assembled.gaps.pop();
            }
        }
        let transactions: Vec<_> = self.ready.drain(..count).map(|assembled| assembled.transaction).collect();
        if let Some(last) = transactions.iter().rfind(|transaction| !transaction.more) {
            self.handed_out = last.position;
        }
        self.handed_out_at = Instant::now();
        Ok(transactions)
    }

    fn changes(&self) -> usize {
        self.ready.iter().map(|assembled| assembled.transaction.changes.len()).sum()
    }

    pub fn acknowledge(&mut self, position: Position) {
        self.acknowledged = self.acknowledged.max(position);
        self.client.update_applied_lsn(Lsn(self.acknowledged.0));
    }

    fn take(&mut self, event: ReplicationEvent) -> Result<()> {
        match event {
            ReplicationEvent::Begin { final_lsn, xid, commit_time_micros } => {
                self.assembly.begin(final_lsn.0, xid, commit_time_micros);
                self.known = self.is_expected()?;
            }
            ReplicationEvent::XLogData { data, .. } => {
                self.assembly.message(&data)?;
                let piece = self.assembly.piece();
                self.ready.extend(piece.filter(|_| !self.known));
            }
            ReplicationEvent::Message { transactional: true, prefix, content, .. } => {
                self.assembly.marker(&prefix, &content);
            }
            ReplicationEvent::Commit { end_lsn, .. } => {
                let whole = self.assembly.commit(Position(end_lsn.0));
                self.ready.extend(whole.filter(|_| !self.known));
                self.known = false;
            }
            ReplicationEvent::KeepAlive { wal_end, .. } => {
                if let Some(last) = self.expected.filter(|last| wal_end.0 >= last.position.0) {
                    return Err(another(&last));
                }
                self.idle(Position(wal_end.0));
            }
            ReplicationEvent::Message { .. } | ReplicationEvent::StoppedAt { .. } => {}
        }
        Ok(())
    }

    /// Whether the transaction that has begun is the last one that was staged; an error where it would have to be.
    fn is_expected(&mut self) -> Result<bool> {
        let Some(last) = self.expected.take() else { return Ok(false) };
        match self.assembly.begun() {
            Some((tx, at)) if tx == last.tx && at == last.committed_at => Ok(true),
            Some(_) | None => Err(another(&last)),
        }
    }

    /// All before `position` was sent. If all that was sent is acknowledged, so is `position`.
    fn idle(&mut self, position: Position) {
        let quiet = self.expected.is_none()
            && self.ready.is_empty()
            && !self.assembly.is_open()
            && self.handed_out <= self.acknowledged;
        if quiet && position > self.acknowledged {
            self.handed_out = position;
            self.acknowledge(position);
        }
    }
}

const fn another(last: &Last) -> Error {
    Error::PositionLost { wanted: last.position.0, why: Lost::Another }
}

/// Takes the values that are not told from the row as it stands now. If they were changed since, the stream tells that
/// too, later; if the row is gone, the stream will say so.
async fn fill(sessions: &Sessions, declared: &Declared, change: &mut Change) -> Result<()> {
    let Some(cells) = change.row.as_mut().filter(|cells| cells.contains(&None)) else { return Ok(()) };
    let table = declared.table(change.table);
    let sql = sql::row(Dialect::Postgres, table, &change.key);
    let rows = sessions.rows("read a changed row of", &sql).await?;
    let now = rows.first().map(|cells| read::row(table, cells).0).unwrap_or_default();
    for (place, cell) in cells.iter_mut().enumerate().filter(|(_, cell)| cell.is_none()) {
        *cell = Some(now.get(place).cloned().unwrap_or(Cell::Null));
    }
    Ok(())
}
