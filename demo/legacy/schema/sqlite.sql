-- kios on SQLite: the tables.
-- No foreign keys, money as decimal text, times as WIB text without a zone: it has grown since 2009.

create table toko (
  id integer primary key autoincrement,
  kode varchar(12) not null,
  nama varchar(80) not null,
  ongkir varchar(14) not null,
  pajak_bp integer not null,
  zona char(4) not null,
  diubah varchar(19) not null
);

create table produk (
  id integer primary key autoincrement,
  toko_id integer not null,
  kode varchar(20) not null,
  nama varchar(80) not null,
  harga varchar(14) not null,
  stok integer not null,
  aktif char(1) not null,
  hapus integer not null default 0,
  f1 varchar(8) not null,
  dilihat integer not null default 0,
  diubah varchar(19) not null
);
create index produk_toko on produk (toko_id, id);

create table pelanggan (
  id integer primary key autoincrement,
  nama varchar(120) not null,
  telp varchar(32),
  surel varchar(120),
  sandi varchar(60) not null,
  poin integer not null default 0
);
create index pelanggan_telp on pelanggan (telp);

create table keranjang (
  id integer primary key autoincrement,
  toko_id integer not null,
  status char(6) not null,
  sesi varchar(32) not null,
  dibuat varchar(19) not null,
  diubah varchar(19) not null
);
create index keranjang_toko on keranjang (toko_id, id);

create table keranjang_isi (
  id integer primary key autoincrement,
  keranjang_id integer not null,
  produk_id integer not null,
  jml integer not null
);
create index keranjang_isi_keranjang on keranjang_isi (keranjang_id);

create table transaksi (
  id integer primary key autoincrement,
  toko_id integer not null,
  keranjang_id integer,
  status char(6) not null,
  nama varchar(120),
  telp varchar(32),
  surel varchar(120),
  jalan varchar(200),
  kota varchar(80),
  prov varchar(80),
  kodepos varchar(16),
  negara varchar(2),
  kirim varchar(8),
  subtotal varchar(14) not null,
  pajak varchar(14) not null,
  ongkir varchar(14) not null,
  total varchar(14) not null,
  jual_nomor varchar(20),
  pesanan_id integer,
  kdx char(4) not null,
  dibuat varchar(19) not null,
  diubah varchar(19) not null
);
create index transaksi_toko on transaksi (toko_id, id);
create index transaksi_keranjang on transaksi (keranjang_id);

create table transaksi_isi (
  id integer primary key autoincrement,
  transaksi_id integer not null,
  produk_id integer not null,
  nama varchar(80) not null,
  harga varchar(14) not null,
  jml integer not null,
  total varchar(14) not null
);
create index transaksi_isi_transaksi on transaksi_isi (transaksi_id);

create table jual (
  id integer primary key autoincrement,
  toko_id integer not null,
  nomor varchar(20) not null,
  faktur integer not null,
  transaksi_id integer,
  pelanggan_id integer not null,
  tgl varchar(19) not null,
  status char(8) not null,
  batal_pada varchar(19) not null,
  jalan varchar(200),
  kota varchar(80),
  prov varchar(80),
  kodepos varchar(16),
  negara varchar(2),
  subtotal varchar(14) not null,
  pajak varchar(14) not null,
  ongkir varchar(14) not null,
  total varchar(14) not null,
  jml_item integer not null,
  catatan varchar(200),
  kdx char(4) not null,
  diubah varchar(19) not null
);
create unique index jual_nomor on jual (toko_id, nomor);
-- Invoices are numbered 1, 2, 3 … in each shop, none left out: the tax office asks.
create unique index jual_faktur on jual (toko_id, faktur);

create table jual_detil (
  id integer primary key autoincrement,
  jual_id integer not null,
  urut integer not null,
  produk_id integer not null,
  nama varchar(80) not null,
  harga varchar(14) not null,
  jml integer not null,
  batal_jml integer not null,
  retur_jml integer not null,
  pajak varchar(14) not null,
  total varchar(14) not null,
  tanda char(1) not null
);
create index jual_detil_jual on jual_detil (jual_id);

create table bayar (
  id integer primary key autoincrement,
  jual_id integer not null,
  cara varchar(20) not null,
  jumlah varchar(14) not null,
  tgl varchar(19) not null,
  lunas char(1) not null,
  gagal char(1) not null,
  rujukan varchar(80),
  pesanan_id integer
);
create index bayar_jual on bayar (jual_id);

create table kembali (
  id integer primary key autoincrement,
  jual_id integer not null,
  detil_id integer,
  jenis char(6) not null,
  jml integer not null,
  jumlah varchar(14) not null,
  tgl varchar(19) not null,
  petugas varchar(20) not null
);
create index kembali_jual on kembali (jual_id);

-- Orders to come, of buyers who pay minutes later: one for each payment that was begun.
create table pesanan (
  id integer primary key autoincrement,
  toko_id integer not null,
  transaksi_id integer not null,
  nomor varchar(20) not null,
  akun varchar(40) not null,
  jumlah varchar(14) not null,
  dikembalikan varchar(14) not null,
  telat integer not null,
  jual_nomor varchar(20),
  akhir varchar(6),
  akhir_pada varchar(19) not null,
  minta_batal varchar(19) not null,
  batas varchar(19) not null,
  dibuat varchar(19) not null,
  diubah varchar(19) not null
);
create index pesanan_toko on pesanan (toko_id, id);
create index pesanan_transaksi on pesanan (transaksi_id);
create index pesanan_buka on pesanan (id) where jual_nomor is null and akhir is null;

-- How it was tried to be paid at the provider, one after the other.
create table pesanan_coba (
  pesanan_id integer not null,
  ke integer not null,
  rujukan varchar(80) not null,
  cara varchar(6) not null,
  jumlah varchar(14) not null,
  status char(6) not null,
  -- When the provider last said something of it.
  dengar_pada varchar(19) not null default '0000-00-00 00:00:00',
  mati_pada varchar(19) not null,
  batas varchar(19) not null,
  kode varchar(512),
  dibuat varchar(19) not null,
  primary key (pesanan_id, ke)
);
create unique index pesanan_coba_rujukan on pesanan_coba (rujukan);
create index pesanan_coba_jalan on pesanan_coba (pesanan_id) where rtrim(status) in ('CATAT', 'TUNGGU', 'RAGU');
create index pesanan_coba_batas on pesanan_coba (batas, pesanan_id);
create index pesanan_coba_mati on pesanan_coba (mati_pada, pesanan_id);

-- What the provider said of money. Only added to.
create table pesanan_uang (
  pesanan_id integer not null,
  urut integer not null,
  ke integer not null,
  transaksi varchar(64) not null,
  jenis varchar(6) not null,
  jumlah varchar(14) not null,
  tgl varchar(19) not null,
  primary key (pesanan_id, urut)
);

-- Money on its way back. Only added to.
create table pesanan_balik (
  pesanan_id integer not null,
  urut integer not null,
  kunci varchar(80) not null,
  ke integer,
  jumlah varchar(14) not null,
  sebab varchar(6) not null,
  status char(6) not null,
  dibuat varchar(19) not null,
  tarik_pada varchar(19) not null,
  tolak_pada varchar(19) not null,
  rekening varchar(80),
  primary key (pesanan_id, urut)
);
create index pesanan_balik_jalan on pesanan_balik (pesanan_id)
  where rtrim(status) in ('CATAT', 'RAGU', 'TAKADA', 'TERIMA', 'TOLAK');

create table idem (
  toko_id integer not null,
  op varchar(20) not null,
  kunci varchar(128) not null,
  badan varchar(64) not null,
  kode integer not null,
  jenis varchar(10) not null,
  hasil varchar(20) not null,
  tgl varchar(19) not null,
  primary key (toko_id, op, kunci)
);

-- The invoices of the years before this program, as they came out of the old one. Read only.
create table arsip (
  rowno integer primary key,
  "InvoiceNo" text not null,
  "StockCode" text not null,
  "Description" text,
  "Quantity" integer not null,
  "InvoiceDate" text not null,
  "UnitPrice" text not null,
  "CustomerID" text,
  "Country" text not null
);
