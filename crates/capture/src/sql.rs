//! SQL text for both engines: names, literals, and the reads that follow a row's path to its shop.
//!
//! Values stand in the text as literals, quoted here and nowhere else. On PostgreSQL every literal is untyped text, so
//! that the column decides what it is, and results come back as text: no type of a legacy needs to be known.

use crate::declared::{Declared, End};
use crate::write_back::SharedBy;
use std::collections::BTreeSet;
use std::fmt::Write;
use vocab::id::ShopId;
use vocab::row::{Cell, ColumnNo, Edit, RowKey, Table, TableNo, Use};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

/// `"name"`; on PostgreSQL a dot divides schema and table.
pub(crate) fn table_name(dialect: Dialect, name: &str) -> String {
    match (dialect, name.split_once('.')) {
        (Dialect::Postgres, Some((schema, table))) => format!("{}.{}", ident(schema), ident(table)),
        (Dialect::Postgres | Dialect::Sqlite, _) => ident(name),
    }
}

pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn text(dialect: Dialect, value: &str) -> String {
    let quoted = value.replace('\'', "''");
    match dialect {
        // A zero byte would end the statement.
        Dialect::Sqlite if value.contains('\0') => format!("cast(x'{}' as text)", hex(value.as_bytes())),
        // Right whatever `standard_conforming_strings` says.
        Dialect::Postgres => format!("E'{}'", quoted.replace('\\', "\\\\")),
        Dialect::Sqlite => format!("'{quoted}'"),
    }
}

pub(crate) fn literal(dialect: Dialect, cell: &Cell) -> String {
    match (dialect, cell) {
        (_, Cell::Null) => "null".to_owned(),
        (Dialect::Postgres, Cell::Int(value)) => format!("'{value}'"),
        (Dialect::Sqlite, Cell::Int(value)) => value.to_string(),
        (_, Cell::Text(value)) => text(dialect, value),
        (Dialect::Postgres, Cell::Bytes(bytes)) => format!("E'\\\\x{}'", hex(bytes)),
        (Dialect::Sqlite, Cell::Bytes(bytes)) => format!("x'{}'", hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The shop of the row that `row` (`new`, `old`, an alias) names, as text; null where its parent is gone.
pub(crate) fn shop_of(dialect: Dialect, declared: &Declared, table: TableNo, row: &str) -> String {
    let path = declared.path(table);
    let Some(((first, parent), rest)) = path.hops.split_first() else {
        return end_of(dialect, declared, path.end, table, row);
    };
    let mut from = format!("{} p0", table_name(dialect, &declared.table(*parent).name));
    let mut at = *parent;
    for (hop, (column, next)) in rest.iter().enumerate() {
        let on = format!(
            "{} = p{hop}.{}",
            key(declared, *next, &format!("p{}", hop + 1)),
            column_name(declared, at, *column)
        );
        let _ = write!(from, " join {} p{} on {on}", table_name(dialect, &declared.table(*next).name), hop + 1);
        at = *next;
    }
    let shop = end_of(dialect, declared, path.end, at, &format!("p{}", rest.len()));
    let here = column_name(declared, table, *first);
    format!("(select {shop} from {from} where {} = {row}.{here})", key(declared, *parent, "p0"))
}

fn end_of(dialect: Dialect, declared: &Declared, end: End<'_>, table: TableNo, row: &str) -> String {
    match end {
        End::Column(column) => format!("cast({row}.{} as text)", column_name(declared, table, column)),
        End::Fixed(shop) => format!("cast({} as text)", text(dialect, shop.as_str())),
        End::Shared => "null".to_owned(),
    }
}

fn key(declared: &Declared, table: TableNo, alias: &str) -> String {
    format!("{alias}.{}", column_name(declared, table, declared.table(table).key[0]))
}

fn column_name(declared: &Declared, table: TableNo, column: ColumnNo) -> String {
    ident(&declared.column(table, column).name)
}

/// All declared columns of `alias`, in order; secret ones read as null, so that they never leave the source.
pub(crate) fn select_list(table: &Table, alias: &str) -> String {
    let columns = table.columns.iter().map(|column| match column.usage {
        Use::Secret => "null".to_owned(),
        Use::Moved | Use::Unmoved | Use::Touch => format!("{alias}.{}", ident(&column.name)),
    });
    columns.collect::<Vec<_>>().join(", ")
}

fn key_columns(table: &Table, alias: &str) -> Vec<String> {
    table.key.iter().map(|&column| format!("{alias}.{}", ident(&table.columns[column].name))).collect()
}

/// `"a" = 1 and "b" = 2`, for the columns of the key.
pub(crate) fn key_is(dialect: Dialect, table: &Table, row_key: &RowKey) -> String {
    let pairs = table.key.iter().zip(&row_key.0);
    let conditions =
        pairs.map(|(&column, cell)| format!("{} = {}", ident(&table.columns[column].name), literal(dialect, cell)));
    conditions.collect::<Vec<_>>().join(" and ")
}

/// One row by its key.
pub(crate) fn row(dialect: Dialect, table: &Table, row_key: &RowKey) -> String {
    let columns = select_list(table, "t");
    format!("select {columns} from {} t where {}", table_name(dialect, &table.name), key_is(dialect, table, row_key))
}

/// What a read of one shop's rows asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfShop<'q> {
    pub shop: &'q ShopId,
    pub table: TableNo,
    pub after: Option<&'q RowKey>,
    pub limit: u32,
    pub shared: &'q [SharedBy],
}

pub(crate) fn rows_of_shop(dialect: Dialect, declared: &Declared, ask: &OfShop<'_>) -> String {
    let table = declared.table(ask.table);
    let keys = key_columns(table, "t");
    let mut conditions = vec![belongs(dialect, declared, ask)];
    if let Some(after) = ask.after {
        let values: Vec<_> = after.0.iter().map(|cell| literal(dialect, cell)).collect();
        conditions.push(format!("({}) > ({})", keys.join(", "), values.join(", ")));
    }
    format!(
        "select {} from {} t where {} order by {} limit {}",
        select_list(table, "t"),
        table_name(dialect, &table.name),
        conditions.join(" and "),
        keys.join(", "),
        ask.limit
    )
}

/// The condition that a row `t` is the shop's.
fn belongs(dialect: Dialect, declared: &Declared, ask: &OfShop<'_>) -> String {
    let shop = text(dialect, ask.shop.as_str());
    let path = declared.path(ask.table);
    match (path.end, path.hops.as_slice()) {
        (End::Shared, _) => shared_with(dialect, declared, ask),
        (End::Fixed(fixed), _) => if fixed == ask.shop { "1 = 1" } else { "1 = 0" }.to_owned(),
        // No cast here, so that an index on the column serves.
        (End::Column(column), []) => format!("t.{} = {shop}", column_name(declared, ask.table, column)),
        (End::Column(column), hops) => nested(dialect, declared, ask.table, hops, column, &shop),
    }
}

/// `t.a in (select k from … where b in (select … where shop = …))`: from the shop inwards, as an index would have it.
fn nested(
    dialect: Dialect,
    declared: &Declared,
    table: TableNo,
    hops: &[(ColumnNo, TableNo)],
    shop_column: ColumnNo,
    shop: &str,
) -> String {
    let mut tables = vec![table];
    tables.extend(hops.iter().map(|(_, next)| *next));
    let mut condition = format!("{} = {shop}", column_name(declared, tables[hops.len()], shop_column));
    for (hop, (column, next)) in hops.iter().enumerate().rev() {
        let parent = table_name(dialect, &declared.table(*next).name);
        let parent_key = column_name(declared, *next, declared.table(*next).key[0]);
        let row = if hop == 0 { "t." } else { "" };
        let here = column_name(declared, tables[hop], *column);
        condition = format!("{row}{here} in (select {parent_key} from {parent} where {condition})");
    }
    condition
}

fn shared_with(dialect: Dialect, declared: &Declared, ask: &OfShop<'_>) -> String {
    let through = ask.shared.iter().filter_map(|by| {
        let inner = OfShop { shop: ask.shop, table: by.table, after: None, limit: 0, shared: &[] };
        if declared.path(by.table).end == End::Shared {
            return None;
        }
        let rows = table_name(dialect, &declared.table(by.table).name);
        let column = column_name(declared, by.table, by.column);
        let condition = belongs(dialect, declared, &inner);
        let key = column_name(declared, ask.table, by.key);
        Some(format!("t.{key} in (select t.{column} from {rows} t where {condition})"))
    });
    let conditions: Vec<_> = through.collect();
    if conditions.is_empty() { "1 = 0".to_owned() } else { format!("({})", conditions.join(" or ")) }
}

/// The rows in which each of these columns holds one of its values.
pub(crate) fn rows_where(
    dialect: Dialect,
    declared: &Declared,
    table: TableNo,
    columns: &[(ColumnNo, Vec<&Cell>)],
) -> String {
    let of = declared.table(table);
    let conditions: Vec<_> = columns
        .iter()
        .map(|(column, values)| {
            let name = column_name(declared, table, *column);
            let (none, some): (Vec<&Cell>, Vec<&Cell>) = values.iter().partition(|cell| ***cell == Cell::Null);
            let mut conditions = Vec::new();
            if !some.is_empty() {
                let values: Vec<_> = some.into_iter().map(|cell| literal(dialect, cell)).collect();
                conditions.push(format!("t.{name} in ({})", values.join(", ")));
            }
            if !none.is_empty() {
                conditions.push(format!("t.{name} is null"));
            }
            format!("({})", conditions.join(" or "))
        })
        .collect();
    format!(
        "select {} from {} t where {} order by {}",
        select_list(of, "t"),
        table_name(dialect, &of.name),
        conditions.join(" and "),
        key_columns(of, "t").join(", ")
    )
}

/// Places in an index that are looked at for each key, at most.
const LOOKS_MAX: usize = 8;

/// The rows with these keys, and of a key of several columns a few more. What is told of the last column only is looked for
/// in the whole table, because an index of the key begins with the first. But an index is looked at for every combination
/// of what is told, so columns that make too many of them are not told.
pub(crate) fn rows_by_key(dialect: Dialect, declared: &Declared, table: TableNo, keys: &[RowKey]) -> String {
    let key = declared.table(table).key.iter().enumerate();
    let mut columns: Vec<(ColumnNo, Vec<&Cell>)> = key
        .map(|(place, column)| {
            let values: BTreeSet<&Cell> = keys.iter().filter_map(|key| key.0.get(place)).collect();
            (*column, values.into_iter().collect())
        })
        .collect();
    // The first of those that tell the most rows apart is told in any case.
    let by_values = columns.iter().rev().max_by_key(|(_, values)| values.len());
    let (telling, mut looks) = by_values.map_or((0, 0), |(column, values)| (*column, values.len()));
    columns.retain(|(column, values)| {
        let more = if *column == telling { looks } else { looks.saturating_mul(values.len()) };
        let told = *column == telling || more <= LOOKS_MAX * keys.len();
        looks = if told { more } else { looks };
        told
    });
    rows_where(dialect, declared, table, &columns)
}

/// Puts texts into hand-written SQL, each as a literal in the place of its name, one name after the other.
pub(crate) fn with_texts(dialect: Dialect, sql: &str, texts: &[(&str, &str)]) -> String {
    texts.iter().fold(sql.to_owned(), |sql, (name, value)| sql.replace(name, &text(dialect, value)))
}

/// A name of at most 63 bytes for an object of ours that serves one table; the number makes it unique.
pub(crate) fn object(kind: &str, no: TableNo, table: &Table) -> String {
    const BYTES_MAX: usize = 63;
    let mut name = format!("balik_{kind}_{no}_{}", table.name.replace('.', "_"));
    while name.len() > BYTES_MAX {
        name.pop();
    }
    name
}

/// One edit as a statement.
pub(crate) fn edit(dialect: Dialect, declared: &Declared, edit: &Edit) -> String {
    match edit {
        Edit::Insert { table, key, cells } => insert(dialect, declared.table(*table), key, cells),
        Edit::Update { table, key, set, add } => {
            let of = declared.table(*table);
            let name = |column: &ColumnNo| ident(&of.columns[*column].name);
            let set = set.iter().map(|(column, cell)| format!("{} = {}", name(column), literal(dialect, cell)));
            let add = add.iter().map(|(column, delta)| format!("{0} = {0} + ({delta})", name(column)));
            let changes: Vec<_> = set.chain(add).collect();
            // An edit that changes nothing still must find its row.
            let changes = if changes.is_empty() { format!("{0} = {0}", name(&of.key[0])) } else { changes.join(", ") };
            format!("update {} set {changes} where {}", table_name(dialect, &of.name), key_is(dialect, of, key))
        }
        Edit::Delete { table, key } => {
            let of = declared.table(*table);
            format!("delete from {} where {}", table_name(dialect, &of.name), key_is(dialect, of, key))
        }
    }
}

/// The key's cells stand in the edit's key, and may stand among its cells as well.
fn insert(dialect: Dialect, table: &Table, key: &RowKey, cells: &[(ColumnNo, Cell)]) -> String {
    let mut names = Vec::new();
    let mut values = Vec::new();
    let keyed = table.key.iter().copied().zip(&key.0);
    let others = cells.iter().map(|(column, cell)| (*column, cell));
    for (column, cell) in keyed.chain(others.filter(|(column, _)| !table.key.contains(column))) {
        names.push(ident(&table.columns[column].name));
        values.push(literal(dialect, cell));
    }
    let into = table_name(dialect, &table.name);
    // Identity columns that are always generated take our value too.
    let overriding = match dialect {
        Dialect::Postgres => " overriding system value",
        Dialect::Sqlite => "",
    };
    format!("insert into {into} ({}){overriding} values ({})", names.join(", "), values.join(", "))
}
