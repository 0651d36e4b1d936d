//! Reading again: what a person wishes who has mended a cause, or thinks that a finding is not true any more.
//!
//! What stopped a shop that the legacy owns means that its copy is not to be trusted: it is made again in place, from
//! nothing ([`mend`]). Of any other finding the aggregates are read again by key ([`keyed`]); of a shop that soaks, what the
//! legacy has is compared with what our facts say ([`soaking`]).
//! Invariant: a finding goes away only when what it says was seen not to be so. A wish that is open is done once more by the
//! next mover, and everything here may be repeated.

mod keyed;
mod mend;
mod soaking;

pub(crate) use keyed::stage_by_key;
pub(crate) use mend::{begin_again, forget_source};

use crate::context::Context;
use crate::drive::{Driver, Seen};
use crate::error::Result;
use crate::wishes;
use cutover::next::Observed;
use cutover::progress::Progress;
use cutover::state::State;
use cutover::stopping::{STOPPING, stops};
use cutover::verb::Verb;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use store::StoredWish;
use vocab::document::Record;
use vocab::id::{Name, ShopId, Side};

/// What one shop has to answer to a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// How many aggregates were read again, and how many of the findings are still open.
    Done { read: usize, left: usize },
    /// A code of the runbook, and why.
    Refused { code: &'static str, why: String },
}

const NOTHING: Answer = Answer::Done { read: 0, left: 0 };

/// One wish as a shop sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    wish: i64,
    class: Option<Name>,
}

/// What a shop is asked by one wish, and its answer, if it has given one.
type Question = (Asked, Option<Answer>);

/// Which shops are asked to read again, and what they have answered. Lost in a crash: the wish is open, and asks again.
#[derive(Default)]
pub(crate) struct Rereads {
    asked: Mutex<BTreeMap<(i64, ShopId), Question>>,
    /// The source is mended for one shop at a time: the next one finds it whole.
    mending: tokio::sync::Mutex<()>,
}

impl Rereads {
    fn ask(&self, wish: &StoredWish, shop: &ShopId) -> Option<Answer> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let class = wish.wish.args.text("class").map(Name::from);
        asked.entry((wish.id, shop.clone())).or_insert((Asked { wish: wish.id, class }, None)).1.clone()
    }

    /// What a shop has not answered yet.
    fn of(&self, shop: &ShopId) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = asked.iter().filter(|((_, of), (_, answer))| of == shop && answer.is_none());
        mine.map(|(_, (asked, _))| asked.clone()).collect()
    }

    fn answer(&self, shop: &ShopId, wish: i64, answer: Answer) {
        if let Some(slot) = self.asked.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&(wish, shop.clone())) {
            slot.1 = Some(answer);
        }
    }

    fn forget(&self, wish: i64) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| *of != wish);
    }
}

/// Asks the shops that open wishes concern, and closes the wishes to which all of them have answered.
pub(crate) async fn turn(
    cx: &Context,
    standing: &[StoredWish],
    planned: &[ShopId],
    begun: impl Fn(&ShopId) -> bool,
    board: &BTreeMap<ShopId, Seen>,
) -> Result<()> {
    for stored in standing.iter().filter(|stored| wishes::is_open(stored)) {
        if Verb::from_name(&stored.wish.verb) != Some(Verb::Reread) {
            continue;
        }
        let mut answers = Vec::new();
        let concerned: Vec<&ShopId> = planned.iter().filter(|shop| wishes::concerns(stored, shop)).collect();
        for shop in &concerned {
            let answer = if !begun(shop) {
                Some(never_copied(cx, shop).await?)
            } else if board.get(*shop).is_some_and(|seen| seen.state == State::Sealed) {
                Some(NOTHING)
            } else {
                cx.rereads.ask(stored, shop)
            };
            answers.extend(answer.map(|answer| ((*shop).clone(), answer)));
        }
        if answers.len() == concerned.len() {
            cx.store.close_wish(stored.id, outcome(&answers)).await?;
            cx.rereads.forget(stored.id);
        }
    }
    Ok(())
}

/// A shop that nobody has begun to copy has nothing that could be wrong; what still is comes again by itself.
async fn never_copied(cx: &Context, shop: &ShopId) -> Result<Answer> {
    for class in STOPPING {
        cx.store.close_class(shop, class).await?;
    }
    Ok(NOTHING)
}

fn outcome(answers: &[(ShopId, Answer)]) -> Record {
    let int = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let refusal = answers.iter().find_map(|(shop, answer)| match answer {
        Answer::Refused { code, why } => Some(wishes::refused(code, &format!("shop {shop}: {why}"))),
        Answer::Done { .. } => None,
    });
    let mut outcome = refusal.unwrap_or_else(|| Record::default().with("fulfilled", !answers.is_empty()));
    let (mut read, mut left) = (0, 0);
    for (_, answer) in answers {
        if let Answer::Done { read: more, left: open } = answer {
            read += more;
            left += open;
        }
    }
    outcome.set("read", int(read));
    outcome.set("left", int(left));
    outcome
}

/// What a shop does about a wish now.
enum Heed {
    Answer(Answer),
    /// The next step is to copy the shop again.
    BeginAgain,
    /// It is under way, or cannot be begun yet.
    Later,
}

impl Driver {
    /// Does what the wishes to read again ask for, as far as that is no step of the move. Answers whether the next step is
    /// to be: the copy begins again.
    pub(crate) async fn heed_rereads(&mut self, progress: &Progress, observed: &Observed) -> Result<bool> {
        let mut again = false;
        if !progress.at_rest() {
            return Ok(again);
        }
        for asked in self.cx.rereads.of(&self.shop) {
            match self.heed(&asked, progress, observed.stopped.as_ref()).await? {
                Heed::Answer(answer) => self.cx.rereads.answer(&self.shop, asked.wish, answer),
                Heed::BeginAgain => again = true,
                Heed::Later => {}
            }
        }
        Ok(again)
    }

    async fn heed(&mut self, asked: &Asked, progress: &Progress, stopped: Option<&Name>) -> Result<Heed> {
        // What fails now and will not for ever has spoilt nothing that is copied.
        if stopped.is_some_and(|code| !stops(code)) {
            return Ok(Heed::Later);
        }
        if let Some(code) = stopped {
            if let Some(other) = asked.class.as_ref().filter(|class| !stops(class)) {
                let why = format!("{code} stops it: {other} cannot be looked at before that is read again");
                return Ok(refused("stopped", why));
            }
            return match progress.head.owner {
                Side::Legacy => Ok(match mend::unlike_declared(&self.cx).await? {
                    Some(why) => refused("not_mended", why),
                    None => Heed::BeginAgain,
                }),
                Side::Backend => self.reread_stopped_soak(code).await.map(Heed::Answer),
            };
        }
        if self.cx.store.count_mending(&self.shop).await? > 0 {
            return self.copied_again().await;
        }
        let found = self.cx.store.findings(&self.shop).await?;
        let mut open = found.into_iter().filter(|one| one.accepted_by.is_none()).map(|one| one.finding);
        let open: Vec<_> =
            open.by_ref().filter(|one| asked.class.as_ref().is_none_or(|class| one.class == *class)).collect();
        if open.is_empty() {
            return Ok(Heed::Answer(NOTHING));
        }
        let read = match progress.head.owner {
            Side::Legacy => self.reread_by_key(&open, progress).await?,
            Side::Backend => self.reread_soak(&open, progress).await?,
        };
        let Some(read) = read else { return Ok(Heed::Later) };
        let still = self.cx.store.finding_counts(&self.shop).await?.into_iter();
        let left: u64 = still
            .filter(|count| asked.class.as_ref().is_none_or(|class| count.class == *class))
            .map(|count| count.open)
            .sum();
        Ok(Heed::Answer(Answer::Done { read, left: usize::try_from(left).unwrap_or(usize::MAX) }))
    }

    /// The copy is being made again, or was and does not agree.
    async fn copied_again(&self) -> Result<Heed> {
        let counts = self.cx.store.finding_counts(&self.shop).await?;
        let differs = counts.iter().find(|count| count.open > 0 && VERIFYING.contains(&&*count.class));
        Ok(match differs {
            Some(count) => refused("differs", format!("copied again, and {} is open", count.class)),
            None => Heed::Later,
        })
    }
}

/// What a verification finds of a shop as a whole.
const VERIFYING: [&str; 5] = ["verify.digest", "verify.unmapped", "verify.ledger", "control_total", "rehearsal"];

fn refused(code: &'static str, why: String) -> Heed {
    Heed::Answer(Answer::Refused { code, why })
}
