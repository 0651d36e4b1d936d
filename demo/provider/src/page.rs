//! Where a buyer pays: the page of a wallet, with what is asked for and one button; and the bank's counter, where a number is
//! transferred to. Nobody has a key here: whoever knows a number may pay it.

use crate::book::Book;
use crate::charge::{Charge, Wrong, find};
use crate::door::{failed, wrong};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Response, header};
use axum::routing::get;
use axum::{Form, Router};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

const POLICY: &str = "default-src 'none'; form-action 'self'; frame-ancestors 'none'";

pub fn router(book: Book) -> Router {
    Router::new()
        .route("/pay/{charge}", get(show).post(pay))
        .route("/transfer", get(counter).post(transfer))
        .with_state(book)
}

/// What is written on a slip.
#[derive(Deserialize)]
struct Slip {
    number: String,
}

async fn show(State(book): State<Book>, Path(id): Path<String>) -> Response<Body> {
    let now = book.now();
    match book.read(|book| find(book, "id", &id)) {
        Ok(Some(charge)) => {
            let open = charge.status == "pending" && now <= charge.expires_at;
            page(charge.amount, if open { None } else { Some(charge.status.as_str()) })
        }
        Ok(None) => wrong(&Wrong("not_found", "no such charge".to_owned())),
        Err(error) => failed(&error),
    }
}

async fn pay(State(book): State<Book>, Path(id): Path<String>) -> Response<Body> {
    paid(&book, &id)
}

fn paid(book: &Book, id: &str) -> Response<Body> {
    match book.pay(id, None, false) {
        Ok(Ok(charge)) => page(charge["amount"].as_i64().unwrap_or(0), charge["status"].as_str()),
        Ok(Err(no)) => wrong(&no),
        Err(error) => failed(&error),
    }
}

async fn counter() -> Response<Body> {
    framed(&html! {
        form method="post" {
            label for="number" { "Nomor virtual account / Virtual account number" }
            input id="number" name="number" inputmode="numeric" autocomplete="off" required;
            button { "Bayar / Pay" }
        }
    })
}

/// Pays a number whatever blanks it was written with. What else is a code is no number.
async fn transfer(State(book): State<Book>, Form(slip): Form<Slip>) -> Response<Body> {
    let number: String = slip.number.chars().filter(|letter| !letter.is_whitespace()).collect();
    let is_number = |charge: &Charge| charge.method == "virtual_account";
    match book.read(|book| find(book, "code", &number)) {
        Ok(found) => match found.filter(is_number) {
            Some(charge) => paid(&book, &charge.id),
            None => wrong(&Wrong("not_found", "nobody gave out this number".to_owned())),
        },
        Err(error) => failed(&error),
    }
}

fn page(rupiah: i64, ended: Option<&str>) -> Response<Body> {
    framed(&html! {
        p { "Rp " (grouped(rupiah)) }
        @match ended {
            Some(status) => p role="status" { (status) },
            None => form method="post" { button { "Bayar / Pay" } },
        }
    })
}

fn framed(content: &Markup) -> Response<Body> {
    sheet(POLICY, &html! {}, content)
}

/// A page of ours, under a policy.
pub fn sheet(policy: &'static str, head: &Markup, content: &Markup) -> Response<Body> {
    let body: Markup = html! {
        (DOCTYPE)
        html lang="id" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Loket" }
                (head)
            }
            body {
                main {
                    h1 { "Loket" }
                    (content)
                }
            }
        }
    };
    let mut response = Response::new(Body::from(body.into_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// `275.000`, as its country writes it.
fn grouped(rupiah: i64) -> String {
    let digits = rupiah.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}
