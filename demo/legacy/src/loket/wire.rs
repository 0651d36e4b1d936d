//! What the provider's answers say: something is made of whatever comes.

use super::http::Reply;
use crate::clock;
use crate::money::RUPIAH;
use crate::pesanan::{Refund, Try};
use jiff::Timestamp;
use serde::Deserialize;

const CODE_MAX: usize = 512;
const MOVEMENTS_MAX: usize = 1_024;
const TRANSACTION_MAX: usize = 64;

/// Movements of money: as the provider says it, as `pesanan_uang.jenis` has it.
const KINDS: [(&str, &str); 8] = [
    ("captured", "MASUK"),
    ("authorised", "TAHAN"),
    ("voided", "LEPAS"),
    ("reversed", "TARIK"),
    ("disputed", "SANGGA"),
    ("dispute_won", "MENANG"),
    ("dispute_lost", "KALAH"),
    ("refunded", "BALIK"),
];

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The buyer may pay.
    Waits,
    /// Money was taken, and no more will be.
    Paid,
    Declined,
    /// Expired, voided or denied.
    Over,
    NotFound,
    /// Asked again, it may say more.
    Nothing,
}

/// A movement of money, with its kind as the tables have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    pub transaction: String,
    pub kind: &'static str,
    /// In hundredths.
    pub amount: i64,
    /// WIB, as text.
    pub at: String,
}

/// All that an answer says of a try. What a buyer pays with is in it: it does not print itself.
#[derive(Clone)]
pub struct Said {
    pub answer: Answer,
    pub code: Option<String>,
    pub until: Option<Timestamp>,
    pub movements: Vec<Movement>,
}

impl Said {
    pub const fn nothing() -> Self {
        Self::only(Answer::Nothing)
    }

    const fn only(answer: Answer) -> Self {
        Self { answer, code: None, until: None, movements: Vec::new() }
    }
}

/// What became of a refund or a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundAnswer {
    Accepted,
    Confirmed,
    Rejected,
    NotFound,
    Nothing,
}

#[derive(Deserialize)]
struct Charge {
    reference: String,
    amount: i64,
    currency: String,
    status: String,
    expires_at: i64,
    code: Option<String>,
    movements: Vec<Moved>,
}

#[derive(Deserialize)]
struct Moved {
    transaction: String,
    kind: String,
    amount: i64,
    at: i64,
}

#[derive(Deserialize)]
struct Refunded {
    key: String,
    amount: i64,
    status: String,
}

#[derive(Deserialize)]
struct No {
    error: String,
}

pub fn said(reply: Option<Reply>, of: &Try) -> Said {
    match reply {
        Some(Reply { status: 200, body }) => charge(&body, of).unwrap_or_else(Said::nothing),
        Some(Reply { status: 404, body }) if is_unknown(&body) => Said::only(Answer::NotFound),
        Some(_) | None => Said::nothing(),
    }
}

/// A 404 of somebody else says nothing.
fn is_unknown(body: &[u8]) -> bool {
    serde_json::from_slice::<No>(body).is_ok_and(|no| no.error == "not_found")
}

fn charge(body: &[u8], of: &Try) -> Option<Said> {
    let charge: Charge = serde_json::from_slice(body).ok()?;
    let same = charge.reference == of.reference && charge.currency == "IDR" && hundredths(charge.amount)? == of.amount;
    if !same || charge.movements.len() > MOVEMENTS_MAX {
        return None;
    }
    let answer = match charge.status.as_str() {
        "pending" | "authorised" => Answer::Waits,
        "paid" => Answer::Paid,
        "declined" => Answer::Declined,
        "expired" | "voided" | "denied" => Answer::Over,
        _ => return None,
    };
    let movements: Vec<Movement> = charge.movements.into_iter().map(movement).collect::<Option<_>>()?;
    // Taken, and nobody says how much.
    if answer == Answer::Paid && movements.iter().all(|it| it.kind != "MASUK") {
        return None;
    }
    let plain = |code: &String| code.len() <= CODE_MAX && code.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let until = Timestamp::from_microsecond(charge.expires_at).ok();
    Some(Said { answer, code: charge.code.filter(plain), until, movements })
}

fn movement(moved: Moved) -> Option<Movement> {
    let (_, kind) = KINDS.into_iter().find(|(word, _)| *word == moved.kind)?;
    let fits = !moved.transaction.is_empty() && moved.transaction.len() <= TRANSACTION_MAX;
    let at = clock::wib(Timestamp::from_microsecond(moved.at).ok()?);
    let amount = hundredths(moved.amount).filter(|_| fits)?;
    Some(Movement { transaction: moved.transaction, kind, amount, at })
}

fn hundredths(rupiah: i64) -> Option<i64> {
    rupiah.checked_mul(RUPIAH).filter(|amount| *amount >= 0)
}

pub fn said_of_refund(reply: Option<Reply>, of: &Refund) -> RefundAnswer {
    match reply {
        Some(Reply { status: 200, body }) => refund(&body, of).unwrap_or(RefundAnswer::Nothing),
        Some(Reply { status: 404, body }) if is_unknown(&body) => RefundAnswer::NotFound,
        Some(_) | None => RefundAnswer::Nothing,
    }
}

fn refund(body: &[u8], of: &Refund) -> Option<RefundAnswer> {
    let refunded: Refunded = serde_json::from_slice(body).ok()?;
    if refunded.key != of.key || hundredths(refunded.amount)? != of.amount {
        return None;
    }
    match refunded.status.as_str() {
        "accepted" => Some(RefundAnswer::Accepted),
        "confirmed" => Some(RefundAnswer::Confirmed),
        "rejected" => Some(RefundAnswer::Rejected),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pesanan::{Fate, Method};
    use serde_json::{Value, json};

    fn one() -> Try {
        Try {
            number: 1,
            reference: "KIOS-1-1".into(),
            method: Method::Qr,
            amount: 27_500_000,
            fate: Fate::Recorded,
            heard_at: None,
            dead_at: None,
            until: None,
            code: None,
            made: Timestamp::UNIX_EPOCH,
        }
    }

    fn good() -> Value {
        json!({ "id": "chg_1", "reference": "KIOS-1-1", "method": "qr", "amount": 275_000, "currency": "IDR",
                "status": "pending", "expires_at": 900_000, "code": "8808", "movements": [] })
    }

    fn heard(status: u16, body: &Value) -> Answer {
        said(Some(Reply { status, body: body.to_string().into_bytes() }), &one()).answer
    }

    #[test]
    fn what_is_not_as_it_should_be_says_nothing() {
        assert_eq!(heard(200, &good()), Answer::Waits);
        for (field, value) in [
            ("status", json!("frobnicated")),
            ("status", json!("paid")),
            ("reference", json!("nobody-1")),
            ("currency", json!("USD")),
            ("amount", json!(276_000)),
            ("movements", json!([{"transaction": "t", "kind": "teleported", "amount": 1, "at": 1}])),
            ("movements", json!([{"transaction": "t", "kind": "captured", "amount": -1, "at": 1}])),
        ] {
            let mut other = good();
            other[field] = value;
            assert_eq!(heard(200, &other), Answer::Nothing, "{other}");
        }
        for status in [201, 202, 400, 401, 409, 429, 500, 503] {
            assert_eq!(heard(status, &good()), Answer::Nothing, "{status}");
        }
        assert_eq!(heard(404, &json!({"error": "not_found"})), Answer::NotFound);
        assert_eq!(heard(404, &json!({"error": "no such route"})), Answer::Nothing);
        assert_eq!(said(None, &one()).answer, Answer::Nothing);
    }

    #[test]
    fn every_movement_has_its_word() {
        let mut paid = good();
        paid["status"] = json!("paid");
        paid["movements"] = json!([{"transaction": "t1", "kind": "captured", "amount": 275_000, "at": 0}]);
        let said = said(Some(Reply { status: 200, body: paid.to_string().into_bytes() }), &one());
        let movement =
            Movement { transaction: "t1".into(), kind: "MASUK", amount: 27_500_000, at: "1970-01-01 07:00:00".into() };
        assert_eq!((said.answer, said.movements), (Answer::Paid, vec![movement]));
    }
}
