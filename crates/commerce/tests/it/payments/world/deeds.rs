//! What a buyer does, or is done to, and what a courier does.

use super::{DUE, HOUR, Mail, World, idr, reference};
use commerce::intent::{Fate, Method, ReceiptKind};
use vocab::id::Timestamp;

/// What the buyer does, or is done to.
#[derive(Debug, Clone)]
pub enum Deed {
    Try(Method),
    /// Pays so many hundredths of what is due on a try.
    Pay {
        attempt: u32,
        percent: i64,
    },
    Cancel,
    GiveBack(i64),
    TakeBack(u32, ReceiptKind),
    /// The bank does not hold the money of a try any longer.
    Lapse(u32),
    /// The courier hands over what was taken at the door.
    Remit(u32),
}

impl World {
    pub(super) fn deed(&mut self, deed: &Deed) {
        let now = Timestamp(self.now);
        let done = match deed {
            Deed::Try(method) => self.intent.attempt(*method, now).map(|(intent, attempt)| {
                self.intent = intent;
                self.send(attempt.number());
            }),
            Deed::Pay { attempt, percent } => {
                let late = self.takes_late;
                let paid = self.provider.pay(&reference(*attempt), DUE / 100 * percent, self.now, late);
                if let Some((receipt, found)) = paid {
                    // Nobody asks about what the rail had not known for so long.
                    let mut tries = self.intent.attempts().iter();
                    let unasked = tries.any(|it| it.number() == *attempt && it.fate() == Fate::Absent);
                    if receipt.kind == ReceiptKind::Collected {
                        let at = self.now + self.chance.below(72 * HOUR);
                        self.post(at, Mail::Deed(Deed::Remit(*attempt)));
                    }
                    self.notify([receipt], found && !unasked);
                }
                Ok(())
            }
            Deed::Cancel => self.intent.cancel(now).map(|intent| self.intent = intent),
            Deed::GiveBack(minor) => self.intent.give_back(idr(*minor)).map(|intent| self.intent = intent),
            Deed::TakeBack(attempt, kind) => {
                let taken = self.provider.take_back(&reference(*attempt), *kind, self.now);
                self.notify(taken, false);
                Ok(())
            }
            Deed::Remit(attempt) => {
                let remitted = self.provider.remit(&reference(*attempt), self.now);
                // Nobody asks about what nobody knows to have been taken.
                let known =
                    self.intent.receipts().iter().any(|it| it.attempt == *attempt && it.kind == ReceiptKind::Collected);
                self.notify(remitted, known);
                Ok(())
            }
            Deed::Lapse(attempt) => {
                let lapsed = self.provider.lapse(&reference(*attempt), self.now);
                self.notify(lapsed, true);
                Ok(())
            }
        };
        self.refused.extend(done.err().map(|refusal| refusal.code));
    }
}
