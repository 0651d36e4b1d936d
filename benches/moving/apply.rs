//! The change stream through the mapping, against PostgreSQL's own logical subscription to the same tables.
//!
//! Nobody listens while a backlog is made. Then ours drains it, from the start of the process to the last document
//! that is durable, and after it the subscription, from its enabling to the last commit that it reports as applied.

use crate::resources::{self, Server, Used};
use crate::rows::{self, Orders};
use crate::serving::{self, Serving};
use crate::table::{grouped, per_second, ratio, seconds, table};
use crate::{Args, print, rivals};
use anyhow::{Context, Result, ensure};
use mover::Verb;
use std::time::{Duration, Instant};
use testkit::postgres::{self, Database};
use tokio_postgres::Client;

const SLOT: &str = "bench_native";
/// Orders that are there before the first change.
const BASE: u32 = 20_000;
/// Rows of a large transaction.
const LARGE: u32 = 1_000;
/// One change in so many is a transaction of its own.
const ONE_BY_ONE: u32 = 20;
const APPLIED_MAX: Duration = Duration::from_secs(1_800);
const LOOK: Duration = Duration::from_millis(20);

/// A kind of change, and how many rows and transactions of it.
struct Backlog {
    what: &'static str,
    rows: u64,
    transactions: u64,
    end: u64,
}

struct Drained {
    backlog: Backlog,
    ours: (Duration, Used, Used),
    native: (Duration, Used),
}

struct Stage {
    source: Database,
    client: Client,
    server: Server,
    target: Database,
    orders: Orders,
    serving: Serving,
    /// Until the subscription is there.
    subscribed: bool,
}

pub async fn measure(args: &Args) -> Result<()> {
    let mut stage = Stage::set().await?;
    let measured = stage.run(args).await;
    // The subscription's worker and slot go before the databases do.
    stage.clear().await;
    measured
}

impl Stage {
    async fn set() -> Result<Self> {
        let (source, target) = (postgres::fresh_database().await, postgres::fresh_database().await);
        serving::make_legacy(&source.url).await?;
        let client = source.connect().await;
        rows::fill(&client, BASE).await?;
        rivals::pipe(&client, &target).await?;
        let server = Server::of(&client).await?;
        let mut serving = Serving::plan(&source.url).await?;
        serving.start().await?;
        serving.wish(Verb::Start).await?;
        serving.wait_verified(APPLIED_MAX).await?;
        serving.end().await;
        client.batch_execute("set session_replication_role = replica").await?;
        let tables = rows::TABLES.join(", ");
        client.batch_execute(&format!("create publication {SLOT} for table {tables}")).await?;
        let slot = format!("{SLOT}_{}", source.name);
        client.query("select pg_create_logical_replication_slot($1, 'pgoutput')", &[&slot]).await?;
        let orders = Orders::behind(&client, BASE / 5).await?;
        Ok(Self { source, client, server, target, orders, serving, subscribed: false })
    }

    async fn run(&mut self, args: &Args) -> Result<()> {
        print(&format!("apply: load {}", crate::children::load_average()));
        let mut drained = Vec::new();
        let backlog = self.inserts(args.changes).await?;
        drained.push(self.drain(backlog).await?);
        let backlog = self.updates().await?;
        drained.push(self.drain(backlog).await?);
        let backlog = self.one_by_one(args.changes / ONE_BY_ONE).await?;
        drained.push(self.drain(backlog).await?);
        print(&compare(&drained));
        let inserts = &drained[0];
        let rate = per_second(inserts.backlog.rows, inserts.ours.0) / 2;
        let lag = self.lag(rate, Duration::from_secs(args.seconds)).await?;
        print(&lag);
        Ok(())
    }

    async fn inserts(&mut self, rows: u32) -> Result<Backlog> {
        let (mut made, mut transactions) = (0, 0);
        while made < u64::from(rows) {
            made += self.orders.insert(&self.client, LARGE).await?;
            transactions += 1;
        }
        self.backlog("inserts, 1,000 rows each", made, transactions).await
    }

    /// Every order once.
    async fn updates(&self) -> Result<Backlog> {
        let (mut changed, mut transactions) = (0, 0);
        for first in (1..=self.orders.last()).step_by(usize::try_from(LARGE)?) {
            let last = first + i64::from(LARGE) - 1;
            let sql = "update jual set status = 'KIRIM', diubah = '2024-02-03 04:05:06' where id between $1 and $2";
            changed += self.client.execute(sql, &[&first, &last]).await?;
            transactions += 1;
        }
        self.backlog("updates, 1,000 rows each", changed, transactions).await
    }

    async fn one_by_one(&self, rows: u32) -> Result<Backlog> {
        let last = self.orders.last();
        let sql = self.client.prepare("update jual set kota = 'Bogor' where id = $1").await?;
        // Only the making of the backlog is hurried by this.
        self.client.batch_execute("set synchronous_commit = off").await?;
        let mut changed = 0;
        for id in (last - i64::from(rows)).max(0)..last {
            changed += self.client.execute(&sql, &[&(id + 1)]).await?;
        }
        self.client.batch_execute("set synchronous_commit = on").await?;
        self.backlog("updates, one row each", changed, changed).await
    }

    async fn backlog(&self, what: &'static str, rows: u64, transactions: u64) -> Result<Backlog> {
        self.client.batch_execute("checkpoint").await?;
        Ok(Backlog { what, rows, transactions, end: position(&self.client).await? })
    }

    /// First ours, which writes nothing into the server's log that the other would have to read.
    async fn drain(&mut self, backlog: Backlog) -> Result<Drained> {
        let before = self.server.used();
        let begun = Instant::now();
        let pid = self.serving.start().await?;
        self.serving.wait_applied(backlog.end, APPLIED_MAX).await?;
        let took = begun.elapsed();
        let own = resources::of_process(pid);
        let ours = (took, own, self.server.used().since(before));
        self.serving.end().await;
        let before = self.server.used();
        let begun = Instant::now();
        self.subscribe().await?;
        self.wait_subscribed(backlog.end).await?;
        let native = (begun.elapsed(), self.server.used().since(before));
        self.target.connect().await.batch_execute(&format!("alter subscription {SLOT} disable")).await?;
        let copied = rows::count(&self.target.connect().await).await?;
        ensure!(copied == rows::count(&self.client).await?, "the subscription has not applied everything");
        Ok(Drained { backlog, ours, native })
    }

    async fn subscribe(&mut self) -> Result<()> {
        let target = self.target.connect().await;
        if self.subscribed {
            target.batch_execute(&format!("alter subscription {SLOT} enable")).await?;
            return Ok(());
        }
        let source = connection_string(&self.source.url)?;
        let sql = format!(
            "create subscription {SLOT} connection '{source}' publication {SLOT}
             with (copy_data = false, create_slot = false, slot_name = '{SLOT}_{}')",
            self.source.name
        );
        target.batch_execute(&sql).await.context("subscribing")?;
        self.subscribed = true;
        Ok(())
    }

    async fn wait_subscribed(&self, position: u64) -> Result<()> {
        let deadline = Instant::now() + APPLIED_MAX;
        let slot = format!("{SLOT}_{}", self.source.name);
        // What the subscriber has made durable, as the sender was told.
        let sql = "select coalesce(max(r.flush_lsn - '0/0'::pg_lsn), 0)::bigint from pg_stat_replication r
                   join pg_replication_slots s on s.active_pid = r.pid where s.slot_name = $1";
        loop {
            let flushed: i64 = self.client.query_one(sql, &[&slot]).await?.get(0);
            if u64::try_from(flushed)? >= position {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the subscription does not come to its end");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How old what is staged is, while so many rows a second are inserted.
    async fn lag(&mut self, rate: u64, time: Duration) -> Result<String> {
        self.serving.start().await?;
        self.serving.wait_applied(position(&self.client).await?, APPLIED_MAX).await?;
        let (begun, mut lags, mut written) = (Instant::now(), Vec::new(), 0);
        while begun.elapsed() < time {
            written += self.orders.insert(&self.client, LARGE / 10).await?;
            let status = mover::status(&self.serving.store).await?;
            lags.extend(status.record(self.serving.shop.as_str()).and_then(|seen| seen.int("lag_us")));
            let due = Duration::from_micros(written * 1_000_000 / rate.max(1));
            tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
        }
        let reached = per_second(written, begun.elapsed());
        let end = position(&self.client).await?;
        let ended = Instant::now();
        self.serving.wait_applied(end, APPLIED_MAX).await?;
        let rest = ended.elapsed();
        self.serving.end().await;
        lags.sort_unstable();
        let at = |percent: usize| lags.get((lags.len().max(1) - 1) * percent / 100).copied().unwrap_or(0) / 1_000;
        Ok(format!(
            "lag at {} rows/s inserted: p50 {} ms, p99 {} ms; {} ms after the last row all of it was imported",
            grouped(reached),
            at(50),
            at(99),
            rest.as_millis()
        ))
    }

    async fn clear(&mut self) {
        self.serving.end().await;
        if self.subscribed {
            let target = self.target.connect().await;
            for sql in ["disable", "set (slot_name = none)"] {
                // What is left behind is dropped with its database.
                let _ = target.batch_execute(&format!("alter subscription {SLOT} {sql}")).await;
            }
            let _ = target.batch_execute(&format!("drop subscription {SLOT}")).await;
        }
    }
}

async fn position(client: &Client) -> Result<u64> {
    let at: i64 = client.query_one("select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint", &[]).await?.get(0);
    Ok(u64::try_from(at)?)
}

/// As libpq takes it.
fn connection_string(url: &str) -> Result<String> {
    let config: tokio_postgres::Config = url.parse()?;
    let host = match config.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
        Some(tokio_postgres::config::Host::Unix(folder)) => folder.display().to_string(),
        None => "127.0.0.1".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let password = config.get_password().map(|word| format!(" password={}", String::from_utf8_lossy(word)));
    Ok(format!(
        "host={host} port={port} user={} dbname={}{}",
        config.get_user().unwrap_or("postgres"),
        config.get_dbname().context("a URL without a database")?,
        password.unwrap_or_default()
    ))
}

fn compare(drained: &[Drained]) -> String {
    let row = |drained: &Drained| {
        let Drained { backlog, ours, native } = drained;
        let rates = [ours.0, native.0].map(|took| per_second(backlog.rows, took));
        vec![
            backlog.what.to_owned(),
            grouped(backlog.rows),
            grouped(backlog.transactions),
            seconds(ours.0),
            seconds(native.0),
            grouped(rates[0]),
            grouped(rates[1]),
            ratio(rates[0], rates[1]),
            format!("{} + {}", seconds(ours.1.cpu), seconds(ours.2.cpu)),
            seconds(native.1.cpu),
        ]
    };
    let heading = [
        "",
        "rows",
        "transactions",
        "ours s",
        "native s",
        "ours rows/s",
        "native rows/s",
        "× native",
        "CPU s, ours + server",
        "CPU s, native",
    ];
    table(&heading, &drained.iter().map(row).collect::<Vec<_>>())
}
