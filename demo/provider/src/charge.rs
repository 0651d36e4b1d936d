//! Charges: asked for once for each reference, and paid by buyers whatever anybody had in mind.

use crate::book::{Book, next};
use crate::{card, notice, pay_code};
use anyhow::{Context, bail};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub const METHODS: [&str; 5] = ["card_token", "virtual_account", "qr", "wallet", "cash_on_delivery"];
/// What a courier takes at the door.
const CASH: &str = "cash_on_delivery";
const REFERENCE_MAX: usize = 50;
/// What the provider keeps of each payment, in hundredths of a percent.
const FEE_BP: i64 = 70;

/// What a shop asks for. The token is a card's: this type does not print itself.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub reference: String,
    /// Whole rupiah.
    pub amount: i64,
    pub currency: String,
    pub method: String,
    /// Microseconds since 1970.
    pub expires_at: i64,
    pub token: Option<String>,
    pub notice_url: Option<String>,
}

/// What a buyer pays with is in it: this type does not print itself.
#[derive(Clone, Serialize)]
pub struct Charge {
    pub id: String,
    pub reference: String,
    pub method: String,
    pub amount: i64,
    pub status: String,
    #[serde(skip)]
    pub notice_url: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    /// The number, the code or the address that the buyer pays with.
    pub code: Option<String>,
}

/// What a shop did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(pub &'static str, pub String);

const COLUMNS: &str = "id, reference, method, amount, status, notice_url, created_at, expires_at, code";

fn read(row: &Row<'_>) -> rusqlite::Result<Charge> {
    Ok(Charge {
        id: row.get(0)?,
        reference: row.get(1)?,
        method: row.get(2)?,
        amount: row.get(3)?,
        status: row.get(4)?,
        notice_url: row.get(5)?,
        created_at: row.get(6)?,
        expires_at: row.get(7)?,
        code: row.get(8)?,
    })
}

/// By id, reference or code.
pub fn find(book: &Connection, by: &str, value: &str) -> anyhow::Result<Option<Charge>> {
    let column = match by {
        "id" | "reference" | "code" => by,
        _ => bail!("no charge is found by {by}"),
    };
    let sql = format!("select {COLUMNS} from charge where {column} = ?1");
    Ok(book.query_row(&sql, [value], read).optional()?)
}

impl Asked {
    pub fn check(&self) -> Result<(), Wrong> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let reference = &self.reference;
        let checks = [
            (!reference.is_empty() && reference.len() <= REFERENCE_MAX, "reference", "has 1 to 50 characters"),
            (reference.bytes().all(fits), "reference", "is of A-Z a-z 0-9 _ -"),
            (self.amount > 0, "amount", "is more than nothing"),
            (self.currency == "IDR", "currency", "is IDR"),
            (METHODS.contains(&self.method.as_str()), "method", "is one of those in the documentation"),
            (self.method != "card_token" || self.token.is_some(), "token", "is needed for a card"),
        ];
        match checks.into_iter().find(|(right, ..)| !right) {
            Some((_, field, rule)) => Err(Wrong(field, format!("{field} {rule}"))),
            None => Ok(()),
        }
    }
}

impl Book {
    /// The charge of a reference: the one that is there, or a new one.
    pub fn charge(&self, asked: &Asked) -> anyhow::Result<Charge> {
        let now = self.now();
        self.write(|book| {
            if let Some(charge) = find(book, "reference", &asked.reference)? {
                return Ok(charge);
            }
            let number = next(book, "charges")?;
            let status = match asked.method.as_str() {
                "card_token" if !card::takes(book, asked.token.as_deref(), &asked.reference)? => "declined",
                "card_token" => "authorised",
                _ => "pending",
            };
            let id = format!("chg_{number}");
            let code = match asked.method.as_str() {
                "virtual_account" => Some(pay_code::virtual_account(number)),
                "qr" => Some(pay_code::qris(asked.amount, &asked.reference)),
                "wallet" => Some(format!("{}/pay/{id}", self.page)),
                _ => None,
            };
            let sql = format!("insert into charge ({COLUMNS}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
            let (reference, method) = (&asked.reference, &asked.method);
            let url = &asked.notice_url;
            let cells =
                rusqlite::params![id, reference, method, asked.amount, status, url, now, asked.expires_at, code];
            book.execute(&sql, cells)?;
            let charge = find(book, "id", &id)?.context("a charge that was just written")?;
            if status == "authorised" {
                self.moved(book, &charge, "authorised", charge.amount)?;
            }
            Ok(charge)
        })
    }

    /// What a question finds.
    pub fn ask(&self, reference: &str) -> anyhow::Result<Option<Value>> {
        let now = self.now();
        self.read(|book| find(book, "reference", reference)?.map(|charge| shown(book, &charge, now)).transpose())
    }

    /// A buyer pays; without an amount, what was asked for. What comes late or twice is taken all the same, where the
    /// test wants it so. At the door it is the courier who has it then.
    pub fn pay(&self, charge: &str, amount: Option<i64>, late_too: bool) -> anyhow::Result<Result<Value, Wrong>> {
        let now = self.now();
        self.write(|book| {
            let Some(charge) = find(book, "id", charge)? else { return Ok(Err(unknown())) };
            let amount = amount.unwrap_or(charge.amount);
            let open = charge.status == "pending" && now <= charge.expires_at;
            if amount <= 0 || charge.method == "card_token" || !(open || late_too) {
                return Ok(Err(Wrong("not_payable", format!("the charge is {}", status_at(&charge, now)))));
            }
            if open && amount >= charge.amount {
                set_status(book, &charge, "paid")?;
            }
            if charge.method == CASH {
                self.moved(book, &charge, "collected", amount)?;
            } else {
                self.moved_with_fee(book, &charge, "captured", amount, fee_of(amount))?;
            }
            Ok(Ok(shown(book, &find(book, "id", &charge.id)?.context("a charge")?, now)?))
        })
    }

    /// The courier hands over what was taken at the door.
    pub fn remit(&self, charge: &str) -> anyhow::Result<Result<Value, Wrong>> {
        let now = self.now();
        self.write(|book| {
            let Some(charge) = find(book, "id", charge)? else { return Ok(Err(unknown())) };
            let amount = sum_of(book, &charge.id, "collected")? - sum_of(book, &charge.id, "remitted")?;
            if amount <= 0 {
                return Ok(Err(Wrong("nothing_left", "the courier has nothing of it".to_owned())));
            }
            self.moved_with_fee(book, &charge, "remitted", amount, fee_of(amount))?;
            Ok(Ok(shown(book, &charge, now)?))
        })
    }

    /// Takes some of what is held, and lets the rest go; `void` lets all of it go. Again: what was done stands.
    pub fn settle(&self, charge: &str, capture: Option<i64>) -> anyhow::Result<Result<Value, Wrong>> {
        let now = self.now();
        self.write(|book| {
            let Some(charge) = find(book, "id", charge)? else { return Ok(Err(unknown())) };
            if charge.status == "authorised" {
                let taken = capture.unwrap_or(0);
                if !(0..=charge.amount).contains(&taken) || capture == Some(0) {
                    return Ok(Err(Wrong("amount", "amount is more than nothing and no more than is held".to_owned())));
                }
                set_status(book, &charge, if taken > 0 { "paid" } else { "voided" })?;
                if taken > 0 {
                    self.moved(book, &charge, "captured", taken)?;
                }
                if taken < charge.amount {
                    self.moved(book, &charge, "voided", charge.amount - taken)?;
                }
            }
            Ok(Ok(shown(book, &find(book, "id", &charge.id)?.context("a charge")?, now)?))
        })
    }

    /// Nobody is to pay it any more. What is paid stays paid.
    pub fn expire(&self, charge: &str) -> anyhow::Result<Result<Value, Wrong>> {
        let now = self.now();
        self.write(|book| {
            let Some(charge) = find(book, "id", charge)? else { return Ok(Err(unknown())) };
            if charge.status == "pending" {
                set_status(book, &charge, "expired")?;
            }
            Ok(Ok(shown(book, &find(book, "id", &charge.id)?.context("a charge")?, now)?))
        })
    }

    /// The bank takes money back, or opens or decides a dispute about it, or holds it no longer.
    pub fn take_back(&self, charge: &str, kind: &str) -> anyhow::Result<Result<Value, Wrong>> {
        let now = self.now();
        self.write(|book| {
            let Some(charge) = find(book, "id", charge)? else { return Ok(Err(unknown())) };
            let sum = |of: &str| sum_of(book, &charge.id, of);
            if kind == "lapsed" {
                if charge.status != "authorised" {
                    return Ok(Err(Wrong("nothing_left", "nothing is held".to_owned())));
                }
                set_status(book, &charge, "expired")?;
                self.moved(book, &charge, "voided", charge.amount)?;
                return Ok(Ok(shown(book, &find(book, "id", &charge.id)?.context("a charge")?, now)?));
            }
            let open = sum("disputed")? - sum("dispute_won")? - sum("dispute_lost")?;
            let amount = if kind.starts_with("dispute_") { open } else { left(book, &charge.id)? };
            if amount <= 0 {
                return Ok(Err(Wrong("nothing_left", "there is no money that this could be about".to_owned())));
            }
            if kind == "reversed" {
                set_status(book, &charge, "denied")?;
            }
            self.moved(book, &charge, kind, amount)?;
            Ok(Ok(shown(book, &find(book, "id", &charge.id)?.context("a charge")?, now)?))
        })
    }

    fn moved(&self, book: &Connection, charge: &Charge, kind: &str, amount: i64) -> anyhow::Result<()> {
        self.moved_with_fee(book, charge, kind, amount, 0)
    }

    fn moved_with_fee(
        &self,
        book: &Connection,
        charge: &Charge,
        kind: &str,
        amount: i64,
        fee: i64,
    ) -> anyhow::Result<()> {
        let (number, now) = (next(book, "movements")?, self.now());
        let id = format!("txn_{number}");
        let sql = "insert into movement (id, charge, kind, amount, fee, at) values (?1, ?2, ?3, ?4, ?5, ?6)";
        book.execute(sql, rusqlite::params![id, charge.id, kind, amount, fee, now])?;
        notice::owe(book, charge, &json!({ "transaction": id, "kind": kind, "amount": amount, "at": now }), now)
    }
}

const fn fee_of(amount: i64) -> i64 {
    amount.saturating_mul(FEE_BP) / 10_000
}

fn unknown() -> Wrong {
    Wrong("not_found", "no such charge".to_owned())
}

fn set_status(book: &Connection, charge: &Charge, status: &str) -> anyhow::Result<()> {
    book.execute("update charge set status = ?2 where id = ?1", [charge.id.as_str(), status])?;
    Ok(())
}

/// A code that nobody paid in time is over, whether anybody said so or not.
fn status_at(charge: &Charge, now: i64) -> &str {
    if charge.status == "pending" && now > charge.expires_at { "expired" } else { &charge.status }
}

fn sum_of(book: &Connection, charge: &str, kind: &str) -> anyhow::Result<i64> {
    let sql = "select coalesce(sum(amount), 0) from movement where charge = ?1 and kind = ?2";
    Ok(book.query_row(sql, [charge, kind], |row| row.get(0))?)
}

/// What came by a charge, and nobody took back or has on its way back.
pub fn left(book: &Connection, charge: &str) -> anyhow::Result<i64> {
    let back = "select coalesce(sum(amount), 0) from refund where charge = ?1 and status <> 'rejected'";
    let back: i64 = book.query_row(back, [charge], |row| row.get(0))?;
    let sum = |kind: &str| sum_of(book, charge, kind);
    Ok(sum("captured")? + sum("dispute_won")? - sum("reversed")? - sum("disputed")? - back)
}

/// A charge as the API shows it, with every movement of its money.
fn shown(book: &Connection, charge: &Charge, now: i64) -> anyhow::Result<Value> {
    let sql = "select id, kind, amount, at from movement where charge = ?1 order by n";
    let mut statement = book.prepare_cached(sql)?;
    let movements = statement.query_map([&charge.id], |row| {
        let (transaction, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let (amount, at): (i64, i64) = (row.get(2)?, row.get(3)?);
        Ok(json!({ "transaction": transaction, "kind": kind, "amount": amount, "at": at }))
    })?;
    let movements: Vec<Value> = movements.collect::<Result<_, _>>()?;
    let mut shown = serde_json::to_value(charge)?;
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("status".to_owned(), status_at(charge, now).into());
        fields.insert("currency".to_owned(), "IDR".into());
        fields.insert("movements".to_owned(), movements.into());
    }
    Ok(shown)
}
