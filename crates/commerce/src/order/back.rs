//! Giving back: cancel (the units return to the shelf) and refund (they do not), of lines or of the whole rest.

use super::{Adjustment, Line, Order, SECOND_US, State, place};
use crate::lines::{LineId, ids_exhausted};
use crate::money::{Money, Rounding};
use crate::refusal::{Refusal, Retry};
use vocab::id::{Minted, PublicId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Cancel,
    Refund,
}

impl Command {
    /// The type of the adjustments it makes.
    pub const fn adjustment(self) -> &'static str {
        match self {
            Self::Cancel => "cancellation",
            Self::Refund => "refund",
        }
    }

    pub(super) fn from_adjustment(name: &str) -> Option<Self> {
        [Self::Cancel, Self::Refund].into_iter().find(|command| command.adjustment() == name)
    }

    const fn allowed(self, state: State) -> bool {
        match self {
            Self::Cancel => matches!(state, State::Paid),
            Self::Refund => matches!(state, State::Paid | State::Shipped | State::Done),
        }
    }
}

/// How much of an order goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// All that is left, with its shipping.
    Whole,
    /// So many units of these lines.
    Lines(Vec<(PublicId, u32)>),
}

impl Back {
    /// How many adjustments it makes, each with an id of its own.
    pub fn adjustments(&self) -> usize {
        match self {
            Self::Whole => 1,
            Self::Lines(lines) => lines.len(),
        }
    }
}

impl Order {
    /// # Errors
    /// `order_not_cancellable` where no unit at all may go back by this command.
    pub fn may_give_back(&self, command: Command) -> Result<(), Refusal> {
        let is_paid = command.allowed(self.state) && self.is_captured();
        if is_paid || (command == Command::Cancel && self.is_promised()) {
            return Ok(());
        }
        let content = format!("an order in state `{}` takes no {}", self.state.name(), command.adjustment());
        Err(Refusal::new("order_not_cancellable", Retry::Never, content))
    }

    /// The order after units went back, and the units that return to the shelf, by product. `ids` holds
    /// [`Back::adjustments`] of them.
    ///
    /// # Errors
    /// `order_not_cancellable`, `quantity_exceeds_remaining`, `ids_exhausted`, `not_found` for an unknown line.
    pub fn give_back(
        &self,
        command: Command,
        back: &Back,
        mut ids: Vec<Minted>,
        now: Timestamp,
    ) -> Result<(Self, Vec<(PublicId, i64)>), Refusal> {
        self.may_give_back(command)?;
        if ids.len() < back.adjustments() {
            return Err(ids_exhausted());
        }
        let mut after = self.clone();
        ids.sort_by_key(|minted| place(now, &minted.id));
        let at = after.after_the_last(now, ids.first());
        let mut ids = ids.into_iter();
        let returned = match back {
            Back::Whole => after.give_back_rest(command, ids.next(), at)?,
            Back::Lines(lines) => {
                let mut returned = Vec::with_capacity(lines.len());
                for (index, ((line, quantity), id)) in lines.iter().zip(ids).enumerate() {
                    returned.push(after.give_back_line(command, (index, line, *quantity), id, at)?);
                }
                returned
            }
        };
        if command == Command::Cancel && after.lines.iter().all(|line| line.remaining() == 0) {
            after.state = State::Cancelled;
            after.cancelled_at = Some(at);
        }
        Ok((after, if command == Command::Cancel { returned } else { Vec::new() }))
    }

    /// Adjustments are booked in their order of time, also when the clock was set back. Within a second their ids
    /// decide, so that one whose id is lower than the last one's waits for the next.
    fn after_the_last(&self, now: Timestamp, first: Option<&Minted>) -> Timestamp {
        let at = self.adjustments.iter().map(|adjustment| adjustment.at).fold(now, Timestamp::max);
        let last = self.adjustments.iter().map(Adjustment::place).max();
        match first {
            Some(first) if last >= Some(place(at, &first.id)) => {
                Timestamp((at.0.div_euclid(SECOND_US) + 1) * SECOND_US)
            }
            _ => at,
        }
    }

    /// What was given back so far.
    ///
    /// # Errors
    /// `amount_too_large`: not for an order that `from_document` accepted.
    pub fn given_back(&self) -> Result<Money, Refusal> {
        Ok(Money::sum(self.adjustments.iter().map(|adjustment| adjustment.amount), self.currency)?)
    }

    /// What is not given back yet.
    fn left(&self) -> Result<Money, Refusal> {
        Ok(self.totals.total().minus(self.given_back()?)?)
    }

    fn give_back_rest(
        &mut self,
        command: Command,
        id: Option<Minted>,
        at: Timestamp,
    ) -> Result<Vec<(PublicId, i64)>, Refusal> {
        let units = self.lines.iter().map(|line| u64::from(line.remaining())).sum::<u64>();
        let quantity = u32::try_from(units).map_err(|_| too_many_units())?;
        if quantity == 0 {
            return Err(exceeds("$", 0));
        }
        let amount = self.left()?;
        let mut returned = Vec::with_capacity(self.lines.len());
        for line in &mut self.lines {
            let units = line.remaining();
            returned.push((line.sold.product.clone(), i64::from(units)));
            line.take(command, units);
        }
        let identity = LineId::from(id.ok_or_else(ids_exhausted)?);
        self.adjustments.push(Adjustment { identity, command, at, line: None, quantity, amount });
        Ok(returned)
    }

    fn give_back_line(
        &mut self,
        command: Command,
        (index, id, quantity): (usize, &PublicId, u32),
        adjustment: Minted,
        at: Timestamp,
    ) -> Result<(PublicId, i64), Refusal> {
        let path = format!("$.lines[{index}]");
        let left = self.left()?;
        let totals = self.totals;
        let Some(line) = self.lines.iter_mut().find(|line| line.sold.identity.id == *id) else {
            return Err(Refusal::not_found("line", id.as_str()).at(path));
        };
        if quantity == 0 || quantity > line.remaining() {
            return Err(exceeds(&path, line.remaining()));
        }
        let goods = line.sold.unit_price.times(quantity)?;
        line.take(command, quantity);
        let returned = (line.sold.product.clone(), i64::from(quantity));
        let tax = totals.tax().share(goods.minor(), totals.subtotal().minor(), Rounding::Down)?;
        let is_last = self.lines.iter().all(|line| line.remaining() == 0);
        let amount = if is_last { left } else { goods.plus(tax)? };
        let (identity, line) = (LineId::from(adjustment), Some(id.clone()));
        self.adjustments.push(Adjustment { identity, command, at, line, quantity, amount });
        Ok(returned)
    }
}

impl Line {
    fn take(&mut self, command: Command, units: u32) {
        match command {
            Command::Cancel => self.cancelled += units,
            Command::Refund => self.refunded += units,
        }
    }
}

/// An adjustment counts up to four billion units; lines are given back one by one then.
fn too_many_units() -> Refusal {
    Refusal::new("amount_too_large", Retry::Changed, "too many units for one adjustment").at("$")
}

fn exceeds(path: &str, remaining: u32) -> Refusal {
    Refusal::new("quantity_exceeds_remaining", Retry::Changed, format!("only {remaining} units remain")).at(path)
}
