//! A shop that stands still goes on again by what the page of its code says: the cause is taken away, then
//! `move findings reread`.

use super::fault::{Fault, Outcome, Phase};
use super::inject::{Told, rewrite};
use super::journey::{in_time, said, settle};
use super::stage::Stage;
use cutover::verb::Verb;
use std::time::{Duration, Instant};
use vocab::document::Record;
use vocab::id::Side;

/// A wish that is refused is wished again: what was seen of the source may be older than its mending.
const AGAIN_MAX: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(200);

/// Takes the cause away, has it read again, and sends the shop the rest of its way. False where nothing can bring back what
/// the fault took.
pub async fn recover(stage: &mut Stage, fault: Fault, phase: Phase) -> Told<bool> {
    let Some(mending) = mending(stage, fault).await else { return Ok(false) };
    if fault == Fault::ColumnRetyped {
        rewrite(stage, &mending).await?;
    } else if !mending.is_empty() {
        stage.run(&mending).await.map_err(said)?;
    }
    reread(stage).await?;
    match settle(stage, phase).await? {
        Outcome::Continued => Ok(true),
        Outcome::Stopped(_, code) => {
            Err(format!("read again, and stopped by {code}: {}", stage.world.what_is_wrong().await))
        }
    }
}

/// The statements that take back what the fault did, by whoever did it.
async fn mending(stage: &Stage, fault: Fault) -> Option<String> {
    let soaks = stage.world.owner(&stage.shop).await == Side::Backend;
    match fault {
        Fault::SlotDropped | Fault::SlotInvalidated | Fault::Failover => Some(String::new()),
        // What stood in it is gone with it: a shop of the legacy is copied as it is now, one that soaks is not as it was.
        Fault::ColumnDropped => (!soaks).then(|| "alter table jual add column catatan varchar(200)".to_owned()),
        Fault::ColumnRenamed => Some("alter table jual rename column memo to catatan".to_owned()),
        Fault::ColumnRetyped => Some(
            "alter table jual alter column catatan type varchar(200) using convert_from(catatan, 'UTF8')".to_owned(),
        ),
        Fault::RogueBypass => Some(super::inject::past_the_fence("delete from produk where kode = 'LIAR'")),
        Fault::SessionsKilled
        | Fault::LargeTransaction
        | Fault::OpenTransaction
        | Fault::ColumnAdded
        | Fault::Truncated
        | Fault::WideUnchanged
        | Fault::RogueWriter
        | Fault::ClockForward
        | Fault::ClockBack
        | Fault::StagedFull => None,
    }
}

/// The verb, of every shop of the plan, until none refuses.
async fn reread(stage: &Stage) -> Told {
    let begun = Instant::now();
    loop {
        let id = stage.world.put_down(Verb::Reread, None).await;
        let outcome = loop {
            match stage.world.store.wish_outcome(id).await.unwrap() {
                Some(outcome) => break outcome,
                None => in_time(stage, begun, "the wish to read again stays open").await?,
            }
        };
        if outcome.bool("fulfilled") == Some(true) && outcome.int("left").unwrap_or(0) == 0 {
            return Ok(());
        }
        accept_rogues(stage).await?;
        if begun.elapsed() > AGAIN_MAX {
            return Err(format!(
                "reading again does not help: {}: {}",
                why(&outcome),
                stage.world.what_is_wrong().await
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A rogue that is told of when its shop has gone back already: the rows are the legacy's own, and somebody who has looked
/// at them says so.
async fn accept_rogues(stage: &Stage) -> Told {
    if stage.world.owner(&stage.shop).await == Side::Backend {
        return Ok(());
    }
    let counts = stage.world.store.finding_counts(&stage.shop).await.map_err(|error| error.to_string())?;
    let Some(open) = counts.iter().find(|count| &*count.class == "rogue_watch" && count.open > 0) else {
        return Ok(());
    };
    let count = i64::try_from(open.open).unwrap_or(i64::MAX);
    let args = Record::default().with("class", "rogue_watch").with("count", count);
    stage.world.put_down_with(Verb::Accept, Some(&stage.shop), args).await;
    Ok(())
}

fn why(outcome: &Record) -> String {
    format!("{} {}", outcome.text("refused").unwrap_or("left"), outcome.text("why").unwrap_or_default())
}
