//! Two dumps of the legacy's database and what lies between them, by shop; and the list of what may.

use super::stage::Meant;
use crate::world::{Cells, Dump};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::ShopId;

/// A table and the key of a row in it.
pub type RowName = (String, String);

/// What lies between two dumps, of one shop.
#[derive(Debug, Default)]
pub struct Difference {
    born: BTreeMap<String, BTreeSet<String>>,
    gone: BTreeSet<RowName>,
    /// By row, the columns whose cells differ, with both cells.
    changed: BTreeMap<RowName, BTreeMap<String, (String, String)>>,
}

/// By shop; what belongs to none is under `nobody`.
pub fn differences(before: &Dump, after: &Dump) -> BTreeMap<String, Difference> {
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "tables");
    let mut by_shop: BTreeMap<String, Difference> = BTreeMap::new();
    for (table, rows) in after {
        for (key, cells) in rows {
            match before[table].get(key) {
                None => {
                    let shop = by_shop.entry(shop_of(after, table, key, cells)).or_default();
                    shop.born.entry(table.clone()).or_default().insert(key.clone());
                }
                Some(old) if old != cells => {
                    let differ = old.iter().filter(|(column, cell)| cells[*column] != **cell);
                    let differ = differ.map(|(column, cell)| (column.clone(), (cell.clone(), cells[column].clone())));
                    let shop = by_shop.entry(shop_of(after, table, key, cells)).or_default();
                    shop.changed.insert((table.clone(), key.clone()), differ.collect());
                }
                Some(_) => {}
            }
        }
        for (key, cells) in before[table].iter().filter(|(key, _)| !rows.contains_key(*key)) {
            let shop = by_shop.entry(shop_of(before, table, key, cells)).or_default();
            shop.gone.insert((table.clone(), key.clone()));
        }
    }
    by_shop
}

fn shop_of(dump: &Dump, table: &str, key: &str, cells: &Cells) -> String {
    let parent = |table: &str, column: &str| dump[table].get(&cells[column]).map(|row| row["toko_id"].clone());
    let shop = match table {
        "toko" => Some(key.to_owned()),
        "keranjang_isi" => parent("keranjang", "keranjang_id"),
        "transaksi_isi" => parent("transaksi", "transaksi_id"),
        "jual_detil" | "bayar" | "kembali" => parent("jual", "jual_id"),
        "pesanan_coba" | "pesanan_uang" | "pesanan_balik" => parent("pesanan", "pesanan_id"),
        "pelanggan" => {
            let mut orders = dump["jual"].values();
            orders.find(|order| order["pelanggan_id"] == key).map(|order| order["toko_id"].clone())
        }
        _ => cells.get("toko_id").cloned(),
    };
    shop.unwrap_or_else(|| "nobody".to_owned())
}

/// The file of intended edits.
#[derive(Deserialize)]
pub struct Intended {
    command: Vec<Command>,
}

#[derive(Deserialize)]
struct Command {
    name: String,
    #[serde(default)]
    updates: BTreeSet<String>,
    #[serde(default)]
    may_update: BTreeSet<String>,
    #[serde(default)]
    by_trigger: BTreeSet<String>,
    #[serde(default)]
    inserts: BTreeSet<String>,
    #[serde(default)]
    may_insert: BTreeSet<String>,
    #[serde(default)]
    may_delete: BTreeSet<String>,
}

impl Intended {
    pub fn read() -> Self {
        toml::from_str(include_str!("../../../../../demo/legacy/intended-edits.toml")).unwrap()
    }

    fn of(&self, names: &[&str]) -> Vec<&Command> {
        let find = |name: &&str| {
            let found = self.command.iter().find(|command| command.name == *name);
            found.unwrap_or_else(|| panic!("no list of `{name}`"))
        };
        names.iter().map(find).collect()
    }

    /// The difference is what was meant: in these rows, in these columns, and nothing else.
    pub fn check(&self, shop: &ShopId, meant: &Meant, found: &Difference) {
        let of = format!("shop {shop}, {:?}", meant.commands);
        let (commands, also) = (self.of(&meant.commands), self.of(&meant.also));
        let moved = |table: &str, key: &str| if table == "produk" { meant.stock.get(key) } else { None };
        let surely = |row: &&RowName| meant.rows.contains(*row) || moved(&row.0, &row.1) != Some(&0);
        let changed: BTreeSet<&RowName> = found.changed.keys().filter(surely).collect();
        let products = meant.stock.iter().filter(|(_, by)| **by != 0);
        let products: Vec<RowName> = products.map(|(product, _)| ("produk".to_owned(), product.clone())).collect();
        let expected = meant.rows.iter().chain(&products).collect();
        assert_eq!(changed, expected, "{of}: rows that changed: {:?}", found.changed);
        assert_eq!(found.gone, meant.gone, "{of}: rows that are gone");
        let born: BTreeMap<&str, usize> = found.born.iter().map(|(table, keys)| (table.as_str(), keys.len())).collect();
        let expected: BTreeMap<&str, usize> = meant.born.iter().map(|(table, count)| (*table, *count)).collect();
        assert_eq!(born, expected, "{of}: rows that were born");
        columns(&of, &commands, &also, found);
        stock(&of, meant, found);
    }
}

/// Every column that changed is in the list of a command, and every one that a command always changes has changed.
fn columns(of: &str, commands: &[&Command], also: &[&Command], found: &Difference) {
    let all: Vec<&&Command> = commands.iter().chain(also).collect();
    let in_rows = found.changed.iter().flat_map(|((table, _), columns)| {
        columns.iter().map(move |(column, cells)| (format!("{table}.{column}"), cells))
    });
    let mut seen = BTreeSet::new();
    for (column, cells) in in_rows {
        let listed = |command: &&&Command| {
            [&command.updates, &command.may_update, &command.by_trigger].iter().any(|list| list.contains(&column))
        };
        assert!(all.iter().any(listed), "{of}: {column} went {cells:?}, which is in no list");
        seen.insert(column);
    }
    for command in commands {
        let always = command.updates.iter().chain(&command.by_trigger);
        let missing: Vec<_> = always.filter(|column| !seen.contains(*column)).collect();
        assert!(missing.is_empty(), "{of}: {} did not change {missing:?}", command.name);
        let missing: Vec<_> = command.inserts.iter().filter(|table| !found.born.contains_key(*table)).collect();
        assert!(missing.is_empty(), "{of}: {} put no row into {missing:?}", command.name);
    }
    for table in found.born.keys() {
        let listed = |command: &&&Command| command.inserts.contains(table) || command.may_insert.contains(table);
        assert!(all.iter().any(listed), "{of}: a row in {table}, which is in no list");
    }
    for (table, key) in &found.gone {
        assert!(all.iter().any(|it| it.may_delete.contains(table)), "{of}: {table} {key} may not go");
    }
}

/// Stock moved by what was meant, whoever moved the cell.
fn stock(of: &str, meant: &Meant, found: &Difference) {
    let mut moved: BTreeMap<String, i64> = BTreeMap::new();
    for ((table, key), columns) in &found.changed {
        if let (true, Some((before, after))) = (table == "produk", columns.get("stok")) {
            moved.insert(key.clone(), after.parse::<i64>().unwrap() - before.parse::<i64>().unwrap());
        }
    }
    let expected: BTreeMap<String, i64> = meant
        .stock
        .iter()
        .filter(|(_, delta)| **delta != 0)
        .map(|(product, delta)| (product.clone(), *delta))
        .collect();
    assert_eq!(moved, expected, "{of}: stock");
}
