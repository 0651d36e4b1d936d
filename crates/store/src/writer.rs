//! A thread that writes: whatever waits becomes one durable transaction, answered after the sync. In a file, groups of light
//! imports are not synced; whoever made them asks for that before saying that they are done. SQLite has one such thread for
//! everything; PostgreSQL has several, each with shops of its own, and a group there is of one shop: two processes that lock
//! the heads of several would wait for each other in a ring.
//!
//! Each command runs in a savepoint of its own, so that a refusal undoes itself and none of its neighbours; what it left to be
//! said later is waited for inside it. On PostgreSQL a command without neighbours needs none: what it left is said with the
//! commit. A group never waits for more commands, and long commands weigh more, so that a group stays short.
//! Absent on purpose: what a command does. It gets the connection inside the transaction and nothing else.

use crate::error::Error;
use crate::sql::{Begin, Connection};
use crash::{Act, Phase};
use std::collections::VecDeque;
use tokio::sync::{mpsc, oneshot};
use vocab::id::ShopId;

/// The most that commits together.
const GROUP_WEIGHT_MAX: usize = 64;
/// Commands that may wait before senders do.
const WAITING_MAX: usize = 1024;
const _: () = assert!(WAITING_MAX >= GROUP_WEIGHT_MAX);

/// What a command is, as far as the writer minds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Commit,
    /// With the weight of its items, in commits.
    Import(usize),
    /// The same; a group of nothing else is durable with the next group that is synced and has changed something.
    Lightly(usize),
    Control,
    Inbox,
}

impl Door {
    const fn weight(self) -> usize {
        match self {
            Self::Commit | Self::Control | Self::Inbox => 1,
            Self::Import(weight) | Self::Lightly(weight) => weight,
        }
    }
}

/// A command's answer, held back until the group's sync: called with what became of the group.
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Whether the command's writes are kept, and its answer.
struct Done {
    keep: bool,
    answer: Answer,
}

/// Runs in its turn, or learns why it cannot.
type Run = Box<dyn FnOnce(Result<&Connection, Error>, Left) -> Done + Send>;

/// What becomes of statements that a command does not wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// They are waited for before it is done: their failure is its own.
    Settled,
    /// They go with the commit, whose failure is the command's, because there is no other.
    ToTheCommit,
}

struct Command {
    door: Door,
    /// Whose it is; none: the deployment's.
    shop: Option<ShopId>,
    run: Run,
}

/// The way to the writing thread, which ends when the last of these is gone.
pub struct Writer {
    commands: mpsc::Sender<Command>,
}

impl Writer {
    pub fn start(connection: Connection) -> Result<Self, Error> {
        let (commands, waiting) = mpsc::channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write(&connection, waiting))
            .map_err(|source| Error::Open {
                path: "the writer's thread".to_owned(),
                source: std::sync::Arc::new(source),
            })?;
        Ok(Self { commands })
    }

    /// Runs `act` in its turn; what it wrote is durable when this answers `Ok` (but for [`Door::Lightly`]),
    /// and undone when `act` said `Err`.
    pub async fn run<T, E>(
        &self,
        door: Door,
        shop: Option<ShopId>,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let run = move |connection: Result<&Connection, Error>, left| {
            let result = connection.map_err(E::from).and_then(|connection| {
                let value = act(connection)?;
                if left == Left::Settled {
                    connection.settle()?;
                }
                Ok(value)
            });
            let keep = result.is_ok();
            let answer = move |group: Result<(), Error>| {
                // Nobody may be waiting any more: the command stands all the same.
                drop(sender.send(result.and_then(|value| group.map(|()| value).map_err(E::from))));
            };
            Done { keep, answer: Box::new(answer) }
        };
        self.commands.send(Command { door, shop, run: Box::new(run) }).await.map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Closed)?
    }
}

fn write(connection: &Connection, mut commands: mpsc::Receiver<Command>) {
    let (mut received, mut syncs) = (Vec::with_capacity(GROUP_WEIGHT_MAX), true);
    while commands.blocking_recv_many(&mut received, GROUP_WEIGHT_MAX) > 0 {
        let mut waiting = VecDeque::from(std::mem::take(&mut received));
        while !waiting.is_empty() {
            let group = if connection.is_postgres() { next_of_one(&mut waiting) } else { next_group(&mut waiting) };
            commit_group(connection, group, &mut syncs);
        }
    }
}

/// The first that waits, and those after it that fit beside it.
fn next_group(waiting: &mut VecDeque<Command>) -> Vec<Command> {
    let mut weight = 0;
    let fits = waiting.iter().take_while(|command| {
        weight += command.door.weight();
        weight <= GROUP_WEIGHT_MAX
    });
    let count = fits.count().max(1);
    waiting.drain(..count).collect()
}

/// The first that waits, and those of the same shop that fit beside it. Those of others wait in their order.
fn next_of_one(waiting: &mut VecDeque<Command>) -> Vec<Command> {
    let (mut group, mut others) = (Vec::new(), VecDeque::new());
    let mut weight = 0;
    for command in waiting.drain(..) {
        let same = group.first().is_none_or(|first: &Command| first.shop == command.shop);
        // None of a shop overtakes another of it.
        let follows = !others.iter().any(|other: &Command| other.shop == command.shop);
        if same && follows && (group.is_empty() || weight + command.door.weight() <= GROUP_WEIGHT_MAX) {
            weight += command.door.weight();
            group.push(command);
        } else {
            others.push_back(command);
        }
    }
    *waiting = others;
    group
}

/// Whether an SQLite connection syncs each commit is `syncs`, and changed here only.
fn commit_group(connection: &Connection, group: Vec<Command>, syncs: &mut bool) {
    let lightly = group.iter().all(|command| matches!(command.door, Door::Lightly(_)));
    let commits = group.iter().any(|command| command.door == Door::Commit);
    let reach = |phase| {
        if commits {
            crash::reach(Act::ShopCommit, phase);
        }
    };
    reach(Phase::Before);
    let mut state = begin(connection, &group, lightly, syncs);
    let alone = connection.is_postgres() && group.len() == 1;
    let (mut answers, mut keep) = (Vec::with_capacity(group.len()), true);
    for Command { run, .. } in group {
        let done = if alone {
            run(state.clone().map(|()| connection), Left::ToTheCommit)
        } else {
            in_savepoint(connection, run, &mut state)
        };
        keep = done.keep || !alone;
        answers.push(done.answer);
    }
    reach(Phase::During);
    let state = state.and_then(|()| if keep { commit(connection) } else { connection.rollback("undo of a command") });
    match &state {
        Ok(()) => reach(Phase::After),
        Err(error) => undo(connection, error),
    }
    for answer in answers {
        answer(state.clone());
    }
}

fn begin(connection: &Connection, group: &[Command], lightly: bool, syncs: &mut bool) -> Result<(), Error> {
    let what = "begin of a group";
    if !connection.is_postgres() {
        sync(connection, !lightly, syncs)?;
        return connection.begin(Begin::Write, what);
    }
    connection.begin(if lightly { Begin::WriteLightly } else { Begin::Write }, what)?;
    // What belongs to no shop is written by one process at a time: numbers are given there, and leases taken.
    if group.iter().any(|command| command.shop.is_none()) {
        connection.run_later("select pg_advisory_xact_lock(7203111)", what)?;
    }
    Ok(())
}

/// A server that goes away just then may have committed or not.
fn commit(connection: &Connection) -> Result<(), Error> {
    connection.settle_begin()?;
    let committed = connection.commit("commit of a group");
    if committed.is_err() && connection.is_gone() { Err(Error::Closed) } else { committed }
}

/// Makes the connection sync each commit, or not. Who cannot make it sync is told so by an error, and nothing is written.
fn sync(connection: &Connection, wanted: bool, syncs: &mut bool) -> Result<(), Error> {
    if wanted != *syncs {
        let sql = if wanted { "pragma synchronous = full" } else { "pragma synchronous = normal" };
        connection.batch("begin of a group", sql)?;
        *syncs = wanted;
    }
    Ok(())
}

/// Runs one command; its refusal rolls back its own writes. A failure of the savepoint itself is the group's: the
/// database may have ended the whole transaction (full disk, I/O error).
fn in_savepoint(connection: &Connection, run: Run, state: &mut Result<(), Error>) -> Done {
    let begun = state.clone().and_then(|()| connection.savepoint("begin of a command"));
    let done = run(begun.clone().map(|()| connection), Left::Settled);
    *state = begun.and_then(|()| {
        if done.keep { connection.release("end of a command") } else { connection.undo("undo of a command") }
    });
    done
}

fn undo(connection: &Connection, error: &Error) {
    tracing::error!(%error, cause = ?std::error::Error::source(error), "a group of commands was not stored");
    if !connection.is_in_transaction() {
        return;
    }
    if let Err(error) = connection.rollback("undo of a group") {
        tracing::error!(%error, cause = ?std::error::Error::source(&error), "a group could not be undone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql;

    fn writer() -> Writer {
        let connection = Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        connection.batch("test", "create table t (n integer primary key)").unwrap();
        Writer::start(connection).unwrap()
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<usize, Error> + Send + 'static {
        move |connection| sql::execute(connection, "insert", "insert into t values (?1)", [n])
    }

    async fn all(writer: &Writer) -> Vec<i64> {
        let read = |connection: &Connection| -> Result<Vec<i64>, Error> {
            crate::sql::all(connection, "read", "select n from t order by n", sql::NOTHING, |row| {
                crate::sql::cell(row, 0)
            })
        };
        writer.run(Door::Control, None, read).await.unwrap()
    }

    #[tokio::test]
    async fn a_failed_command_undoes_itself_only() {
        let writer = writer();
        let (first, again, second) = tokio::join!(
            writer.run(Door::Control, None, insert(1)),
            writer.run(Door::Control, None, insert(1)),
            writer.run(Door::Control, None, insert(2)),
        );
        assert!(first.is_ok() && again.is_err() && second.is_ok());
        assert_eq!(all(&writer).await, [1, 2]);
    }

    #[tokio::test]
    async fn when_the_whole_transaction_ends_nobody_of_the_group_is_told_yes() {
        let writer = writer();
        // As SQLite itself does when the disk is full.
        let end = |connection: &Connection| connection.batch("test", "rollback");
        let (sent, ended) = (Vec::from([1, 2]), writer.run(Door::Control, None, end));
        let (ended, first, second) = tokio::join!(
            ended,
            writer.run(Door::Control, None, insert(sent[0])),
            writer.run(Door::Control, None, insert(sent[1])),
        );
        assert!(ended.is_err());
        let kept: Vec<i64> =
            sent.into_iter().zip([first, second]).filter_map(|(n, answer)| answer.ok().map(|_| n)).collect();
        assert_eq!(all(&writer).await, kept);
        assert!(writer.run(Door::Control, None, insert(3)).await.is_ok());
    }

    #[tokio::test]
    async fn only_groups_of_nothing_but_light_imports_are_not_synced() {
        let writer = writer();
        let level = |connection: &Connection| -> Result<i64, Error> {
            let level = sql::first(connection, "test", "pragma synchronous", sql::NOTHING, |row| sql::cell(row, 0))?;
            Ok(level.unwrap())
        };
        let (normal, full) = (1, 2);
        for (door, expected) in [
            (Door::Commit, full),
            (Door::Lightly(1), normal),
            (Door::Lightly(1), normal),
            (Door::Control, full),
            (Door::Lightly(1), normal),
            (Door::Import(1), full),
        ] {
            assert_eq!(writer.run(door, None, level).await.unwrap(), expected, "{door:?}");
        }
    }

    #[test]
    fn long_commands_fill_a_group_and_the_first_always_fits() {
        let command = |door| {
            let run = |_: Result<&Connection, Error>, _| Done { keep: true, answer: Box::new(drop) };
            Command { door, shop: None, run: Box::new(run) }
        };
        let doors = [Door::Import(40), Door::Commit, Door::Import(40), Door::Import(100), Door::Commit];
        let mut waiting: VecDeque<Command> = doors.into_iter().map(command).collect();
        let groups: Vec<usize> =
            std::iter::from_fn(|| (!waiting.is_empty()).then(|| next_group(&mut waiting).len())).collect();
        assert_eq!(groups, [2, 1, 1, 1]);
    }

    #[test]
    fn a_group_of_one_shop_is_overtaken_by_none_of_it_and_keeps_no_other() {
        let command = |(shop, n): (&str, usize)| {
            let run = |_: Result<&Connection, Error>, _| Done { keep: true, answer: Box::new(drop) };
            Command { door: Door::Import(n), shop: ShopId::parse(shop).ok(), run: Box::new(run) }
        };
        let all = [("a", 1), ("b", 2), ("a", 3), ("a", 62), ("b", 4), ("a", 1), ("c", 5)];
        let mut waiting: VecDeque<Command> = all.into_iter().map(command).collect();
        let said = |command: Command| (command.shop.unwrap().to_string(), command.door.weight());
        let groups: Vec<Vec<(String, usize)>> = std::iter::from_fn(|| {
            (!waiting.is_empty()).then(|| next_of_one(&mut waiting).into_iter().map(said).collect())
        })
        .collect();
        let own = |group: &[(&str, usize)]| group.iter().map(|(shop, n)| ((*shop).to_owned(), *n)).collect::<Vec<_>>();
        let expected =
            [own(&[("a", 1), ("a", 3)]), own(&[("b", 2), ("b", 4)]), own(&[("a", 62), ("a", 1)]), own(&[("c", 5)])];
        assert_eq!(groups, expected);
    }
}
