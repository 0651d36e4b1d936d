//! A mover without a world: performs every step at once and prints it. Used by the tests of steps as text.

use crash::{Act, Phase as When};
use cutover::next::{Holding, Observed, Wishes, next, state_now};
use cutover::progress::{Progress, progress};
use cutover::ready::{Back, There};
use cutover::record::{Head, Reason, Record, StepName};
use cutover::step::Step;
use expect_test::Expect;
use std::fmt::Write;
use vocab::id::{Direction, Epoch, Seq, Side};

/// What happens to a move, beside its steps. After each, the mover is rested and runs until it has to wait.
#[derive(Debug, Clone)]
pub enum Event {
    Wish(Wishes),
    /// What every look from now on is changed by.
    See(fn(&mut Observed)),
    /// What every look from now on shows again: all well.
    Well,
    /// The next step of this name fails.
    Fail(StepName, Reason),
    /// The process dies at the next such point, and another begins: a mover, or `release-all`.
    Crash(StepName, When),
}

pub const FLIP: Wishes =
    Wishes { flip: true, rollback: false, abort: false, seal: false, pause: false, reread: false, release_all: false };
pub const ROLLBACK: Wishes = Wishes { flip: false, rollback: true, ..FLIP };
pub const SEAL: Wishes = Wishes { flip: false, seal: true, ..FLIP };
pub const RELEASE_ALL: Wishes = Wishes { flip: false, release_all: true, ..FLIP };

pub struct Desk {
    pub head: Head,
    pub fence_closed: bool,
    /// Everything printed so far.
    pub log: String,
    records: Vec<Record>,
    wishes: Wishes,
    see: fn(&mut Observed),
    fail: Option<(StepName, Reason)>,
    crash: Option<(StepName, When)>,
    /// Who begins after a death.
    pub release_all_takes_over: bool,
    /// Volatile: this process holds; it has seen a failure or an abort a moment ago.
    holds: bool,
    tired: bool,
}

impl Desk {
    /// A shop that is planned and nothing else.
    pub fn planned() -> Self {
        Self {
            head: Head { owner: Side::Legacy, epoch: Epoch::FIRST, fenced: false },
            fence_closed: false,
            log: String::new(),
            records: Vec::new(),
            wishes: Wishes::default(),
            see: |_| {},
            fail: None,
            crash: None,
            release_all_takes_over: false,
            holds: false,
            tired: false,
        }
    }

    /// A shop from which a cutover in this direction may begin, nothing printed yet.
    pub fn before(direction: Direction) -> Self {
        let mut desk = Self::planned();
        desk.happen(Event::Wish(Wishes::default()));
        if direction == Direction::ToLegacy {
            desk.happen(Event::Wish(FLIP));
            desk.happen(Event::Wish(Wishes::default()));
        }
        desk.log.clear();
        desk
    }

    pub fn happen(&mut self, event: Event) {
        self.tired = false;
        match event {
            Event::Wish(wishes) => self.wishes = wishes,
            Event::See(see) => self.see = see,
            Event::Well => self.see = |_| {},
            Event::Fail(step, reason) => self.fail = Some((step, reason)),
            Event::Crash(step, when) => self.crash = Some((step, when)),
        }
        self.run();
    }

    pub fn progress(&self) -> Progress {
        progress(&self.records, self.head)
    }

    /// Where the shop was left: state, owner, epoch and both fences.
    pub fn stands(&self) -> String {
        let Head { owner, epoch, fenced } = self.head;
        let state = state_now(&self.progress(), &self.wishes, &self.observed()).name();
        let legacy = if self.fence_closed { "closed" } else { "open" };
        let ours = if fenced { ", ours closed" } else { "" };
        format!("{state}, owner {} at epoch {epoch}, the legacy's fence {legacy}{ours}", owner.name())
    }

    fn run(&mut self) {
        for _ in 0..64 {
            let progress = self.progress();
            self.close_wishes(&progress);
            let step = next(&progress, &self.wishes, &self.observed());
            writeln!(self.log, "{step}").unwrap();
            match (&step, progress.intent(&step)) {
                (Step::Wait(_), _) | (_, None) => return,
                (_, Some(intent)) => self.perform(&step, &intent),
            }
        }
        panic!("no wait after 64 steps:\n{}", self.log);
    }

    /// Like the mover: a wish that is fulfilled is closed.
    fn close_wishes(&mut self, progress: &Progress) {
        let (owner, at_rest) = (self.head.owner, progress.at_rest());
        self.wishes.flip &= !(at_rest && owner == Side::Backend);
        self.wishes.rollback &= !(at_rest && owner == Side::Legacy);
        self.wishes.abort &= !at_rest;
    }

    fn perform(&mut self, step: &Step, intent: &Record) {
        if self.dies(intent, When::Before) {
            return;
        }
        self.records.push(intent.clone());
        if self.dies(intent, When::During) {
            return;
        }
        if let Some((_, reason)) = self.fail.take_if(|(failing, _)| *failing == intent.step) {
            writeln!(self.log, "  failed: {reason}").unwrap();
            self.records.push(intent.failed(reason));
            self.tired = true;
            return;
        }
        let in_one_transaction = self.effect(step, intent);
        if in_one_transaction {
            self.records.push(self.done(intent));
        }
        if self.dies(intent, When::After) {
            return;
        }
        if !in_one_transaction {
            self.records.push(self.done(intent));
        }
    }

    fn done(&self, intent: &Record) -> Record {
        match intent.step {
            StepName::Mark => intent.done().with_mark(40 + intent.epoch.0),
            StepName::Flip if self.head.owner == Side::Backend => intent.done().with_reverse_start(Seq(7)),
            _ => intent.done(),
        }
    }

    /// True if the effect is a change of our head.
    fn effect(&mut self, step: &Step, intent: &Record) -> bool {
        let back = intent.direction == Direction::ToLegacy;
        match step {
            Step::Hold { .. } => self.holds = true,
            Step::Release { .. } => self.holds = false,
            Step::Fence { .. } if back => self.head.fenced = true,
            Step::Fence { .. } => self.fence_closed = true,
            Step::Unfence { .. } => self.fence_closed = false,
            // What stopped the shop does so no more.
            Step::Reread => self.see = |_| {},
            Step::Flip { owner, epoch } => self.head = Head { owner: *owner, epoch: *epoch, fenced: false },
            Step::Abort { epoch, .. } => {
                self.head = Head { epoch: *epoch, fenced: false, ..self.head };
                self.tired = true;
            }
            _ => {}
        }
        matches!(step, Step::Flip { .. } | Step::Abort { .. }) || (back && matches!(step, Step::Fence { .. }))
    }

    fn dies(&mut self, intent: &Record, when: When) -> bool {
        let dies = self.crash.take_if(|at| *at == (intent.step, when)).is_some();
        if dies {
            let point = intent.step.point().map(|step| match intent.direction {
                Direction::ToBackend => crash::Point(Act::Move(step), when),
                Direction::ToLegacy => crash::Point(Act::Back(step), when),
            });
            writeln!(self.log, "  dies at {}", point.unwrap()).unwrap();
            (self.holds, self.tired) = (false, false);
            if self.release_all_takes_over {
                self.wishes = RELEASE_ALL;
            }
        }
        dies
    }

    fn observed(&self) -> Observed {
        let hold = Holding { elapsed_ms: 10, acknowledged: true, in_flight_zero: true, overflow: false };
        let mut observed = Observed {
            hold: self.holds.then_some(hold),
            open_work: Some(0),
            fence_closed: self.fence_closed,
            applied: Some(u64::MAX),
            rested: !self.tired,
            stopped: None,
            there: There { lag_ms: Some(5), rehearsed: true, fence_tested: true, ..There::default() },
            back: Back { facts_left: Some(0), verified: true, ..Back::default() },
        };
        (self.see)(&mut observed);
        observed
    }
}

/// Lets the events happen to a shop and compares what the mover did, and where it left the shop.
pub fn check(mut desk: Desk, events: &[Event], expect: &Expect) {
    for event in events {
        desk.happen(event.clone());
    }
    expect.assert_eq(&format!("{}{}\n", desk.log, desk.stands()));
}
