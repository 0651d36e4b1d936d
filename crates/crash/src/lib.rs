//! Crash points: the named places where a process can be made to kill itself, so that a test can.
//!
//! The names are a closed enum, so that a loop can visit all of them and a step without points does not compile
//! (`cutover` turns each of its steps into a [`Step`] exhaustively). Disarmed, a point costs one atomic load.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The steps of a cutover and of what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Hold,
    Drain,
    Fence,
    Mark,
    CatchUp,
    Prove,
    Flip,
    Release,
    Abort,
    Unfence,
    Seal,
}

impl Step {
    pub const ALL: [Self; 11] = [
        Self::Hold,
        Self::Drain,
        Self::Fence,
        Self::Mark,
        Self::CatchUp,
        Self::Prove,
        Self::Flip,
        Self::Release,
        Self::Abort,
        Self::Unfence,
        Self::Seal,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Drain => "drain",
            Self::Fence => "fence",
            Self::Mark => "mark",
            Self::CatchUp => "catch_up",
            Self::Prove => "prove",
            Self::Flip => "flip",
            Self::Release => "release",
            Self::Abort => "abort",
            Self::Unfence => "unfence",
            Self::Seal => "seal",
        }
    }
}

/// What is about to happen, is half done, or has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// A step on the way there.
    Move(Step),
    /// A step on the way back.
    Back(Step),
    CopyChunk,
    ApplyBatch,
    ReverseBatch,
    ShopCommit,
    RailCall,
    InboxInsert,
}

/// *Before*: the intent is not yet durable. *During*: the intent is durable, the effect not or half done.
/// *After*: the effect is done, its completion not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    Before,
    During,
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point(pub Act, pub Phase);

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Act::Move(step) => write!(f, "move.{}", step.name())?,
            Act::Back(step) => write!(f, "back.{}", step.name())?,
            Act::CopyChunk => f.write_str("copy.chunk")?,
            Act::ApplyBatch => f.write_str("apply.batch")?,
            Act::ReverseBatch => f.write_str("reverse.batch")?,
            Act::ShopCommit => f.write_str("shop.commit")?,
            Act::RailCall => f.write_str("rail.call")?,
            Act::InboxInsert => f.write_str("inbox.insert")?,
        }
        f.write_str(match self.1 {
            Phase::Before => ".before",
            Phase::During => ".during",
            Phase::After => ".after",
        })
    }
}

/// Every point, in the order in which a move meets them.
pub fn points() -> impl Iterator<Item = Point> {
    let others = [Act::CopyChunk, Act::ApplyBatch, Act::ReverseBatch, Act::ShopCommit, Act::RailCall, Act::InboxInsert];
    let there = Step::ALL.into_iter().map(Act::Move);
    let back = Step::ALL.into_iter().filter(|step| *step != Step::Seal).map(Act::Back);
    there
        .chain(back)
        .chain(others)
        .flat_map(|act| [Phase::Before, Phase::During, Phase::After].map(|phase| Point(act, phase)))
}

struct Armed {
    point: Point,
    passes_left: AtomicU64,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms the point named `<point>[:nth]`; the nth pass (from 1) kills.
///
/// # Errors
/// What was wrong with the name, and how to list the right ones.
pub fn arm(text: &str) -> Result<(), String> {
    let (name, nth) = match text.split_once(':') {
        Some((name, nth)) => (name, nth.parse().map_err(|_| format!("`{nth}` in `{text}` is not a number"))?),
        None => (text, 1),
    };
    let point = points()
        .find(|point| point.to_string() == name)
        .ok_or_else(|| format!("`{name}` is not a crash point; `demo --list-crash-points` prints them"))?;
    ARMED
        .set(Armed { point, passes_left: AtomicU64::new(nth) })
        .map_err(|_| "a crash point is armed already".to_owned())
}

/// Kills this process with SIGKILL if this is the armed point and its turn has come.
pub fn reach(act: Act, phase: Phase) {
    let Some(armed) = ARMED.get() else { return };
    if armed.point == Point(act, phase) && armed.passes_left.fetch_sub(1, Ordering::SeqCst) == 1 {
        kill();
    }
}

fn kill() -> ! {
    // The process does not outlive the next line; the loop is for the type.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let names: BTreeSet<String> = points().map(|point| point.to_string()).collect();
        assert_eq!(names.len(), points().count());
        assert!(names.contains("back.catch_up.during") && names.contains("rail.call.after"));
    }

    #[test]
    fn an_unknown_point_is_refused_with_the_way_to_list_them() {
        assert!(arm("move.jump.before").unwrap_err().contains("--list-crash-points"));
        assert!(arm("move.hold.before:x").unwrap_err().contains("not a number"));
    }
}
