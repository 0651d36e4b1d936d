//! Compares a PostgreSQL source with the declared tables, and looks whether it can be followed at all.

use super::Postgres;
use super::cell::fits;
use super::install::quoted;
use super::session::{cell_of, number};
use crate::error::Result;
use crate::finding::{Code, Finding};
use crate::sql::{Dialect, table_name};
use vocab::id::Name;
use vocab::row::{Table, TableNo, Use};

/// The oldest server whose publications can leave columns out.
pub(super) const VERSION_MIN: u32 = 150_000;

const SERVER: &str = "select current_setting('server_version_num'), current_setting('wal_level'), \
     current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots), \
     current_setting('max_wal_senders')::int - (select count(*) from pg_stat_replication), \
     pg_has_role(current_user, 'pg_read_all_stats', 'usage')::int";

struct Found {
    name: String,
    oid: u32,
    modifier: i64,
    required: bool,
    in_key: bool,
    type_name: String,
}

impl Postgres {
    pub async fn preflight(&self) -> Result<Vec<Finding>> {
        let mut findings = self.server().await?;
        for (no, table) in self.declared.each() {
            findings.extend(self.table(no, table).await?);
        }
        Ok(findings)
    }

    async fn server(&self) -> Result<Vec<Finding>> {
        let rows = self.sessions.rows("read the settings of", SERVER).await?;
        let figure = |column| cell_of(&rows, 0, column).and_then(number::<i64>);
        let wal_level = cell_of(&rows, 0, 1)?;
        let slot = quoted(&self.slot);
        let has_slot = format!("select 1 from pg_replication_slots where slot_name = {slot}");
        let has_slot = !self.sessions.rows("look for slots in", &has_slot).await?.is_empty();
        let checks = [
            (figure(0)? < i64::from(VERSION_MIN), Code::Version, "PostgreSQL 15 or newer is needed".to_owned()),
            (wal_level != "logical", Code::WalLevel, format!("wal_level is {wal_level}, it must be logical")),
            (!has_slot && figure(2)? < 1, Code::SlotsFull, "max_replication_slots leaves no slot".to_owned()),
            (!has_slot && figure(3)? < 1, Code::SendersFull, "max_wal_senders leaves no sender".to_owned()),
            (figure(4)? == 0, Code::SessionsHidden, "our role needs pg_read_all_stats".to_owned()),
        ];
        let found = checks.into_iter().filter(|(wrong, _, _)| *wrong);
        Ok(found.map(|(_, code, detail)| Finding { code, table: None, detail }).collect())
    }

    async fn table(&self, no: TableNo, table: &Table) -> Result<Vec<Finding>> {
        let mut findings = Findings { table: Name::clone(&table.name), list: Vec::new() };
        let name = quoted(&table_name(Dialect::Postgres, &table.name));
        let rows = self.sessions.rows("read the catalogue of", &format!("select to_regclass({name})")).await?;
        if cell_of(&rows, 0, 0).is_err() {
            findings.add(Code::TableMissing, "it does not exist".to_owned());
            return Ok(findings.list);
        }
        let columns = self.columns(&name).await?;
        compare_columns(table, &columns, &mut findings);
        compare_key(table, &columns, &mut findings);
        self.identity(&name, table, &columns, &mut findings).await?;
        self.side_effects(&name, &mut findings).await?;
        self.sequence_stands(no, &mut findings).await?;
        Ok(findings.list)
    }

    async fn columns(&self, name: &str) -> Result<Vec<Found>> {
        let sql = format!(
            "select a.attname, a.atttypid, a.atttypmod, a.attnotnull::int, \
             coalesce((select (a.attnum = any(i.indkey))::int from pg_index i \
               where i.indrelid = a.attrelid and i.indisprimary), 0), format_type(a.atttypid, a.atttypmod) \
             from pg_attribute a where a.attrelid = {name}::regclass and a.attnum > 0 and not a.attisdropped \
             order by a.attnum"
        );
        let rows = self.sessions.rows("read the catalogue of", &sql).await?;
        let found = |row| {
            let text = |column| cell_of(&rows, row, column);
            Ok(Found {
                name: text(0)?.to_owned(),
                oid: number(text(1)?)?,
                modifier: number(text(2)?)?,
                required: text(3)? == "1",
                in_key: text(4)? == "1",
                type_name: text(5)?.to_owned(),
            })
        };
        (0..rows.len()).map(found).collect()
    }

    /// The stream must carry the declared key of every changed row.
    async fn identity(&self, name: &str, table: &Table, columns: &[Found], findings: &mut Findings) -> Result<()> {
        let sql = format!("select relreplident from pg_class where oid = {name}::regclass");
        let rows = self.sessions.rows("read the catalogue of", &sql).await?;
        let identity = cell_of(&rows, 0, 0)?;
        let secret = table.columns.iter().any(|column| column.usage == Use::Secret);
        let keyed = key_matches(table, columns);
        match identity {
            "f" if secret => findings
                .add(Code::ReplicaIdentity, "it is full, so secret columns could not be kept in the source".to_owned()),
            "f" => {}
            "d" if keyed => {}
            _ => findings.add(Code::ReplicaIdentity, "the stream would not carry the declared key".to_owned()),
        }
        Ok(())
    }

    async fn side_effects(&self, name: &str, findings: &mut Findings) -> Result<()> {
        let triggers = format!(
            "select tgname, pg_get_triggerdef(oid) from pg_trigger where tgrelid = {name}::regclass \
             and not tgisinternal and tgname not like 'balik\\_%' order by tgname"
        );
        let rows = self.sessions.rows("read the catalogue of", &triggers).await?;
        for row in 0..rows.len() {
            findings.add(Code::LegacyTrigger, cell_of(&rows, row, 1)?.to_owned());
        }
        let cascades = format!(
            "select pg_get_constraintdef(oid) from pg_constraint where conrelid = {name}::regclass \
             and contype = 'f' and (confdeltype in ('c', 'n', 'd') or confupdtype in ('c', 'n', 'd')) order by 1"
        );
        let rows = self.sessions.rows("read the catalogue of", &cascades).await?;
        for row in 0..rows.len() {
            findings.add(Code::Cascade, cell_of(&rows, row, 0)?.to_owned());
        }
        Ok(())
    }

    async fn sequence_stands(&self, no: TableNo, findings: &mut Findings) -> Result<()> {
        let Some(sequence) = self.sequence(no).await? else {
            findings.add(Code::NoSequence, "its key has no sequence: no block of ids can be taken".to_owned());
            return Ok(());
        };
        let sql = format!("{}; select last_value from {sequence}", self.largest_key(no));
        let answers = self.sessions.run("read a sequence of", &sql).await?;
        let figure = |place: usize| match answers.get(place) {
            Some(answer) => cell_of(&answer.rows, 0, 0).and_then(number::<i64>),
            None => Ok(0),
        };
        let (largest, last) = (figure(0)?, figure(1)?);
        if largest > last {
            findings.add(Code::SequenceBehind, format!("the sequence is at {last}, the largest key {largest}"));
        }
        Ok(())
    }
}

struct Findings {
    table: Name,
    list: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, code: Code, detail: String) {
        self.list.push(Finding { code, table: Some(Name::clone(&self.table)), detail });
    }
}

fn compare_columns(table: &Table, columns: &[Found], findings: &mut Findings) {
    for declared in &table.columns {
        let Some(found) = columns.iter().find(|found| *found.name == *declared.name) else {
            findings.add(Code::ColumnMissing, format!("`{}` does not exist", declared.name));
            continue;
        };
        if !fits(&declared.ty, found.oid, found.modifier) {
            let detail = format!("`{}` is {}, declared {:?}", declared.name, found.type_name, declared.ty);
            findings.add(Code::TypeDiffers, detail);
        }
        if declared.nullable == found.required {
            let word = if found.required { "never null" } else { "nullable" };
            findings.add(Code::NullDiffers, format!("`{}` is {word}, declared otherwise", declared.name));
        }
    }
    for found in columns.iter().filter(|found| table.column(&found.name).is_none()) {
        findings.add(Code::ColumnUnknown, format!("`{}` is not declared", found.name));
    }
}

fn compare_key(table: &Table, columns: &[Found], findings: &mut Findings) {
    if !key_matches(table, columns) {
        let found: Vec<_> = columns.iter().filter(|found| found.in_key).map(|found| found.name.as_str()).collect();
        findings.add(Code::KeyDiffers, format!("its primary key is ({})", found.join(", ")));
    }
}

fn key_matches(table: &Table, columns: &[Found]) -> bool {
    let mut declared: Vec<&str> = table.key.iter().map(|&column| &*table.columns[column].name).collect();
    let mut found: Vec<&str> = columns.iter().filter(|found| found.in_key).map(|found| found.name.as_str()).collect();
    declared.sort_unstable();
    found.sort_unstable();
    declared == found
}
