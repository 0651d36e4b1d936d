//! What is to be done about the tries: ask, end, take what is held, and say when all of them are over.

use super::act::{Act, Patience, Plan};
use super::asking::ASK_AFTER_US;
use super::{Attempt, Ending, Fate, Intent, Method, Settling};
use vocab::id::Timestamp;

impl Intent {
    /// From when on nothing is wanted of it any more but to be over.
    fn over_from(&self) -> i64 {
        let expires = self.expires_at.0;
        self.cancel_asked_at.map_or(expires, |asked| asked.0.min(expires))
    }

    pub(super) fn plan_tries(&self, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        // Nothing more is wanted of anybody.
        let done = self.order.is_some() || self.ended.is_some() || self.is_paid();
        let capturing = self.capturing();
        for attempt in &self.attempts {
            let number = attempt.number;
            let held = self.held(attempt);
            if held > 0 {
                self.plan_held(attempt, held, capturing == Some(number), now, patience, plan);
                continue;
            }
            // Whatever became of the try: a courier has it until the provider does, and what the provider has was taken.
            if self.with_the_courier(number) != 0 {
                plan.at(attempt.asked.next(attempt.recorded_at), now, Act::Query { attempt: number });
                continue;
            }
            match attempt.fate {
                Fate::Recorded => {
                    let due = attempt.recorded_at.0.saturating_add(patience.answer_us);
                    plan.at(due, now, Act::Query { attempt: number });
                }
                Fate::Unknown => self.plan_unknown(attempt, done, now, patience, plan),
                Fate::Accepted | Fate::Paid => self.plan_accepted(attempt, done, now, patience, plan),
                Fate::Over => {
                    self.plan_untold(attempt, now, plan);
                    attempt.plan_last_word(now, patience, plan);
                }
                Fate::Declined | Fate::Absent => self.plan_untold(attempt, now, plan),
            }
        }
    }

    /// What nobody knows is asked for. What its rail does not know, and the buyer still waits for, is sent once more, and then
    /// asked for as before. A card's token was not kept: as soon as a second "not found" is believed the buyer can try again, and
    /// waits for that.
    fn plan_unknown(&self, attempt: &Attempt, done: bool, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        let number = attempt.number;
        let waits = !done && self.over_from() > now.0 && attempt.told_to_end.is_none();
        if attempt.asked.absent_since.is_some() && waits && attempt.method != Method::CardToken {
            plan.acts.push(Act::Send { attempt: number });
        } else {
            let next = attempt.asked.next(attempt.recorded_at);
            let believed = attempt.asked.believed_from(patience).filter(|_| attempt.method == Method::CardToken);
            plan.at(believed.map_or(next, |from| from.min(next)), now, Act::Query { attempt: number });
        }
    }

    fn plan_accepted(&self, attempt: &Attempt, done: bool, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        let over_from = self.over_from();
        let cash = attempt.method == Method::CashOnDelivery;
        let came = self.took_money(attempt.number);
        let spent = self.is_spent(attempt);
        match () {
            () if cash && self.order.is_some() => self.plan_at_the_door(attempt, now, patience, plan),
            // Nothing is ordered on it any more: nobody is to take the money.
            () if cash && attempt.told_to_end.is_some() => plan.end_of(attempt, attempt.recorded_at.0, now, patience),
            // The order is placed at once.
            () if cash && over_from > now.0 => {}
            () if spent || (came && done) => self.plan_last_look(attempt, now, patience, plan),
            // A second code, although all is done: nobody is to pay that one too.
            () if done => plan.end_of(attempt, attempt.recorded_at.0, now, patience),
            () => {
                let until = attempt.expires_at.map_or(over_from, |at| at.0.min(over_from));
                if now.0 < until {
                    // A notice that never comes keeps nobody waiting for the end of the code.
                    plan.at(
                        attempt.asked.next(attempt.recorded_at).min(until),
                        now,
                        Act::Query { attempt: attempt.number },
                    );
                } else {
                    plan.end_of(attempt, until, now, patience);
                }
            }
        }
    }

    /// Who has paid a code may pay it again, and the notice of that may never come: each code is asked about once after
    /// its time.
    fn plan_last_look(&self, attempt: &Attempt, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        let sure = self.last_look_at(attempt, patience);
        if !attempt.is_paid_once() && !attempt.heard_since(sure) {
            plan.at(attempt.paced(sure), now, Act::Query { attempt: attempt.number });
        }
    }

    /// More was taken back than had come: that it came was told by nobody yet.
    fn plan_untold(&self, attempt: &Attempt, now: Timestamp, plan: &mut Plan) {
        if self.came_by(attempt.number) < 0 {
            let of_this = self.receipts.iter().filter(|receipt| receipt.attempt == attempt.number);
            let last = of_this.map(|receipt| receipt.at.0).max().unwrap_or(now.0);
            plan.at(attempt.paced(last), now, Act::Query { attempt: attempt.number });
        }
    }

    fn last_look_at(&self, attempt: &Attempt, patience: &Patience) -> i64 {
        let end = attempt.expires_at.map_or(self.expires_at, |at| at.max(self.expires_at));
        end.0.saturating_add(patience.grace_us)
    }

    /// Nothing comes of it any more by itself, as far as its rail can know.
    pub(super) fn is_surely_over(&self, attempt: &Attempt, patience: &Patience) -> bool {
        let looked = attempt.is_paid_once() || attempt.heard_since(self.last_look_at(attempt, patience));
        attempt.is_surely_dead(patience) || (self.is_spent(attempt) && looked)
    }

    /// Of several tries with held money one is captured: the one that it was asked of, else the first. The others are let
    /// go.
    fn capturing(&self) -> Option<u32> {
        let (mut first, mut asked) = (None, None);
        for attempt in &self.attempts {
            if self.held(attempt) > 0 && attempt.fate != Fate::Declined {
                first = first.or(Some(attempt.number));
                let capture = attempt.settling.is_some_and(|(what, _)| what == Settling::Capture);
                asked = asked.or(capture.then_some(attempt.number));
            }
        }
        asked.or(first)
    }

    /// Held money is taken where it is wanted, else let go. Whatever was asked of it before, the same or the other is asked
    /// for again only when the rail has said, at a time when it had to know, that the money is still held.
    fn plan_held(
        &self,
        attempt: &Attempt,
        held: i64,
        capturing: bool,
        now: Timestamp,
        patience: &Patience,
        plan: &mut Plan,
    ) {
        let number = attempt.number;
        if let Some((_, told)) = attempt.settling
            && !attempt.may_settle(patience)
        {
            let ask = attempt.paced(told.first.0.saturating_add(ASK_AFTER_US[0]));
            plan.at(ask, now, Act::Query { attempt: number });
            return;
        }
        let over = self.order.is_some() || self.ended.is_some() || self.over_from() <= now.0;
        let wanted = self.due.minor().saturating_sub(self.here()).max(0).min(held);
        let act = match capturing && wanted > 0 && !over {
            true => Act::Settle { attempt: number, what: Settling::Capture, minor: wanted },
            false => Act::Settle { attempt: number, what: Settling::Void, minor: held },
        };
        plan.acts.push(act);
    }

    /// It ends when its time is over, or somebody asked for it, and every try is dead: those that the rail has as over
    /// since a question that was asked late enough to have learnt of money that was paid at the last moment.
    pub(super) fn plan_end(&self, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        let open = self.order.is_none() && self.ended.is_none();
        if !open || self.live().is_some() || self.is_paid() || self.is_disputed() {
            return;
        }
        let from = self.over_from();
        if from > now.0 {
            plan.wake(from);
            return;
        }
        // For each that is not, the look that will tell is planned already.
        if self.attempts.iter().all(|attempt| self.is_surely_over(attempt, patience)) {
            plan.acts.push(Act::End(self.ending()));
        }
    }

    fn ending(&self) -> Ending {
        let last = self.attempts.last();
        let refused = |attempt: &Attempt| {
            attempt.fate == Fate::Declined || (attempt.fate == Fate::Over && attempt.method == Method::CardToken)
        };
        match self.cancel_asked_at {
            Some(_) => Ending::Canceled,
            None if last.is_some_and(refused) => Ending::Failed,
            None => Ending::Expired,
        }
    }
}

impl Plan {
    /// A try that can be paid is not to be, from a moment on: what became of it is asked, the rail is told, and asked
    /// again; and told again as long as it says that it still waits.
    pub(super) fn end_of(&mut self, attempt: &Attempt, from: i64, now: Timestamp, patience: &Patience) {
        let number = attempt.number;
        let query = Act::Query { attempt: number };
        match attempt.told_to_end {
            None if attempt.heard_since(from) => self.at(now.0, now, Act::Expire { attempt: number }),
            None => self.at(attempt.paced(from), now, query),
            Some(told) => {
                let paced = attempt.paced(told.first.0.saturating_add(patience.grace_us));
                let sure = told.last.0.saturating_add(patience.grace_us);
                if attempt.heard_since(sure) {
                    self.at(paced, now, Act::Expire { attempt: number });
                } else {
                    self.at(paced.max(sure), now, query);
                }
            }
        }
    }
}

impl Attempt {
    /// Whoever paid a code in its last moment has paid it, and the notice of that may never come: when the rail has to know
    /// of all that was paid in time it is asked once more, whatever became of the intent meanwhile.
    fn plan_last_word(&self, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        if let Some(over) = self.over_since.filter(|_| !self.is_surely_dead(patience)) {
            plan.at(
                self.paced(over.0.saturating_add(self.grace_us(patience))),
                now,
                Act::Query { attempt: self.number },
            );
        }
    }

    /// Dead, and where the rail calls it over, it has said so again when it had to know of all that was paid in time.
    pub(super) fn is_surely_dead(&self, patience: &Patience) -> bool {
        let sure = |since: Timestamp| self.heard_since(since.0.saturating_add(self.grace_us(patience)));
        self.fate.is_dead() && (self.fate != Fate::Over || self.over_since.is_none_or(sure))
    }

    /// What was last asked of held money would have had its effect by now, and the rail has spoken since.
    pub(super) fn may_settle(&self, patience: &Patience) -> bool {
        self.settling.is_none_or(|(_, told)| self.heard_since(told.last.0.saturating_add(patience.visible_us)))
    }
}
