//! A group of nothing but commits: all that they have to know is asked for together, and all that they write is said together with
//! the commit. A refusal needs no undo, because nothing of it is written.
//!
//! Invariant: where the database fails, all of them are made again one by one, each in a savepoint of its own, so the failure is
//! its own. Where the server went away nothing is made again: nobody knows what became of it. What took long to fail, as a lock
//! that is not to be had, is made again neither: that is the fault of none of them, and clients do not wait so long twice.

use super::{Command, Run, Work, answering, begin, commit, undo};
use crate::commit::{self, CommitError, Committed, Prepared};
use crate::error::Error;
use crate::sql::Connection;
use crash::{Act, Phase, reach};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What is found wrong with what is written is found sooner.
const OWN_FAULT_MAX: Duration = Duration::from_secs(1);

/// A commit, and whoever waits for it.
pub struct Asked {
    prepared: Prepared,
    sender: oneshot::Sender<Result<Committed, CommitError>>,
}

impl Asked {
    pub const fn new(prepared: Prepared, sender: oneshot::Sender<Result<Committed, CommitError>>) -> Self {
        Self { prepared, sender }
    }

    /// As a command like any other.
    pub fn alone(self) -> Run {
        let Self { prepared, sender } = self;
        let act = move |connection: &Connection| {
            let made = commit::together(connection, &[&prepared])?.pop();
            made.unwrap_or_else(|| Err(Error::Closed.into()))
        };
        answering(act, sender)
    }

    /// Nobody may be waiting any more: what was committed stands all the same.
    fn answer(self, made: Result<Committed, CommitError>) {
        drop(self.sender.send(made));
    }
}

/// Makes all of them and answers them, or gives back what is to be made one by one.
pub fn together(connection: &Connection, group: Vec<Command>, syncs: &mut bool) -> Vec<Command> {
    reach(Act::ShopCommit, Phase::Before);
    let begun = Instant::now();
    let made = begin(connection, &group, false, syncs).and_then(|()| make(connection, &group));
    match made {
        Ok(made) => {
            reach(Act::ShopCommit, Phase::After);
            asked(group).zip(made).for_each(|(asked, made)| asked.answer(made));
            Vec::new()
        }
        Err(error) => {
            undo(connection, &error);
            if is_ones_own_fault(group.len(), begun.elapsed()) && !connection.is_gone() {
                return group;
            }
            asked(group).for_each(|asked| asked.answer(Err(error.clone().into())));
            Vec::new()
        }
    }
}

/// Whether what failed for so many may be the fault of some of them. Of one, everything is.
pub fn is_ones_own_fault(count: usize, took: Duration) -> bool {
    count > 1 && took <= OWN_FAULT_MAX
}

fn make(connection: &Connection, group: &[Command]) -> Result<Vec<Result<Committed, CommitError>>, Error> {
    let prepared = group.iter().filter_map(|command| match &command.work {
        Work::Commit(asked) => Some(&asked.prepared),
        Work::Alone(_) => None,
    });
    let made = commit::together(connection, &prepared.collect::<Vec<_>>())?;
    reach(Act::ShopCommit, Phase::During);
    if made.iter().any(Result::is_ok) {
        commit(connection)?;
    } else {
        // There is nothing to be made durable.
        connection.rollback("undo of a command")?;
    }
    Ok(made)
}

fn asked(group: Vec<Command>) -> impl Iterator<Item = Asked> {
    group.into_iter().filter_map(|command| match command.work {
        Work::Commit(asked) => Some(*asked),
        Work::Alone(_) => None,
    })
}
