//! The holds of a move, read from its step records: how long each step took, how many writes waited, how it ended.

use anyhow::Result;
use cutover::hold::STEPS;
use cutover::record::Reason;
use serde_json::{Value, json};
use store::Store;
use vocab::id::ShopId;

/// One hold of a shop.
#[derive(Debug, Clone)]
pub struct Hold {
    pub shop: ShopId,
    pub of: cutover::hold::Hold,
}

/// Every hold of these shops, shop by shop in their order.
pub async fn all(store: &Store, shops: &[ShopId]) -> Result<Vec<Hold>> {
    let mut holds = Vec::new();
    for shop in shops {
        let records = store.steps(shop, 0).await?;
        let of_shop = cutover::hold::holds(records.iter().filter_map(store::RecordedStep::timed));
        holds.extend(of_shop.into_iter().map(|of| Hold { shop: shop.clone(), of }));
    }
    Ok(holds)
}

impl Hold {
    pub fn to_json(&self) -> Value {
        let hold = &self.of;
        let mut us = serde_json::Map::new();
        for step in STEPS {
            us.insert(step.name().to_owned(), json!(hold.us.get(&step).copied().unwrap_or(0)));
        }
        us.insert("total".to_owned(), json!(hold.total_us));
        json!({
            "shop": self.shop.as_str(),
            "direction": hold.direction.name(),
            "epoch": hold.epoch.0,
            "outcome": if hold.aborted { "aborted" } else { "flipped" },
            "reason": hold.reason.as_ref().map(Reason::code),
            "held": hold.held,
            "taken_over_us": hold.taken_over_us,
            "us": us,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Step;
    use vocab::document::Record as Detail;
    use vocab::id::{Direction, Epoch, Timestamp};

    /// Records as `at step phase [detail value]`, of one mover unless `by` says which.
    async fn check(records: &[&'static str], expected: &[&str]) {
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
