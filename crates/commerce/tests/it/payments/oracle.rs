//! The oracle: what the provider's book says against what the shop did.

use super::world::{DUE, World};
use commerce::intent::Fate;
use commerce::ledger::Account;
use std::collections::BTreeSet;

impl World {
    /// What is wrong, if anything is.
    pub fn verdict(&self) -> Result<(), String> {
        let (kept, orders) = (self.provider.kept(), self.orders);
        // Whoever was to bring cash may have brought less; where they brought nothing, there is no order any more.
        let wanted = if orders == 0 { 0 } else { DUE - self.intent.given_by_order() };
        let (came, taken) = (self.provider.captured(), self.provider.taken_back());
        let stands = wanted;
        let wanted = wanted.min(came);
        // What was paid out before anybody knew that it had been taken back is lost; what was taken back may have been
        // what was too much.
        let lost = if taken > 0 { self.provider.paid_out() } else { 0 };
        let (least, most) = ((wanted - taken).max(0) - lost, wanted.min(came - taken));
        let money = (least..=most).contains(&kept);
        let clearing: i64 = self.balance_of(Account::Clearing);
        // Of what came to life again that the rail had not known for so long, only a notice tells; a bank lets it lapse.
        let absent =
            |number: u32| self.intent.attempts().iter().any(|it| it.number() == number && it.fate() == Fate::Absent);
        let held = self.provider.held().any(|number| !absent(number));
        let open_fate = |fate: Fate| matches!(fate, Fate::Recorded | Fate::Unknown);
        let checks = [
            (orders <= 1, format!("{orders} orders")),
            (money, format!("the shop has {kept}, with {orders} orders; it should have {wanted}")),
            (clearing == self.provider.balance(), format!("clearing {clearing}, book {}", self.provider.balance())),
            (came > 0 || stands == 0, "an order stands that nobody paid".to_owned()),
            (self.balance_of(Account::Cash) == 0, "a courier has money for ever".to_owned()),
            (self.balance_of(Account::Refund) == 0, "a refund is not over".to_owned()),
            (!held, "money is held on a card for ever".to_owned()),
            (self.units_back + orders == 1, format!("units came back {} times, {orders} orders", self.units_back)),
            (!self.intent.attempts().iter().any(|it| open_fate(it.fate())), "a try of unknown fate".to_owned()),
            (self.intent.is_settled(), "something is on its way".to_owned()),
        ];
        let wrong: Vec<String> = checks.into_iter().filter(|(right, _)| !right).map(|(_, what)| what).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}: {:?}", wrong.join("; "), self.intent)) }
    }

    fn balance_of(&self, account: Account) -> i64 {
        let postings = self.intent.postings();
        let events: BTreeSet<&str> = postings.iter().map(|posting| posting.event.as_str()).collect();
        assert_eq!(events.len(), postings.len(), "an event is booked once");
        let bit_by_bit: BTreeSet<&str> = self.booked.iter().map(|posting| posting.event.as_str()).collect();
        assert!(bit_by_bit == events && self.booked.len() == postings.len(), "what was booked is what is to be booked");
        let sign = |on: Account| i64::from(on == account);
        postings.iter().map(|it| (sign(it.debit) - sign(it.credit)) * it.amount.minor()).sum()
    }
}
