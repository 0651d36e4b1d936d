-- A shop in the shape of Sylius 2.0 on PostgreSQL, written for tests: whole cents, one table of adjustments for orders,
-- items, units and shipments, a row for every unit sold, times without a zone, sequences that only the program knows.
-- Names are those of the system; this text is ours, and holds what a look needs: not every table, not every column.

create table sylius_channel (
  id int primary key,
  code varchar(255) not null,
  name varchar(255) not null,
  hostname varchar(255),
  tax_calculation_strategy varchar(255) not null
);
create sequence sylius_channel_id_seq;

create table sylius_customer (
  id int primary key,
  email varchar(255) not null,
  email_canonical varchar(255) not null unique,
  first_name varchar(255),
  last_name varchar(255),
  birthday timestamp(0),
  created_at timestamp(0) not null,
  updated_at timestamp(0)
);
create sequence sylius_customer_id_seq;

create table sylius_address (
  id int primary key,
  customer_id int references sylius_customer on delete cascade,
  street varchar(255) not null,
  city varchar(255) not null,
  postcode varchar(255) not null,
  country_code varchar(255) not null,
  created_at timestamp(0) not null
);
create sequence sylius_address_id_seq;

create table sylius_product (
  id int primary key,
  code varchar(255) not null unique,
  enabled boolean not null,
  average_rating double precision not null default 0,
  created_at timestamp(0) not null,
  updated_at timestamp(0)
);
create sequence sylius_product_id_seq;

create table sylius_product_translation (
  id int primary key,
  translatable_id int not null references sylius_product on delete cascade,
  name varchar(255) not null,
  slug varchar(255) not null,
  description text,
  locale varchar(255) not null,
  unique (locale, slug)
);
create sequence sylius_product_translation_id_seq;

create table sylius_product_variant (
  id int primary key,
  product_id int not null references sylius_product on delete cascade,
  code varchar(255) not null unique,
  on_hand int not null,
  on_hold int not null,
  tracked boolean not null,
  weight double precision,
  version int not null default 1,
  created_at timestamp(0) not null
);
create sequence sylius_product_variant_id_seq;

create table sylius_channel_pricing (
  id int primary key,
  product_variant_id int not null references sylius_product_variant on delete cascade,
  price int,
  original_price int,
  channel_code varchar(255) not null,
  unique (product_variant_id, channel_code)
);
create sequence sylius_channel_pricing_id_seq;

create table sylius_product_channels (
  product_id int not null references sylius_product on delete cascade,
  channel_id int not null references sylius_channel on delete cascade,
  primary key (product_id, channel_id)
);

create table sylius_order (
  id int primary key,
  channel_id int references sylius_channel,
  customer_id int references sylius_customer,
  shipping_address_id int references sylius_address,
  number varchar(255) unique,
  state varchar(255) not null,
  checkout_state varchar(255) not null,
  payment_state varchar(255) not null,
  currency_code varchar(3) not null,
  items_total int not null,
  adjustments_total int not null,
  total int not null,
  token_value varchar(255) unique,
  checkout_completed_at timestamp(0),
  created_at timestamp(0) not null,
  updated_at timestamp(0)
);
create sequence sylius_order_id_seq;

create table sylius_order_item (
  id int primary key,
  order_id int not null references sylius_order on delete cascade,
  variant_id int not null references sylius_product_variant,
  quantity int not null,
  unit_price int not null,
  units_total int not null,
  adjustments_total int not null,
  total int not null,
  version int not null default 1
);
create sequence sylius_order_item_id_seq;

create table sylius_shipment (
  id int primary key,
  order_id int not null references sylius_order on delete cascade,
  state varchar(255) not null,
  tracking varchar(255),
  shipped_at timestamp(0),
  created_at timestamp(0) not null
);
create sequence sylius_shipment_id_seq;

create table sylius_order_item_unit (
  id int primary key,
  order_item_id int not null references sylius_order_item on delete cascade,
  shipment_id int references sylius_shipment on delete set null,
  adjustments_total int not null,
  created_at timestamp(0) not null
);
create sequence sylius_order_item_unit_id_seq;

create table sylius_adjustment (
  id int primary key,
  order_id int references sylius_order on delete cascade,
  order_item_id int references sylius_order_item on delete cascade,
  order_item_unit_id int references sylius_order_item_unit on delete cascade,
  shipment_id int references sylius_shipment on delete cascade,
  type varchar(255) not null,
  amount int not null,
  is_neutral boolean not null,
  is_locked boolean not null,
  details json not null,
  created_at timestamp(0) not null
);
create sequence sylius_adjustment_id_seq;

create table sylius_payment (
  id int primary key,
  order_id int not null references sylius_order on delete cascade,
  currency_code varchar(3) not null,
  amount int not null,
  state varchar(255) not null,
  details json not null,
  created_at timestamp(0) not null
);
create sequence sylius_payment_id_seq;

-- The queue of its mails and exports tells its workers by a trigger.
create table messenger_messages (
  id bigserial primary key,
  body text not null,
  headers text not null,
  queue_name varchar(190) not null,
  created_at timestamp(0) not null,
  available_at timestamp(0) not null,
  delivered_at timestamp(0)
);
create function notify_messenger_messages() returns trigger language plpgsql as
  $$ begin perform pg_notify('messenger_messages', new.queue_name); return new; end $$;
create trigger notify_trigger after insert or update on messenger_messages
  for each row execute function notify_messenger_messages();

-- What agencies leave behind: a copy before an import, and a report that is filled every night.
create table sylius_product_variant_backup as select id, code, on_hand from sylius_product_variant;
create unlogged table agency_sales_report (
  day date not null,
  channel_code varchar(255) not null,
  total_net real not null,
  constraint agency_sales_report_day unique (day, channel_code)
);

insert into sylius_channel values (1, 'WEB', 'Web', 'shop.example', 'order_items_based');
insert into sylius_customer (id, email, email_canonical, created_at)
  select n, 'c' || n || '@example.com', 'c' || n || '@example.com', '2024-03-31 01:30:00' from generate_series(1, 40) n;
insert into sylius_address select n, n, 'Street ' || n, 'Town', lpad(n::text, 5, '0'), 'DE', '2024-03-31 01:30:00'
  from generate_series(1, 40) n;
insert into sylius_product select n, 'P' || n, true, 4.5, '2024-01-01 00:00:00', null from generate_series(1, 25) n;
insert into sylius_product_translation
  select n, n, 'Product ' || n, 'product-' || n, 'Words about it.', 'de_DE' from generate_series(1, 25) n;
insert into sylius_product_variant
  select n, n, 'V' || n, 10, 0, true, 0.25, 1, '2024-01-01 00:00:00' from generate_series(1, 25) n;
insert into sylius_channel_pricing select n, n, 1990 + n, null, 'WEB' from generate_series(1, 25) n;
insert into sylius_product_channels select n, 1 from generate_series(1, 25) n;
insert into sylius_order
  select n, 1, n, n, lpad(n::text, 9, '0'), 'new', 'completed', 'paid', 'EUR', 2 * (1990 + n % 25 + 1), 500,
    2 * (1990 + n % 25 + 1) + 500, 't' || n, '2024-05-01 12:00:00', '2024-05-01 11:00:00', null
  from generate_series(1, 40) n;
insert into sylius_order_item
  select n, n, n % 25 + 1, 2, 1990 + n % 25 + 1, 2 * (1990 + n % 25 + 1), 0, 2 * (1990 + n % 25 + 1), 1
  from generate_series(1, 40) n;
insert into sylius_shipment select n, n, 'ready', null, null, '2024-05-01 12:00:00' from generate_series(1, 40) n;
insert into sylius_order_item_unit
  select n, (n + 1) / 2, (n + 1) / 2, 0, '2024-05-01 11:00:00' from generate_series(1, 80) n;
insert into sylius_adjustment
  select n, n, null, null, n, 'shipping', 500, false, false, '{"shippingMethodCode": "post"}', '2024-05-01 12:00:00'
  from generate_series(1, 40) n;
insert into sylius_payment
  select n, n, 'EUR', 2 * (1990 + n % 25 + 1) + 500, 'completed', '{}', '2024-05-01 12:00:00' from generate_series(1, 40) n;
insert into messenger_messages (body, headers, queue_name, created_at, available_at)
  select string_agg(md5(n::text), ' '), '[]', 'default', '2024-05-01 12:00:00', '2024-05-01 12:00:00'
  from generate_series(1, 400) n;
-- Somebody imported customers with their ids, and forgot the sequence.
select setval('sylius_customer_id_seq', 12);
select setval('sylius_' || name || '_id_seq', 80) from unnest(array['channel', 'address', 'product',
  'product_translation', 'product_variant', 'channel_pricing', 'order', 'order_item', 'shipment', 'order_item_unit',
  'adjustment', 'payment']) name;
