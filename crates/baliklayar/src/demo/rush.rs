//! The rush at shops that are about to move: each is busy until it is moved, until a hold of it had to give up, or for a
//! few seconds. A machine that cannot bear the rush would never move them, for a drain would not end within a hold, or the
//! way back would fall further behind; what it did bear is in the report, aborted holds and all.

use super::shoppers::Shoppers;
use anyhow::Result;
use cutover::record::{Phase, StepName};
use std::time::{Duration, Instant};
use store::{RecordedStep, Store};
use vocab::id::ShopId;

/// Longer than a shop that bears it takes to move.
const RUSH_MAX: Duration = Duration::from_secs(5);

pub struct Rush {
    begun: Instant,
    shops: Vec<Busy>,
}

struct Busy {
    shop: ShopId,
    /// Its newest record when the rush began.
    since: i64,
    /// Whether people still come.
    on: bool,
}

impl Rush {
    pub async fn begin(store: &Store, shoppers: &mut Shoppers, moving: &[&ShopId]) -> Result<Self> {
        let mut shops = Vec::new();
        for &shop in moving {
            let since = store.steps(shop, 0).await?.last().map_or(0, |newest| newest.number);
            shoppers.surge(shop, true).await?;
            shops.push(Busy { shop: shop.clone(), since, on: true });
        }
        Ok(Self { begun: Instant::now(), shops })
    }

    /// Sends the crowd of each shop home whose hold gave up since it came, and every crowd when it is time.
    pub async fn look(&mut self, store: &Store, shoppers: &mut Shoppers) -> Result<()> {
        let late = self.begun.elapsed() > RUSH_MAX;
        for busy in self.shops.iter_mut().filter(|busy| busy.on) {
            if late || store.steps(&busy.shop, busy.since).await?.iter().any(gave_up) {
                busy.on = false;
                shoppers.surge(&busy.shop, false).await?;
            }
        }
        Ok(())
    }

    pub async fn end(self, shoppers: &mut Shoppers) -> Result<()> {
        for busy in self.shops.iter().filter(|busy| busy.on) {
            shoppers.surge(&busy.shop, false).await?;
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
    fn a_hold_that_ended_with_the_old_owner_is_the_end_of_a_rush_and_nothing_else_is() {
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
