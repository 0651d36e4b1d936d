//! Stock on hand, per variant. It moves by signed differences here and is set only by imports.

use crate::commit::{Commit, CommitError, Moved, StockChange};
use crate::sql::{Ask, Bind, Connection, Owned, params};
use crate::{Error, Result, Store, sql};
use std::collections::BTreeMap;
use vocab::document::Node;
use vocab::id::{Kind, PublicId, ShopId};

impl Store {
    /// On hand, in the order asked for; none for an unknown variant.
    pub async fn stock(&self, shop: &ShopId, variants: &[PublicId]) -> Result<Vec<Option<i64>>> {
        let (shop, variants) = (shop.clone(), variants.to_vec());
        self.read_briefly(move |connection| {
            let keys = variants.iter().map(|variant| vec![shop.as_str().value(), variant.as_str().value()]).collect();
            sql::first_of_each(connection, READ, ON_HAND, keys, |row| sql::cell(row, 0))
        })
        .await
    }

    /// On hand of every variant, in the order of their ids as text.
    pub async fn stock_all(&self, shop: &ShopId) -> Result<Vec<(PublicId, i64)>> {
        let shop = shop.clone();
        self.read(move |connection| {
            connection.takes_long();
            let sql = "select variant, on_hand from stock where shop = ?1 order by variant";
            let read = |row: &sql::Row<'_>| Ok((sql::public_id(row, 0)?, sql::cell(row, 1)?));
            sql::all(connection, READ, sql, [shop.as_str()], read)
        })
        .await
    }
}

const READ: &str = "read of stock";
const WRITE: &str = "write of stock";

const PUT: &str = "insert into stock (shop, variant, product, on_hand) values (?1, ?2, ?3, ?4)
               on conflict (shop, variant) do update set on_hand = excluded.on_hand";

const ON_HAND: &str = "select on_hand from stock where shop = ?1 and variant = ?2";

/// On hand of each variant that a commit changes; none: it has no stock.
pub type OnHand = BTreeMap<PublicId, Option<i64>>;

/// The question for these, with others.
pub fn ask<'a>(shop: &'a ShopId, on_hand: &'a mut OnHand) -> Ask<'a> {
    let key = |variant: &'a PublicId| vec![shop.as_str().value(), variant.as_str().value()];
    let (keys, places) = on_hand.iter_mut().map(|(variant, place)| (key(variant), place)).unzip();
    Ask::first_of_each(READ, ON_HAND, keys, places, |row| sql::cell(row, 0))
}

/// Applies one difference of a commit and answers what is left; below zero it is refused.
pub fn change(
    commit: &Commit,
    change: &StockChange,
    on_hand: &mut OnHand,
    moved: &mut Moved,
) -> Result<i64, CommitError> {
    let variant = &change.variant;
    let place = on_hand.entry(variant.clone()).or_default();
    let Some(left) = *place else {
        moved.begun.push(begin(commit, change)?);
        return Ok(*place.insert(change.delta));
    };
    let after = left.checked_add(change.delta).ok_or_else(|| CommitError::TooMuchStock { variant: variant.clone() })?;
    if after < 0 {
        return Err(CommitError::OutOfStock { variant: variant.clone(), left });
    }
    moved.left.insert(variant.clone(), after);
    Ok(*place.insert(after))
}

/// Writes what variants begin with.
pub fn put_all(connection: &Connection, rows: Vec<Vec<Owned>>) -> Result<()> {
    sql::defer_each(connection, WRITE, PUT, rows)
}

/// On hand of a variant that has stock, from now on.
pub fn set_left(connection: &Connection, shop: &ShopId, variant: &PublicId, left: i64) -> Result<()> {
    let sql = "update stock set on_hand = ?3 where shop = ?1 and variant = ?2";
    sql::defer(connection, WRITE, sql, params![shop.as_str(), variant.as_str(), left])
}

/// The first stock of a variant that came into being here: its product is among the commit's own writes.
fn begin(commit: &Commit, change: &StockChange) -> Result<Vec<Owned>> {
    let has = |node: &Node| match node {
        Node::Record(variant) => variant.text("id") == Some(change.variant.as_str()),
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) | Node::List(_) => false,
    };
    let mut products = commit.writes.iter().filter(|write| write.kind == Kind::Product);
    let product = products.find(|write| write.document.list("variants").iter().any(has));
    let Some(product) = product.filter(|_| change.delta >= 0) else {
        return Err(Error::Invalid(format!("a change of the stock of {}, which has none", change.variant)));
    };
    Ok(sql::owned(params![commit.shop.as_str(), change.variant.as_str(), product.id.as_str(), change.delta]))
}

/// Sets the stock of a product's variants; those not named are gone. That no variant is another product's was
/// checked before.
pub fn set(connection: &Connection, shop: &ShopId, product: &PublicId, stock: &[(PublicId, i64)]) -> Result<()> {
    let sql = "select variant from stock where shop = ?1 and product = ?2";
    let had = sql::all(connection, READ, sql, [shop.as_str(), product.as_str()], |row| sql::public_id(row, 0))?;
    for variant in had.iter().filter(|variant| !stock.iter().any(|(named, _)| named == *variant)) {
        let sql = "delete from stock where shop = ?1 and variant = ?2";
        sql::defer(connection, WRITE, sql, [shop.as_str(), variant.as_str()])?;
    }
    stock.iter().try_for_each(|(variant, on_hand)| insert(connection, shop, product, variant, *on_hand))
}

fn insert(connection: &Connection, shop: &ShopId, product: &PublicId, variant: &PublicId, on_hand: i64) -> Result<()> {
    let cells = params![shop.as_str(), variant.as_str(), product.as_str(), on_hand];
    sql::defer(connection, WRITE, PUT, cells)
}

/// The product that a variant belongs to.
pub fn product_of(connection: &Connection, shop: &ShopId, variant: &PublicId) -> Result<Option<PublicId>> {
    let sql = "select product from stock where shop = ?1 and variant = ?2";
    sql::first(connection, READ, sql, [shop.as_str(), variant.as_str()], |row| sql::public_id(row, 0))
}
