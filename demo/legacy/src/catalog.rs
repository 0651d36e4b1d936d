//! Products: looking at them (and being counted looking), and the seller's edits.
//!
//! Price and stock stand in the product's own row; a product is one variant with the product's id.

use crate::database::Transaction;
use crate::shop::{Ctx, Done};
use crate::value::{Row, args};
use crate::wire::{Fields, Kind, Refusal, Stop, number};
use crate::{database, money};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const PAGE_DEFAULT: i64 = 10;
const PAGE_MAX: i64 = 50;
const LOOKUP_MAX: usize = 50;

/// A product's row.
#[derive(Debug, Clone)]
pub struct Product {
    pub id: i64,
    pub title: String,
    pub price: i64,
    pub stock: i64,
    pub on_sale: bool,
}

impl Product {
    fn read(row: &Row) -> Result<Self, database::Error> {
        Ok(Self {
            id: row.int(0)?,
            title: row.text(1)?,
            price: row.money(2)?,
            stock: row.int(3)?,
            on_sale: row.word(4)? == "Y",
        })
    }

    fn fields(&self, asked_for: Option<&str>, with_stock: bool) -> Json {
        let id = self.id.to_string();
        let mut variant = json!({
            "id": id, "title": self.title,
            "price": {"amount": self.price, "currency": "IDR"},
            "availability": {"available": self.on_sale && self.stock > 0},
        });
        if let Some(asked_for) = asked_for {
            variant["inputs"] = json!([{"id": asked_for, "match": "exact"}]);
        }
        if with_stock {
            variant["stock"] = json!(self.stock);
        }
        json!({"id": id, "title": self.title, "variants": [variant]})
    }
}

/// The product, unless it was deleted.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut Transaction<'_>, shop: i64, id: &str) -> Result<Option<Product>, database::Error> {
    let Some(id) = number(id) else { return Ok(None) };
    let sql = "select id, nama, harga, stok, aktif from produk where id = ?1 and toko_id = ?2 and hapus = 0";
    tx.row(sql, args![id, shop])?.as_ref().map(Product::read).transpose()
}

/// The same, and nobody else changes it until this transaction ends. Products are locked in the order of their ids.
///
/// # Errors
/// What the database says.
pub fn lock(tx: &mut Transaction<'_>, shop: i64, id: i64) -> Result<Option<Product>, database::Error> {
    let sql = "select id, nama, harga, stok, aktif from produk where id = ?1 and toko_id = ?2 and hapus = 0 /*lock*/";
    tx.row(sql, args![id, shop])?.as_ref().map(Product::read).transpose()
}

#[derive(Debug, Deserialize)]
pub struct Search {
    #[serde(default)]
    query: String,
    #[serde(default)]
    pagination: Page,
}

#[derive(Debug, Default, Deserialize)]
struct Page {
    cursor: Option<String>,
    limit: Option<i64>,
}

/// What is on sale, page by page.
///
/// # Errors
/// A cursor that is none, or what the database says.
pub fn search(tx: &mut Transaction<'_>, ctx: &Ctx, asked: &Search) -> Result<Fields, Stop> {
    let after = match &asked.pagination.cursor {
        None => 0,
        Some(cursor) => number(cursor).ok_or_else(|| Stop::invalid("$.pagination.cursor is none of ours"))?,
    };
    let limit = asked.pagination.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let sql = "select id, nama, harga, stok, aktif from produk where toko_id = ?1 and hapus = 0 and aktif = 'Y' \
               and id > ?2 and lower(nama) like ?3 escape '!' order by id limit ?4";
    let rows = tx.rows(sql, args![ctx.shop.id, after, like(&asked.query), limit + 1])?;
    let mut products: Vec<Product> = rows.iter().map(Product::read).collect::<Result<_, _>>()?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = products.len() > page;
    products.truncate(page);
    let mut pagination = json!({"has_next_page": more});
    if let Some(last) = products.last().filter(|_| more) {
        pagination["cursor"] = json!(last.id.to_string());
    }
    let products: Vec<Json> = products.iter().map(|product| product.fields(None, false)).collect();
    Ok(Fields::from_iter([("products".into(), json!(products)), ("pagination".into(), pagination)]))
}

/// The pattern of titles that contain `query`.
fn like(query: &str) -> String {
    let mut pattern = String::from("%");
    for letter in query.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[derive(Debug, Deserialize)]
pub struct Lookup {
    ids: Vec<String>,
}

/// Products by id, on sale or not.
///
/// # Errors
/// `request_too_large`, or what the database says.
pub fn lookup(tx: &mut Transaction<'_>, ctx: &Ctx, asked: &Lookup) -> Result<Fields, Stop> {
    if asked.ids.len() > LOOKUP_MAX {
        let content = format!("at most {LOOKUP_MAX} ids at once");
        return Err(Stop::bad(axum::http::StatusCode::BAD_REQUEST, "request_too_large", content));
    }
    let (mut products, mut messages, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for id in asked.ids.iter().filter(|id| seen.insert(id.as_str())) {
        match find(tx, ctx.shop.id, id)? {
            Some(product) => products.push(product.fields(Some(id), false)),
            None => {
                messages.push(json!({"type": "info", "code": "not_found", "content": format!("no product `{id}`")}))
            }
        }
    }
    let mut fields = Fields::from_iter([("products".into(), json!(products))]);
    if !messages.is_empty() {
        fields.insert("messages".into(), json!(messages));
    }
    Ok(fields)
}

/// One product; looking at it is counted, so this read writes.
///
/// # Errors
/// `not_found`, or what the database says.
pub fn view(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Fields, Stop> {
    let product = find(tx, ctx.shop.id, id)?.ok_or_else(|| Refusal::not_found(Kind::Product, id))?;
    tx.run("update produk set dilihat = dilihat + 1 where id = ?1", args![product.id])?;
    Ok(Fields::from_iter([("product".into(), product.fields(None, false))]))
}

/// A product as its seller sees it.
///
/// # Errors
/// `not_found`, or what the database says.
pub fn render(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Fields, Stop> {
    let product = find(tx, ctx.shop.id, id)?.ok_or_else(|| Refusal::not_found(Kind::Product, id))?;
    Ok(Fields::from_iter([("product".into(), product.fields(None, true))]))
}

#[derive(Debug, Deserialize)]
pub struct Edit {
    price: Option<i64>,
    stock_delta: Option<i64>,
}

/// A new price, more or less stock, or both.
///
/// # Errors
/// `not_found`, `price_invalid`, `stock_below_zero`, or what the database says.
pub fn edit(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str, edit: &Edit) -> Result<Done, Stop> {
    if edit.price.is_none() && edit.stock_delta.is_none() {
        return Err(Stop::invalid("one of $.price and $.stock_delta is needed"));
    }
    let not_found = || Refusal::not_found(Kind::Product, id);
    let key = number(id).ok_or_else(not_found)?;
    let product = lock(tx, ctx.shop.id, key)?.ok_or_else(not_found)?;
    if edit.price.is_some_and(|price| price <= 0 || price % money::RUPIAH != 0) {
        let refusal = Refusal::new("price_invalid", "a price is a positive number of whole rupiah").at("$.price");
        return Err(refusal.about(Kind::Product, id).into());
    }
    let delta = edit.stock_delta.unwrap_or(0);
    if delta < 0 && product.stock.saturating_add(delta) < 0 {
        let refusal = Refusal::new("stock_below_zero", format!("only {} left", product.stock)).at("$.stock_delta");
        return Err(refusal.about(Kind::Product, id).into());
    }
    if let Some(price) = edit.price {
        tx.run("update produk set harga = ?1 where id = ?2", args![money::print(price), key])?;
    }
    tx.run("update produk set stok = stok + ?1, diubah = ?2 where id = ?3", args![delta, &ctx.now, key])?;
    Ok(Done::ok(Kind::Product, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shopper_types_is_no_pattern() {
        assert_eq!(like("Kopi 100%_!"), "%kopi 100!%!_!!%");
        assert_eq!(like(""), "%%");
    }
}
