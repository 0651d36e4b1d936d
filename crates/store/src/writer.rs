//! The one thread that writes: whatever waits becomes one durable transaction, answered after the sync. Only groups of light
//! imports are not synced; whoever made them asks for that before saying that they are done.
//!
//! Each command runs in a savepoint of its own, so that a refusal undoes itself and none of its neighbours. A group
//! never waits for more commands, and long commands weigh more, so that a group stays short.
//! Absent on purpose: what a command does. It gets the connection inside the transaction and nothing else.

use crate::error::{Error, during};
use crash::{Act, Phase};
use rusqlite::Connection;
use std::collections::VecDeque;
use tokio::sync::{mpsc, oneshot};

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
type Run = Box<dyn FnOnce(Result<&Connection, Error>) -> Done + Send>;

struct Command {
    door: Door,
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
            .map_err(|source| Error::Open { path: "the writer's thread".to_owned(), source: source.into() })?;
        Ok(Self { commands })
    }

    /// Runs `act` in its turn; what it wrote is durable when this answers `Ok` (but for [`Door::Lightly`]),
    /// and undone when `act` said `Err`.
    pub async fn run<T, E>(
        &self,
        door: Door,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let run = move |connection: Result<&Connection, Error>| {
            let result = connection.map_err(E::from).and_then(act);
            let keep = result.is_ok();
            let answer = move |group: Result<(), Error>| {
                // Nobody may be waiting any more: the command stands all the same.
                drop(sender.send(result.and_then(|value| group.map(|()| value).map_err(E::from))));
            };
            Done { keep, answer: Box::new(answer) }
        };
        self.commands.send(Command { door, run: Box::new(run) }).await.map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Closed)?
    }
}

fn write(connection: &Connection, mut commands: mpsc::Receiver<Command>) {
    let (mut received, mut syncs) = (Vec::with_capacity(GROUP_WEIGHT_MAX), true);
    while commands.blocking_recv_many(&mut received, GROUP_WEIGHT_MAX) > 0 {
        let mut waiting = VecDeque::from(std::mem::take(&mut received));
        while !waiting.is_empty() {
            commit_group(connection, next_group(&mut waiting), &mut syncs);
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

/// Whether the connection syncs each commit is `syncs`, and changed here only.
fn commit_group(connection: &Connection, group: Vec<Command>, syncs: &mut bool) {
    let lightly = group.iter().all(|command| matches!(command.door, Door::Lightly(_)));
    let commits = group.iter().any(|command| command.door == Door::Commit);
    let reach = |phase| {
        if commits {
            crash::reach(Act::ShopCommit, phase);
        }
    };
    reach(Phase::Before);
    let mut state = sync(connection, !lightly, syncs);
    state = state.and_then(|()| execute(connection, "begin immediate", "begin of a group"));
    let answers: Vec<Answer> =
        group.into_iter().map(|command| in_savepoint(connection, command.run, &mut state)).collect();
    reach(Phase::During);
    let state = state.and_then(|()| execute(connection, "commit", "commit of a group"));
    match &state {
        Ok(()) => reach(Phase::After),
        Err(error) => undo(connection, error),
    }
    for answer in answers {
        answer(state.clone());
    }
}

/// Makes the connection sync each commit, or not. Who cannot make it sync is told so by an error, and nothing is written.
fn sync(connection: &Connection, wanted: bool, syncs: &mut bool) -> Result<(), Error> {
    if wanted != *syncs {
        let sql = if wanted { "pragma synchronous = full" } else { "pragma synchronous = normal" };
        connection.execute_batch(sql).map_err(during("begin of a group"))?;
        *syncs = wanted;
    }
    Ok(())
}

/// Runs one command; its refusal rolls back its own writes. A failure of the savepoint itself is the group's: the
/// database may have ended the whole transaction (full disk, I/O error).
fn in_savepoint(connection: &Connection, run: Run, state: &mut Result<(), Error>) -> Answer {
    let begun = state.clone().and_then(|()| execute(connection, "savepoint command", "begin of a command"));
    let done = run(begun.clone().map(|()| connection));
    *state = begun.and_then(|()| {
        if !done.keep {
            execute(connection, "rollback to command", "undo of a command")?;
        }
        execute(connection, "release command", "end of a command")
    });
    done.answer
}

fn undo(connection: &Connection, error: &Error) {
    tracing::error!(%error, cause = ?std::error::Error::source(error), "a group of commands was not stored");
    if connection.is_autocommit() {
        return;
    }
    if let Err(error) = execute(connection, "rollback", "undo of a group") {
        tracing::error!(%error, cause = ?std::error::Error::source(&error), "a group could not be undone");
    }
}

fn execute(connection: &Connection, sql: &str, act: &'static str) -> Result<(), Error> {
    let run = || connection.prepare_cached(sql)?.execute([]);
    run().map(drop).map_err(during(act))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::params;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("create table t (n integer primary key)").unwrap();
        Writer::start(connection).unwrap()
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<usize, Error> + Send + 'static {
        move |connection| connection.execute("insert into t values (?1)", params![n]).map_err(during("insert"))
    }

    async fn all(writer: &Writer) -> Vec<i64> {
        let read = |connection: &Connection| -> Result<Vec<i64>, Error> {
            crate::sql::all(connection, "read", "select n from t order by n", [], |row| crate::sql::cell(row, 0))
        };
        writer.run(Door::Control, read).await.unwrap()
    }

    #[tokio::test]
    async fn a_failed_command_undoes_itself_only() {
        let writer = writer();
        let (first, again, second) = tokio::join!(
            writer.run(Door::Control, insert(1)),
            writer.run(Door::Control, insert(1)),
            writer.run(Door::Control, insert(2)),
        );
        assert!(first.is_ok() && again.is_err() && second.is_ok());
        assert_eq!(all(&writer).await, [1, 2]);
    }

    #[tokio::test]
    async fn when_the_whole_transaction_ends_nobody_of_the_group_is_told_yes() {
        let writer = writer();
        // As SQLite itself does when the disk is full.
        let end = |connection: &Connection| connection.execute_batch("rollback").map_err(during("test"));
        let (sent, ended) = (Vec::from([1, 2]), writer.run(Door::Control, end));
        let (ended, first, second) = tokio::join!(
            ended,
            writer.run(Door::Control, insert(sent[0])),
            writer.run(Door::Control, insert(sent[1])),
        );
        assert!(ended.is_err());
        let kept: Vec<i64> =
            sent.into_iter().zip([first, second]).filter_map(|(n, answer)| answer.ok().map(|_| n)).collect();
        assert_eq!(all(&writer).await, kept);
        assert!(writer.run(Door::Control, insert(3)).await.is_ok());
    }

    #[tokio::test]
    async fn only_groups_of_nothing_but_light_imports_are_not_synced() {
        let writer = writer();
        let level = |connection: &Connection| -> Result<i64, Error> {
            connection.query_row("pragma synchronous", [], |row| row.get(0)).map_err(during("test"))
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
            assert_eq!(writer.run(door, level).await.unwrap(), expected, "{door:?}");
        }
    }

    #[test]
    fn long_commands_fill_a_group_and_the_first_always_fits() {
        let command = |door| {
            let run = |_: Result<&Connection, Error>| Done { keep: true, answer: Box::new(drop) };
            Command { door, run: Box::new(run) }
        };
        let doors = [Door::Import(40), Door::Commit, Door::Import(40), Door::Import(100), Door::Commit];
        let mut waiting: VecDeque<Command> = doors.into_iter().map(command).collect();
        let groups: Vec<usize> =
            std::iter::from_fn(|| (!waiting.is_empty()).then(|| next_group(&mut waiting).len())).collect();
        assert_eq!(groups, [2, 1, 1, 1]);
    }
}
