//! `move status`: where every shop stands.

use super::{Args, planned};
use crate::exit::Exit;
use crate::print;
use anyhow::Result;
use cutover::state::State;
use serde_json::{Value, json};
use store::Store;
use vocab::document::Record;
use vocab::id::{Direction, Part, ShopId};

/// Prints it in the shape that the contracts fix.
pub(super) async fn print_status(args: &Args, store: &Store, only: &[ShopId]) -> Result<Exit> {
    let plan = planned(store).await?;
    let board = mover::status(store).await?;
    let mut rows = Vec::new();
    for planned in &plan.shops {
        if only.is_empty() || only.contains(&planned.shop) {
            rows.push(row(store, &board, &planned.shop).await?);
        }
    }
    let progress = crate::count::count(store, &plan).await?;
    let report = json!({
        "schema": "baliklayar.move-status/1",
        "plan": {"shops": plan.shops.len(), "deadline": plan.deadline.map(|at| at.0),
                 "done": progress.done.to_string(), "left": progress.left.to_string()},
        "shops": rows,
    });
    if args.json {
        print(&report.to_string());
    } else {
        print(&table(&rows));
    }
    Ok(Exit::Clean)
}

async fn row(store: &Store, board: &Record, shop: &ShopId) -> Result<Value> {
    let (head, stands) = mover::stands(store, shop).await?;
    let seen = board.record(shop.as_str()).filter(|seen| is_of_now(seen, &head, stands)).cloned().unwrap_or_default();
    let counts = store.finding_counts(shop).await?;
    let (open, accepted) =
        counts.iter().fold((0, 0), |(open, accepted), count| (open + count.open, accepted + count.accepted));
    let debt = store.count_debts(shop).await?;
    Ok(json!({
        "shop": shop.as_str(),
        "owner": head.owner.name(),
        "epoch": head.epoch.0,
        "state": seen.text("state").unwrap_or(stands.name()),
        "stopped": seen.text("stopped"),
        "waits_for": seen.text("waits_for"),
        "reads": {Part::Catalog.name(): seen.text("catalog_reads").unwrap_or(head.owner.name())},
        "throttle": seen.record("throttle").map(throttle),
        "lag_us": seen.int("lag_us"),
        "dirty": seen.int("dirty").unwrap_or(0),
        "findings": {"open": open, "accepted": accepted},
        "rollback": {"ready": may_go_back(&seen, stands),
                     "would_lose": debt, "debt": debt},
    }))
}

fn throttle(seen: &Record) -> Value {
    json!({"rows_per_s": seen.int("rows_per_s"), "why": seen.text("why"),
           "p99_us": seen.int("p99_us"), "quiet_p99_us": seen.int("quiet_p99_us")})
}

/// Whether nothing keeps a shop from going back, as far as the mover has looked.
fn may_go_back(seen: &Record, stands: State) -> bool {
    let looked = seen.get("state").is_some() && seen.text("stopped").is_none();
    stands == State::Soaking && looked && seen.text("back_waits_for").is_none()
}

/// What the mover wrote down a moment ago counts only where the records have not gone on since. That a shop is ready
/// is measured and in no record.
fn is_of_now(seen: &Record, head: &store::Head, state: State) -> bool {
    let said = seen.text("state");
    let ready = (state == State::Tracking && said == Some(State::Ready(Direction::ToBackend).name()))
        || (state == State::Soaking && said == Some(State::Ready(Direction::ToLegacy).name()));
    let same = ready || said == Some(state.name());
    same && seen.int("epoch").and_then(|epoch| u64::try_from(epoch).ok()) == Some(head.epoch.0)
}

fn table(rows: &[Value]) -> String {
    let mut lines = vec![format!(
        "{:10} {:8} {:>5} {:12} {:>7} {:>8} {}",
        "shop", "owner", "epoch", "state", "dirty", "findings", "waits for"
    )];
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        lines.push(format!(
            "{:10} {:8} {:>5} {:12} {:>7} {:>8} {}",
            text("shop"),
            text("owner"),
            row["epoch"],
            text("state"),
            row["dirty"],
            row["findings"]["open"],
            standing(row)
        ));
    }
    lines.join("\n")
}

/// What keeps the shop where it is: a finding, the throttle of its copy, or what the next step waits for.
fn standing(row: &Value) -> String {
    let (stopped, throttle) = (row["stopped"].as_str(), &row["throttle"]);
    match (stopped, throttle["why"].as_str(), throttle["rows_per_s"].as_i64()) {
        (Some(code), _, _) => format!("stopped: {code}"),
        (None, Some(why), Some(rows_per_s)) => format!("throttle: at most {rows_per_s} rows/s, {why}"),
        (None, _, _) => row["waits_for"].as_str().unwrap_or("-").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_under_way_says_how_fast_it_may_be() {
        let row = |stopped: Option<&str>, throttle: Value| {
            standing(&json!({"stopped": stopped, "waits_for": "a wish", "throttle": throttle}))
        };
        let seen = Record::default().with("rows_per_s", 12_500).with("why", "shoppers").with("p99_us", 2_300);
        let told = throttle(&seen.clone().with("quiet_p99_us", 2_000));
        let contracts = include_str!("../../../../docs/contracts.md");
        let (_, fence) = contracts.split_once("```json throttle").unwrap();
        assert_eq!(told, serde_json::from_str::<Value>(fence.split_once("```").unwrap().0).unwrap());
        assert_eq!(throttle(&seen)["quiet_p99_us"], Value::Null);
        assert_eq!(row(None, told.clone()), "throttle: at most 12500 rows/s, shoppers");
        assert_eq!(row(None, Value::Null), "a wish");
        assert_eq!(row(Some("stream.lost"), told), "stopped: stream.lost");
    }
}
