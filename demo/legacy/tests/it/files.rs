//! The files beside the program: control totals that run, and intended edits that name real columns.

use crate::kios::{Kios, on_both};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use toml::Value;

const KIOS_TOTALS: &str = include_str!("../../mapping/kios.totals.toml");
const ARCHIVE_TOTALS: &str = include_str!("../../mapping/arsip.totals.toml");
const INTENDED: &str = include_str!("../../intended-edits.toml");

fn text<'a>(table: &'a Value, name: &str) -> &'a str {
    table.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {table}"))
}

/// What the measures of one total of a shop come to, by entity, class and measure; `keys` as JSON, or all.
async fn total(
    kios: &Kios,
    file: &Value,
    total: &Value,
    (shop, keys): (&str, Option<&str>),
) -> BTreeMap<String, String> {
    let engine = if kios.is_sqlite() { "sqlite" } else { "postgres" };
    let keyed = text(file.get("keys").and_then(|keys| keys.get(text(total, "entity"))).unwrap(), engine);
    let sql = text(total, engine).replace("{keys}", if keys.is_some() { keyed } else { "" });
    let literal = |value: &str| format!("'{value}'");
    let rows = kios.rows(&sql.replace("$1", &literal(shop)).replace("$2", &literal(keys.unwrap_or("[]")))).await;
    let mut named = Vec::new();
    for of in total.get("of").map_or(std::slice::from_ref(total), |of| of.as_array().unwrap()) {
        let measures = of["measures"].as_array().unwrap().iter().map(|measure| measure.as_str().unwrap());
        named.extend(measures.map(|measure| format!("{} {} {measure}", text(total, "entity"), text(of, "class"))));
    }
    let [row] = rows.as_slice() else { panic!("not one row: {sql}") };
    assert_eq!(named.len(), row.len(), "{sql}");
    named.into_iter().zip(row.iter().cloned()).collect()
}

/// Every total of the archive, by entity, class and measure.
pub async fn archive_totals(kios: &Kios) -> BTreeMap<String, String> {
    let file: Value = toml::from_str(ARCHIVE_TOTALS).unwrap();
    let mut totals = BTreeMap::new();
    for one in file["total"].as_array().unwrap() {
        totals.extend(total(kios, &file, one, ("900", None)).await);
    }
    totals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_dialects_of_a_control_total_say_the_same() {
    let seen: Mutex<Vec<BTreeMap<String, String>>> = Mutex::default();
    on_both(async |kios| {
        let mut totals = BTreeMap::new();
        for (source, file) in [("kios", KIOS_TOTALS), ("archive", ARCHIVE_TOTALS)] {
            let file: Value = toml::from_str(file).unwrap();
            for one in file["total"].as_array().unwrap() {
                let all = total(kios, &file, one, ("1", None)).await;
                for (name, none) in total(kios, &file, one, ("1", Some("[]"))).await {
                    assert!(matches!(none.as_str(), "0" | "-"), "{name} of nothing is {none}");
                }
                // The two databases were made at different seconds.
                let is_instant = |name: &str| name.ends_with("_at") || name.ends_with(".at");
                totals.extend(all.into_iter().map(|(name, figure)| {
                    let figure = if is_instant(&name) { (figure != "-").to_string() } else { figure };
                    (format!("{source} {name}"), figure)
                }));
            }
        }
        seen.lock().unwrap().push(totals);
    })
    .await;
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen[0], seen[1]);
    for (name, expected) in [
        ("kios product any count", "24"),
        ("kios order live count", "56"),
        ("kios order history:no_lines count", "1"),
        ("kios order history:quantity count", "1"),
        ("kios order history:totals count", "1"),
        ("kios order history:subtotal count", "1"),
        ("kios idempotency any count", "5"),
        ("kios shop any count", "1"),
    ] {
        assert_eq!(seen[0][name], expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_control_total_of_some_keys_is_of_those_only() {
    on_both(async |kios| {
        let file: Value = toml::from_str(KIOS_TOTALS).unwrap();
        let is_it = |one: &&Value| text(one, "entity") == "product";
        let of_products = file["total"].as_array().unwrap().iter().find(is_it).unwrap();
        let products = kios.on_sale(1).await;
        let keys = format!("[\"{}\", \"{}\"]", products[0], products[1]);
        let totals = total(kios, &file, of_products, ("1", Some(&keys))).await;
        assert_eq!(totals["product any count"], "2");
        let stock = kios.stock(&products[0]).await + kios.stock(&products[1]).await;
        assert_eq!(totals["product any sum variants.stock"], stock.to_string());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intended_edits_name_tables_and_columns_of_the_schema() {
    on_both(async |kios| {
        let columns = if kios.is_sqlite() {
            "select m.name || '.' || c.name from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table'"
        } else {
            "select table_name || '.' || column_name from information_schema.columns where table_schema = 'public'"
        };
        let columns: BTreeSet<String> = kios.column(columns).await.into_iter().collect();
        let tables: BTreeSet<&str> = columns.iter().filter_map(|column| column.split('.').next()).collect();
        let file: Value = toml::from_str(INTENDED).unwrap();
        for command in file["command"].as_array().unwrap() {
            let named = |list: &str| -> Vec<String> {
                let list = command.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
                list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
            };
            for column in ["updates", "may_update", "by_trigger"].iter().flat_map(|list| named(list)) {
                assert!(columns.contains(&column), "{column}");
            }
            for table in ["inserts", "may_insert", "may_delete"].iter().flat_map(|list| named(list)) {
                assert!(tables.contains(table.as_str()), "{table}");
            }
        }
    })
    .await;
}

/// `table.column type`, and `null` where it may be null, as the mapping files declare them.
fn declared() -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    for file in [include_str!("../../mapping/kios.toml"), include_str!("../../mapping/arsip.toml")] {
        let file: Value = toml::from_str(file).unwrap();
        for (table, declared) in file["table"].as_table().unwrap() {
            let lines = text(declared, "columns").lines().map(|line| line.split("--").next().unwrap_or_default());
            for column in lines.collect::<String>().split(',').map(str::trim).filter(|column| !column.is_empty()) {
                let words: Vec<&str> = column.split_whitespace().collect();
                let null = if words.get(2) == Some(&"null") { " null" } else { "" };
                columns.insert(format!("{table}.{} {}{null}", words[0], words[1]));
            }
        }
    }
    columns
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mapping_files_declare_every_column_of_the_schema_as_it_is() {
    on_both(async |kios| {
        let columns = if kios.is_sqlite() {
            "select m.name || '.' || c.name || ' ' || lower(c.type) \
               || case when c.\"notnull\" = 0 and c.pk = 0 then ' null' else '' end \
             from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table' and m.name <> 'sqlite_sequence'"
        } else {
            "select table_name || '.' || column_name || ' ' || data_type \
               || coalesce('(' || character_maximum_length || ')', '') \
               || case when is_nullable = 'YES' then ' null' else '' end \
             from information_schema.columns where table_schema = 'public'"
        };
        let ours = |column: String| {
            let column = column.replace("character varying", "text").replace("varchar", "text");
            column.replace("character(", "char(").replace("bigint", "int").replace("integer", "int")
        };
        let columns: BTreeSet<String> = kios.column(columns).await.into_iter().map(ours).collect();
        assert_eq!(columns, declared());
    })
    .await;
}
