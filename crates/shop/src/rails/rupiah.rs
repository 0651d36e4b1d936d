//! The one place where minor units become whole rupiah, as rails of Indonesia have them, and back.

use commerce::money::{Currency, Money};

const MINOR_PER_RUPIAH: i64 = 100;

/// None for another currency, and for what is no whole number of rupiah: no rail could be asked for it.
pub fn from_money(money: Money) -> Option<i64> {
    let whole = money.currency() == Currency::IDR && money.minor() % MINOR_PER_RUPIAH == 0;
    whole.then(|| money.minor() / MINOR_PER_RUPIAH)
}

/// None for less than nothing, and for more than there is.
pub fn to_money(rupiah: i64) -> Option<Money> {
    let minor = rupiah.checked_mul(MINOR_PER_RUPIAH).filter(|minor| *minor >= 0)?;
    Money::new(minor, Currency::IDR).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_goes_out_and_comes_back_the_same_and_a_fraction_goes_nowhere() {
        let due = Money::new(27_500_000, Currency::IDR).unwrap();
        assert_eq!(from_money(due), Some(275_000));
        assert_eq!(to_money(275_000), Some(due));
        assert_eq!(from_money(Money::new(27_500_050, Currency::IDR).unwrap()), None);
        assert_eq!(from_money(Money::new(100, Currency::parse("USD").unwrap()).unwrap()), None);
        assert_eq!((to_money(-1), to_money(i64::MAX)), (None, None));
    }
}
