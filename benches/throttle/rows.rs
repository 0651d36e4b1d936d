//! A shop as large as wished: products and paid orders on top of what the legacy program makes of itself.

use anyhow::{Context, Result};
use tokio_postgres::Client;

/// Rows of one order: its header, two lines, one payment.
const ROWS_PER_ORDER: i64 = 4;
/// One row in so many is a product.
const ROWS_PER_PRODUCT: i64 = 50;

/// Adds so many rows to the shop. Nothing is captured yet, and no trigger runs. Afterwards the server has nothing left to
/// do because of them.
pub async fn fill(client: &Client, shop: &str, rows: i64) -> Result<()> {
    let products = rows / ROWS_PER_PRODUCT;
    let orders = (rows - products) / ROWS_PER_ORDER;
    let sql = format!(
        "begin;
         set local session_replication_role = replica;
         insert into produk (toko_id, kode, nama, harga, stok, aktif, f1, diubah)
           select {shop}, 'B' || n, 'Barang ' || n, '10000.00', 1000000, 'Y', 'STD', '2024-01-02 03:04:05'
             from generate_series(1, {products}) n;
         update produk set stok = 1000000;
         create temp table made on commit drop as
           select nextval(pg_get_serial_sequence('jual', 'id')) as id,
             n + (select coalesce(max(faktur), 0) from jual where toko_id = {shop}) as faktur
             from generate_series(1, {orders}) n;
         insert into jual (id, toko_id, nomor, faktur, pelanggan_id, tgl, status, batal_pada, jalan, kota, kodepos, negara,
             subtotal, pajak, ongkir, total, jml_item, kdx, diubah)
           select id, {shop}, 'TRX-' || lpad(id::text, 7, '0'), faktur, 0, '2024-01-02 03:04:05', 'LUNAS',
             '0000-00-00 00:00:00', 'Jl. Merdeka 17', 'Bandung', '40111', 'ID', '30000.00', '3300.00', '9000.00',
             '42300.00', 2, 'A1', '2024-01-02 03:04:05' from made;
         insert into jual_detil (jual_id, urut, produk_id, nama, harga, jml, batal_jml, retur_jml, pajak, total, tanda)
           select id, urut, (select min(id) from produk where toko_id = {shop}), 'Barang',
             case urut when 1 then '10000.00' else '20000.00' end, 1, 0, 0,
             case urut when 1 then '1100.00' else '2200.00' end,
             case urut when 1 then '10000.00' else '20000.00' end, 'N' from made, generate_series(1, 2) urut;
         insert into bayar (jual_id, cara, jumlah, tgl, lunas, gagal)
           select id, 'instant', '42300.00', '2024-01-02 03:04:05', 'Y', 'T' from made;
         commit"
    );
    client.batch_execute(&sql).await.context("filling the legacy's tables")?;
    client.batch_execute("vacuum analyze").await?;
    client.batch_execute("checkpoint").await.context("a checkpoint after filling")
}

/// The products of the shop that are on sale, by id.
pub async fn on_sale(client: &Client, shop: &str) -> Result<Vec<i64>> {
    let sql = format!("select id from produk where toko_id = {shop} and aktif = 'Y' and hapus = 0 order by id");
    Ok(client.query(&sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}
