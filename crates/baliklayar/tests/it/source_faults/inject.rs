//! The faults themselves: what is prepared on the eve, and what strikes.

use super::fault::{Fault, Phase};
use super::journey::{in_time, said, text, until};
use super::report;
use super::stage::{House, Stage};
use crate::demo::long;
use std::time::{Duration, Instant};

pub type Told<T = ()> = Result<T, String>;

/// Rows of the large transaction. A plain run, which is not optimised, takes a tenth.
fn rows() -> u32 {
    if long() || report::measures() { 200_000 } else { 20_000 }
}

/// Rows that no full disk has room for.
const ROWS_FULL: u32 = 20_000;
/// How long what ends by itself goes on.
const LASTS: Duration = Duration::from_secs(2);
const JUMP: Duration = Duration::from_secs(6 * 3_600);

const KILL: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and application_name = 'baliklayar'";
const END_STREAM: &str = "select pg_terminate_backend(active_pid) from pg_replication_slots
    where database = current_database() and active";
const DROP_SLOT: &str = "select pg_drop_replication_slot(slot_name) from pg_replication_slots
    where database = current_database() and not active";
const SLOTS: &str = "select count(*) from pg_replication_slots where database = current_database()";

/// What has to be there before the last step to the phase.
pub async fn eve(stage: &mut Stage, house: &mut House, fault: Fault, phase: Phase) -> Told {
    match (fault, phase) {
        (Fault::LargeTransaction, Phase::Held | Phase::Fenced) => {
            let rogue = stage.world.postgres().await;
            rogue.batch_execute(&format!("begin; {}", large(rows()))).await.map_err(said)?;
            stage.straggler = Some(rogue);
        }
        (Fault::OpenTransaction, Phase::Tracking | Phase::Ready | Phase::Held | Phase::Soaking) => {
            let straggler = stage.world.postgres().await;
            straggler.batch_execute(&format!("begin; {}", product(stage, "TERBUKA"))).await.map_err(said)?;
            stage.straggler = Some(straggler);
            if phase == Phase::Soaking {
                // Nobody flips past it; another one is opened when the shop soaks.
                end_straggler(stage).await?;
            }
        }
        (Fault::Failover, _) => {
            stage.switch.shut();
            let server = house.server.as_mut().expect("a server of its own");
            server.stop().await;
            server.keep("earlier");
            server.go_on().await;
            // Whoever was connected is not any more.
            stage.sql = stage.world.postgres().await;
            stage.gate.look_with(stage.world.store.clone(), stage.world.postgres().await);
            past_this(stage).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Strikes; what lasts for a while is over when the function that was handed out with it has run.
pub async fn strike(stage: &mut Stage, house: &mut House, fault: Fault, phase: Phase) -> Told<Instant> {
    let struck = Instant::now();
    let fenced = matches!(phase, Phase::Fenced | Phase::Soaking | Phase::HeldBack);
    match fault {
        Fault::SessionsKilled => stage.sql.execute(KILL, &[]).await.map(drop).map_err(said)?,
        Fault::SlotDropped => drop_slot(stage).await?,
        Fault::SlotInvalidated => invalidate_slot(stage).await?,
        Fault::LargeTransaction => match stage.straggler.take() {
            Some(open) => open.batch_execute("commit").await.map_err(said)?,
            None => stage.run(&large(rows())).await.map_err(said)?,
        },
        Fault::OpenTransaction => left_open(stage, phase).await?,
        Fault::ColumnAdded => stage.run("alter table jual add column sumber varchar(20)").await.map_err(said)?,
        Fault::ColumnDropped => stage.run("alter table jual drop column catatan").await.map_err(said)?,
        Fault::ColumnRenamed => stage.run("alter table jual rename column catatan to memo").await.map_err(said)?,
        Fault::ColumnRetyped => {
            let sql = "alter table jual alter column catatan type bytea using convert_to(catatan, 'UTF8')";
            rewrite(stage, sql).await?;
        }
        Fault::Truncated => refused_if(fenced, stage.run("truncate idem").await)?,
        Fault::WideUnchanged => refused_if(fenced, stage.run(WIDE_UNCHANGED).await)?,
        Fault::RogueWriter => {
            let sql = format!("set session_replication_role = replica; {}", product(stage, "LIAR"));
            refused_if(fenced, stage.run(&sql).await)?;
        }
        Fault::RogueBypass => {
            stage.run(&past_the_fence(&product(stage, "LIAR"))).await.map_err(said)?;
        }
        Fault::ClockForward => stage.jump(JUMP, true),
        Fault::ClockBack => stage.jump(JUMP, false),
        Fault::StagedFull => {
            stage.disk.as_ref().expect("a disk of its own").fill();
            stage.run(&large(ROWS_FULL)).await.map_err(said)?;
        }
        Fault::Failover => fail_over(stage, house).await?,
    }
    Ok(struck)
}

/// A statement that writes a table anew. To whoever reads at a state of before, that table is empty then (PostgreSQL's
/// documentation, 13.6, "Caveats"): the legacy program, which reads so, would tell people that their orders are gone. Nobody
/// asks it meanwhile.
pub async fn rewrite(stage: &Stage, sql: &str) -> Told {
    let ran = match hush(stage).await {
        Ok(()) => stage.run(sql).await.map_err(said),
        Err(what) => Err(what),
    };
    stage.switch.open();
    ran
}

/// Nobody asks the legacy program any more, and it has nothing under way: still nothing when it is looked at again.
pub async fn hush(stage: &Stage) -> Told {
    stage.switch.pause();
    let busy = "select count(*) from pg_stat_activity where datname = current_database() and state <> 'idle'
        and application_name <> 'baliklayar' and pid <> pg_backend_pid() and backend_type = 'client backend'
        and query not like '%in access exclusive mode'";
    let (begun, mut seen) = (Instant::now(), 0);
    while seen < 10 {
        let busy: i64 = stage.sql.query_one(busy, &[]).await.map_err(said)?.get(0);
        seen = if busy == 0 { seen + 1 } else { 0 };
        in_time(stage, begun, "the legacy program is never at rest").await?;
    }
    Ok(())
}

/// What was begun and ends by itself.
pub async fn afterwards(stage: &mut Stage) -> Told {
    if let Some(disk) = &stage.disk {
        let begun = Instant::now();
        while text(stage, &stage.neighbour, "stopped").await.as_deref() != Some("staged.full") {
            in_time(stage, begun, "nobody says that the disk is full").await?;
        }
        disk.make_room();
    }
    if stage.straggler.is_some() {
        tokio::time::sleep(LASTS).await;
        end_straggler(stage).await?;
    }
    Ok(())
}

async fn end_straggler(stage: &mut Stage) -> Told {
    match stage.straggler.take() {
        Some(open) => open.batch_execute("commit").await.map_err(said),
        None => Ok(()),
    }
}

/// A row of the shop that a cron job or a person with `psql` writes.
fn product(stage: &Stage, code: &str) -> String {
    format!(
        "insert into produk (toko_id, kode, nama, harga, stok, aktif, f1, diubah) \
         values ({}, '{code}', 'Barang {code}', '12500.00', 7, 'Y', 'STD', '2026-01-02 03:04:05')",
        stage.shop
    )
}

/// Somebody who owns the table writes to it without our trigger.
pub fn past_the_fence(sql: &str) -> String {
    format!(
        "begin; alter table produk disable trigger balik_fence; {sql}; \
         alter table produk enable always trigger balik_fence; commit"
    )
}

/// Points for everybody, and as many new customers of a campaign.
fn large(rows: u32) -> String {
    format!(
        "insert into pelanggan (nama, telp, surel, sandi, poin) \
         select 'Pelanggan ' || n, '+62811' || n, n || '@contoh.id', 'x', 5 from generate_series(1, {rows}) n"
    )
}

const WIDE_UNCHANGED: &str = "
    begin;
    update jual set kodepos = '40199' where id = (select max(id) from jual where toko_id = SHOP and length(jalan) = 200);
    create temporary table lama on commit drop as
        select min(id) as id from jual where toko_id = SHOP and length(jalan) = 200;
    update jual set id = jual.id + 5000000 from lama where jual.id = lama.id;
    update jual_detil set jual_id = jual_id + 5000000 from lama where jual_id = lama.id;
    update bayar set jual_id = jual_id + 5000000 from lama where jual_id = lama.id;
    update kembali set jual_id = jual_id + 5000000 from lama where jual_id = lama.id;
    commit";

/// The fence refuses, and nothing else does.
fn refused_if(fenced: bool, ran: Result<(), tokio_postgres::Error>) -> Told {
    match (fenced, ran) {
        (false, ran) => ran.map_err(said),
        (true, Ok(())) => Err("the fence let a foreign write in".to_owned()),
        (true, Err(error)) if error.code().is_some_and(|code| code.code() == "BALIK") => Ok(()),
        (true, Err(error)) => Err(said(error)),
    }
}

/// The slot is taken away between two breaths of its stream.
async fn drop_slot(stage: &Stage) -> Told {
    let begun = Instant::now();
    while stage.sql.query_one(SLOTS, &[]).await.map_err(said)?.get::<_, i64>(0) > 0 {
        stage.sql.execute(END_STREAM, &[]).await.map_err(said)?;
        // It may be in use again already.
        let _ = stage.sql.execute(DROP_SLOT, &[]).await;
        if begun.elapsed() > Duration::from_secs(10) {
            return Err("the slot stays".to_owned());
        }
    }
    Ok(())
}

/// The server keeps no more than it was told to, and the slot's reader sleeps meanwhile.
async fn invalidate_slot(stage: &Stage) -> Told {
    let active = "select active_pid from pg_replication_slots where database = current_database() and active";
    let reader: i32 = stage.sql.query_one(active, &[]).await.map_err(said)?.get(0);
    signal("STOP", reader);
    let keep = "alter system set max_slot_wal_keep_size = '1MB'";
    for sql in [keep, "select pg_reload_conf()"] {
        stage.sql.batch_execute(sql).await.map_err(said)?;
    }
    for _ in 0..4 {
        let more = "select pg_logical_emit_message(false, 'log', 'more'), pg_switch_wal()";
        stage.sql.batch_execute(more).await.map_err(said)?;
    }
    let server = stage.world.postgres().await;
    let checkpoint = tokio::spawn(async move { server.batch_execute("checkpoint").await });
    // It waits for the reader to end, and the reader has to wake for that; before, it would catch up.
    let begun = Instant::now();
    let waits = "select count(*) from pg_stat_activity where wait_event = 'ReplicationSlotDrop'";
    while stage.sql.query_one(waits, &[]).await.map_err(said)?.get::<_, i64>(0) == 0 && begun.elapsed() < LASTS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    signal("CONT", reader);
    checkpoint.await.expect("a checkpoint").map_err(said)?;
    let status =
        "select coalesce(max(wal_status), 'lost') from pg_replication_slots where database = current_database()";
    let status: String = stage.sql.query_one(status, &[]).await.map_err(said)?.get(0);
    for sql in ["alter system reset max_slot_wal_keep_size", "select pg_reload_conf()"] {
        stage.sql.batch_execute(sql).await.map_err(said)?;
    }
    if status == "lost" { Ok(()) } else { Err(format!("the slot is not lost but {status}")) }
}

fn signal(name: &str, process: i32) {
    let sent = std::process::Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status();
    assert!(sent.is_ok_and(|sent| sent.success()), "kill -{name} {process}");
}

async fn left_open(stage: &mut Stage, phase: Phase) -> Told {
    let open = match phase {
        // It was there before, and is there still.
        Phase::Copying | Phase::Tracking | Phase::Ready | Phase::Held => return Ok(()),
        Phase::Fenced => "begin isolation level repeatable read; select count(*) from produk",
        // The way back wants these rows.
        Phase::Soaking | Phase::HeldBack => {
            "begin; select count(*) from (select 1 from produk where toko_id = SHOP for update) p"
        }
    };
    let straggler = stage.world.postgres().await;
    straggler.batch_execute(&open.replace("SHOP", stage.shop.as_str())).await.map_err(said)?;
    stage.straggler = Some(straggler);
    Ok(())
}

/// Open since before anything was installed: the slot cannot begin before it ends, and the board says what is waited for.
pub async fn open_before_anything(stage: &mut Stage) -> Told<Instant> {
    let straggler = stage.world.postgres().await;
    straggler.batch_execute(&format!("begin; {}", product(stage, "TERBUKA"))).await.map_err(said)?;
    stage.straggler = Some(straggler);
    let struck = Instant::now();
    stage.world.put_down(mover::Verb::Start, None).await;
    while !text(stage, &stage.shop.clone(), "waits_for").await.is_some_and(|what| what.contains("transaction")) {
        in_time(stage, struck, "the board does not say that a transaction is waited for").await?;
    }
    end_straggler(stage).await?;
    until(stage, &stage.neighbour.clone(), "ready").await?;
    Ok(struck)
}

/// Something is committed and staged that the earlier state does not have.
async fn past_this(stage: &Stage) -> Told {
    let sql =
        "select pg_current_wal_lsn() - '0/0', coalesce(max(confirmed_flush_lsn - '0/0'), 0) from pg_replication_slots
        where database = current_database()";
    stage.run("update produk set dilihat = dilihat + 1 where toko_id = SHOP").await.map_err(said)?;
    let begun = Instant::now();
    let row =
        stage.sql.query_one(&format!("select (a::text)::bigint, (b::text)::bigint from ({sql}) t(a, b)"), &[]).await;
    let wanted: i64 = row.map_err(said)?.get(0);
    loop {
        let row = stage.sql.query_one(&format!("select (b::text)::bigint from ({sql}) t(a, b)"), &[]).await;
        if row.map_err(said)?.get::<_, i64>(0) >= wanted {
            return Ok(());
        }
        in_time(stage, begun, "the stream does not come past this").await?;
    }
}

async fn fail_over(stage: &mut Stage, house: &mut House) -> Told {
    let server = house.server.as_mut().expect("a server of its own");
    server.stop().await;
    server.set_back("earlier");
    server.go_on().await;
    stage.sql = stage.world.postgres().await;
    // Its log runs past our position before we look: only what it says tells that it is another's.
    stage.sql.batch_execute("select pg_switch_wal()").await.map_err(said)?;
    stage.switch.open();
    Ok(())
}
