//! An attempt: one try to be paid on one rail, under a reference that the rail will never see for another try.

use super::asking::Asked;
use super::{Intent, Patience, ReceiptKind};
use crate::money::Money;
use crate::refusal::{Refusal, Retry};
use vocab::id::{PublicId, Timestamp};

/// How the buyer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// A token that stands for a card; may be authorised first and captured later.
    CardToken,
    /// A number that is paid into at any bank.
    VirtualAccount,
    /// A code to be scanned.
    Qr,
    /// The buyer is sent to a wallet and comes back.
    Wallet,
    /// Whoever brings the goods takes the money.
    CashOnDelivery,
}

words!(Method {
    CardToken = "card_token",
    VirtualAccount = "virtual_account",
    Qr = "qr",
    Wallet = "wallet",
    CashOnDelivery = "cash_on_delivery",
});

impl Method {
    /// Whether money can go back the way it came; else it is paid out to an account that the buyer names.
    pub const fn refunds(self) -> bool {
        match self {
            Self::CardToken | Self::Qr | Self::Wallet => true,
            Self::VirtualAccount | Self::CashOnDelivery => false,
        }
    }
}

/// What became of a try. Only `Declined`, `Absent` and `Over` are dead: nothing comes of them by itself any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// On record since before the first byte went out; no answer has come, and it may be that nothing went out.
    Recorded,
    /// The rail knows it, and waits for the buyer.
    Accepted,
    /// The rail has taken money for it and takes no more. What it took, the receipts say.
    Paid,
    /// The rail said no.
    Declined,
    /// Nobody knows: no answer in time, or none that says anything.
    Unknown,
    /// The rail does not know it, and did not know it long after it would have.
    Absent,
    /// The rail has it as expired, canceled or lapsed.
    Over,
}

words!(Fate {
    Recorded = "recorded",
    Accepted = "accepted",
    Paid = "paid",
    Declined = "declined",
    Unknown = "unknown",
    Absent = "absent",
    Over = "over",
});

impl Fate {
    pub const fn is_dead(self) -> bool {
        matches!(self, Self::Declined | Self::Absent | Self::Over)
    }
}

/// What can be done with money that is held on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settling {
    Capture,
    Void,
}

words!(Settling {
    Capture = "capture",
    Void = "void",
});

/// When something was asked of a rail: the first time, by which it is paced, and the last, from which it has to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Told {
    fn again(before: Option<Self>, at: Timestamp) -> Self {
        Self { first: before.map_or(at, |before| before.first), last: at }
    }
}

/// What a rail says of a try: in answer to our call, to a question, or by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It stands, and the buyer may pay.
    Accepted,
    /// Money was taken for it, and no more will be. How much, a receipt says, never this.
    Paid,
    Declined,
    /// Expired, canceled, voided or lapsed; nothing can be paid on it.
    Over,
    /// The rail does not know the reference.
    NotFound,
    /// No answer in time, 202, 429, 5xx, a cut connection, bytes that say nothing, a word that nobody knows.
    Nothing,
}

/// One try. What the buyer is shown (a number, a code, an address) is payment data: it never leaves for the host and
/// is in no log, so that this type does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    pub(super) number: u32,
    pub(super) reference: String,
    pub(super) method: Method,
    /// What is asked for by it: all that was owed, less what was here already.
    pub(super) amount: Money,
    pub(super) fate: Fate,
    pub(super) recorded_at: Timestamp,
    pub(super) asked: Asked,
    /// When the rail last said something of it.
    pub(super) heard_at: Option<Timestamp>,
    /// When it went out again, because the rail did not know it.
    pub(super) sent_again_at: Option<Timestamp>,
    /// When the rail first said that it is over.
    pub(super) over_since: Option<Timestamp>,
    /// The rail was told to let nobody pay it any more.
    pub(super) told_to_end: Option<Told>,
    /// What was last asked of held money.
    pub(super) settling: Option<(Settling, Told)>,
    /// Until when the rail takes money for it.
    pub(super) expires_at: Option<Timestamp>,
    pub(super) shown: Option<String>,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt")
            .field("reference", &self.reference)
            .field("method", &self.method)
            .field("fate", &self.fate)
            .field("shown", &self.shown.as_ref().map(|_| "…"))
            .finish_non_exhaustive()
    }
}

impl Attempt {
    pub(super) fn recorded(intent: &PublicId, number: u32, method: Method, amount: Money, at: Timestamp) -> Self {
        Self {
            number,
            reference: format!("{intent}-{number}"),
            method,
            amount,
            fate: Fate::Recorded,
            recorded_at: at,
            settling: None,
            asked: Asked::default(),
            heard_at: None,
            sent_again_at: None,
            over_since: None,
            told_to_end: None,
            expires_at: None,
            shown: None,
        }
    }

    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Under which the rail knows it.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    pub const fn method(&self) -> Method {
        self.method
    }

    /// What is asked for by it.
    pub const fn amount(&self) -> Money {
        self.amount
    }

    pub const fn fate(&self) -> Fate {
        self.fate
    }

    pub const fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// What the buyer needs to see in order to pay: for the page of the backend, and for nobody else.
    pub fn shown(&self) -> Option<&str> {
        self.shown.as_deref()
    }

    /// Until when the rail takes money for it, where it said so.
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    pub const fn is_alive(&self) -> bool {
        !self.fate.is_dead()
    }
}

impl Intent {
    /// Held money is to be taken, or let go: on record before it is asked of the rail.
    ///
    /// # Errors
    /// `not_found`; `payment_in_progress` where the other of the two was asked for before, and the rail has not said
    /// since, when it had to know, that the money is still held.
    pub fn settling(&self, number: u32, what: Settling, at: Timestamp, patience: &Patience) -> Result<Self, Refusal> {
        let attempt = self.attempts.iter().find(|attempt| attempt.number == number);
        let otherwise = |it: &&Attempt| it.settling.is_some_and(|(before, _)| before != what);
        if attempt.filter(otherwise).is_some_and(|attempt| !attempt.may_settle(patience)) {
            return Err(Refusal::new("payment_in_progress", Retry::Later, "held money was asked for otherwise before"));
        }
        self.with(number, |attempt| {
            let before = attempt.settling.filter(|(before, _)| *before == what).map(|(_, told)| told);
            attempt.settling = Some((what, Told::again(before, at)));
        })
    }

    /// The rail is told to let nobody pay it any more; what became of that is asked for.
    ///
    /// # Errors
    /// `not_found`.
    pub fn told_to_end(&self, number: u32, at: Timestamp) -> Result<Self, Refusal> {
        self.with(number, |attempt| {
            attempt.told_to_end = Some(Told::again(attempt.told_to_end, at));
        })
    }

    /// It goes out again, under its reference: on record before the first byte.
    ///
    /// # Errors
    /// `not_found`; `payment_in_progress` where its rail knows it, or has not said that it does not.
    pub fn sent_again(&self, number: u32, at: Timestamp) -> Result<Self, Refusal> {
        let unknown =
            |it: &&Attempt| it.number == number && it.fate == Fate::Unknown && it.asked.absent_since.is_some();
        if self.attempts.iter().any(|it| it.number == number) && !self.attempts.iter().any(|it| unknown(&it)) {
            return Err(Refusal::new("payment_in_progress", Retry::Later, "its rail knows it, or may"));
        }
        self.with(number, |attempt| {
            (attempt.sent_again_at, attempt.asked.last) = (Some(at), Some(at));
            // What was sent now may arrive as late as what was sent first: nothing said before says anything of it.
            attempt.asked.absent_since = None;
            // Its answer counts as the one that was no answer.
            attempt.asked.times = attempt.asked.times.saturating_sub(1);
        })
    }

    /// What the buyer is to be shown, and until when the rail takes money for it. The first that came stays.
    ///
    /// # Errors
    /// `not_found`.
    pub fn showing(&self, number: u32, shown: Option<&str>, expires_at: Option<Timestamp>) -> Result<Self, Refusal> {
        self.with(number, |attempt| {
            attempt.shown = attempt.shown.take().or_else(|| shown.map(str::to_owned));
            attempt.expires_at = attempt.expires_at.or(expires_at);
        })
    }

    /// What a rail says of a try. What is dead stays so, whatever comes later: money comes as a receipt. "Not found"
    /// kills only where it was said twice, the second time when the rail would have to know: what was sent may still be
    /// on its way.
    ///
    /// # Errors
    /// `not_found`.
    pub fn answered(&self, number: u32, answer: Answer, at: Timestamp, patience: &Patience) -> Result<Self, Refusal> {
        let held = self.was_authorised(number);
        self.with(number, |attempt| {
            let stale = answer == Answer::NotFound && attempt.sent_again_at.is_some_and(|sent| at <= sent);
            let answer = if stale { Answer::Nothing } else { answer };
            attempt.asked.note(at);
            // A rail that has forgotten what it knew has said nothing of it.
            let forgot = answer == Answer::NotFound && !matches!(attempt.fate, Fate::Recorded | Fate::Unknown);
            if answer != Answer::Nothing && !forgot {
                attempt.heard_at = Some(at);
            }
            if answer == Answer::Over {
                attempt.over_since.get_or_insert(at);
            }
            if attempt.fate.is_dead() {
                return;
            }
            match answer {
                // An older word than the one that it has taken money.
                Answer::Accepted if attempt.fate == Fate::Paid => {}
                Answer::Accepted => attempt.found(Fate::Accepted),
                Answer::Paid => attempt.found(Fate::Paid),
                // An authorisation that lapsed was declined by nobody.
                Answer::Declined if !held && attempt.fate != Fate::Paid => attempt.found(Fate::Declined),
                Answer::Declined | Answer::Over => attempt.found(Fate::Over),
                Answer::NotFound => attempt.not_found(at, patience),
                Answer::Nothing => attempt.unknown(),
            }
        })
    }

    fn was_authorised(&self, number: u32) -> bool {
        self.receipts.iter().any(|receipt| receipt.attempt == number && receipt.kind == ReceiptKind::Authorised)
    }

    /// # Errors
    /// `not_found`.
    pub(super) fn with(&self, number: u32, change: impl FnOnce(&mut Attempt)) -> Result<Self, Refusal> {
        let mut after = self.clone();
        let Some(attempt) = after.attempts.iter_mut().find(|attempt| attempt.number == number) else {
            return Err(Refusal::not_found("payment attempt", &format!("{}-{number}", self.id)));
        };
        change(attempt);
        Ok(after)
    }
}

impl Attempt {
    fn found(&mut self, fate: Fate) {
        self.fate = fate;
        self.asked.absent_since = None;
    }

    fn unknown(&mut self) {
        // What the rail knows it knows: a question that was not answered says nothing new.
        if matches!(self.fate, Fate::Recorded | Fate::Unknown) {
            self.fate = Fate::Unknown;
        }
    }

    fn not_found(&mut self, at: Timestamp, patience: &Patience) {
        // It had been there before: a rail that forgets is not believed.
        if matches!(self.fate, Fate::Accepted | Fate::Paid) {
            return;
        }
        self.fate = if self.asked.not_found(at, patience) { Fate::Absent } else { Fate::Unknown };
    }

    /// Money came for it.
    pub(super) const fn is_known_to_the_rail(&mut self) {
        self.asked.absent_since = None;
        if matches!(self.fate, Fate::Recorded | Fate::Unknown | Fate::Absent) {
            self.fate = Fate::Accepted;
        }
    }
}
