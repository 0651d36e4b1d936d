//! What the mover of the model does to the world: intent, effect, outcome, death.
//!
//! Looking, and recording what is inside our store, is one action with its record; what is outside can be half done.

use super::world::{Bounds, Doing, Fence, Flaw, Mail, Mover, World};
use cutover::record::{Head, Reason, Record};
use cutover::step::Step;
use vocab::id::{Direction, Side};

impl Bounds {
    /// Writes the intent; and the outcome with it where there is nothing outside to be half done.
    pub fn intend(&self, world: &mut World) {
        let step = self.next(world);
        let intent = world.progress.intent(&step).unwrap();
        world.record(intent.clone(), world.head());
        match step {
            Step::Hold { .. } => world.holds_left -= 1,
            // Whoever gives up has no use for his hold.
            Step::Abort { .. } | Step::Unfence { .. } => world.mover = Mover::default(),
            Step::Track | Step::Verify | Step::Soak | Step::Seal => return world.record(intent.done(), world.head()),
            Step::Install
            | Step::Copy
            | Step::Drain
            | Step::Fence { .. }
            | Step::Mark
            | Step::CatchUp { .. }
            | Step::Prove
            | Step::Reread
            | Step::Flip { .. }
            | Step::Release { .. }
            | Step::Wait(_) => {}
        }
        world.mover.doing = Some(Doing { step, intent, effected: false });
    }

    /// The effect. What is outside our store is recorded by `finish`; the rest is recorded here.
    pub fn effect(&self, world: &mut World) {
        let doing = world.mover.doing.take().unwrap();
        let direction = doing.intent.direction;
        let head = world.head();
        match doing.step {
            Step::Fence { .. } if direction == Direction::ToLegacy => {
                world.record(doing.intent.done(), Head { fenced: true, ..head });
            }
            Step::Abort { epoch, .. } => {
                assert_eq!(epoch, head.epoch.next(), "refused by the head");
                world.record(doing.intent.done(), Head { epoch, fenced: false, ..head });
            }
            Step::Flip { owner, epoch } => self.flip(world, Head { owner, epoch, fenced: false }, &doing.intent),
            Step::Mark => {
                let position = world.sides(direction).0.commits.position();
                let early = self.flaw == Some(Flaw::MarkBeforeDrain);
                let mark = if early { world.mover.position_at_hold } else { position };
                world.record(doing.intent.done().with_mark(mark), head);
            }
            Step::Hold { .. } | Step::Fence { .. } | Step::Unfence { .. } | Step::Release { .. } => {
                self.outside_effect(world, doing);
            }
            Step::Install
            | Step::Copy
            | Step::Track
            | Step::Verify
            | Step::Drain
            | Step::CatchUp { .. }
            | Step::Prove
            | Step::Reread
            | Step::Soak
            | Step::Seal
            | Step::Wait(_) => world.record(doing.intent.done(), head),
        }
    }

    fn outside_effect(&self, world: &mut World, doing: Doing) {
        if let Step::Hold { epoch, .. } = doing.step {
            world.mover.hold = Some(epoch);
            if self.flaw == Some(Flaw::MarkBeforeDrain) {
                world.mover.position_at_hold = world.sides(doing.intent.direction).0.commits.position();
            }
        }
        let took_over = world.crashes_left < self.crashes && doing.step.reason().is_some();
        let forgets = self.flaw == Some(Flaw::FenceLeftBehind) && took_over;
        let skipped = forgets && matches!(doing.step, Step::Unfence { .. });
        if skipped || self.outside(world, &doing.step) {
            world.mover.doing = Some(Doing { effected: true, ..doing });
        } else {
            world.record(doing.intent.failed(Reason::Failed("fence.stale".into())), world.head());
        }
    }

    /// The head and the record in one transaction.
    fn flip(&self, world: &mut World, head: Head, intent: &Record) {
        assert_eq!(head.epoch, world.head().epoch.next(), "refused by the head");
        let (source, target) = world.sides(intent.direction);
        let missing = source.commits != target.arrived;
        let in_flight = (0..2).any(|seam| self.in_flight(world, seam)) || world.begun();
        world.unsound_flip |= missing || in_flight;
        world.rollbacks_left -= u8::from(head.owner == Side::Legacy);
        world.record(intent.done(), head);
    }

    /// What happens outside our store; false where it is refused.
    pub fn outside(&self, world: &mut World, step: &Step) -> bool {
        let Fence { closed, seen } = world.fence;
        let (mail, fence) = match step {
            Step::Hold { epoch, .. } => (Some(Mail::Hold(*epoch)), None),
            Step::Release { owner, epoch } => (Some(Mail::Release(*owner, *epoch)), None),
            Step::Fence { epoch, .. } => {
                let stale = *epoch < seen || (*epoch == seen && !closed);
                let counts = !stale || self.flaw == Some(Flaw::LateFenceCounts);
                (None, counts.then_some(Fence { closed: true, seen: *epoch }))
            }
            Step::Unfence { epoch, .. } => (None, (*epoch >= seen).then_some(Fence { closed: false, seen: *epoch })),
            step => unreachable!("{step} is nothing outside"),
        };
        for seam in &mut world.seams {
            seam.mail.extend(mail);
        }
        world.fence = fence.unwrap_or(world.fence);
        mail.is_some() || fence.is_some()
    }

    pub fn finish(world: &mut World) {
        let doing = world.mover.doing.take().unwrap();
        world.record(doing.intent.done(), world.head());
        if matches!(doing.step, Step::Release { .. }) {
            world.mover = Mover::default();
            world.release_all = false;
        }
    }

    pub fn fail(&self, world: &mut World) {
        let doing = world.mover.doing.take().unwrap();
        world.faults_left -= u8::from(!self.blocked(world, &doing.step));
        world.record(doing.intent.failed(Reason::Failed("fault".into())), world.head());
    }

    pub fn crash(&self, world: &mut World) {
        world.crashes_left -= 1;
        world.release_all = self.release_all;
        let Some(doing) = std::mem::take(&mut world.mover).doing else { return };
        let ours = world.head().owner == Side::Backend && matches!(doing.step, Step::Fence { .. });
        let outside =
            matches!(doing.step, Step::Hold { .. } | Step::Fence { .. } | Step::Unfence { .. } | Step::Release { .. });
        if outside && !ours && !doing.effected {
            world.ghost = Some(doing.step);
        }
    }
}
