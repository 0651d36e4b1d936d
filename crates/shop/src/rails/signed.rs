//! Notices that are signed with a time: `t=SECONDS,v1=HEX`, HMAC-SHA256 over the time, a point and the raw body.
//!
//! A signature lets a notice into the inbox, and no more: what happened, the provider is asked. Two keys are good while one
//! replaces the other.

use ring::{digest, hmac};
use serde::Deserialize;
use store::{Letter, Notice};
use vocab::id::{Name, Timestamp};

/// The largest notice, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// How far the time of a signature may be from ours: who has listened cannot send it again later.
const SKEW_S: i64 = 300;
const REFERENCE_MAX: usize = 64;
/// More signatures than are sent while keys are changed.
const SIGNATURES_MAX: usize = 8;

/// Why a notice does not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    #[error("no such rail")]
    UnknownRail,
    #[error("the notice is larger than {BODY_MAX} bytes")]
    TooLarge,
    #[error("the signature is missing, or is not one that was made with our key in the last minutes")]
    Unsigned,
    #[error("the notice does not say what it is about")]
    Unreadable,
}

/// What became of a notice at the door; either way it is safe with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    New,
    /// It had come before.
    Again,
}

#[derive(Deserialize)]
struct Event {
    data: Subject,
}

#[derive(Deserialize)]
struct Subject {
    reference: String,
}

/// A notice that comes in, as the inbox keeps it.
pub fn admit(
    rail: &str,
    keys: &[hmac::Key],
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Notice, NotAdmitted> {
    if body.len() > BODY_MAX {
        return Err(NotAdmitted::TooLarge);
    }
    verify(keys, signature, body, now).ok_or(NotAdmitted::Unsigned)?;
    let event: Event = serde_json::from_slice(body).map_err(|_| NotAdmitted::Unreadable)?;
    let reference = event.data.reference;
    // None of ours has a control character, and not every store could keep one of value zero.
    if reference.is_empty() || reference.len() > REFERENCE_MAX || reference.chars().any(char::is_control) {
        return Err(NotAdmitted::Unreadable);
    }
    Ok(Notice {
        rail: Name::from(rail),
        digest: hex(digest::digest(&digest::SHA256, body).as_ref()),
        reference,
        received_at: now,
        letter: Letter { signature: signature.to_owned(), body: body.to_vec() },
    })
}

fn verify(keys: &[hmac::Key], signature: &str, body: &[u8], now: Timestamp) -> Option<()> {
    let seconds = signature.split(',').find_map(|part| part.trim().strip_prefix("t="))?;
    let at: i64 = seconds.parse().ok()?;
    if at.abs_diff(now.0.div_euclid(1_000_000)) > SKEW_S.unsigned_abs() {
        return None;
    }
    let mut signed = Vec::with_capacity(seconds.len() + 1 + body.len());
    signed.extend_from_slice(seconds.as_bytes());
    signed.push(b'.');
    signed.extend_from_slice(body);
    let given = signature.split(',').filter_map(|part| part.trim().strip_prefix("v1=")).take(SIGNATURES_MAX);
    // Compared in constant time, on decoded bytes.
    given.filter_map(unhex).find(|tag| keys.iter().any(|key| hmac::verify(key, &signed, tag).is_ok())).map(drop)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1","type":"payment_intent.succeeded"}"#;
    /// payments.md has the figures: computed by two implementations that are not this one.
    const SIGNED: &str = "t=1764000000,v1=16162012540def0c0a2e63f0b82aff7711dd4edda508d03a5419cc0c4f5bb94b";
    const AT: Timestamp = Timestamp(1_764_000_000_000_000);

    fn key(text: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())
    }

    fn is_good(signature: &str, body: &[u8], at: Timestamp) -> bool {
        let keys = [key("whsec_next"), key("whsec_test_baliklayar")];
        verify(&keys, signature, body, at).is_some()
    }

    #[test]
    fn the_published_example_is_good_for_five_minutes_in_either_direction() {
        assert!(is_good(SIGNED, BODY, AT));
        for (seconds, good) in [(-301, false), (-300, true), (300, true), (301, false)] {
            assert_eq!(is_good(SIGNED, BODY, Timestamp(AT.0 + seconds * 1_000_000)), good, "{seconds}");
        }
    }

    #[test]
    fn one_bit_less_is_no_signature() {
        let cut = &SIGNED[..SIGNED.len() - 1];
        let flipped = SIGNED.replace("94b", "94a");
        let later = SIGNED.replace("1764000000", "1764000001");
        for wrong in ["", "t=1764000000", "t=,v1=", "t=x,v1=00", "v1=00", cut, &flipped, &later, &format!("{SIGNED}0")]
        {
            assert!(!is_good(wrong, BODY, AT), "{wrong}");
        }
        assert!(!is_good(SIGNED, &BODY[1..], AT));
        assert!(verify(&[key("whsec_of_last_year")], SIGNED, BODY, AT).is_none());
        assert!(verify(&[], SIGNED, BODY, AT).is_none());
    }

    #[test]
    fn a_second_signature_of_a_key_that_is_being_replaced_does() {
        let two = SIGNED.replace(",v1=", ",v1=00ff,v1=");
        assert!(is_good(&two, BODY, AT));
    }

    #[test]
    fn what_does_not_say_what_it_is_about_stays_outside_and_so_does_what_is_too_large() {
        let signed = |body: &[u8]| {
            let tag = hmac::sign(&key("k"), &[b"1764000000.".as_slice(), body].concat());
            format!("t=1764000000,v1={}", hex(tag.as_ref()))
        };
        let admitted =
            |body: &[u8]| admit("loket", &[key("k")], &signed(body), body, AT).map(|notice| notice.reference);
        let good = br#"{"data":{"reference":"pi_7-1"}}"#;
        assert_eq!(admitted(good).as_deref(), Ok("pi_7-1"));
        for wrong in ["", "{}", "[]", r#"{"data":{"reference":""}}"#, r#"{"data":{"reference":7}}"#] {
            assert_eq!(admitted(wrong.as_bytes()), Err(NotAdmitted::Unreadable));
        }
        assert_eq!(admitted(br#"{"data":{"reference":"pi_7-1\u0000"}}"#), Err(NotAdmitted::Unreadable));
        assert_eq!(admitted(&vec![b'x'; BODY_MAX + 1]), Err(NotAdmitted::TooLarge));
        assert_eq!(admit("loket", &[key("other")], &signed(good), good, AT).err(), Some(NotAdmitted::Unsigned));
    }
}
