//! Wishes written down, and what comes of them waited for.

use super::{Args, confirmed, planned, refuse, say};
use crate::exit::Exit;
use anyhow::Result;
use mover::Verb;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use store::{Store, Wish};
use vocab::document::Record;
use vocab::id::ShopId;

/// How long a wish is waited for.
const WISH_MAX: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);
/// Why something is wished, where nobody says more.
const COMMAND_LINE: &str = "command line";

/// What there is to say beside a verb and its shops.
pub(super) struct Saying {
    pub(super) args: Record,
    pub(super) why: String,
}

/// Wishes a verb of every named shop, or of all that are planned, and waits until it has come true.
pub(super) async fn wish(args: &Args, store: &Store, verb: Verb, shops: &[ShopId]) -> Result<Exit> {
    let asks = matches!(verb, Verb::Flip | Verb::Rollback | Verb::Seal);
    let of = if shops.is_empty() { "every planned shop".to_owned() } else { format!("{shops:?}") };
    if asks && !confirmed(args, &format!("{} {of}", verb.name()))? {
        return refuse("not_confirmed", "nothing was wished");
    }
    let saying = Saying { args: Record::default(), why: COMMAND_LINE.to_owned() };
    if verb == Verb::Pause {
        return match put_down(args, store, verb, shops, &saying).await? {
            Ok(_) => {
                say(args, &json!({"wished": verb.name()}), "pausing");
                Ok(Exit::Clean)
            }
            Err(refused) => Ok(refused),
        };
    }
    match come_true(args, store, verb, shops, &saying).await? {
        Ok(_) => {
            say(args, &json!({"fulfilled": verb.name()}), "done");
            Ok(Exit::Clean)
        }
        Err(refused) => Ok(refused),
    }
}

/// The wishes by their numbers; what was printed, where nothing was wished.
async fn put_down(
    args: &Args,
    store: &Store,
    verb: Verb,
    shops: &[ShopId],
    saying: &Saying,
) -> Result<Result<Vec<i64>, Exit>> {
    let plan = planned(store).await?;
    if let Some(stranger) = shops.iter().find(|shop| !plan.shops.iter().any(|planned| planned.shop == **shop)) {
        return refuse("not_planned", &format!("shop {stranger} is not in the plan")).map(Err);
    }
    let targets: Vec<Option<ShopId>> =
        if shops.is_empty() { vec![None] } else { shops.iter().cloned().map(Some).collect() };
    let mut ids = Vec::new();
    for shop in targets {
        let wish = Wish {
            shop,
            verb: verb.name().into(),
            args: saying.args.clone(),
            who: args.name.clone(),
            why: saying.why.clone(),
            at: (crate::serving::clock())(),
        };
        ids.push(store.wish(wish).await?);
    }
    Ok(Ok(ids))
}

/// What the wishes came to; what was printed, where something was refused or did not come true in time.
pub(super) async fn come_true(
    args: &Args,
    store: &Store,
    verb: Verb,
    shops: &[ShopId],
    saying: &Saying,
) -> Result<Result<Vec<Record>, Exit>> {
    let ids = match put_down(args, store, verb, shops, saying).await? {
        Ok(ids) => ids,
        Err(refused) => return Ok(Err(refused)),
    };
    let deadline = Instant::now() + WISH_MAX;
    let mut outcomes = Vec::new();
    for id in ids {
        let outcome = loop {
            if let Some(outcome) = store.wish_outcome(id).await? {
                break outcome;
            }
            if Instant::now() > deadline {
                return refuse("not_yet", "the wish is written, and has not come true yet; `move status` says why")
                    .map(Err);
            }
            tokio::time::sleep(LOOK).await;
        };
        if let Some(code) = outcome.text("refused") {
            let why = outcome.text("why");
            let why = why.unwrap_or("nothing was changed; `move status` says where the shops stand");
            return refuse(code, why).map(Err);
        }
        if outcome.bool("fulfilled") == Some(false) {
            return refuse("superseded", "a newer wish took this one back; `move status` says where the shops stand")
                .map(Err);
        }
        outcomes.push(outcome);
    }
    Ok(Ok(outcomes))
}

/// What is said of a figure that all outcomes have.
pub(super) fn sum(outcomes: &[Record], name: &str) -> Value {
    json!(outcomes.iter().filter_map(|outcome| outcome.int(name)).sum::<i64>())
}
