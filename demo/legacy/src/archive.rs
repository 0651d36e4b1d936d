//! The archive: the invoices of the years before this program, one row for each line, shown and never changed.
//!
//! A sale is an order that is done. Credits, ledger adjustments, stock corrections and invoices with prices that are
//! no pence are history: shown with their total as decimal text.

use crate::database::{self, Transaction};
use crate::money::Decimal;
use crate::order;
use crate::shop::{ARCHIVE_SHOP, Ctx};
use crate::value::{Row, args};
use crate::wire::{Fields, totals};
use anyhow::Context;
use serde_json::{Value as Json, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Columns of the file, and of `arsip` after its row number.
pub const COLUMNS: [&str; 8] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];

/// Where the history stands under a data folder.
pub fn file_in(data: &Path) -> PathBuf {
    data.join("uci_online_retail").join("online_retail.csv.zst")
}

/// The file's text, unpacked.
///
/// # Errors
/// Where it cannot be read, or its columns are others.
pub fn unpack(file: &Path) -> anyhow::Result<Vec<u8>> {
    let packed = std::fs::File::open(file).with_context(|| format!("open {}", file.display()))?;
    let mut reader = ruzstd::decoding::StreamingDecoder::new(std::io::BufReader::new(packed))
        .with_context(|| format!("{} is no zstd file", file.display()))?;
    let mut text = Vec::new();
    reader.read_to_end(&mut text).with_context(|| format!("unpack {}", file.display()))?;
    let mut lines = csv::Reader::from_reader(text.as_slice());
    let header = lines.headers().with_context(|| format!("read {}", file.display()))?;
    anyhow::ensure!(header.iter().eq(COLUMNS), "{} has other columns: {header:?}", file.display());
    Ok(text)
}

struct Line {
    rowno: i64,
    code: String,
    title: String,
    quantity: i64,
    price: Decimal,
}

impl Line {
    fn read(row: &Row) -> Result<Self, database::Error> {
        let price = row.text(4)?;
        let price = Decimal::read(&price).ok_or_else(|| database::Error::new(format!("`{price}` is no price")))?;
        Ok(Self {
            rowno: row.int(0)?,
            code: row.text(1)?,
            title: row.optional_text(2)?.unwrap_or_default(),
            quantity: row.int(3)?,
            price,
        })
    }

    /// The price in pence, where it is that.
    fn pence(&self) -> Option<i64> {
        self.price.at_scale(2).and_then(|pence| i64::try_from(pence).ok())
    }
}

/// An archived invoice as shown; none if there is none of that number.
///
/// # Errors
/// What the database says.
pub fn render(tx: &mut Transaction<'_>, ctx: &Ctx, invoice: &str) -> Result<Option<Fields>, database::Error> {
    if ctx.shop.id != ARCHIVE_SHOP {
        return Ok(None);
    }
    let sql = "select rowno, \"StockCode\", \"Description\", \"Quantity\", \"UnitPrice\" from arsip \
               where \"InvoiceNo\" = ?1 order by rowno";
    let lines: Vec<Line> = tx.rows(sql, args![invoice])?.iter().map(Line::read).collect::<Result<_, _>>()?;
    if lines.is_empty() {
        return Ok(None);
    }
    let mut fields = json!({
        "id": invoice, "permalink_url": order::permalink(ctx, invoice), "currency": "GBP",
        "invoice": {"number": invoice, "url": order::permalink(ctx, invoice)},
        "fulfillment": {"expectations": [], "events": []}, "adjustments": [],
    });
    match sale(invoice, &lines) {
        Some((items, total)) => {
            fields["status"] = json!("done");
            fields["line_items"] = items;
            fields["totals"] = totals(&[("subtotal", total), ("fulfillment", 0), ("tax", 0), ("total", total)]);
        }
        None => {
            let item = |line: &Line| json!({"item": {"title": line.title}, "quantity": {"original": line.quantity}});
            let total = lines.iter().fold(Decimal::ZERO, |sum, line| sum.plus(line.price.times(line.quantity)));
            fields["status"] = json!("history");
            fields["line_items"] = lines.iter().map(item).collect();
            fields["totals"] = json!([]);
            fields["recorded_total"] = json!(total.to_string());
        }
    }
    Ok(fields.as_object().cloned())
}

/// Lines and total of a sale; none for every other kind of invoice.
fn sale(invoice: &str, lines: &[Line]) -> Option<(Json, i64)> {
    let all_free = lines.iter().all(|line| line.price.digits == 0);
    let is_other = invoice.starts_with('C') || invoice.starts_with('A') || all_free;
    if is_other || lines.iter().any(|line| line.quantity < 0 || line.price.scale > 2) {
        return None;
    }
    let mut total = 0;
    let mut items = Vec::with_capacity(lines.len());
    for line in lines {
        let price = line.pence()?;
        let amount = price * line.quantity;
        total += amount;
        items.push(json!({
            "id": line.rowno.to_string(),
            "item": {"id": line.code, "title": line.title, "price": price},
            "quantity": {"original": line.quantity, "total": line.quantity, "fulfilled": 0},
            "status": "processing",
            "totals": crate::wire::totals(&[("subtotal", amount), ("total", amount)]),
        }));
    }
    Some((Json::Array(items), total))
}
