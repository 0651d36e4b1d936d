//! One shop's request: on which terms, when, and what came of it. Also the record of answers already given.
//!
//! Invariant: a write and its row in `idem` are one transaction, so the same key never acts twice.

use crate::database::{self, Transaction};
use crate::invoice::Links;
use crate::value::args;
use crate::wire::{Fields, Kind, Refusal, Stop};
use crate::{cart, catalog, checkout, order};
use axum::http::StatusCode;
use jiff::Timestamp;

/// The longest idempotency key that fits its column.
pub const KEY_MAX: usize = 128;

/// The shop whose older invoices are in the archive.
pub const ARCHIVE_SHOP: i64 = 900;

/// The terms a shop sells on.
#[derive(Debug, Clone)]
pub struct Shop {
    pub id: i64,
    /// The flat fee, in hundredths.
    pub shipping: i64,
    pub tax_bp: i64,
}

/// What every request of a shop goes by.
#[derive(Debug, Clone)]
pub struct Ctx {
    pub shop: Shop,
    pub at: Timestamp,
    /// `at`, as the tables write it.
    pub now: String,
    pub links: Links,
}

impl Ctx {
    /// # Errors
    /// `not_found` for a shop that is not here, or what the database says.
    pub fn load(tx: &mut Transaction<'_>, shop: i64, at: Timestamp, links: &Links) -> Result<Self, Stop> {
        let row = tx.row("select ongkir, pajak_bp from toko where id = ?1", args![shop])?;
        let row = row.ok_or_else(Stop::no_such_path)?;
        let shop = Shop { id: shop, shipping: row.money(0)?, tax_bp: row.int(1)? };
        Ok(Self { shop, at, now: crate::clock::wib(at), links: links.clone() })
    }
}

/// What a write came to.
#[derive(Debug, Clone)]
pub struct Done {
    pub status: StatusCode,
    pub kind: Kind,
    pub id: String,
    /// Said once, with the first answer.
    pub messages: Vec<serde_json::Value>,
    /// The `pesanan` that something is to be done about when this is committed.
    pub pending: Option<i64>,
    /// Its refunds that are to be sent then.
    pub sends: Vec<i64>,
}

impl Done {
    pub fn ok(kind: Kind, id: impl ToString) -> Self {
        Self {
            status: StatusCode::OK,
            kind,
            id: id.to_string(),
            messages: Vec::new(),
            pending: None,
            sends: Vec::new(),
        }
    }

    pub fn created(kind: Kind, id: impl ToString) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(kind, id) }
    }
}

/// The key a write came under.
#[derive(Debug, Clone)]
pub struct Key {
    pub operation: &'static str,
    /// The id in the path, where there is one: what the write is about, and what it answers with.
    pub about: Option<String>,
    pub key: String,
    /// SHA-256 of the raw body, in lower-case hex.
    pub body: String,
}

/// Does `work` once for its key, and gives the first outcome again afterwards.
///
/// # Errors
/// `idempotency_conflict` where the key came with another body or for another resource, and whatever `work` says.
pub fn once(
    tx: &mut Transaction<'_>,
    ctx: &Ctx,
    key: &Key,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<Done, Stop>,
) -> Result<Done, Stop> {
    // A repeated request waits here for the first one, and then finds what it did.
    tx.hold(&format!("{}/{}/{}", ctx.shop.id, key.operation, key.key))?;
    if let Some(done) = earlier(tx, ctx, key)? {
        return Ok(done);
    }
    let done = work(tx)?;
    let sql = "insert into idem (toko_id, op, kunci, badan, kode, jenis, hasil, tgl) \
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let status = i64::from(done.status.as_u16());
    let row = args![ctx.shop.id, key.operation, &key.key, &key.body, status, done.kind.table(), &done.id, &ctx.now];
    tx.run(sql, row)?;
    Ok(done)
}

fn earlier(tx: &mut Transaction<'_>, ctx: &Ctx, key: &Key) -> Result<Option<Done>, Stop> {
    let sql = "select badan, kode, jenis, hasil from idem where toko_id = ?1 and op = ?2 and kunci = ?3";
    let Some(row) = tx.row(sql, args![ctx.shop.id, key.operation, &key.key])? else { return Ok(None) };
    let id = row.text(3)?;
    if row.word(0)? != key.body || key.about.as_ref().is_some_and(|about| *about != id) {
        let content = "this key was used for another request";
        return Err(Stop::bad(StatusCode::CONFLICT, "idempotency_conflict", content));
    }
    let unreadable = || database::Error::new(format!("idem row of key {} cannot be read", key.key));
    let status = u16::try_from(row.int(1)?).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(unreadable)?;
    let kind = Kind::of_table(&row.word(2)?).ok_or_else(unreadable)?;
    Ok(Some(Done { status, ..Done::ok(kind, id) }))
}

/// A resource as it stands, whatever its state.
///
/// # Errors
/// `not_found`, or what the database says.
pub fn render(tx: &mut Transaction<'_>, ctx: &Ctx, kind: Kind, id: &str) -> Result<Fields, Stop> {
    let found = match kind {
        Kind::Cart => cart::render(tx, ctx, id)?,
        Kind::Checkout => checkout::render(tx, ctx, id)?,
        Kind::Order => order::render(tx, ctx, id)?,
        Kind::Product => return catalog::render(tx, ctx, id),
    };
    found.ok_or_else(|| Refusal::not_found(kind, id).into())
}
