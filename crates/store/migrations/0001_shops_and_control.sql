-- The tables of a shop: each key starts with the shop. Facts and documents have a rowid, which nothing refers to:
-- their bodies are longer than a quarter page, and a table without rowid would put each on an overflow page of its
-- own (commits took 1.5 times as long).

create table shop_head (
    shop   text    not null primary key,
    owner  text    not null check (owner in ('legacy', 'backend')),
    epoch  integer not null check (epoch >= 1),
    fenced integer not null check (fenced in (0, 1)),
    seq    integer not null check (seq >= 0)
) strict, without rowid;

create table fact (
    shop  text    not null,
    seq   integer not null check (seq >= 1),
    epoch integer not null,
    at    integer not null,
    body  text    not null,
    primary key (shop, seq)
) strict;

-- state, title and number repeat what the body says, for the indexes below: number is the id as an integer
-- (the highest integer where it is none), title is in lower case, changed_at is the newest commit's time.
create table document (
    shop       text    not null,
    kind       text    not null,
    id         text    not null,
    class      text    not null check (class in ('live', 'history')),
    why        text    check ((why is null) = (class = 'live')),
    version    integer not null check (version >= 1),
    source_tx  integer,
    origin     text,
    state      text,
    title      text,
    number     integer not null,
    changed_at integer,
    body       text    not null,
    primary key (shop, kind, id)
) strict;

create unique index document_by_origin on document (shop, kind, origin) where origin is not null;
create index document_by_state on document (shop, kind, state, changed_at) where state is not null;
create index shelf on document (shop, number, id, title)
    where kind = 'product' and class = 'live' and state = 'active';

-- An origin that the source no longer has, so that an older transaction does not bring it back.
create table tombstone (
    shop      text    not null,
    kind      text    not null,
    origin    text    not null,
    source_tx integer not null,
    primary key (shop, kind, origin)
) strict, without rowid;

create table stock (
    shop    text    not null,
    variant text    not null,
    product text    not null,
    on_hand integer not null check (on_hand >= 0),
    primary key (shop, variant)
) strict, without rowid;

create index stock_by_product on stock (shop, product);

-- seq and at are null where the entry came with an import.
create table ledger (
    shop     text    not null,
    order_id text    not null,
    n        integer not null check (n >= 1),
    account  text    not null,
    currency text    not null,
    amount   integer not null,
    at       integer,
    seq      integer,
    primary key (shop, order_id, n)
) strict, without rowid;

-- Control.

create table step_record (
    shop      text    not null,
    n         integer not null check (n >= 1),
    epoch     integer not null,
    direction text    not null check (direction in ('to_backend', 'to_legacy')),
    step      text    not null,
    phase     text    not null,
    at        integer not null,
    seq       integer,
    detail    text    not null,
    primary key (shop, n)
) strict, without rowid;

create table finding (
    shop        text not null,
    class       text not null,
    kind        text not null,
    origin      text not null,
    detail      text not null,
    accepted_by text,
    primary key (shop, class, kind, origin)
) strict, without rowid;

create index finding_by_origin on finding (shop, kind, origin);

create table debt (
    shop text    not null,
    kind text    not null,
    id   text    not null,
    name text    not null,
    seq  integer not null,
    primary key (shop, kind, id, name)
) strict, without rowid;

-- What follows belongs to the deployment and not to a shop.

create table plan (
    version integer not null primary key,
    body    text    not null
) strict;

create table wish (
    id      integer not null primary key,
    shop    text,
    verb    text    not null,
    args    text    not null,
    who     text    not null,
    why     text    not null,
    at      integer not null,
    outcome text
) strict;

create index wish_open on wish (id) where outcome is null;

create table id_block (
    table_name text    not null,
    first_id   integer not null,
    last_id    integer not null,
    next_id    integer not null,
    epoch      integer not null,
    primary key (table_name, first_id),
    check (first_id <= last_id and next_id between first_id and last_id + 1)
) strict, without rowid;

create table lease (
    name     text    not null primary key,
    holder   text    not null,
    until_at integer not null
) strict, without rowid;

create table note (
    key  text not null primary key,
    body text not null
) strict, without rowid;
