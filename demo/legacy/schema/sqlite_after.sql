-- kios on SQLite: the triggers and the index of the archive, made after the first load.

create index arsip_nomor on arsip ("InvoiceNo");

-- What an order line takes leaves the shelf, what is cancelled goes back.
create trigger kios_stok_baru after insert on jual_detil begin
  update produk set stok = stok - (new.jml - new.batal_jml) where id = new.produk_id;
end;
create trigger kios_stok_ubah after update of jml, batal_jml on jual_detil begin
  update produk set stok = stok + (old.jml - old.batal_jml) - (new.jml - new.batal_jml) where id = new.produk_id;
end;
create trigger kios_stok_hapus after delete on jual_detil begin
  update produk set stok = stok + (old.jml - old.batal_jml) where id = old.produk_id;
end;
