-- What providers say by themselves, kept before anything is made of it. Not a shop's: whose it is, its reference tells. What
-- else it says is not kept: it is not believed, and may be personal.
create table inbox (
    rail        text    not null,
    digest      text    not null,
    reference   text    not null,
    received_at integer not null,
    tries       integer not null default 0,
    look_at     integer,
    outcome     text,
    primary key (rail, digest),
    check ((look_at is null) = (outcome is not null))
) strict;

create index inbox_open on inbox (look_at) where look_at is not null;
create index inbox_done on inbox (received_at) where look_at is null;

-- Which intent a provider's reference belongs to: it repeats what the intents' documents say, for whoever has only that.
create table payment_reference (
    shop      text not null,
    account   text not null,
    reference text not null,
    intent    text not null,
    primary key (shop, account, reference)
) strict, without rowid;

create unique index payment_reference_of_account on payment_reference (account, reference);
create index payment_reference_of_intent on payment_reference (shop, intent);

-- When an intent has to be looked at although nothing has come: to ask, to end a code, to send a refund again.
create table wake (
    shop   text    not null,
    intent text    not null,
    at     integer not null,
    primary key (shop, intent)
) strict, without rowid;

create index wake_at on wake (at);

-- A checkout that waits to be paid has not ended either.
drop index document_by_cart;
create index document_by_cart on document (shop, json_extract(body, '$.cart'))
    where kind = 'checkout' and class = 'live' and state in ('open', 'paying', 'awaiting');

-- Everything that was begun for a checkout.
create index document_of_checkout on document (shop, json_extract(body, '$.checkout')) where kind = 'intent';
