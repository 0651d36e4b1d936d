//! What a buyer pays with: a number to transfer to, a code to scan, an address to go to.

use std::fmt::Write;

/// The first digits of every virtual account here.
const BANK_PREFIX: &str = "8808";
const MERCHANT: &str = "TOKO LOKET";
const CITY: &str = "JAKARTA PUSAT";
/// The longest reference that a QR carries.
const REFERENCE_MAX: usize = 25;

/// The number of a virtual account: the prefix, and a number that is never given out again.
pub fn virtual_account(number: i64) -> String {
    format!("{BANK_PREFIX}{number:012}")
}

/// A QRIS of one sale over so many rupiah (EMVCo, merchant presented).
pub fn qris(rupiah: i64, reference: &str) -> String {
    let account = [field("00", "ID.CO.LOKET.WWW"), field("01", "936009990123456789"), field("02", "000000123456789")];
    let merchant = [field("00", "ID.CO.QRIS.WWW"), field("02", "ID1020301234567"), field("03", "UMI")];
    let start = reference.len().saturating_sub(REFERENCE_MAX);
    let more = [field("05", reference.get(start..).unwrap_or_default()), field("07", "A01")];
    let body = [
        field("00", "01"),
        field("01", "12"),
        field("26", &[account.concat(), field("03", "UMI")].concat()),
        field("51", &merchant.concat()),
        field("52", "5977"),
        field("53", "360"),
        field("54", &rupiah.to_string()),
        field("58", "ID"),
        field("59", MERCHANT),
        field("60", CITY),
        field("61", "10110"),
        field("62", &more.concat()),
    ];
    let mut text = body.concat();
    text.push_str("6304");
    let sum = crc(text.as_bytes());
    let _ = write!(text, "{sum:04X}");
    text
}

fn field(id: &str, value: &str) -> String {
    format!("{id}{:02}{value}", value.len())
}

/// CRC-16/CCITT-FALSE.
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum, byte| {
        (0..8).fold(
            sum ^ (u16::from(*byte) << 8),
            |sum, _| if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{crc, qris};

    #[test]
    fn the_check_sum_is_the_published_one() {
        assert_eq!(crc(b"123456789"), 0x29b1);
        let whole = "00020101021226690017ID.CO.EXAMPLE.WWW011893600999012345678902150000123456789010303UMI\
                     51440014ID.CO.QRIS.WWW0215ID10203012345670303UMI52045977530336054062750005802ID5914TOKO BUDI JAYA\
                     6013JAKARTA PUSAT61051011062260515pi_01JD3M7Q8ZK40703A016304";
        assert_eq!(crc(whole.as_bytes()), 0xd92c);
    }

    #[test]
    fn a_code_says_what_is_to_be_paid_and_ends_in_its_check_sum() {
        let code = qris(275_000, "pi_7-1");
        assert!(code.contains("5406275000") && code.contains("pi_7-1"), "{code}");
        let (body, sum) = code.split_at(code.len() - 4);
        assert_eq!(format!("{:04X}", crc(body.as_bytes())), sum);
    }
}
