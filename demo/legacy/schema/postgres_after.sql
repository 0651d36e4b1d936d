-- kios on PostgreSQL 15: the triggers and the index of the archive, made after the first load.

create index arsip_nomor on arsip ("InvoiceNo");

-- What an order line takes leaves the shelf, what is cancelled goes back.
create function kios_stok() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    update produk set stok = stok - (new.jml - new.batal_jml) where id = new.produk_id;
  elsif tg_op = 'UPDATE' then
    update produk set stok = stok + (old.jml - old.batal_jml) - (new.jml - new.batal_jml) where id = new.produk_id;
  else
    update produk set stok = stok + (old.jml - old.batal_jml) where id = old.produk_id;
  end if;
  return null;
end
$$;
create trigger kios_stok after insert or update of jml, batal_jml or delete on jual_detil
  for each row execute function kios_stok();

-- A database of years has its statistics.
analyze toko, produk, pelanggan, keranjang, keranjang_isi, transaksi, transaksi_isi, jual, jual_detil, bayar, kembali,
  pesanan, pesanan_coba, pesanan_uang, pesanan_balik, idem, arsip;
