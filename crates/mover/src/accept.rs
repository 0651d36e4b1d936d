//! Accepting findings: a person has looked at exactly so many of a class, and they block no more.
//!
//! Invariant: what is accepted is what was looked at. One more or one less, and nothing is; one that comes later is open.

use crate::context::Context;
use crate::error::Result;
use crate::wishes;
use cutover::stopping::stops;
use cutover::verb::Verb;
use store::{AcceptError, Acceptance, StoredWish};
use vocab::document::Record;

/// Accepts what open wishes ask for, in their order, and closes these.
pub(crate) async fn turn(cx: &Context, standing: &[StoredWish]) -> Result<()> {
    for stored in standing.iter().filter(|stored| wishes::is_open(stored)) {
        if Verb::from_name(&stored.wish.verb) == Some(Verb::Accept) {
            let outcome = accept(cx, stored).await?;
            cx.store.close_wish(stored.id, outcome).await?;
        }
    }
    Ok(())
}

async fn accept(cx: &Context, stored: &StoredWish) -> Result<Record> {
    let wish = &stored.wish;
    let count = wish.args.int("count").and_then(|count| u64::try_from(count).ok());
    let (Some(class), Some(count)) = (wish.args.text("class"), count) else {
        return Ok(wishes::refused("incomplete", "an acceptance names a class and a number"));
    };
    if stops(class) {
        let why = format!("{class} says that a copy or the way back is not to be trusted: nobody can accept that");
        return Ok(wishes::refused("not_acceptable", &why));
    }
    let acceptance = Acceptance {
        shop: wish.shop.clone(),
        class: class.into(),
        count,
        who: wish.who.clone(),
        why: wish.why.clone(),
    };
    match cx.store.accept_findings(acceptance).await {
        Ok(()) => Ok(Record::default().with("fulfilled", true).with("accepted", wish.args.int("count"))),
        Err(AcceptError::CountDiffers { open }) => {
            Ok(wishes::refused("count_differs", &format!("{open} findings of {class} are open, not {count}")))
        }
        Err(AcceptError::Store(error)) => Err(error.into()),
    }
}
