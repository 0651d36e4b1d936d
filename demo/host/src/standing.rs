//! How a checkout stands whose buyer was shown the shop's page to pay it: what is asked again while somebody looks, so that
//! this page goes on by itself when the other one has done its work.
//!
//! Absent on purpose: anything that the two pages say to each other. The shop is asked, and answers the host what hosts learn.

use crate::App;
use crate::deed::bill;
use crate::people::Seat;
use crate::wire::{Ask, Bill};
use std::time::Duration;
use tokio::time::timeout;

/// A shop that takes longer is asked again the next time.
const LOOK_MAX: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Open,
    /// What to pay with is out, or it is being paid this moment.
    BeingPaid,
    Ordered,
    Ended,
}

/// What somebody who looks has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    None,
    /// Nothing but that it is being paid: the frame stays as it is.
    BeingPaid,
    /// The checkout is to be shown anew, or what it became.
    LookAgain,
}

impl Standing {
    fn of(checkout: &Bill) -> Self {
        match checkout.order {
            Some(_) => Self::Ordered,
            None if checkout.is_being_paid() => Self::BeingPaid,
            None if checkout.status == "canceled" => Self::Ended,
            None => Self::Open,
        }
    }

    /// After it stood like this, or nobody had looked. An order is told until the person has been led to it.
    pub fn news(self, before: Option<Self>) -> News {
        match self {
            Self::Ordered => News::LookAgain,
            _ if before == Some(self) => News::None,
            Self::BeingPaid => News::BeingPaid,
            Self::Open | Self::Ended => before.map_or(News::None, |_| News::LookAgain),
        }
    }
}

/// None where this person was shown no such page at the shop, or nobody answers.
pub async fn look(app: &App, seat: &Seat, shop: &str) -> Option<Standing> {
    let basket = seat.person().basket(shop);
    let checkout = basket.checkout.filter(|checkout| basket.offered.as_ref() == Some(checkout))?;
    let answer = timeout(LOOK_MAX, app.seam().send(&Ask::checkout(shop, &checkout))).await.ok()?.ok()?;
    bill(&answer).ok().map(|checkout| Standing::of(&checkout))
}

#[cfg(test)]
mod tests {
    use super::{News, Standing};

    #[test]
    fn a_page_is_told_what_changed_and_of_an_order_until_it_has_gone_there() {
        use Standing::{BeingPaid, Ended, Open, Ordered};
        for (before, now, news) in [
            (None, Open, News::None),
            (None, BeingPaid, News::BeingPaid),
            (None, Ended, News::None),
            (Some(Open), BeingPaid, News::BeingPaid),
            (Some(BeingPaid), BeingPaid, News::None),
            (Some(BeingPaid), Open, News::LookAgain),
            (Some(BeingPaid), Ended, News::LookAgain),
            (Some(BeingPaid), Ordered, News::LookAgain),
            (Some(Ordered), Ordered, News::LookAgain),
        ] {
            assert_eq!(now.news(before), news, "{before:?} to {now:?}");
        }
    }
}
