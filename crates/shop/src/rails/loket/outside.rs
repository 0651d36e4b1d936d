//! What a provider answers and what notices bring, bent in every way: each is made something of, and an intent that has heard it
//! can be put on record and read again.

use super::super::signed::{self, NotAdmitted};
use super::super::{Said, rupiah};
use super::wire;
use commerce::decision::Aggregate;
use commerce::intent::{Answer, Intent, Method, Opening, Patience, RefundAnswer};
use ring::hmac;
use serde_json::{Value, json};
use testkit::outside::{Bends, Inputs};
use vocab::document::Node;
use vocab::id::{Minted, PublicId, Timestamp};

/// Without `BALIK_LONG`.
const FEW: u64 = 20_000;
const STATUSES: [u16; 8] = [200, 200, 200, 200, 404, 202, 503, 301];
const AT: Timestamp = Timestamp(1_764_000_000_000_000);
const NAMES: [&str; 12] = [
    "\"status\":\"paid\"",
    "\"status\":\"expired\"",
    "\"amount\":275000",
    "\"movements\":[]",
    "\"kind\":\"captured\"",
    "\"kind\":\"reversed\"",
    "\"code\":",
    "\"expires_at\":",
    "\"reference\":\"i1-1\"",
    "not_found",
    "IDR",
    "275000",
];

fn intent() -> Intent {
    let opening = Opening {
        id: Minted { id: PublicId::new("i1"), origin: None },
        checkout: PublicId::new("c1"),
        reserved: PublicId::new("o1"),
        account: "loket".to_owned(),
        due: rupiah::to_money(275_000).unwrap(),
        at: AT,
        expires_at: Timestamp(AT.0 + 3_600_000_000),
    };
    Intent::open(opening).unwrap().attempt(Method::VirtualAccount, AT).unwrap().0
}

fn charges() -> Vec<String> {
    let movement = |kind: &str, amount: i64| json!({ "transaction": format!("txn_{kind}"), "kind": kind, "amount": amount, "at": AT.0 });
    let charge = |status: &str, movements: Value| {
        json!({ "id": "chg_1", "reference": "i1-1", "method": "virtual_account", "amount": 275_000, "currency": "IDR", "status": status,
                "expires_at": AT.0, "code": "8808000000000001", "movements": movements })
    };
    let paid = movement("captured", 275_000);
    [
        charge("pending", json!([])),
        charge("paid", json!([paid])),
        charge("paid", json!([paid, movement("reversed", 275_000), movement("chargeback", 1)])),
        charge("expired", json!([movement("captured", 1)])),
        json!({ "error": "not_found" }),
        json!({ "key": "i1-r1", "amount": 100, "status": "confirmed", "at": 1 }),
    ]
    .map(|charge| charge.to_string())
    .to_vec()
}

/// Everything that an answer does to an intent, and what has to be so after it.
fn hear(intent: &Intent, said: &Said) -> Option<()> {
    let patience = Patience::USUAL;
    let mut after = intent.answered(1, said.answer, AT, &patience).ok()?;
    after = after.showing(1, said.shown.as_deref(), said.expires_at).ok()?;
    for receipt in &said.receipts {
        if let Ok((received, _)) = after.receive(receipt.clone()) {
            after = received;
        }
    }
    let document = after.document();
    assert_eq!(Intent::from_document(&document).as_ref(), Ok(&after), "what was heard cannot be read again");
    assert!(!has_nul(&Node::Record(document)), "not every store could keep it");
    let _ = after.wake_at(AT, &patience);
    for at in [i64::MIN, 0, AT.0 + 7_200_000_000, i64::MAX] {
        let _ = after.plan(Timestamp(at), &patience);
    }
    after.entries_since(intent).ok().map(drop)
}

fn has_nul(node: &Node) -> bool {
    match node {
        Node::Text(text) => text.contains('\0'),
        Node::List(list) => list.iter().any(has_nul),
        Node::Record(record) => record.0.values().any(has_nul),
        Node::Null | Node::Bool(_) | Node::Int(_) => false,
    }
}

#[test]
fn whatever_a_provider_answers_an_intent_that_has_heard_it_can_be_kept() {
    let (intent, bends) = (intent(), Bends::of(charges()).knowing(NAMES));
    let attempt = intent.attempts()[0].clone();
    let mut inputs = Inputs::of("answers of a provider", FEW);
    while let Some(mut chance) = inputs.another() {
        let (body, status) = (bends.next(&mut chance), chance.of(&STATUSES));
        inputs.tries(&body);
        let said = wire::said(status, &body, &attempt);
        let heard = hear(&intent, &said);
        if status == 200 && said.answer != Answer::Nothing {
            // What nobody asks for may be anything.
            let Ok(whole) = serde_json::from_slice::<Value>(&body) else { continue };
            assert_eq!(
                (&whole["reference"], &whole["amount"], &whole["currency"]),
                (&json!("i1-1"), &json!(275_000), &json!("IDR"))
            );
        }
        assert!(said.shown.as_ref().is_none_or(|shown| shown.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
        inputs.came_to(match (said.answer, heard) {
            (_, None) => "not entered",
            (Answer::Nothing, _) => "nothing",
            (Answer::NotFound, _) => "not found",
            (Answer::Accepted, _) => "accepted",
            (Answer::Paid, _) => "paid",
            (Answer::Declined, _) => "declined",
            (Answer::Over, _) => "over",
        });
    }
    inputs.reached(&["nothing", "not found", "accepted", "paid", "over"]);
}

#[test]
fn whatever_a_provider_answers_of_a_refund_it_is_of_its_key_and_amount() {
    let bends = Bends::of(charges().split_off(4)).knowing(["i1-r1", "confirmed", "accepted", "rejected", "100"]);
    let amount = rupiah::to_money(100).unwrap();
    let mut inputs = Inputs::of("answers of a provider about a refund", FEW);
    while let Some(mut chance) = inputs.another() {
        let (body, status) = (bends.next(&mut chance), chance.of(&STATUSES));
        inputs.tries(&body);
        let (answer, _) = wire::said_of_refund(status, &body, "i1-r1", amount);
        if !matches!(answer, RefundAnswer::Nothing | RefundAnswer::NotFound) {
            let Ok(whole) = serde_json::from_slice::<Value>(&body) else { continue };
            assert_eq!((&whole["key"], &whole["amount"]), (&json!("i1-r1"), &json!(100)));
        }
        inputs.came_to(if answer == RefundAnswer::Nothing { "nothing" } else { "something" });
    }
    inputs.reached(&["nothing", "something"]);
}

#[test]
fn a_notice_comes_in_only_under_a_signature_over_its_own_bytes() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"whsec_test");
    let signed = |body: &[u8]| {
        let tag = hmac::sign(&key, &[b"1764000000.".as_slice(), body].concat());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t=1764000000,v1={hex}")
    };
    let bodies = Bends::of([r#"{"id":"evt_1","data":{"reference":"i1-1"}}"#]).knowing(["\"data\":", "\"reference\":"]);
    let signatures = Bends::of([signed(b"{}"), "t=1764000000,v1=00,v1=ff".to_owned()]).knowing(["t=", "v1=", ",", "="]);
    let mut inputs = Inputs::of("signatures of notices", FEW);
    while let Some(mut chance) = inputs.another() {
        let body = bodies.next(&mut chance);
        let right = signed(&body);
        let signature = match chance.below(3) {
            0 => right.clone(),
            1 => String::from_utf8_lossy(&signatures.bend(right.clone().into_bytes(), &mut chance)).into_owned(),
            _ => String::from_utf8_lossy(&signatures.next(&mut chance)).into_owned(),
        };
        inputs.tries(&[signature.as_bytes(), b"\n", &body].concat());
        let admitted = signed::admit("loket", std::slice::from_ref(&key), &signature, &body, AT);
        // Blanks, other parts beside it and the case of digits change nothing; the right tag has to be there.
        let tag = &right["t=1764000000,v1=".len()..];
        let has_tag = signature.to_ascii_lowercase().contains(tag);
        inputs.came_to(match admitted {
            Ok(notice) => {
                assert!(has_tag && !notice.reference.contains('\0') && notice.letter.body == body, "{signature}");
                "let in"
            }
            Err(NotAdmitted::Unsigned) => "not signed",
            Err(NotAdmitted::Unreadable) => "signed, and not to be read",
            Err(NotAdmitted::TooLarge | NotAdmitted::UnknownRail) => "too large",
        });
    }
    inputs.reached(&["let in", "not signed", "signed, and not to be read"]);
}
