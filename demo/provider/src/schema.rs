//! The tables of the book.

pub const TABLES: &str = "
    create table if not exists setting (name text primary key, value text not null) strict, without rowid;
    -- What was asked for. One for each reference.
    create table if not exists charge (
        id text primary key,
        reference text not null unique,
        method text not null,
        amount integer not null,
        status text not null,
        notice_url text,
        created_at integer not null,
        expires_at integer not null,
        code text
    ) strict;
    -- What stands for a card that was typed in here; the card itself is kept nowhere.
    create table if not exists card (token text primary key, is_good integer not null, used_by text) strict, without rowid;
    create index if not exists charge_by_code on charge (code) where code is not null;
    -- What money did. Never changed, never deleted.
    create table if not exists movement (
        n integer primary key,
        id text not null unique,
        charge text references charge,
        payout text,
        kind text not null,
        amount integer not null,
        fee integer not null default 0,
        at integer not null
    ) strict;
    create index if not exists movement_of_charge on movement (charge);
    -- What goes back: refunds of a charge, and payouts to an account. One for each key.
    create table if not exists refund (
        key text primary key,
        charge text references charge,
        account text,
        amount integer not null,
        status text not null,
        at integer not null,
        settles_at integer not null
    ) strict;
    -- What a shop is to be told, until it has said that it heard.
    create table if not exists notice (
        n integer primary key,
        event text not null,
        url text not null,
        body text not null,
        due_at integer not null,
        tries integer not null default 0,
        signed text not null,
        -- As it was sent first: a thief who listened has nothing newer.
        header text,
        -- A thief sends the header of the first again.
        replayed integer not null default 0,
        done_at integer,
        answered integer
    ) strict;
    create index if not exists notice_due on notice (due_at) where done_at is null;
    -- What is to go wrong, and how often each operation was asked for since.
    create table if not exists fault (
        n integer primary key,
        operation text not null,
        nth integer,
        one_in integer,
        what text not null,
        args text not null,
        used integer not null default 0
    ) strict;
    create table if not exists asked (operation text primary key, times integer not null) strict, without rowid;
";
