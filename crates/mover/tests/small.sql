pragma journal_mode = wal;
create table basket(id integer primary key, shop_id integer not null, state text not null, made text not null,
  changed text not null);
create table inside(id integer primary key, basket_id integer not null, product integer not null, n integer not null);
