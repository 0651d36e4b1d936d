//! What the server and our role there can do.

use super::{Eye, catalogue};
use crate::error::Result;
use crate::inspect::{Code, TABLES_MAX, Traps};
use crate::postgres::preflight::VERSION_MIN;
use crate::postgres::session::{cell_of, number};
use crate::sql::ident;

/// The oldest server whose catalogue is as we read it.
const CATALOGUE_MIN: u32 = 130_000;
/// What a move takes for itself, and one for whoever looks.
const FREE_WANTED: u64 = 2;

pub(super) struct Server {
    /// As the server counts: 150018 is 15.18.
    number: u32,
    pub version: String,
    wal_level: String,
    slots: Places,
    senders: Places,
    sees_sessions: bool,
    may_replicate: bool,
    /// Ours, quoted.
    pub role: String,
    /// How many tables there are, looked at or not.
    pub tables: u64,
}

/// How many there may be, and how many are taken.
struct Places {
    most: u64,
    taken: u64,
}

impl Server {
    /// Its catalogue says other things in other places.
    pub fn is_too_old(&self) -> bool {
        self.number < CATALOGUE_MIN
    }
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
    let figure = |column| text(column).and_then(number::<u64>);
    let server = Server {
        number: number(text(0)?)?,
        // Distributors write more behind it.
        version: text(1)?.split(' ').next().unwrap_or_default().to_owned(),
        wal_level: text(2)?.to_owned(),
        slots: Places { most: figure(3)?, taken: figure(4)? },
        senders: Places { most: figure(5)?, taken: figure(6)? },
        sees_sessions: figure(7)? > 0,
        may_replicate: figure(8)? > 0,
        role: ident(text(9)?),
        tables: figure(10)?,
    };
    tell(&server, traps);
    Ok(server)
}

fn tell(server: &Server, traps: &mut Traps) {
    let Server { version, wal_level, role, tables, .. } = server;
    if server.number < VERSION_MIN {
        traps.server(Code::Version, format!("it is PostgreSQL {version}; 15 or newer is needed"), None);
    }
    if wal_level != "logical" {
        let mend = "alter system set wal_level = 'logical'; -- then restart the server".to_owned();
        traps.server(Code::WalLevel, format!("wal_level is {wal_level}"), Some(mend));
    }
    let places = [
        (Code::SlotsFull, "max_replication_slots", &server.slots),
        (Code::SendersFull, "max_wal_senders", &server.senders),
    ];
    for (code, setting, Places { most, taken }) in places {
        if taken >= most {
            let mend = format!("alter system set {setting} = {}; -- then restart the server", taken + FREE_WANTED);
            traps.server(code, format!("{setting} is {most}, and {taken} are taken"), Some(mend));
        }
    }
    if !server.may_replicate {
        let mend = format!("alter role {role} replication;");
        traps.server(Code::NoReplication, format!("role {role} has no REPLICATION"), Some(mend));
    }
    if !server.sees_sessions {
        let mend = format!("grant pg_read_all_stats to {role};");
        traps.server(Code::SessionsHidden, format!("role {role} is no member of pg_read_all_stats"), Some(mend));
    }
    if server.is_too_old() {
        traps.server(Code::Unread, format!("{tables} tables: the catalogue of this server is too old"), None);
    } else if *tables > TABLES_MAX {
        traps.server(Code::Unread, format!("{} tables more than {TABLES_MAX}", tables - TABLES_MAX), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Server), expected: &str) {
        let mut server = Server {
            number: 150_018,
            version: "15.18".to_owned(),
            wal_level: "logical".to_owned(),
            slots: Places { most: 10, taken: 9 },
            senders: Places { most: 10, taken: 9 },
            sees_sessions: true,
            may_replicate: true,
            role: "\"peeping\"".to_owned(),
            tables: TABLES_MAX,
        };
        change(&mut server);
        let mut traps = Traps::default();
        tell(&server, &mut traps);
        let told = traps.take().into_iter().map(|trap| {
            let mend = trap.mend.unwrap_or_else(|| "-".to_owned());
            format!("{}: {} | {mend}", trap.code.name(), trap.detail)
        });
        assert_eq!(told.collect::<Vec<_>>().join("\n"), expected);
    }

    #[test]
    fn a_server_says_what_keeps_a_move_from_following_it() {
        check(|_| (), "");
        check(
            |server| server.wal_level = "replica".to_owned(),
            "wal_level: wal_level is replica | alter system set wal_level = 'logical'; -- then restart the server",
        );
        check(
            |server| server.slots = Places { most: 4, taken: 4 },
            "slots_full: max_replication_slots is 4, and 4 are taken | \
             alter system set max_replication_slots = 6; -- then restart the server",
        );
        check(
            |server| server.senders = Places { most: 0, taken: 0 },
            "senders_full: max_wal_senders is 0, and 0 are taken | \
             alter system set max_wal_senders = 2; -- then restart the server",
        );
        check(
            |server| server.may_replicate = false,
            "no_replication: role \"peeping\" has no REPLICATION | alter role \"peeping\" replication;",
        );
        check(
            |server| server.sees_sessions = false,
            "sessions_hidden: role \"peeping\" is no member of pg_read_all_stats | \
             grant pg_read_all_stats to \"peeping\";",
        );
        check(|server| server.number = 140_011, "version: it is PostgreSQL 15.18; 15 or newer is needed | -");
        check(|server| server.tables = TABLES_MAX + 3, "unread: 3 tables more than 2000 | -");
        check(
            |server| server.number = 120_000,
            "version: it is PostgreSQL 15.18; 15 or newer is needed | -\n\
             unread: 2000 tables: the catalogue of this server is too old | -",
        );
    }
}
