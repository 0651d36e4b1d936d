//! Where a buyer types in a card, in a frame of a shop's page: the shop gets a token, and never the card.
//!
//! The number is checked and forgotten. A card that ends in 0002 is one that its bank declines.

use crate::book::Book;
use crate::door::failed;
use crate::page::sheet;
use anyhow::anyhow;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, Response, header};
use axum::routing::get;
use axum::{Form, Router};
use maud::html;
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

/// Any shop shows it: those of a provider that is not simulated are known to it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'";
/// Tokens for tests: a good card, which can be charged again and again, and one that is declined.
const ALWAYS_GOOD: &str = "tok_visa";
const ALWAYS_DECLINED: &str = "tok_decline";
const DECLINED_END: &str = "0002";
const SCRIPT: &str = include_str!("../assets/card.js");
const STYLE: &str = include_str!("../assets/card.css");

pub fn router(book: Book) -> Router {
    Router::new()
        .route("/card", get(ask).post(take))
        .route("/card.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/card.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .with_state(book)
}

/// Whose page it is in.
#[derive(Deserialize)]
struct Asker {
    #[serde(rename = "for", default)]
    origin: String,
}

/// What was typed in. It does not print itself.
#[derive(Deserialize)]
struct Typed {
    number: String,
}

async fn ask() -> Response<Body> {
    form(false)
}

async fn take(State(book): State<Book>, Query(asker): Query<Asker>, Form(typed): Form<Typed>) -> Response<Body> {
    let digits: String = typed.number.chars().filter(|letter| !letter.is_whitespace()).collect();
    if !is_card(&digits) {
        return form(true);
    }
    match book.token(!digits.ends_with(DECLINED_END)) {
        Ok(token) => sheet(
            POLICY,
            &html! { script type="module" src="/card.js" {} },
            &html! { p #taken role="status" data-token=(token) data-for=(asker.origin) { "…" } },
        ),
        Err(error) => failed(&error),
    }
}

fn form(wrong: bool) -> Response<Body> {
    let head = html! { link rel="stylesheet" href="/card.css"; };
    sheet(
        POLICY,
        &head,
        &html! {
            // To the same address, which says whose page it is in.
            form method="post" {
                label for="number" { "Nomor kartu / Card number" }
                input id="number" name="number" inputmode="numeric" autocomplete="cc-number" required aria-invalid=[wrong.then_some("true")];
                @if wrong { p role="alert" { "Nomor kartu salah / This is no card number" } }
                label for="expiry" { "Berlaku sampai / Valid until" }
                input id="expiry" name="expiry" placeholder="MM/YY" autocomplete="cc-exp" required;
                label for="cvc" { "CVC" }
                input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc" required;
                button { "Bayar / Pay" }
            }
        },
    )
}

fn asset(kind: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Its last digit is the check of the others (Luhn, ISO/IEC 7812-1).
fn is_card(digits: &str) -> bool {
    let figures: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(10)).collect();
    let Some(figures) = figures.filter(|figures| (12..=19).contains(&figures.len())) else { return false };
    let weigh = |(place, figure): (usize, &u32)| match place % 2 {
        0 => *figure,
        _ => figure * 2 / 10 + figure * 2 % 10,
    };
    figures.iter().rev().enumerate().map(weigh).sum::<u32>() % 10 == 0
}

impl Book {
    fn token(&self, is_good: bool) -> anyhow::Result<String> {
        let mut bytes = [0_u8; 16];
        SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("this machine gives no randomness"))?;
        let token: String = bytes.iter().fold("tok_".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        self.write(|book| {
            book.execute("insert into card (token, is_good) values (?1, ?2)", rusqlite::params![token, is_good])?;
            Ok(token)
        })
    }
}

/// Whether the bank lets a token be charged for a reference: a good card, for the first that asks.
pub fn takes(book: &Connection, token: Option<&str>, reference: &str) -> anyhow::Result<bool> {
    let Some(token) = token.filter(|token| *token != ALWAYS_DECLINED) else { return Ok(false) };
    if token == ALWAYS_GOOD {
        return Ok(true);
    }
    book.execute("update card set used_by = ?2 where token = ?1 and used_by is null", [token, reference])?;
    let sql = "select is_good from card where token = ?1 and used_by = ?2";
    let is_good: Option<bool> = book.query_row(sql, [token, reference], |row| row.get(0)).optional()?;
    Ok(is_good.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_known_by_its_last_digit() {
        for right in ["4111111111111111", "4000000000000002", "378282246310005"] {
            assert!(is_card(right), "{right}");
        }
        for wrong in ["4111111111111112", "4111", "", "41111111111111111111", "4111-1111-1111-1111"] {
            assert!(!is_card(wrong), "{wrong}");
        }
    }
}
