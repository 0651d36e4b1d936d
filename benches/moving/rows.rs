//! A shop as large as wished, in the demo's own tables: orders as they are, each with its header, one or two lines, one
//! payment, and a buyer for every fifth.

use anyhow::{Context, Result};
use tokio_postgres::Client;

/// What an order's rows are in, with the tables they hang on.
pub const TABLES: [&str; 5] = ["produk", "pelanggan", "jual", "jual_detil", "bayar"];
const PRODUCTS: u32 = 1_000;

/// Adds so many orders to shop 1 and answers how many rows the five tables have then. Nothing is captured yet.
pub async fn fill(client: &Client, orders: u32) -> Result<u64> {
    let buyers = (orders / 5).max(1);
    let sql = format!(
        "set session_replication_role = replica; set maintenance_work_mem = '256MB';
         insert into produk (toko_id, kode, nama, harga, stok, aktif, f1, diubah)
           select 1, 'B' || n, 'Barang nomor ' || n, (10000 + n % 50 * 1000) || '.00', 1000000, 'Y', 'STD',
             '2024-01-02 03:04:05' from generate_series(1, {PRODUCTS}) n;
         create temp table of_order on commit drop as select
           (select coalesce(max(id), 0) from produk) - {PRODUCTS} as produk, coalesce(max(id), 0) as jual,
           coalesce(max(faktur), 0) as faktur, (select coalesce(max(id), 0) from pelanggan) as pelanggan from jual;
         insert into pelanggan (id, nama, telp, surel, sandi)
           select pelanggan + n, 'Pembeli ' || n, '0812' || lpad(n::text, 8, '0'), 'pembeli' || n || '@example.com', '-'
             from of_order, generate_series(1, {buyers}) n;
         {}
         select setval(pg_get_serial_sequence('jual', 'id'), max(id)) from jual;
         select setval(pg_get_serial_sequence('pelanggan', 'id'), max(id)) from pelanggan;",
        of_orders(1, orders, buyers),
    );
    client.batch_execute(&format!("begin; {sql} commit; set session_replication_role = default")).await?;
    client.batch_execute("analyze; checkpoint").await.context("filling the legacy's tables")?;
    count(client).await
}

/// The rows of orders `from` to `to`, numbered behind those that `of_order` says were there.
fn of_orders(from: u32, to: u32, buyers: u32) -> String {
    // Whole rupiah, and every total the sum of its parts, so that each order is a live one.
    let (first, second) = ("(10000 + n % 50 * 1000)", "(n % 2) * (20000 + n % 30 * 1000)");
    let goods = format!("({first} + {second})");
    format!(
        "insert into jual (id, toko_id, nomor, faktur, pelanggan_id, tgl, status, batal_pada, jalan, kota, prov, kodepos,
             negara, subtotal, pajak, ongkir, total, jml_item, kdx, diubah)
           select jual + n, 1, 'TRX-' || lpad((jual + n)::text, 7, '0'), faktur + n, pelanggan + 1 + n % {buyers},
             to_char('2020-01-01'::timestamp + n * interval '61 s', 'YYYY-MM-DD HH24:MI:SS'), 'LUNAS',
             '0000-00-00 00:00:00', 'Jalan Merdeka no. ' || n % 997, 'Bandung', 'Jawa Barat', '40111', 'ID',
             {goods} || '.00', {goods} * 11 / 100 || '.00', '9000.00', {goods} * 111 / 100 + 9000 || '.00',
             1 + n % 2, 'A1', '2024-01-02 03:04:05' from of_order, generate_series({from}, {to}) n;
         insert into jual_detil (jual_id, urut, produk_id, nama, harga, jml, batal_jml, retur_jml, pajak, total, tanda)
           select jual + n, urut, produk + 1 + (n + urut) % {PRODUCTS}, 'Barang nomor ' || 1 + (n + urut) % {PRODUCTS},
             price || '.00', 1, 0, 0, price * 11 / 100 || '.00', price || '.00', 'N'
             from of_order, generate_series({from}, {to}) n, generate_series(1, 1 + n % 2) urut,
               lateral (select case urut when 1 then {first} else {second} end as price) p;
         insert into bayar (jual_id, cara, jumlah, tgl, lunas, gagal, rujukan)
           select jual + n, 'instant', {goods} * 111 / 100 + 9000 || '.00',
             to_char('2020-01-01'::timestamp + n * interval '61 s', 'YYYY-MM-DD HH24:MI:SS'), 'Y', 'T', 'ref-' || n
             from of_order, generate_series({from}, {to}) n;"
    )
}

/// The rows of the five tables.
pub async fn count(client: &Client) -> Result<u64> {
    let mut rows = 0;
    for table in TABLES {
        let count: i64 = client.query_one(&format!("select count(*) from {table}"), &[]).await?.get(0);
        rows += u64::try_from(count)?;
    }
    Ok(rows)
}

/// Bytes of the five tables and of their indexes.
pub async fn bytes(client: &Client) -> Result<(u64, u64)> {
    let names = TABLES.map(|table| format!("'{table}'")).join(", ");
    let sql = format!(
        "select sum(pg_table_size(oid))::bigint, sum(pg_indexes_size(oid))::bigint from pg_class where relname in ({names})"
    );
    let row = client.query_one(&sql, &[]).await?;
    Ok((u64::try_from(row.get::<_, i64>(0))?, u64::try_from(row.get::<_, i64>(1))?))
}

/// Orders that are added while somebody listens.
pub struct Orders {
    next: u32,
    first: i64,
    buyers: u32,
}

impl Orders {
    /// Goes on behind the orders that [`fill`] made. A few rows are inserted faster than their statement is compiled.
    pub async fn behind(client: &Client, buyers: u32) -> Result<Self> {
        let sql = format!(
            "set jit = off; create temp table of_order as select (select max(id) from produk) - {PRODUCTS} as produk, max(id) as jual, max(faktur) as faktur,
               (select max(id) from pelanggan) - {buyers} as pelanggan from jual"
        );
        client.batch_execute(&sql).await?;
        let first = client.query_one("select jual from of_order", &[]).await?.get(0);
        Ok(Self { next: 1, first, buyers })
    }

    /// The key of the newest order.
    pub fn last(&self) -> i64 {
        self.first + i64::from(self.next) - 1
    }

    /// Inserts orders of about so many rows in one transaction; answers how many rows it were.
    pub async fn insert(&mut self, client: &Client, rows: u32) -> Result<u64> {
        // Three and a half rows an order.
        let to = self.next + rows * 2 / 7;
        let orders = of_orders(self.next, to, self.buyers);
        client.batch_execute(&format!("begin; {orders} commit")).await?;
        let made = (self.next..=to).map(|n| 3 + u64::from(n % 2)).sum();
        self.next = to + 1;
        Ok(made)
    }
}
