//! Invoices: the next number of a shop, the link that opens one, and the page.
//!
//! Invariant: the numbers of a shop are 1, 2, 3 … without gaps, because the next one is taken under the lock of the
//! shop's row in the transaction that places the order. A link carries a key of its own, made from the host's secret,
//! so that nobody finds an invoice by counting; a wrong key and an unknown order are answered alike.

use crate::database::{self, Transaction};
use crate::page::{self, Party, Words};
use crate::shop::{ARCHIVE_SHOP, Ctx};
use crate::value::args;
use crate::{clock, order};
use ring::hmac;
use serde_json::Value as Json;

/// Bytes of a key in a link, twice as many letters.
const KEY_BYTES: usize = 16;

/// Makes the links of invoices and of pages where buyers pay, and knows its own again.
#[derive(Debug, Clone)]
pub struct Links {
    invoices: hmac::Key,
    /// None where nobody pays on a page.
    pages: Option<hmac::Key>,
}

impl Links {
    /// Invoices from the secret that the host app has anyway: it may see every order. Pages from one of their own.
    pub fn of(host: &str, pages: Option<&str>) -> Self {
        let key = |secret: &str| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self { invoices: key(host), pages: pages.map(key) }
    }

    fn key(&self, shop: i64, nomor: &str) -> String {
        key_of(&self.invoices, "invoice", shop, nomor)
    }

    /// Where a person opens the invoice.
    pub fn link(&self, shop: i64, nomor: &str) -> String {
        format!("/shops/{shop}/orders/{nomor}/invoice?key={}", self.key(shop, nomor))
    }

    /// Where a buyer pays a checkout.
    pub fn checkout(&self, shop: i64, id: &str) -> Option<String> {
        let key = key_of(self.pages.as_ref()?, "checkout", shop, id);
        Some(format!("/shops/{shop}/checkout/{id}?key={key}"))
    }

    /// Is this the key of that order's link?
    pub fn opens(&self, shop: i64, nomor: &str, key: &str) -> bool {
        same(&self.key(shop, nomor), key)
    }

    /// Is this the key of that checkout's page?
    pub fn opens_checkout(&self, shop: i64, id: &str, key: &str) -> bool {
        self.pages.as_ref().is_some_and(|pages| same(&key_of(pages, "checkout", shop, id), key))
    }
}

fn key_of(secret: &hmac::Key, what: &str, shop: i64, id: &str) -> String {
    let tag = hmac::sign(secret, format!("{what}\n{shop}\n{id}").as_bytes());
    tag.as_ref().iter().take(KEY_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Compares without telling, by the time it takes, how much of it was right.
fn same(right: &str, key: &str) -> bool {
    key.len() == right.len() && key.bytes().zip(right.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

/// The number of the invoice that is written next; the shop's row stays locked until the transaction ends.
///
/// # Errors
/// What the database says.
pub fn next_number(tx: &mut Transaction<'_>, ctx: &Ctx) -> Result<i64, database::Error> {
    tx.row("select id from toko where id = ?1 /*lock*/", args![ctx.shop.id])?;
    let row = tx.row("select coalesce(max(faktur), 0) + 1 from jual where toko_id = ?1", args![ctx.shop.id])?;
    row.ok_or_else(|| database::Error::new("no next number of an invoice"))?.int(0)
}

/// The page of an order's invoice; none if there is no such order.
///
/// # Errors
/// What the database says.
pub fn render(
    tx: &mut Transaction<'_>,
    ctx: &Ctx,
    nomor: &str,
    words: &Words,
) -> Result<Option<String>, database::Error> {
    let Some(fields) = order::render(tx, ctx, nomor)? else { return Ok(None) };
    let seller = tx.row("select nama from toko where id = ?1", args![ctx.shop.id])?;
    let seller = seller.map_or(Ok(String::new()), |row| row.text(0))?;
    let party = match order_party(tx, ctx, nomor)? {
        Some(party) => party,
        None => archive_party(tx, ctx, nomor)?,
    };
    Ok(Some(page::invoice(words, &seller, &party, &Json::Object(fields))))
}

fn order_party(tx: &mut Transaction<'_>, ctx: &Ctx, nomor: &str) -> Result<Option<Party>, database::Error> {
    let sql = "select j.id, j.tgl, j.batal_pada, p.nama, p.telp, j.jalan, j.kota, j.prov, j.kodepos, j.negara \
               from jual j left join pelanggan p on p.id = j.pelanggan_id where j.nomor = ?1 and j.toko_id = ?2";
    let Some(row) = tx.row(sql, args![nomor, ctx.shop.id])? else { return Ok(None) };
    let mut lines = Vec::new();
    for column in 3..10 {
        lines.extend(row.optional_text(column)?.filter(|text| !text.trim().is_empty()));
    }
    let sql = "select cara, jumlah, tgl, lunas, gagal from bayar where jual_id = ?1 order by id";
    let mut payments = Vec::new();
    for row in tx.rows(sql, args![row.int(0)?])? {
        let at = Some(row.text(2)?).filter(|at| at != clock::NEVER);
        payments.push(page::Payment {
            how: row.word(0)?,
            amount: row.money(1)?,
            at,
            paid: row.word(3)? == "Y",
            failed: row.word(4)? == "Y",
        });
    }
    let cancelled = Some(row.text(2)?).filter(|at| at != clock::NEVER);
    Ok(Some(Party { at: format!("{} WIB", row.text(1)?), cancelled, to: lines, payments }))
}

fn archive_party(tx: &mut Transaction<'_>, ctx: &Ctx, nomor: &str) -> Result<Party, database::Error> {
    debug_assert_eq!(ctx.shop.id, ARCHIVE_SHOP, "nobody else has an archive");
    let row = tx.row("select min(\"InvoiceDate\") from arsip where \"InvoiceNo\" = ?1", args![nomor])?;
    let at = row.map_or(Ok(None), |row| row.optional_text(0))?.unwrap_or_default();
    Ok(Party { at, cancelled: None, to: Vec::new(), payments: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_one_invoice_and_no_other() {
        let links = Links::of("host", Some("page"));
        let link = links.link(7, "TRX-0000001");
        let (path, key) = link.split_once("?key=").unwrap();
        assert_eq!((path, key.len()), ("/shops/7/orders/TRX-0000001/invoice", 32));
        assert!(links.opens(7, "TRX-0000001", key));
        assert!(!links.opens(7, "TRX-0000002", key) && !links.opens(8, "TRX-0000001", key));
        assert!(!links.opens(7, "TRX-0000001", "") && !links.opens(7, "TRX-0000001", &key[1..]));
        assert!(!Links::of("another", None).opens(7, "TRX-0000001", key));
        // What opens one of the two opens nothing of the other.
        let page = links.checkout(7, "31").unwrap();
        let (path, key) = page.split_once("?key=").unwrap();
        assert_eq!((path, key.len()), ("/shops/7/checkout/31", 32));
        assert!(
            links.opens_checkout(7, "31", key) && !links.opens_checkout(7, "32", key) && !links.opens(7, "31", key)
        );
        assert!(Links::of("host", None).checkout(7, "31").is_none());
    }
}
