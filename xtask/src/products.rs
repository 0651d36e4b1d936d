//! The products of the real history in a demo's work folder, after its shop has moved.
//!
//! Invariant: each code of the source is one product, byte by byte, so that codes which differ only in case stay apart,
//! each with its own lines; and every value that a rule of the mapping did not take is listed. The figures were counted in
//! the source's file, apart from the mapping and from the program. The store is read, never written.

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Of the moved shop: its products, the lines of all its invoices, and the pairs of codes that differ only in case.
const VIEWS: &str = "
create temp table product as
  select id, coalesce(json_extract(body, '$.title'), '') <> '' and json_extract(body, '$.variants[0].id') = id
    and json_extract(body, '$.variants[0].price') >= 0 and json_array_length(body, '$.variants') = 1 as whole
  from document where shop = '900' and kind = 'product' and class = 'live' and origin = 'arsip:' || id;
create temp table line as
  select json_extract(value, '$.product') as code
  from document, json_each(body, '$.lines') where shop = '900' and kind = 'order' and origin = 'arsip:' || document.id;
create temp table pair as
  select min(id) as upper, max(id) as lower from product group by lower(id) having count(*) = 2;";

/// What is asked, and the one number that answers it.
const FIGURES: [(&str, i64, &str); 8] = [
    ("owned by the backend", 1, "select count(*) from shop_head where shop = '900' and owner = 'backend'"),
    ("products", 4_070, "select count(*) from product"),
    ("products without title, price or variant", 0, "select count(*) from product where whole is not 1"),
    ("pairs that differ only in case", 112, "select count(*) from pair"),
    ("codes when case is ignored", 3_958, "select count(distinct lower(id)) from product"),
    ("codes in invoices", 4_070, "select count(distinct code) from line where code in (select id from product)"),
    ("lines of the pairs' upper codes", 20_890, "select count(*) from line where code in (select upper from pair)"),
    ("lines of the pairs' lower codes", 1_943, "select count(*) from line where code in (select lower from pair)"),
];

/// Rows of `losers.csv` by field: of each code, all values of its live lines but the one that was taken.
const LOSERS: [(&str, usize); 2] = [("title", 236), ("price", 11_491)];

/// What is wrong with the products of a work folder, and its figures in one line.
///
/// # Errors
/// The folder has no store or no list of losers that could be read.
pub fn check(work: &Path) -> Result<(Vec<String>, String)> {
    let store = work.join("store.sqlite");
    let store = Connection::open_with_flags(&store, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| format!("opening {}", store.display()))?;
    let mut wrong = in_store(&store)?;
    let losers = work.join("losers.csv");
    let losers = std::fs::read_to_string(&losers).with_context(|| format!("reading {}", losers.display()))?;
    wrong.extend(in_losers(&losers));
    let [(_, titles), (_, prices)] = LOSERS;
    Ok((wrong, format!("4070 products, 112 pairs apart, {titles} titles and {prices} prices lost")))
}

fn in_store(store: &Connection) -> Result<Vec<String>> {
    store.execute_batch(VIEWS).context("looking into the store")?;
    let mut wrong = Vec::new();
    for (what, expected, sql) in FIGURES {
        let found: i64 = store.query_row(sql, [], |row| row.get(0)).with_context(|| format!("counting {what}"))?;
        wrong.extend(differs(what, &found, &expected));
    }
    Ok(wrong)
}

/// The file's columns are `shop,kind,id,field,value,votes`; a row that cannot be read counts for nothing.
fn in_losers(text: &str) -> Vec<String> {
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().filter_map(Result::ok).collect();
    let of_field = |row: &csv::StringRecord, field: &str| {
        row.get(0) == Some("900") && row.get(1) == Some("product") && row.get(3) == Some(field)
    };
    let count = |field: &str| rows.iter().filter(|row| of_field(row, field)).count();
    let of = |(name, expected): (&str, usize)| differs(&format!("losers of {name}"), &count(name), &expected);
    LOSERS.into_iter().filter_map(of).collect()
}

fn differs<T: PartialEq + std::fmt::Display>(what: &str, found: &T, expected: &T) -> Option<String> {
    (found != expected).then(|| format!("{what}: {found}, {expected} were expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "
        create table shop_head (shop text, owner text);
        insert into shop_head values ('900', 'backend');
        create table document (shop text, kind text, id text, class text, origin text, body text);";

    /// A store of two codes that differ only in case, one line each.
    fn store() -> Connection {
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch(TABLES).unwrap();
        for code in ["85123A", "85123a"] {
            let product = format!(r#"{{"title":"T","variants":[{{"id":"{code}","price":5}}]}}"#);
            put(&store, "product", code, &product);
        }
        put(&store, "order", "536365", r#"{"lines":[{"product":"85123A"},{"product":"85123a"}]}"#);
        store
    }

    fn put(store: &Connection, kind: &str, id: &str, body: &str) {
        let sql = "insert into document values ('900', ?1, ?2, 'live', 'arsip:' || ?2, ?3)";
        store.execute(sql, [kind, id, body]).unwrap();
    }

    /// The figures that a change of the small store changes.
    fn changed(sql: &str) -> Vec<String> {
        let (before, after) = (in_store(&store()).unwrap(), store());
        after.execute_batch(sql).unwrap();
        in_store(&after).unwrap().into_iter().filter(|wrong| !before.contains(wrong)).collect()
    }

    #[test]
    fn every_figure_is_counted() {
        let found = in_store(&store()).unwrap().join("\n");
        for small in
            ["products: 2,", "case: 1,", "ignored: 1,", "in invoices: 2,", "upper codes: 1,", "lower codes: 1,"]
        {
            assert!(found.contains(small), "{small} {found}");
        }
        assert!(!found.contains("owned") && !found.contains("without"), "{found}");
    }

    #[test]
    fn codes_that_were_thrown_together_are_missed() {
        let one = changed("delete from document where id = '85123a'").join("\n");
        assert!(one.contains("products: 1,") && one.contains("differ only in case: 0,"), "{one}");
        let lines = r#"update document set body = replace(body, '"85123a"', '"85123A"') where kind = 'order'"#;
        let lines = changed(lines).join("\n");
        assert!(lines.contains("upper codes: 2,") && lines.contains("lower codes: 0,"), "{lines}");
    }

    #[test]
    fn a_product_without_its_title_and_a_shop_that_did_not_move_are_missed() {
        let untitled = "update document set body = replace(body, '\"T\"', '\"\"') where id = '85123a'";
        assert_eq!(changed(untitled), ["products without title, price or variant: 1, 0 were expected"]);
        assert_eq!(changed("update shop_head set owner = 'legacy'"), ["owned by the backend: 0, 1 were expected"]);
    }

    #[test]
    fn a_list_with_its_heading_alone_has_no_losers() {
        let heading = "shop,kind,id,field,value,votes\n";
        assert_eq!(
            in_losers(heading),
            ["losers of title: 0, 236 were expected", "losers of price: 0, 11491 were expected"]
        );
        let titles: String = (0..236).map(|n| format!("900,product,1{n},title,\"A, \"\"B\"\"\",1\n")).collect();
        let prices: String = (0..11_491).map(|n| format!("900,product,\"1,a\",price,{n},1\n")).collect();
        assert_eq!(in_losers(&format!("{heading}{titles}{prices}")), Vec::<String>::new());
    }
}
