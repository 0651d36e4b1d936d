//! The holds of a move, read from its step records: how long each step took, how many writes waited, how it ended.

use anyhow::Result;
use cutover::record::{Phase, Reason, Record, StepName};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::{RecordedStep, Store};
use vocab::id::{Direction, ShopId};

/// One hold, from its intent to its release.
#[derive(Debug, Clone)]
pub struct Hold {
    pub shop: ShopId,
    pub direction: Direction,
    pub epoch: u64,
    pub aborted: bool,
    pub reason: Option<Reason>,
    pub held: i64,
    /// The mover that began it died; from the first act of the one that ended it to the release.
    pub taken_over_us: Option<i64>,
    /// Between each step's intent and its outcome, by the step's name.
    pub us: BTreeMap<&'static str, i64>,
    pub total_us: i64,
}

/// The steps that a report names.
const STEPS: [StepName; 8] = [
    StepName::Hold,
    StepName::Drain,
    StepName::Fence,
    StepName::Mark,
    StepName::CatchUp,
    StepName::Prove,
    StepName::Flip,
    StepName::Release,
];

/// Every hold of these shops, shop by shop in their order.
pub async fn all(store: &Store, shops: &[ShopId]) -> Result<Vec<Hold>> {
    let mut holds = Vec::new();
    for shop in shops {
        let mut open: Option<(Hold, i64, i64)> = None;
        let mut acting = Acting::default();
        for recorded in store.steps(shop, 0).await? {
            let Some(record) = mover::from_stored(&recorded) else { continue };
            let at = recorded.step.at.0;
            if record.step == StepName::Hold && record.phase == Phase::Intent {
                open = Some((begin(shop, &record), at, at));
                acting = Acting::of(&recorded);
                continue;
            }
            let Some((hold, began, intended)) = &mut open else { continue };
            match record.phase {
                Phase::Intent => *intended = at,
                Phase::Done | Phase::Failed => {
                    *hold.us.entry(record.step.name()).or_insert(0) += at - *intended;
                }
            }
            let now = Acting::of(&recorded);
            if now.by != acting.by {
                hold.taken_over_us = Some(0);
                acting = now;
            }
            hold.aborted |= record.step == StepName::Abort;
            hold.reason = hold.reason.take().or(record.reason.clone());
            if record.step == StepName::Release && record.phase == Phase::Done {
                hold.held = recorded.step.detail.int("held").unwrap_or(0);
                hold.total_us = at - *began;
                hold.taken_over_us = hold.taken_over_us.map(|_| at - acting.since);
                holds.extend(open.take().map(|(hold, _, _)| hold));
            }
        }
    }
    Ok(holds)
}

/// The mover that writes the records, and since when.
#[derive(Default)]
struct Acting {
    by: Option<String>,
    since: i64,
}

impl Acting {
    fn of(recorded: &RecordedStep) -> Self {
        Self { by: recorded.step.detail.text("by").map(str::to_owned), since: recorded.step.at.0 }
    }
}

fn begin(shop: &ShopId, record: &Record) -> Hold {
    Hold {
        shop: shop.clone(),
        direction: record.direction,
        epoch: record.epoch.0,
        aborted: false,
        reason: None,
        held: 0,
        taken_over_us: None,
        us: BTreeMap::new(),
        total_us: 0,
    }
}

impl Hold {
    pub fn to_json(&self) -> Value {
        let mut us = serde_json::Map::new();
        for step in STEPS {
            us.insert(step.name().to_owned(), json!(self.us.get(step.name()).copied().unwrap_or(0)));
        }
        us.insert("total".to_owned(), json!(self.total_us));
        json!({
            "shop": self.shop.as_str(),
            "direction": self.direction.name(),
            "epoch": self.epoch,
            "outcome": if self.aborted { "aborted" } else { "flipped" },
            "reason": self.reason.as_ref().map(Reason::code),
            "held": self.held,
            "taken_over_us": self.taken_over_us,
            "us": us,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Step;
    use vocab::document::Record as Detail;
    use vocab::id::{Epoch, Timestamp};

    /// Records as `at step phase [detail value]`, of one mover unless `by` says which.
    async fn check(records: &[&str], expected: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let shop = ShopId::parse("7").unwrap();
        store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
        for record in records {
            let [at, step, phase, details @ ..] = &record.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{record}")
            };
            let mut detail = Detail::default().with("by", "one");
            for pair in details.chunks(2) {
                match pair[1].parse::<i64>() {
                    Ok(number) => detail.set(pair[0], number),
                    Err(_) => detail.set(pair[0], pair[1]),
                }
            }
            let step = Step {
                shop: shop.clone(),
                epoch: Epoch(2),
                direction: Direction::ToBackend,
                step: (*step).into(),
                phase: (*phase).into(),
                at: Timestamp(at.parse().unwrap()),
                detail,
            };
            store.record_step(step).await.unwrap();
        }
        let said = all(&store, &[shop]).await.unwrap().iter().map(words).collect::<Vec<_>>();
        assert_eq!(said, expected);
    }

    fn words(hold: &Hold) -> String {
        let json = hold.to_json();
        format!(
            "{} {} held {} drain {} total {} taken over {}",
            json["outcome"],
            json["reason"],
            json["held"],
            json["us"]["drain"],
            json["us"]["total"],
            json["taken_over_us"]
        )
    }

    #[tokio::test]
    async fn a_hold_is_told_from_its_intent_to_its_release() {
        check(
            &[
                "1 verify intent",
                "90 verify done",
                "100 hold intent",
                "110 hold done",
                "120 drain intent",
                "150 drain done",
                "160 flip intent",
                "170 flip done",
                "180 release intent",
                "200 release done held 3",
                "300 soak intent",
                "900 soak done",
            ],
            &["\"flipped\" null held 3 drain 30 total 100 taken over null"],
        )
        .await;
    }

    #[tokio::test]
    async fn an_aborted_hold_has_its_reason_and_one_under_way_is_not_told() {
        check(
            &[
                "100 hold intent",
                "110 hold done",
                "120 drain intent",
                "150 drain failed reason not_drained",
                "160 abort intent reason not_drained",
                "170 abort done reason not_drained",
                "180 release intent",
                "200 release done held 0",
                "1000 hold intent",
                "1010 hold done",
            ],
            &["\"aborted\" \"not_drained\" held 0 drain 30 total 100 taken over null"],
        )
        .await;
    }

    #[tokio::test]
    async fn a_hold_that_another_mover_ended_says_how_long_that_one_took() {
        check(
            &[
                "100 hold intent",
                "110 hold done",
                "900 abort intent reason lost by two",
                "910 abort done by two",
                "920 release intent by two",
                "950 release done by two held 1",
            ],
            &["\"aborted\" \"lost\" held 1 drain 0 total 850 taken over 50"],
        )
        .await;
    }
}
