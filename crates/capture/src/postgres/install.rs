//! What is made in a PostgreSQL source, and how it goes away again.
//!
//! Made: tables `balik_fence`, `balik_applied`, `balik_origin`; per fenced table a function and the triggers
//! `balik_fence` and `balik_truncate`; a publication and a slot. Statements that lock a table of the legacy give up
//! early and come again, so that no shopper queues behind them.

use super::Postgres;
use super::session::{cell_of, number};
use crate::declared::{Declared, held_columns};
use crate::error::{Error, Result};
use crate::sql::{self, Dialect, ident, object, table_name};
use crate::write_back::FenceRead;
use std::fmt::Write;
use std::time::Duration;
use tokio_postgres::error::{DbError, SqlState};
use vocab::id::ShopId;
use vocab::row::{Table, TableNo, Use};

pub(super) const APPLIED: &str = "balik_applied";
/// The SQLSTATE of a write that a closed fence refused.
const REFUSED: &str = "BALIK";

/// Whoever writes to the table queues behind us for so long, while somebody else has it for longer.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '20ms'";
pub(super) const ATTEMPTS_MAX: u32 = 60;
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// Between two attempts, once it takes long.
const PAUSE_MAX: Duration = Duration::from_millis(500);

pub(super) fn publication(name: &str) -> String {
    format!("balik_{name}")
}

/// What of the log can be read through a slot.
pub(super) struct Range {
    pub begins: u64,
    /// Where the log ends now: a position behind that is of another server's life.
    pub ends: u64,
    /// The server has thrown away what the slot needs.
    pub thrown: bool,
    /// Up to where whoever reads the slot has acknowledged.
    pub confirmed: u64,
}

impl Range {
    /// From what [`slot_range`] answers, which is a row.
    pub(super) fn read(rows: &[Vec<Option<String>>]) -> Result<Self> {
        let thrown = cell_of(rows, 0, 2)? == "t";
        let at = |column| number(cell_of(rows, 0, column)?);
        Ok(Self { begins: at(0)?, ends: at(1)?, thrown, confirmed: at(3)? })
    }
}

/// The [`Range`] of a slot; no row where slot or record is missing.
pub(super) fn slot_range(slot: &str) -> String {
    format!(
        "select (o.begins - '0/0')::bigint, (pg_current_wal_lsn() - '0/0')::bigint, \
         s.restart_lsn is null or coalesce(s.wal_status, 'lost') = 'lost', \
         coalesce((s.confirmed_flush_lsn - '0/0')::bigint, 0) from balik_origin o \
         join pg_replication_slots s on s.slot_name = {slot} where o.slot = {slot}",
        slot = quoted(slot)
    )
}

/// The literal of a text.
pub(super) fn quoted(text: &str) -> String {
    sql::text(Dialect::Postgres, text)
}

impl Postgres {
    pub fn install_sql(&self, shops: &[ShopId], read: FenceRead) -> Vec<String> {
        let mut statements = vec![
            "create table if not exists balik_fence (shop text primary key, \
             closed boolean not null default false, epoch bigint not null default 0)"
                .to_owned(),
            "create table if not exists balik_void (shop text primary key, epoch bigint not null)".to_owned(),
            "create table if not exists balik_applied (shop text primary key, seq bigint not null default 0)"
                .to_owned(),
            "create table if not exists balik_origin (slot text primary key, begins pg_lsn not null)".to_owned(),
        ];
        statements.extend(shop_rows(shops));
        statements.push(truncate_function(read));
        for (no, table) in self.declared.each().filter(|(no, _)| self.declared.fenced(*no)) {
            statements.push(fence_function(&self.declared, no, table, read));
            statements.push(fence_triggers(no, table));
        }
        statements.extend(publish(&self.declared, &self.name));
        statements.extend(make_slot(&self.slot));
        statements
    }

    pub async fn install(&self, shops: &[ShopId], read: FenceRead) -> Result<()> {
        for statement in self.install_sql(shops, read) {
            self.patiently("install in", &statement).await?;
        }
        Ok(())
    }

    pub async fn uninstall(&self) -> Result<()> {
        for statement in self.named(TRIGGERS).await? {
            self.patiently("uninstall from", &format!("begin; {LOCK_TIMEOUT}; {statement}; commit")).await?;
        }
        for query in [PUBLICATIONS, FUNCTIONS] {
            for statement in self.named(query).await? {
                self.patiently("uninstall from", &statement).await?;
            }
        }
        self.drop_slots().await?;
        for statement in self.named(TABLES).await? {
            self.patiently("uninstall from", &statement).await?;
        }
        Ok(())
    }

    async fn named(&self, query: &str) -> Result<Vec<String>> {
        let rows = self.sessions.rows("look for our objects in", query).await?;
        (0..rows.len()).map(|row| cell_of(&rows, row, 0).map(str::to_owned)).collect()
    }

    /// A stream that is still open loses its slot.
    async fn drop_slots(&self) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            self.sessions.run("end the stream of", END_STREAMS).await?;
            // A slot may become active between the two: then the next round ends that.
            if let Err(error) = self.sessions.run("drop the slot of", DROP_SLOTS).await
                && error.refusal().map(DbError::code) != Some(&SqlState::OBJECT_IN_USE)
            {
                return Err(error);
            }
            if self.sessions.rows("look for slots in", OUR_SLOTS).await?.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Error::Interrupted("a slot stays in use"))
    }

    /// Repeats a statement whose lock was not to be had.
    async fn patiently(&self, act: &'static str, sql: &str) -> Result<()> {
        let mut attempt = 1;
        loop {
            match self.sessions.run(act, sql).await {
                Ok(_) => return Ok(()),
                Err(error)
                    if attempt < ATTEMPTS_MAX
                        && error.refusal().map(DbError::code) == Some(&SqlState::LOCK_NOT_AVAILABLE) =>
                {
                    tokio::time::sleep(PAUSE_MAX.min(PAUSE * attempt)).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn shop_rows(shops: &[ShopId]) -> Vec<String> {
    if shops.is_empty() {
        return Vec::new();
    }
    let rows: Vec<_> = shops.iter().map(|shop| format!("({})", quoted(shop.as_str()))).collect();
    let rows = rows.join(", ");
    let into = |table: &str| format!("insert into {table} (shop) values {rows} on conflict do nothing");
    vec![into("balik_fence"), into(APPLIED)]
}

const fn lock_clause(read: FenceRead) -> &'static str {
    match read {
        FenceRead::Locking => " for share",
        FenceRead::Plain => "",
    }
}

/// The fence's owner reads it, so that the legacy's roles need no right on our tables.
const FUNCTION_HEAD: &str = "returns trigger language plpgsql security definer set search_path from current as $balik$";

const PASS_WRITER: &str = "if current_setting('balik.writer', true) = 'on' then return null; end if;";

fn truncate_function(read: FenceRead) -> String {
    format!(
        "create or replace function balik_truncate() {FUNCTION_HEAD}\n\
         declare fence record;\nbegin\n  {PASS_WRITER}\n  \
         for fence in select f.shop, f.closed from balik_fence f order by f.shop{lock} loop\n    \
         if fence.closed then\n      {refuse}\n    end if;\n  end loop;\n  return null;\nend $balik$",
        lock = lock_clause(read),
        refuse = refuse("fence.shop"),
    )
}

fn refuse(shop: &str) -> String {
    format!(
        "raise exception 'balik_fence: shop % is closed for writing', {shop} using errcode = '{REFUSED}', \
         hint = 'the shop is being moved, or has been';"
    )
}

/// What a statement of ours meets in a table that is not as declared any more. A session that knew the table before has
/// kept the types that its columns had.
const UNLIKE: &str = "undefined_column or undefined_table or undefined_function or datatype_mismatch";

/// Finds the row's shop, before and after, and holds its fence open to the end of the writer's transaction. It runs
/// after the row's own triggers, so it sees the row as it will stand. A child whose parent is gone passes: the fence
/// stood before the parent.
///
/// A table that is not as declared must not fail its own program. There every change counts; and where not even the shop
/// can be found, so does every fence. The blocks in which that is caught write nothing, so they cost the writer no
/// transaction number.
fn fence_function(declared: &Declared, no: TableNo, table: &Table, read: FenceRead) -> String {
    let new = sql::shop_of(Dialect::Postgres, declared, no, "new");
    let old = sql::shop_of(Dialect::Postgres, declared, no, "old");
    let changed = held_columns(table).map(|column| {
        let name = ident(&column.name);
        format!("cast(new.{name} as text) is distinct from cast(old.{name} as text)")
    });
    let of_row = format!(
        "if tg_op = 'INSERT' then one := {new};\n    \
         elsif tg_op = 'DELETE' then one := {old};"
    );
    let both = format!("one := {old}; two := {new};");
    let look = format!(
        "select f.closed into shut from balik_fence f where f.shop = one{lock};\n    \
         if shut then\n      {refuse}\n    end if;",
        lock = lock_clause(read),
        refuse = refuse("one"),
    );
    // Nearly every row is of one shop before and after. A loop over shops is a query that sorts, for every row that is written.
    format!(
        "create or replace function {name}() {FUNCTION_HEAD}\n\
         declare one text; two text; fenced text[]; shut boolean;\nbegin\n  {PASS_WRITER}\n  begin\n    {of_row}\n    \
         elsif {changed} then {both}\n    \
         else return null;\n    end if;\n  \
         exception when {UNLIKE} then\n    begin\n    {of_row}\n    \
         else {both}\n    end if;\n    \
         exception when {UNLIKE} then\n    select array_agg(f.shop) into fenced from balik_fence f;\n    end;\n  \
         end;\n  \
         if fenced is null and (one = two) is not false then\n    \
         one := coalesce(one, two);\n    {look}\n    return null;\n  end if;\n  \
         for one in select distinct s from unnest(coalesce(fenced, array[one, two])) s order by s loop\n    \
         {look}\n  end loop;\n  return null;\nend $balik$",
        name = object("fence", no, table),
        changed = changed.collect::<Vec<_>>().join("\n      or "),
    )
}

fn fence_triggers(no: TableNo, table: &Table) -> String {
    let on = table_name(Dialect::Postgres, &table.name);
    let function = object("fence", no, table);
    format!(
        "begin; {LOCK_TIMEOUT}; \
         create or replace trigger balik_fence after insert or update or delete on {on} \
         for each row execute function {function}(); \
         create or replace trigger balik_truncate before truncate on {on} \
         for each statement execute function balik_truncate(); \
         alter table {on} enable always trigger balik_fence; \
         alter table {on} enable always trigger balik_truncate; commit"
    )
}

/// Secret columns are left out where there are some: they never leave the source.
fn publish(declared: &Declared, name: &str) -> Vec<String> {
    let publication = ident(&publication(name));
    let mut tables = ident(APPLIED);
    for (_, table) in declared.each() {
        let _ = write!(tables, ", {}", table_name(Dialect::Postgres, &table.name));
        if table.columns.iter().any(|column| column.usage == Use::Secret) {
            let open = table.columns.iter().filter(|column| column.usage != Use::Secret);
            let open: Vec<_> = open.map(|column| ident(&column.name)).collect();
            let _ = write!(tables, " ({})", open.join(", "));
        }
    }
    let exists = format!("select from pg_publication where pubname = {}", quoted(&self::publication(name)));
    vec![
        format!(
            "do $balik$ begin if not exists ({exists}) then create publication {publication} \
             with (publish_via_partition_root = true); end if; end $balik$"
        ),
        format!("alter publication {publication} set table {tables}"),
    ]
}

fn make_slot(slot: &str) -> Vec<String> {
    let slot = quoted(slot);
    let exists = format!("select from pg_replication_slots where slot_name = {slot}");
    vec![
        format!("delete from balik_origin where slot = {slot} and not exists ({exists})"),
        format!("select pg_create_logical_replication_slot({slot}, 'pgoutput') where not exists ({exists})"),
        format!(
            "insert into balik_origin (slot, begins) select slot_name, confirmed_flush_lsn from pg_replication_slots \
             where slot_name = {slot} on conflict do nothing"
        ),
    ]
}

const TRIGGERS: &str = "select format('drop trigger if exists %I on %s', tgname, tgrelid::regclass) from pg_trigger \
     where not tgisinternal and tgname like 'balik\\_%'";
const FUNCTIONS: &str = "select format('drop function if exists %s', oid::regprocedure) from pg_proc \
     where proname like 'balik\\_%'";
const PUBLICATIONS: &str =
    "select format('drop publication if exists %I', pubname) from pg_publication where pubname like 'balik\\_%'";
const TABLES: &str = "select format('drop table if exists %s', oid::regclass) from pg_class \
     where relkind = 'r' and relname like 'balik\\_%'";
const OUR_SLOTS: &str =
    "select slot_name from pg_replication_slots where database = current_database() and slot_name like 'balik\\_%'";
const END_STREAMS: &str = "select pg_terminate_backend(active_pid) from pg_replication_slots \
     where database = current_database() and slot_name like 'balik\\_%' and active_pid is not null";
const DROP_SLOTS: &str = "select pg_drop_replication_slot(slot_name) from pg_replication_slots \
     where database = current_database() and slot_name like 'balik\\_%' and not active";
