//! Statements, rows and cells: the few forms in which this crate speaks SQL, to either engine.
//!
//! Every statement is written once, in SQLite's words, and prepared once per connection; what PostgreSQL says otherwise is in
//! `dialect`. A cell that does not read back as what was stored is `Corrupt`.

mod connection;
mod dialect;
mod exchange;
mod failure;
mod open;
mod postgres;
#[cfg(test)]
mod statements;
mod value;
mod wire;

pub use connection::{Ask, Begin, Connection, Row};
pub use dialect::tables_of_postgres;
pub use open::Plans;
pub use postgres::Postgres;
pub(crate) use value::params;
pub use value::{Bind, Cell, NOTHING, Owned, Params, Value};

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::{sale, shop as shop_with_stock, trips};

use crate::error::Error;
use crate::json;
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Name, Origin, PublicId, Seq, ShopId, Side, Timestamp};

/// All rows.
pub fn all<T>(
    connection: &Connection,
    what: &'static str,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    connection.rows(what, sql, &params.values(), &mut |row| {
        found.push(read(row)?);
        Ok(true)
    })?;
    Ok(found)
}

/// The first row, if there is one.
pub fn first<T>(
    connection: &Connection,
    what: &'static str,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let mut found = None;
    connection.rows(what, sql, &params.values(), &mut |row| {
        found = Some(read(row)?);
        Ok(false)
    })?;
    Ok(found)
}

/// The first row for each key, in their order, all asked for together.
pub fn first_of_each<T>(
    connection: &Connection,
    what: &'static str,
    sql: &str,
    keys: Vec<Vec<Value<'_>>>,
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
) -> Result<Vec<Option<T>>, Error> {
    let mut found: Vec<Option<T>> = keys.iter().map(|_| None).collect();
    connection.together(vec![Ask::first_of_each(what, sql, keys, found.iter_mut().collect(), read)])?;
    Ok(found)
}

/// A statement that is not waited for: whoever needs no count of rows does not need to.
pub fn defer(connection: &Connection, what: &'static str, sql: &'static str, params: impl Params) -> Result<(), Error> {
    connection.defer(what, sql, &params.values())
}

/// The same of each of these rows: an `insert … values (?1, ?2 …)`, which PostgreSQL hears once.
pub fn defer_each(
    connection: &Connection,
    what: &'static str,
    sql: &'static str,
    rows: Vec<Vec<Owned>>,
) -> Result<(), Error> {
    connection.defer_each(what, sql, rows)
}

/// Cells that are kept.
pub fn owned(params: impl Params) -> Vec<Owned> {
    params.values().into_iter().filter_map(Owned::of).collect()
}

/// The number of rows changed.
pub fn execute(connection: &Connection, what: &'static str, sql: &str, params: impl Params) -> Result<usize, Error> {
    connection.execute(what, sql, &params.values())
}

pub fn cell<T: Cell>(row: &Row<'_>, at: usize) -> Result<T, Error> {
    T::of(row.value(at)?).ok_or_else(|| corrupt("cell", format!("column {at} is of another type")))
}

fn corrupt(what: &'static str, why: impl ToString) -> Error {
    Error::Corrupt { what, why: why.to_string() }
}

pub fn natural(row: &Row<'_>, at: usize) -> Result<u64, Error> {
    u64::try_from(cell::<i64>(row, at)?).map_err(|why| corrupt("number", why))
}

pub fn natural_or_null(row: &Row<'_>, at: usize) -> Result<Option<u64>, Error> {
    let number = cell::<Option<i64>>(row, at)?.map(u64::try_from);
    number.transpose().map_err(|why| corrupt("number", why))
}

pub fn epoch(row: &Row<'_>, at: usize) -> Result<Epoch, Error> {
    natural(row, at).map(Epoch)
}

pub fn seq(row: &Row<'_>, at: usize) -> Result<Seq, Error> {
    natural(row, at).map(Seq)
}

pub fn name(row: &Row<'_>, at: usize) -> Result<Name, Error> {
    cell(row, at)
}

pub fn shop(row: &Row<'_>, at: usize) -> Result<ShopId, Error> {
    ShopId::parse(&cell::<String>(row, at)?).map_err(|why| corrupt("shop", why))
}

pub fn kind(row: &Row<'_>, at: usize) -> Result<Kind, Error> {
    let name: String = cell(row, at)?;
    Kind::from_name(&name).ok_or_else(|| corrupt("kind", name))
}

pub fn shop_or_null(row: &Row<'_>, at: usize) -> Result<Option<ShopId>, Error> {
    let text: Option<String> = cell(row, at)?;
    text.map(|text| ShopId::parse(&text)).transpose().map_err(|why| corrupt("shop", why))
}

pub fn timestamp(row: &Row<'_>, at: usize) -> Result<Timestamp, Error> {
    cell(row, at).map(Timestamp)
}

/// A cell that holds a record as JSON.
pub fn record(row: &Row<'_>, at: usize) -> Result<Record, Error> {
    record_as(row, at, json::decode)
}

/// The same, read by `read`.
pub fn record_as<T>(row: &Row<'_>, at: usize, read: impl FnOnce(&str) -> Result<T, Error>) -> Result<T, Error> {
    match row.value(at)? {
        Value::Text(text) => read(text),
        Value::Null | Value::Int(_) | Value::Bytes(_) => Err(corrupt("record", "it is no text")),
    }
}

pub fn side(row: &Row<'_>, at: usize) -> Result<Side, Error> {
    let name: String = cell(row, at)?;
    let found = [Side::Legacy, Side::Backend].into_iter().find(|side| side.name() == name);
    found.ok_or_else(|| corrupt("side", name))
}

pub fn public_id(row: &Row<'_>, at: usize) -> Result<PublicId, Error> {
    name(row, at).map(PublicId::new)
}

pub fn origin(row: &Row<'_>, at: usize) -> Result<Option<Origin>, Error> {
    Ok(cell::<Option<Name>>(row, at)?.map(Origin::new))
}

/// A number of ours as a database keeps it.
pub fn int(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::Invalid(format!("{number} is more than the store can count")))
}

/// A limit as a database takes it; beyond what it can count there is no limit.
pub fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub fn count(rows: usize) -> Result<u64, Error> {
    u64::try_from(rows).map_err(|_| Error::Invalid(format!("{rows} rows are more than the store can count")))
}
