//! The rush at shops that are about to move: each is busy until it is moved, and less so after each hold of it that gave
//! up, and every few seconds. A machine that cannot bear the rush would never move them, for a drain would not end within
//! a hold, or the way back would fall further behind; what it did bear is in the report, aborted holds and all.

use super::shoppers::Shoppers;
use anyhow::Result;
use cutover::record::{Phase, StepName};
use std::time::{Duration, Instant};
use store::{RecordedStep, Store};
use vocab::id::ShopId;

/// Longer than a shop that bears it takes to move.
const BORNE_MAX: Duration = Duration::from_secs(5);
/// What is left of the rush where it was not borne: so many times less, in the end nothing.
const FEWER: u32 = 3;

pub struct Rush(Vec<Busy>);

struct Busy {
    shop: ShopId,
    /// Requests per second.
    rate: u32,
    /// Since when at that rate, and the shop's newest record then.
    begun: Instant,
    since: i64,
}

impl Rush {
    pub async fn begin(store: &Store, shoppers: &mut Shoppers, moving: &[&ShopId], rate: u32) -> Result<Self> {
        let mut shops = Vec::new();
        for &shop in moving {
            let since = store.steps(shop, 0).await?.last().map_or(0, |newest| newest.number);
            shoppers.surge(shop, rate).await?;
            shops.push(Busy { shop: shop.clone(), rate, begun: Instant::now(), since });
        }
        Ok(Self(shops))
    }

    /// Fewer people come to a shop whose hold gave up since they came in this number, or that they came to for long.
    pub async fn look(&mut self, store: &Store, shoppers: &mut Shoppers) -> Result<()> {
        for busy in self.0.iter_mut().filter(|busy| busy.rate > 0) {
            let steps = store.steps(&busy.shop, busy.since).await?;
            if busy.begun.elapsed() > BORNE_MAX || steps.iter().any(gave_up) {
                busy.rate /= FEWER;
                busy.begun = Instant::now();
                busy.since = steps.last().map_or(busy.since, |newest| newest.number);
                shoppers.surge(&busy.shop, busy.rate).await?;
            }
        }
        Ok(())
    }

    pub async fn end(self, shoppers: &mut Shoppers) -> Result<()> {
        for busy in self.0.iter().filter(|busy| busy.rate > 0) {
            shoppers.surge(&busy.shop, 0).await?;
        }
        Ok(())
    }
}

fn gave_up(recorded: &RecordedStep) -> bool {
    recorded.record().is_some_and(|record| record.step == StepName::Abort && record.phase == Phase::Done)
}

#[cfg(test)]
mod tests {
    use super::gave_up;
    use store::{RecordedStep, Step};
    use vocab::document::Record;
    use vocab::id::{Direction, Epoch, ShopId, Timestamp};

    #[test]
    fn a_hold_that_ended_with_the_old_owner_makes_a_rush_smaller_and_nothing_else_does() {
        let recorded = |step: &str, phase: &str| {
            let (shop, direction) = (ShopId::parse("7").unwrap(), Direction::ToBackend);
            let (step, phase, detail) = (step.into(), phase.into(), Record::default());
            let step = Step { shop, epoch: Epoch(2), direction, step, phase, at: Timestamp(1), detail };
            RecordedStep { number: 1, seq: None, step }
        };
        assert!(gave_up(&recorded("abort", "done")));
        for (step, phase) in [("abort", "intent"), ("flip", "done"), ("release", "done"), ("of later", "done")] {
            assert!(!gave_up(&recorded(step, phase)), "{step} {phase}");
        }
    }
}
