//! A QRIS (EMVCo, merchant presented) is checked before anybody sees it: issued by an acquirer, it has to be whole, for this
//! sale, in rupiah, in Indonesia, and over what is due.

use commerce::money::Money;
use shop::rails::rupiah;

/// The longest that the standard has, in bytes.
const LENGTH_MAX: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("it is not a list of fields in ASCII, 512 bytes at most")]
    Form,
    #[error("its check sum is another")]
    CheckSum,
    #[error("it is not for one sale")]
    NotDynamic,
    #[error("it is not in rupiah")]
    Currency,
    #[error("it is not for Indonesia")]
    Country,
    #[error("it is over another amount")]
    Amount,
}

/// # Errors
/// The first rule that it breaks.
pub fn check(text: &str, due: Money) -> Result<(), Wrong> {
    let fields = fields(text).ok_or(Wrong::Form)?;
    let value = |id: &str| fields.iter().find(|(found, _)| *found == id).map(|(_, value)| *value);
    let ends = fields.first().is_some_and(|(id, value)| (*id, *value) == ("00", "01"))
        && fields.last().is_some_and(|(id, value)| *id == "63" && value.len() == 4);
    if !ends {
        return Err(Wrong::Form);
    }
    // Over all bytes but its own four digits.
    let (summed, sum) = text.split_at(text.len() - 4);
    if format!("{:04X}", crc(summed.as_bytes())) != sum {
        return Err(Wrong::CheckSum);
    }
    let rules = [
        (value("01") == Some("12"), Wrong::NotDynamic),
        (value("53") == Some("360"), Wrong::Currency),
        (value("58") == Some("ID"), Wrong::Country),
        (value("54").and_then(amount) == Some(due), Wrong::Amount),
    ];
    rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, wrong)| Err(wrong))
}

/// Two digits of id, two of length, so many characters of value, to the end; no id twice.
fn fields(text: &str) -> Option<Vec<(&str, &str)>> {
    if !text.is_ascii() || text.len() > LENGTH_MAX {
        return None;
    }
    let (mut rest, mut fields) = (text, Vec::<(&str, &str)>::new());
    while !rest.is_empty() {
        let (id, length) = (rest.get(..2)?, rest.get(2..4)?);
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let length: usize = if digits(id) && digits(length) { length.parse().ok()? } else { return None };
        let value = rest.get(4..4 + length).filter(|value| !value.is_empty())?;
        if fields.iter().any(|(known, _)| *known == id) {
            return None;
        }
        fields.push((id, value));
        rest = &rest[4 + length..];
    }
    Some(fields)
}

/// `275000` and `275000.00` are both written.
fn amount(text: &str) -> Option<Money> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.bytes().any(|byte| byte != b'0') {
        return None;
    }
    rupiah::to_money(whole.parse().ok()?)
}

/// CRC-16/CCITT-FALSE.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum, byte| {
        (0..8).fold(
            sum ^ (u16::from(*byte) << 8),
            |sum, _| if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use commerce::money::Currency;
    use testkit::outside::{Bends, Inputs};

    /// A fictitious merchant; payments.md has the figures, made by two implementations that are not this one.
    const GOOD: &str = "00020101021226690017ID.CO.EXAMPLE.WWW011893600999012345678902150000123456789010303UMI\
                        51440014ID.CO.QRIS.WWW0215ID10203012345670303UMI52045977530336054062750005802ID5914TOKO BUDI JAYA\
                        6013JAKARTA PUSAT61051011062260515pi_01JD3M7Q8ZK40703A016304D92C";

    fn due(rupiah: i64) -> Money {
        Money::new(rupiah * 100, Currency::IDR).unwrap()
    }

    /// With a check sum that is right.
    fn summed(body: &str) -> String {
        let body = format!("{body}6304");
        format!("{body}{:04X}", crc(body.as_bytes()))
    }

    #[test]
    fn one_that_is_whole_and_over_what_is_due_is_shown() {
        assert_eq!(crc(b"123456789"), 0x29b1);
        assert_eq!(check(GOOD, due(275_000)), Ok(()));
        let body = GOOD[..GOOD.len() - 8].replace("5406275000", "5409275000.00");
        assert_eq!(check(&summed(&body), due(275_000)), Ok(()));
    }

    #[test]
    fn any_other_is_not() {
        let body = &GOOD[..GOOD.len() - 8];
        let with = |from: &str, to: &str| summed(&body.replace(from, to));
        for (text, wrong) in [
            (GOOD.replace("JAYA", "JAYO"), Wrong::CheckSum),
            // A check sum that leaves out its own id and length.
            (GOOD.replace("D92C", "BE02"), Wrong::CheckSum),
            (with("010212", "010211"), Wrong::NotDynamic),
            (with("5303360", "5303840"), Wrong::Currency),
            (with("5802ID", "5802SG"), Wrong::Country),
            (with("5406275000", "5406275001"), Wrong::Amount),
            (with("5406275000", "5406275.50"), Wrong::Amount),
            (with("5406275000", ""), Wrong::Amount),
            (with("5802ID", "5802ID5802ID"), Wrong::Form),
            (with("5802ID", "5899ID"), Wrong::Form),
            (with("TOKO", "TÖKO"), Wrong::Form),
            (GOOD[..40].to_owned(), Wrong::Form),
            (String::new(), Wrong::Form),
            ("6304D92C".to_owned(), Wrong::Form),
            (summed(&format!("{body}9999{}", "x".repeat(99)).repeat(4)), Wrong::Form),
        ] {
            assert_eq!(check(&text, due(275_000)), Err(wrong), "{text}");
        }
        assert_eq!(check(GOOD, due(275_001)), Err(Wrong::Amount));
    }

    /// Half of them with a check sum that is right: what is shown is over what is due, whatever else is in it.
    #[test]
    fn whatever_a_provider_calls_a_code_is_checked_and_can_be_drawn() {
        let bends = Bends::of([GOOD, "5406275000", "5802ID", "010212"])
            .knowing(["54", "275000", ".00", "5303360", "6304", "99", "00"]);
        let mut inputs = Inputs::of("QRIS", 20_000);
        while let Some(mut chance) = inputs.another() {
            let bent = bends.next(&mut chance);
            let text = String::from_utf8_lossy(&bent);
            let body = text.get(..text.len().saturating_sub(8)).unwrap_or(&text);
            let text = if chance.one_in(2) { summed(body) } else { text.into_owned() };
            inputs.tries(text.as_bytes());
            if check(&text, due(275_000)).is_err() {
                inputs.came_to("not shown");
                continue;
            }
            assert!(text.is_ascii() && text.len() <= LENGTH_MAX && text.contains("275000"));
            assert!(check(&text, due(275_001)).is_err());
            if chance.one_in(64) {
                assert!(super::super::qr::drawn(&text, "a").is_some());
            }
            inputs.came_to("shown");
        }
        inputs.reached(&["shown", "not shown"]);
    }
}
