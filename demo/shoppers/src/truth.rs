//! What stands in the databases, asked with SQL written by hand: the opening stock, what is left, doubles, sums.
//!
//! Which database counts for a shop is what our own head row says; the legacy, until there is one.
//! Absent on purpose: the product's crates, the mover's tables. Shop ids and keys are plain letters, checked where
//! they enter, so they may stand in a statement.

use crate::addresses::Databases;
use crate::arithmetic::Terms;
use crate::database::{Database, Row};
use crate::memory::Opening;
use std::collections::{BTreeMap, BTreeSet};

/// The shop of the legacy's archive: it has invoices of an older program and nothing on its shelf.
const ARCHIVE_SHOP: &str = "900";
/// Orders from before, to look at, per shop.
const ORDERS_MAX: u32 = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Legacy,
    Backend,
}

/// One shop at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub left: BTreeMap<String, i64>,
    /// Checkouts with more than one order.
    pub orders_twice: BTreeSet<String>,
    /// Orders with more than one captured payment.
    pub paid_twice: BTreeSet<String>,
    /// The invoice number of every order; 0 where it has none.
    pub invoices: Vec<i64>,
    /// Sum of the ledger by currency; a legacy has none.
    pub ledger: Vec<(String, i64)>,
    /// Whatever a provider was asked to collect, by its reference.
    pub collected: BTreeMap<String, Collected>,
}

/// What a reference of a provider is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    pub checkout: String,
    pub order: Option<String>,
}

#[derive(Debug)]
pub struct Truth {
    legacy: Database,
    store: Database,
}

impl Truth {
    pub fn new(databases: &Databases) -> Self {
        Self { legacy: Database::parse(&databases.legacy), store: Database::parse(&databases.store) }
    }

    pub async fn owner(&self, shop: &str) -> anyhow::Result<Owner> {
        if let Database::Sqlite(path) = &self.store
            && !path.exists()
        {
            return Ok(Owner::Legacy);
        }
        let rows = first(&self.store, format!("select owner from shop_head where shop = '{shop}'")).await?;
        let backend = rows.first().is_some_and(|row| cell(row, 0) == "backend");
        Ok(if backend { Owner::Backend } else { Owner::Legacy })
    }

    /// A shop before the first request, from the legacy.
    pub async fn opening(&self, shop: &str) -> anyhow::Result<Opening> {
        let archive = [
            format!(
                r#"select "InvoiceNo" from arsip group by "InvoiceNo" order by "InvoiceNo" limit {}"#,
                ORDERS_MAX / 2
            ),
            format!(
                r#"select "InvoiceNo" from arsip group by "InvoiceNo" order by "InvoiceNo" desc limit {}"#,
                ORDERS_MAX / 2
            ),
        ];
        let mut statements = vec![
            format!("select pajak_bp, ongkir from toko where id = {shop}"),
            format!("select id, stok from produk where toko_id = {shop} and hapus = 0"),
        ];
        if shop == ARCHIVE_SHOP {
            statements.extend(archive)
        } else {
            statements.push(sound_orders(shop))
        }
        let mut answers = self.legacy.read(&statements).await?.into_iter();
        let terms = answers.next().unwrap_or_default();
        let terms = terms
            .first()
            .map_or(Terms::new("GBP", 0, 0), |row| Terms::new("IDR", number(row, 0), minor(&cell(row, 1))));
        let stock = numbers(&answers.next().unwrap_or_default());
        let orders = answers.flatten().map(|row| cell(&row, 0)).collect();
        Ok(Opening { shop: shop.to_owned(), terms, stock, orders })
    }

    /// Which of the keys the owner has a record of.
    pub async fn applied(&self, shop: &str, keys: &[String]) -> anyhow::Result<BTreeSet<String>> {
        let list = keys.iter().map(|key| format!("'{key}'")).collect::<Vec<_>>().join(", ");
        let rows = match self.owner(shop).await? {
            Owner::Legacy => {
                first(&self.legacy, format!("select kunci from idem where toko_id = {shop} and kunci in ({list})"))
                    .await?
            }
            Owner::Backend => {
                let statement = format!(
                    "select json_extract(body, '$.key') from document
                     where shop = '{shop}' and kind = 'idempotency' and json_extract(body, '$.key') in ({list})"
                );
                first(&self.store, statement).await?
            }
        };
        Ok(rows.iter().map(|row| cell(row, 0)).collect())
    }

    /// A shop as its owner has it now. Nobody may be writing to it.
    pub async fn standing(&self, shop: &str) -> anyhow::Result<Standing> {
        let (database, statements) = match self.owner(shop).await? {
            Owner::Legacy => (&self.legacy, legacy_standing(shop)),
            Owner::Backend => (&self.store, store_standing(shop)),
        };
        let answers = database.read(&statements).await?;
        let answer = |at: usize| answers.get(at).map_or(&[][..], Vec::as_slice);
        let ids = |rows: &[Row]| rows.iter().map(|row| cell(row, 0)).collect();
        Ok(Standing {
            left: numbers(answer(0)),
            orders_twice: ids(answer(1)),
            paid_twice: ids(answer(2)),
            invoices: answer(3).iter().map(|row| number(row, 0)).collect(),
            collected: answer(4).iter().map(|row| (cell(row, 0), collected(row))).collect(),
            ledger: answer(5).iter().map(|row| (cell(row, 0), number(row, 1))).collect(),
        })
    }
}

/// Orders of before that every side shows alike: what does not add up becomes history when it moves, and is shown so.
fn sound_orders(shop: &str) -> String {
    format!(
        "select nomor from jual where toko_id = {shop}
         and cast(total as numeric) = cast(subtotal as numeric) + cast(pajak as numeric) + cast(ongkir as numeric)
         and cast(subtotal as numeric) = (select sum(cast(total as numeric)) from jual_detil where jual_id = jual.id)
         and not exists (select 1 from jual_detil where jual_id = jual.id and jml <= 0)
         order by id limit {ORDERS_MAX}"
    )
}

fn legacy_standing(shop: &str) -> Vec<String> {
    vec![
        format!("select id, stok from produk where toko_id = {shop} and hapus = 0"),
        format!(
            "select transaksi_id from jual where toko_id = {shop} and transaksi_id is not null
             group by transaksi_id having count(*) > 1"
        ),
        format!(
            "select jual.nomor from bayar join jual on jual.id = bayar.jual_id
             where jual.toko_id = {shop} and bayar.lunas = 'Y' and bayar.gagal = 'T'
             group by jual.nomor having count(*) > 1"
        ),
        format!("select faktur from jual where toko_id = {shop}"),
        format!(
            "select coba.rujukan, pesanan.transaksi_id, pesanan.jual_nomor
             from pesanan_coba coba join pesanan on pesanan.id = coba.pesanan_id where pesanan.toko_id = {shop}"
        ),
    ]
}

fn store_standing(shop: &str) -> Vec<String> {
    vec![
        format!("select product, sum(on_hand) from stock where shop = '{shop}' group by product"),
        format!(
            "select json_extract(body, '$.checkout') from document
             where shop = '{shop}' and kind = 'order' and json_extract(body, '$.checkout') is not null
             group by 1 having count(*) > 1"
        ),
        format!(
            "select document.id from document, json_each(document.body, '$.payments') payment
             where shop = '{shop}' and kind = 'order' and json_extract(payment.value, '$.state') = 'captured'
             group by document.id having count(*) > 1"
        ),
        // An archive has numbers of another kind, and no series; whatever else a shop sold has its number.
        format!(
            "select json_extract(body, '$.invoice') from document where shop = '{shop}' and kind = 'order'
             and (shop <> '{ARCHIVE_SHOP}' or id like 'TRX-%' or json_extract(body, '$.invoice') is not null)"
        ),
        format!(
            "select json_extract(attempt.value, '$.reference'), json_extract(body, '$.checkout'),
             json_extract(body, '$.order')
             from document, json_each(document.body, '$.attempts') attempt where shop = '{shop}' and kind = 'intent'"
        ),
        format!("select currency, sum(amount) from ledger where shop = '{shop}' group by currency"),
    ]
}

async fn first(database: &Database, statement: String) -> anyhow::Result<Vec<Row>> {
    Ok(database.read(&[statement]).await?.into_iter().next().unwrap_or_default())
}

fn cell(row: &Row, column: usize) -> String {
    row.get(column).cloned().flatten().unwrap_or_default()
}

fn collected(row: &Row) -> Collected {
    Collected { checkout: cell(row, 1), order: Some(cell(row, 2)).filter(|order| !order.is_empty()) }
}

fn number(row: &Row, column: usize) -> i64 {
    cell(row, column).parse().unwrap_or(0)
}

fn numbers(rows: &[Row]) -> BTreeMap<String, i64> {
    rows.iter().map(|row| (cell(row, 0), number(row, 1))).collect()
}

/// Minor units of a decimal text with up to two places.
fn minor(text: &str) -> i64 {
    let (whole, places) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    format!("{whole}{places:0<2.2}").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Collected, Owner, Standing, Truth, minor};
    use crate::addresses::Databases;
    use crate::series::Series;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    /// The tables as their owners declare them: when they change, this SQL must fit again.
    fn tables(of: &str) -> String {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(of)).unwrap()
    }

    const ORDERS: &str = r#"
        insert into shop_head values ('1', 'backend', 2, 0, 5), ('2', 'legacy', 1, 0, 0);
        insert into stock values ('1', 'v', 'p', 4), ('1', 'w', 'p', 3), ('2', 'v', 'q', 9);
        insert into ledger values ('1', 'o', 1, 'clearing', 'IDR', 500, 0, 1), ('1', 'o', 2, 'payable', 'IDR', -500, 0, 1);
        insert into document (shop, kind, id, class, version, number, body) values
          ('1', 'idempotency', 'cart.create:k', 'live', 1, 0, '{"key": "k"}'),
          ('1', 'order', 'a', 'live', 1, 0, '{"invoice": 2, "checkout": "c", "payments": [{"state": "captured"}, {"state": "captured"}]}'),
          ('1', 'order', 'b', 'live', 1, 0, '{"invoice": 2, "checkout": "c", "payments": [{"state": "captured"}, {"state": "failed"}]}'),
          ('1', 'order', 'd', 'live', 1, 0, '{"invoice": 5, "checkout": null, "payments": []}'),
          ('1', 'order', 'e', 'live', 1, 0, '{"checkout": null, "payments": []}'),
          ('1', 'intent', 'i', 'live', 1, 0,
           '{"checkout": "c", "order": "a", "attempts": [{"reference": "i-1"}, {"reference": "i-2"}]}'),
          ('1', 'intent', 'j', 'live', 1, 0, '{"checkout": "f", "order": null, "attempts": [{"reference": "j-1"}]}');"#;

    const ROWS: &str = "
        insert into toko values (2, '', '', '9000.00', 1100, '', '');
        insert into produk (id, toko_id, kode, nama, harga, stok, aktif, hapus, f1, diubah) values
          (7, 2, '', '', '5.00', 9, 'Y', 0, '', ''), (8, 2, '', '', '5.00', 1, 'Y', 1, '', '');
        insert into jual (id, toko_id, nomor, pelanggan_id, tgl, status, batal_pada, subtotal, pajak, ongkir, total,
          jml_item, kdx, diubah, transaksi_id, faktur) values
          (1, 2, 'sound', 0, '', 'LUNAS', '', '10.00', '1.00', '2.00', '13.00', 1, '', '', 5, 2),
          (2, 2, 'odd', 0, '', 'LUNAS', '', '10.00', '1.00', '2.00', '99.00', 1, '', '', 5, 1),
          (3, 2, 'empty', 0, '', 'LUNAS', '', '0.00', '0.00', '0.00', '0.00', 1, '', '', null, 4);
        insert into jual_detil (jual_id, urut, produk_id, nama, harga, jml, batal_jml, retur_jml, pajak, total, tanda)
          values (1, 1, 7, '', '10.00', 1, 0, 0, '', '10.00', 'N'), (2, 1, 7, '', '10.00', 1, 0, 0, '', '10.00', 'N');
        insert into bayar (jual_id, cara, jumlah, tgl, lunas, gagal) values
          (1, '', '', '', 'Y', 'T'), (1, '', '', '', 'Y', 'T'), (2, '', '', '', 'Y', 'T'), (2, '', '', '', 'T', 'Y');
        insert into idem values (2, 'cart.create', 'k', '', 201, '', '', '');
        insert into pesanan (id, toko_id, transaksi_id, nomor, akun, jumlah, dikembalikan, telat, jual_nomor, akhir_pada,
          minta_batal, batas, dibuat, diubah) values
          (3, 2, 5, 'sound', '', '13.00', '0.00', 0, 'sound', '', '', '', '', ''),
          (4, 1, 6, 'other', '', '13.00', '0.00', 0, null, '', '', '', '', '');
        insert into pesanan_coba (pesanan_id, ke, rujukan, cara, jumlah, status, dengar_pada, mati_pada, batas, dibuat)
          values (3, 1, 'KIOS-3-1', 'VA', '13.00', 'LUNAS', '', '', '', ''),
          (4, 1, 'KIOS-4-1', 'VA', '13.00', 'TUNGGU', '', '', '', '');";

    fn collected(checkout: &str, order: Option<&str>) -> Collected {
        Collected { checkout: checkout.to_owned(), order: order.map(str::to_owned) }
    }

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    async fn check_legacy(truth: &Truth) {
        let opening = truth.opening("2").await.unwrap();
        assert_eq!((opening.terms.tax_bp, opening.terms.shipping_flat), (1100, 900_000));
        assert_eq!((opening.stock, opening.orders), (BTreeMap::from([("7".to_owned(), 9)]), vec!["sound".to_owned()]));
        assert_eq!(truth.opening("900").await.unwrap().orders, Vec::<String>::new());
        assert_eq!(truth.applied("2", &["k".into(), "l".into()]).await.unwrap(), set(&["k"]));
        let standing = truth.standing("2").await.unwrap();
        let references = BTreeMap::from([("KIOS-3-1".to_owned(), collected("5", Some("sound")))]);
        assert_eq!(standing.collected, references);
        assert_eq!((standing.orders_twice, standing.paid_twice), (set(&["5"]), set(&["sound"])));
        assert_eq!(Series::of(&standing.invoices), Series { issued: 3, gaps: 1, twice: 0 });
    }

    #[tokio::test]
    async fn each_shop_is_asked_of_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let truth = Truth::new(&Databases { legacy: path("legacy"), store: path("store") });
        assert_eq!(truth.owner("1").await.unwrap(), Owner::Legacy, "there is no store yet");
        let make = |name: &str, sql: &str| rusqlite::Connection::open(path(name)).unwrap().execute_batch(sql).unwrap();
        make("store", &(tables("../../crates/store/migrations/0001_shops_and_control.sql") + ORDERS));
        make("legacy", &(tables("../legacy/schema/sqlite.sql") + ROWS));
        assert_eq!(truth.owner("1").await.unwrap(), Owner::Backend);
        assert_eq!(truth.applied("1", &["k".into(), "l".into()]).await.unwrap(), set(&["k"]));
        let ledger = vec![("IDR".to_owned(), 0)];
        let left = BTreeMap::from([("p".to_owned(), 7)]);
        let invoices = vec![2, 2, 5, 0];
        let references =
            [("i-1", collected("c", Some("a"))), ("i-2", collected("c", Some("a"))), ("j-1", collected("f", None))];
        let collected = references.map(|(reference, of)| (reference.to_owned(), of)).into();
        let standing =
            Standing { left, orders_twice: set(&["c"]), paid_twice: set(&["a"]), invoices, ledger, collected };
        assert_eq!(truth.standing("1").await.unwrap(), standing);
        assert_eq!(Series::of(&standing.invoices), Series { issued: 4, gaps: 4, twice: 1 });
        check_legacy(&truth).await;
    }

    #[tokio::test]
    async fn the_legacy_is_read_from_postgresql_alike() {
        let database = testkit::postgres::fresh_database().await;
        let client = database.connect().await;
        client.batch_execute(&(tables("../legacy/schema/postgres.sql") + ROWS)).await.unwrap();
        check_legacy(&Truth::new(&Databases { legacy: database.url.clone(), store: "/nowhere/store".into() })).await;
    }

    #[test]
    fn decimal_text_becomes_minor_units() {
        assert_eq!(["9000", "9000.5", "9000.50", " 12.05 "].map(minor), [900_000, 900_050, 900_050, 1_205]);
    }
}
