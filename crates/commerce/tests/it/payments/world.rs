//! One intent, one provider and one buyer, in a world where calls are lost, answers come late and notices never, twice
//! or after days. Whoever performs what the intent plans is here.

mod deeds;
mod refunds;

pub use deeds::Deed;

use super::provider::Provider;
use commerce::decision::Aggregate;
use commerce::intent::{
    Act, Answer, Entered, Intent, Method, Opening, Patience, Posting, Receipt, ReceiptKind, RefundAnswer, RefundState,
    Settling,
};
use commerce::money::{Currency, Money};
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::{Minted, PublicId, Timestamp};

pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
pub const DUE: i64 = 27_500_000;
pub const START: i64 = 1_000 * HOUR;
pub const LATER: Timestamp = Timestamp(START + HOUR);
pub const EXPIRES: i64 = START + 24 * HOUR;
const PATIENCE: Patience = Patience::USUAL;
const STEPS_MAX: usize = 20_000;

/// Splitmix64: the same seed, the same world.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).expect("positive")).expect("below")
    }

    pub fn one_in(&mut self, of: i64) -> bool {
        self.below(of) == 0
    }
}

#[derive(Debug)]
enum Mail {
    Deed(Deed),
    Answer(u32, Answer, Vec<Receipt>),
    Notice(Receipt),
    Refund(String, RefundAnswer),
    /// A call that was on its way all the time.
    Charge(u32),
    SendRefund(String),
    /// The buyer says where a payout goes to.
    Account(String),
}

pub struct World {
    pub chance: Chance,
    pub now: i64,
    pub intent: Intent,
    pub provider: Provider,
    /// Whether calls and notices go astray.
    pub faults: bool,
    /// Whether somebody else bought the units when they were back on the shelf.
    pub sold_out: bool,
    /// Whether the provider takes money for codes that are over.
    pub takes_late: bool,
    /// What is sent has its effect within this, or never. Longer than a rail may take until it knows it, a try that was
    /// given up for dead comes to life again.
    pub late_max: i64,
    /// How long the rail lets a code be paid, where that is less than we do.
    pub rail_lets: Option<i64>,

    pub orders: u32,
    pub units_back: u32,
    mail: BTreeMap<(i64, u64), Mail>,
    letters: u64,
    /// What was booked bit by bit, and up to where.
    pub(super) booked: Vec<Posting>,
    before: Intent,
    /// Payouts whose buyers were asked for an account.
    asked: BTreeSet<String>,
    pub refused: Vec<&'static str>,
    /// What was asked of held money: of which try, what, and how much.
    pub settled: Vec<(u32, Settling, i64)>,
    /// How often a refund or a payout went out.
    pub refunds_sent: u32,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let opening = Opening {
            id: Minted { id: PublicId::new("pi_7"), origin: None },
            checkout: PublicId::new("31"),
            reserved: PublicId::new("9"),
            account: "sim".to_owned(),
            due: idr(DUE),
            at: Timestamp(START),
            expires_at: Timestamp(EXPIRES),
        };
        let intent = Intent::open(opening).expect("an intent");
        Self {
            chance: Chance(seed),
            now: START,
            intent: intent.clone(),
            provider: Provider::default(),
            faults: false,
            sold_out: false,
            takes_late: false,
            late_max: 50 * SECOND,
            rail_lets: None,

            orders: 0,
            units_back: 0,
            mail: BTreeMap::new(),
            letters: 0,
            booked: Vec::new(),
            before: intent,
            asked: BTreeSet::new(),
            refused: Vec::new(),
            settled: Vec::new(),
            refunds_sent: 0,
        }
    }

    pub fn at(&mut self, at: i64, deed: Deed) {
        self.post(at, Mail::Deed(deed));
    }

    fn post(&mut self, at: i64, mail: Mail) {
        self.letters += 1;
        self.mail.insert((at, self.letters), mail);
    }

    /// Until nothing is on its way and nothing is waited for.
    pub fn run(&mut self) {
        self.run_until(i64::MAX);
    }

    pub fn run_until(&mut self, end: i64) {
        for _ in 0..STEPS_MAX {
            let wake = self.perform_all();
            let letter = self.mail.keys().next().map(|key| key.0);
            self.keep();
            let Some(next) = [wake, letter].into_iter().flatten().min().filter(|next| *next <= end) else { return };
            self.now = self.now.max(next);
            if letter.is_some_and(|at| at <= self.now)
                && let Some((_, mail)) = self.mail.pop_first()
            {
                self.open(mail);
            }
        }
        panic!("it never comes to rest: {:?}", self.intent);
    }

    fn open(&mut self, mail: Mail) {
        match mail {
            Mail::Deed(deed) => self.deed(&deed),
            Mail::Answer(attempt, answer, receipts) => self.answered(attempt, answer, receipts),
            Mail::Notice(receipt) => self.receive(receipt),
            Mail::Refund(key, answer) => self.refund_answered(&key, answer),
            Mail::Charge(attempt) => self.charge_arrives(attempt),
            Mail::SendRefund(key) => drop(self.refund_arrives(&key)),
            Mail::Account(key) => self.name_account(key),
        }
    }

    /// A notice comes once soon; with faults up to three times, within days, or never where a question finds the same.
    /// (What nobody asks for any more, a daily statement would tell.)
    fn notify(&mut self, receipts: impl IntoIterator<Item = Receipt>, found: bool) {
        for receipt in receipts {
            let copies = if self.faults { self.chance.below(4).max(i64::from(!found)) } else { 1 };
            for _ in 0..copies {
                let delay = if self.faults && self.chance.one_in(3) { 60 * HOUR } else { 2 * SECOND };
                let at = self.now + self.chance.below(delay);
                self.post(at, Mail::Notice(receipt.clone()));
            }
        }
    }

    /// The first call of a try: lost before or after its effect, late, or answered slowly.
    fn send(&mut self, attempt: u32) {
        let fate = if self.faults { self.chance.below(5) } else { 4 };
        match fate {
            0 => {}
            1 => self.charge_arrives(attempt),
            2 => {
                let at = self.now + self.chance.below(self.late_max);
                self.post(at, Mail::Charge(attempt));
            }
            _ => {
                self.charge_arrives(attempt);
                let (answer, receipts) = self.provider.query(&reference(attempt), self.now);
                let slow = if self.faults { 20 * SECOND } else { SECOND };
                let at = self.now + self.chance.below(slow);
                self.post(at, Mail::Answer(attempt, answer, receipts));
            }
        }
    }

    fn charge_arrives(&mut self, number: u32) {
        let attempt =
            self.intent.attempts().iter().find(|it| it.number() == number).expect("recorded before it was sent");
        let (reference, method) = (attempt.reference().to_owned(), attempt.method());
        let amount = attempt.amount().minor();
        let ok = !(self.faults && self.chance.one_in(5));
        let expires = self.rail_lets.map_or(EXPIRES, |lets| self.now + lets);
        self.provider.charge(&reference, number, method, amount, [self.now, expires], ok);
        let (_, receipts) = self.provider.query(&reference, self.now);
        self.notify(receipts, true);
    }

    fn answered(&mut self, attempt: u32, answer: Answer, receipts: Vec<Receipt>) {
        // Money first: it is a fact, whatever the answer calls it.
        receipts.into_iter().for_each(|receipt| self.receive(receipt));
        let now = Timestamp(self.now);
        self.intent = self.intent.answered(attempt, answer, now, &PATIENCE).expect("a known attempt");
        if let Some(lets) = self.rail_lets.filter(|_| answer == Answer::Accepted) {
            let until = Some(Timestamp(self.now + lets));
            self.intent = self.intent.showing(attempt, Some("8808"), until).expect("a known attempt");
        }
    }

    fn receive(&mut self, receipt: Receipt) {
        let (intent, entered) = self.intent.receive(receipt).expect("money that came is never refused");
        assert_ne!(entered, Entered::Differs);
        self.intent = intent;
    }

    /// Does what is to be done now; says when to look again.
    fn perform_all(&mut self) -> Option<i64> {
        for _ in 0..64 {
            self.ask_for_accounts();
            let plan = self.intent.plan(Timestamp(self.now), &PATIENCE);
            if plan.acts.is_empty() {
                return plan.wake_at.map(|at| at.0);
            }
            plan.acts.into_iter().for_each(|act| self.perform(act));
        }
        panic!("there is always more to do: {:?}", self.intent);
    }

    /// As the store would keep it between any two moments.
    fn keep(&mut self) {
        let kept = Intent::from_document(&self.intent.document()).expect("what it writes it reads");
        assert_eq!(kept, self.intent);
        self.intent = kept;
        self.booked.extend(self.intent.booked_since(&self.before));
        self.before = self.intent.clone();
    }

    fn perform(&mut self, act: Act) {
        self.keep();
        let now = Timestamp(self.now);
        match act {
            Act::Query { attempt } => {
                let lost = self.faults && self.chance.one_in(3);
                let (answer, receipts) = match lost {
                    true => (Answer::Nothing, Vec::new()),
                    false => self.provider.query(&reference(attempt), self.now),
                };
                self.answered(attempt, answer, receipts);
            }
            Act::Send { attempt } => {
                self.intent = self.intent.sent_again(attempt, now).expect("its rail does not know it");
                self.send(attempt);
            }
            Act::Expire { attempt } => {
                self.intent = self.intent.told_to_end(attempt, now).expect("known");
                if !(self.faults && self.chance.one_in(3)) {
                    self.provider.expire(&reference(attempt));
                }
            }
            Act::Settle { attempt, what, minor } => {
                assert!(minor > 0, "nothing is asked for");
                self.settled.push((attempt, what, minor));
                self.intent = self.intent.settling(attempt, what, now, &PATIENCE).expect("one of the two only");
                if !(self.faults && self.chance.one_in(3)) {
                    let receipts = self.provider.settle(&reference(attempt), what, minor, self.now);
                    self.notify(receipts, true);
                }
            }
            Act::Complete => self.complete(),
            Act::CompleteLate if self.sold_out => self.intent = self.intent.too_late(),
            Act::CompleteLate => {
                self.units_back -= 1;
                self.complete();
            }
            Act::End(ending) => {
                self.intent = self.intent.end(ending, now, &PATIENCE).expect("nothing is alive");
                self.units_back += 1;
            }
            Act::CancelOrder => {
                let rest = DUE - self.intent.given_by_order();
                self.intent = self.intent.give_back(idr(rest)).expect("what is left");
            }
            Act::Refund => {
                let before: BTreeSet<String> = self.intent.refunds().iter().map(|it| it.key().to_owned()).collect();
                self.intent = self.intent.refund_what_is_owed(now).expect("not that many");
                let fresh = self.intent.refunds().iter().filter(|it| it.state() == RefundState::Recorded);
                let fresh: Vec<String> =
                    fresh.map(|it| it.key().to_owned()).filter(|key| !before.contains(key)).collect();
                fresh.into_iter().for_each(|key| self.send_refund(key));
            }
            Act::SendRefund { key } => {
                self.intent = self.intent.refund_sent_again(&key, now).expect("the rail does not know it");
                self.send_refund(key);
            }
            Act::WithdrawRefund { key } => {
                self.intent = self.intent.withdraw_refund(&key, now).expect("no rail has it")
            }
            Act::QueryRefund { key } => {
                let lost = self.faults && self.chance.one_in(3);
                let answer = if lost { RefundAnswer::Nothing } else { self.provider.query_refund(&key) };
                self.refund_answered(&key, answer);
                // By the next question it is done, or will not be.
                let rejected = self.faults && self.chance.one_in(6);
                self.provider.conclude(&key, if rejected { RefundAnswer::Rejected } else { RefundAnswer::Confirmed });
            }
        }
    }

    fn complete(&mut self) {
        self.orders += 1;
        self.intent = self.intent.completed(&PublicId::new("70")).expect("paid");
    }
}

pub fn reference(attempt: u32) -> String {
    format!("pi_7-{attempt}")
}

pub fn idr(minor: i64) -> Money {
    Money::new(minor, Currency::IDR).expect("small")
}

/// What a provider says of money, without a world around it.
pub fn receipt(transaction: &str, kind: ReceiptKind, attempt: u32, minor: i64) -> Receipt {
    let transaction = transaction.to_owned();
    Receipt { transaction, kind, attempt, amount: idr(minor), at: Timestamp(START + HOUR) }
}

/// An intent with one try that the rail has accepted.
pub fn awaiting(method: Method) -> Intent {
    let (intent, attempt) = World::new(1).intent.attempt(method, Timestamp(START)).expect("a first try");
    intent.answered(attempt.number(), Answer::Accepted, Timestamp(START + SECOND), &PATIENCE).expect("known")
}
