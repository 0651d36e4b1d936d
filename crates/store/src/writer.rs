//! A thread that writes: whatever waits becomes one durable transaction, answered after the sync. In a file, groups of light
//! imports are not synced; whoever made them asks for that before saying that they are done. SQLite has one such thread for
//! everything; PostgreSQL has several, each with shops of its own, and a group there is of one shop: two processes that lock
//! the heads of several would wait for each other in a ring.
//!
//! A group of nothing but commits of shops is made in one breath (`commits.rs`), and only where the database fails it one by one.
//! Any other command runs in a savepoint of its own, so that a refusal undoes itself and none of its neighbours; what it left to
//! be said later is waited for inside it. On PostgreSQL a command without neighbours needs none: what it left is said with the
//! commit. A group never waits for more commands, and long commands weigh more, so that a group stays short.
//! Absent on purpose: what a command does. It gets the connection inside the transaction and nothing else.

mod commits;

use crate::commit::{CommitError, Committed, Prepared};
use crate::error::Error;
use crate::sql::{Begin, Connection};
use commits::Asked;
pub use commits::is_ones_own_fault;
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
    work: Work,
}

enum Work {
    Alone(Run),
    /// What can be made together with others of the kind.
    Commit(Box<Asked>),
}

impl Command {
    const fn is_commit(&self) -> bool {
        matches!(self.work, Work::Commit(_))
    }
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
        self.commands
            .send(Command { door, shop, work: Work::Alone(answering(act, sender)) })
            .await
            .map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Closed)?
    }

    /// Makes a commit in its turn, which is durable when this answers `Ok`.
    pub async fn commit(&self, prepared: Prepared) -> Result<Committed, CommitError> {
        let (sender, receiver) = oneshot::channel();
        let (door, shop) = (Door::Commit, Some(prepared.commit.shop.clone()));
        let by_itself = prepared.is_by_itself();
        let asked = Asked::new(prepared, sender);
        let work = if by_itself { Work::Alone(asked.alone()) } else { Work::Commit(Box::new(asked)) };
        self.commands.send(Command { door, shop, work }).await.map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Closed)?
    }
}

/// A command that sends its answer there.
fn answering<T, E>(
    act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    sender: oneshot::Sender<Result<T, E>>,
) -> Run
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    Box::new(move |connection: Result<&Connection, Error>, left| {
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
    })
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

/// The first that waits, and those of the same shop that fit beside it: commits beside commits. The others wait in their order.
fn next_of_one(waiting: &mut VecDeque<Command>) -> Vec<Command> {
    let (mut group, mut others) = (Vec::new(), VecDeque::new());
    let mut weight = 0;
    for command in waiting.drain(..) {
        let is_like = |first: &Command| first.shop == command.shop && first.is_commit() == command.is_commit();
        let same = group.first().is_none_or(is_like);
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

/// Whether an SQLite connection syncs each commit is `syncs`, and changed by [`sync`] only.
fn commit_group(connection: &Connection, group: Vec<Command>, syncs: &mut bool) {
    let only_commits = group.iter().all(Command::is_commit);
    let left = if only_commits { commits::together(connection, group, syncs) } else { group };
    if !left.is_empty() {
        one_by_one(connection, left, syncs);
    }
}

fn one_by_one(connection: &Connection, group: Vec<Command>, syncs: &mut bool) {
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
    for Command { work, .. } in group {
        let run = match work {
            Work::Alone(run) => run,
            Work::Commit(asked) => asked.alone(),
        };
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
mod tests;
