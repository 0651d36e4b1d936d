//! What loket's answers say, as a total function of status and bytes: whatever comes, something is made of it.

use super::super::{Said, rupiah};
use commerce::intent::{Answer, Attempt, Receipt, ReceiptKind, RefundAnswer};
use commerce::money::{Currency, Money};
use serde::Deserialize;
use vocab::id::Timestamp;

/// Longer than any code that a buyer pays with.
const SHOWN_MAX: usize = 512;
const MOVEMENTS_MAX: usize = 1_024;
const TRANSACTION_MAX: usize = 64;

#[derive(Deserialize)]
struct Charge {
    reference: String,
    amount: i64,
    currency: String,
    status: String,
    expires_at: i64,
    code: Option<String>,
    movements: Vec<Movement>,
}

#[derive(Deserialize)]
struct Movement {
    transaction: String,
    kind: String,
    amount: i64,
    at: i64,
}

#[derive(Deserialize)]
struct No {
    error: String,
}

#[derive(Deserialize)]
struct Refunded {
    key: String,
    amount: i64,
    status: String,
}

/// What an answer about a charge says of the try that it is about.
pub fn said(status: u16, body: &[u8], attempt: &Attempt) -> Said {
    match status {
        200 => charge(body, attempt).unwrap_or_else(|odd| Said::nothing(Some(odd))),
        404 if is_unknown(body) => Said::only(Answer::NotFound, None),
        // It is under way, or they are busy or broken: asked again, they will say.
        202 | 429 | 500..=599 => Said::nothing(None),
        _ => Said::nothing(Some("status")),
    }
}

/// A 404 of somebody in between says nothing of a charge.
fn is_unknown(body: &[u8]) -> bool {
    serde_json::from_slice::<No>(body).is_ok_and(|no| no.error == "not_found")
}

fn charge(body: &[u8], attempt: &Attempt) -> Result<Said, &'static str> {
    let charge: Charge = serde_json::from_slice(body).map_err(|_| "body")?;
    if charge.reference != attempt.reference() {
        return Err("reference");
    }
    if charge.currency != Currency::IDR.as_str() {
        return Err("currency");
    }
    if rupiah::to_money(charge.amount) != Some(attempt.amount()) {
        return Err("amount");
    }
    let answer = match charge.status.as_str() {
        "pending" | "authorised" => Answer::Accepted,
        "paid" => Answer::Paid,
        "declined" => Answer::Declined,
        // `denied`: it was paid, and the bank took that back.
        "expired" | "voided" | "denied" => Answer::Over,
        _ => return Err("status_word"),
    };
    if charge.movements.len() > MOVEMENTS_MAX {
        return Err("movements");
    }
    let receipts: Vec<Receipt> =
        charge.movements.iter().map(|movement| receipt(movement, attempt)).collect::<Result<_, _>>()?;
    // Taken, and nobody says how much: it is asked again.
    let brings = |receipt: &Receipt| matches!(receipt.kind, ReceiptKind::Captured | ReceiptKind::Collected);
    if answer == Answer::Paid && !receipts.iter().any(brings) {
        return Err("movements");
    }
    let has_code = charge.code.is_some();
    let shown =
        charge.code.filter(|code| code.len() <= SHOWN_MAX && code.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let odd = (has_code && shown.is_none()).then_some("code");
    Ok(Said { answer, shown, expires_at: Some(Timestamp(charge.expires_at)), receipts, odd })
}

fn receipt(movement: &Movement, attempt: &Attempt) -> Result<Receipt, &'static str> {
    let transaction = movement.transaction.clone();
    // It goes on record, and not every store could keep a character of value zero.
    if transaction.is_empty() || transaction.len() > TRANSACTION_MAX || transaction.chars().any(char::is_control) {
        return Err("transaction");
    }
    Ok(Receipt {
        transaction,
        kind: ReceiptKind::from_name(&movement.kind).ok_or("movement_word")?,
        attempt: attempt.number(),
        amount: rupiah::to_money(movement.amount).ok_or("movement_amount")?,
        at: Timestamp(movement.at),
    })
}

/// The same of a refund, or a payout, under this key.
pub fn said_of_refund(status: u16, body: &[u8], key: &str, amount: Money) -> (RefundAnswer, Option<&'static str>) {
    match status {
        200 => match refund(body, key, amount) {
            Ok(answer) => (answer, None),
            Err(odd) => (RefundAnswer::Nothing, Some(odd)),
        },
        404 if is_unknown(body) => (RefundAnswer::NotFound, None),
        202 | 429 | 500..=599 => (RefundAnswer::Nothing, None),
        _ => (RefundAnswer::Nothing, Some("status")),
    }
}

fn refund(body: &[u8], key: &str, amount: Money) -> Result<RefundAnswer, &'static str> {
    let refunded: Refunded = serde_json::from_slice(body).map_err(|_| "body")?;
    if refunded.key != key {
        return Err("key");
    }
    if rupiah::to_money(refunded.amount) != Some(amount) {
        return Err("amount");
    }
    match refunded.status.as_str() {
        "accepted" => Ok(RefundAnswer::Accepted),
        "confirmed" => Ok(RefundAnswer::Confirmed),
        "rejected" => Ok(RefundAnswer::Rejected),
        _ => Err("status_word"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commerce::intent::{Intent, Method, Opening};
    use serde_json::{Value, json};
    use vocab::id::{Minted, PublicId};

    fn attempt() -> Attempt {
        let intent = Intent::open(Opening {
            id: Minted { id: PublicId::new("i1"), origin: None },
            checkout: PublicId::new("c1"),
            reserved: PublicId::new("o1"),
            account: "loket".to_owned(),
            due: rupiah::to_money(275_000).unwrap(),
            at: Timestamp(0),
            expires_at: Timestamp(1_000_000),
        });
        intent.unwrap().attempt(Method::VirtualAccount, Timestamp(0)).unwrap().1
    }

    fn good() -> Value {
        json!({ "id": "chg_1", "reference": "i1-1", "method": "virtual_account", "amount": 275_000, "currency": "IDR",
                "status": "pending", "expires_at": 900_000, "code": "8808000000000001", "movements": [] })
    }

    fn movement(kind: &str) -> Value {
        json!({ "transaction": "txn_1", "kind": kind, "amount": 275_000, "at": 7 })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut charge = good();
        charge[field] = value;
        charge
    }

    fn heard(status: u16, body: &Value) -> (Answer, Option<&'static str>) {
        let said = said(status, body.to_string().as_bytes(), &attempt());
        (said.answer, said.odd)
    }

    #[test]
    fn each_word_of_the_provider_is_one_of_ours() {
        let paid = |word: &str| {
            let mut charge = with("status", word.into());
            charge["movements"] = json!([movement("captured")]);
            charge
        };
        for (charge, answer) in [
            (good(), Answer::Accepted),
            (with("status", "authorised".into()), Answer::Accepted),
            (paid("paid"), Answer::Paid),
            (with("status", "declined".into()), Answer::Declined),
            (with("status", "expired".into()), Answer::Over),
            (with("status", "voided".into()), Answer::Over),
            (paid("denied"), Answer::Over),
        ] {
            assert_eq!(heard(200, &charge), (answer, None), "{charge}");
        }
        let said = said(200, paid("paid").to_string().as_bytes(), &attempt());
        let receipt = &said.receipts[0];
        assert_eq!((receipt.kind, receipt.amount.minor(), receipt.attempt), (ReceiptKind::Captured, 27_500_000, 1));
        assert_eq!((said.shown.as_deref(), said.expires_at), (Some("8808000000000001"), Some(Timestamp(900_000))));
    }

    #[test]
    fn what_is_not_as_it_should_be_says_nothing() {
        let moved = |movement: Value| with("movements", json!([movement]));
        for (charge, odd) in [
            (with("status", "frobnicated".into()), "status_word"),
            (with("reference", "nobody-1".into()), "reference"),
            (with("currency", "USD".into()), "currency"),
            (with("amount", 276_000.into()), "amount"),
            (with("amount", "275000".into()), "body"),
            // It was taken, and how much nobody says.
            (with("status", "paid".into()), "movements"),
            (moved(movement("teleported")), "movement_word"),
            (moved(json!({ "transaction": "", "kind": "captured", "amount": 1, "at": 1 })), "transaction"),
            (moved(json!({ "transaction": "t\0", "kind": "captured", "amount": 1, "at": 1 })), "transaction"),
            (moved(json!({ "transaction": "t", "kind": "captured", "amount": -1, "at": 1 })), "movement_amount"),
        ] {
            assert_eq!(heard(200, &charge), (Answer::Nothing, Some(odd)), "{charge}");
        }
        // It stands, and there is nothing that a buyer could be shown.
        for code in ["x".repeat(513), "8808\n".to_owned()] {
            assert_eq!(heard(200, &with("code", code.into())), (Answer::Accepted, Some("code")));
        }
    }

    #[test]
    fn not_found_is_the_providers_own_word_and_no_other_404() {
        assert_eq!(heard(404, &json!({ "error": "not_found" })), (Answer::NotFound, None));
        assert_eq!(heard(404, &json!({ "error": "no such route" })), (Answer::Nothing, Some("status")));
        assert_eq!(said(404, b"<html>", &attempt()).answer, Answer::Nothing);
        for status in [202, 429, 500, 503, 599] {
            assert_eq!(heard(status, &good()), (Answer::Nothing, None));
        }
        for status in [100, 201, 301, 400, 401, 409, 600] {
            assert_eq!(heard(status, &good()), (Answer::Nothing, Some("status")));
        }
    }

    #[test]
    fn a_refund_is_of_its_key_and_its_amount() {
        let of = |status: u16, body: Value| {
            said_of_refund(status, body.to_string().as_bytes(), "i1-r1", rupiah::to_money(100).unwrap())
        };
        let good = |word: &str| json!({ "key": "i1-r1", "amount": 100, "status": word, "at": 1 });
        assert_eq!(of(200, good("accepted")), (RefundAnswer::Accepted, None));
        assert_eq!(of(200, good("confirmed")), (RefundAnswer::Confirmed, None));
        assert_eq!(of(200, good("rejected")), (RefundAnswer::Rejected, None));
        assert_eq!(of(200, good("pending")), (RefundAnswer::Nothing, Some("status_word")));
        assert_eq!(of(200, json!({ "key": "i1-r2", "amount": 100, "status": "confirmed" })).1, Some("key"));
        assert_eq!(of(200, json!({ "key": "i1-r1", "amount": 101, "status": "confirmed" })).1, Some("amount"));
        assert_eq!(of(404, json!({ "error": "not_found" })), (RefundAnswer::NotFound, None));
        assert_eq!(of(500, json!({})), (RefundAnswer::Nothing, None));
    }

    /// Bytes of every kind: something is made of each, and only of whole answers more than nothing.
    #[test]
    fn no_bytes_are_too_strange() {
        let whole = good().to_string();
        for at in 0..whole.len() {
            assert_eq!(said(200, &whole.as_bytes()[..at], &attempt()).answer, Answer::Nothing);
            let mut bent = whole.clone().into_bytes();
            for bit in 0..8 {
                bent[at] ^= 1 << bit;
                let _ = said(200, &bent, &attempt());
                bent[at] ^= 1 << bit;
            }
        }
    }
}
