//! What the server and our role there can do.

use super::{Eye, catalogue};
use crate::error::Result;
use crate::inspect::{Code, TABLES_MAX, Traps};
use crate::postgres::preflight::VERSION_MIN;
use crate::postgres::session::{cell_of, number};
use crate::sql::ident;

/// The oldest server whose catalogue is as we read it.
const CATALOGUE_MIN: i64 = 130_000;
/// What a move takes for itself, and one for whoever looks.
const FREE_WANTED: i64 = 2;

pub(super) struct Server {
    pub version: String,
    /// Ours, quoted.
    pub role: String,
    /// How many tables there are, looked at or not.
    pub tables: u64,
    pub is_too_old: bool,
}

pub(super) async fn look(eye: &Eye, traps: &mut Traps) -> Result<Server> {
    let sql = format!(
        "select current_setting('server_version_num'), current_setting('server_version'), \
         current_setting('wal_level'), current_setting('max_replication_slots')::int, \
         (select count(*) from pg_replication_slots), current_setting('max_wal_senders')::int, \
         (select count(*) from pg_stat_replication), pg_has_role(current_user, 'pg_read_all_stats', 'usage')::int, \
         (select (rolreplication or rolsuper)::int from pg_roles where rolname = current_user), current_user, \
         (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where {})",
        catalogue::OF_OTHERS
    );
    let rows = eye.catalogue(&sql).await?;
    let text = |column| cell_of(&rows, 0, column);
    let figure = |column| text(column).and_then(number::<i64>);
    let version = text(1)?.split(' ').next().unwrap_or_default().to_owned();
    if figure(0)? < i64::from(VERSION_MIN) {
        traps.server(Code::Version, format!("it is PostgreSQL {version}; 15 or newer is needed"), None);
    }
    if text(2)? != "logical" {
        let mend = "alter system set wal_level = 'logical'; -- then restart the server".to_owned();
        traps.server(Code::WalLevel, format!("wal_level is {}", text(2)?), Some(mend));
    }
    let full = [
        (Code::SlotsFull, "max_replication_slots", figure(3)?, figure(4)?),
        (Code::SendersFull, "max_wal_senders", figure(5)?, figure(6)?),
    ];
    for (code, setting, most, used) in full {
        if most - used < 1 {
            let mend = format!("alter system set {setting} = {}; -- then restart the server", used + FREE_WANTED);
            traps.server(code, format!("{setting} is {most}, and {used} are taken"), Some(mend));
        }
    }
    let role = ident(text(9)?);
    if figure(8)? == 0 {
        let mend = format!("alter role {role} replication;");
        traps.server(Code::NoReplication, format!("role {role} has no REPLICATION"), Some(mend));
    }
    if figure(7)? == 0 {
        let mend = format!("grant pg_read_all_stats to {role};");
        traps.server(Code::SessionsHidden, format!("role {role} is no member of pg_read_all_stats"), Some(mend));
    }
    let tables: u64 = number(text(10)?)?;
    let is_too_old = figure(0)? < CATALOGUE_MIN;
    if is_too_old {
        traps.server(Code::Unread, format!("{tables} tables: the catalogue of this server is too old"), None);
    } else if tables > TABLES_MAX {
        traps.server(Code::Unread, format!("{} tables more than {TABLES_MAX}", tables - TABLES_MAX), None);
    }
    Ok(Server { version, role, tables, is_too_old })
}
