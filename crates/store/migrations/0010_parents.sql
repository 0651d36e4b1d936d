-- What a document was made of: a checkout its cart, an intent its checkout. It repeats what the body says: an index over the body
-- had to read it at each write, on PostgreSQL twice. Most checkouts were made of no cart, and have no entry.
alter table document add column parent text;
update document set parent = json_extract(body, '$.cart') where kind = 'checkout';
update document set parent = json_extract(body, '$.checkout') where kind = 'intent';

drop index document_by_cart;
create index document_by_cart on document (shop, parent)
    where kind = 'checkout' and class = 'live' and state in ('open', 'paying', 'awaiting') and parent is not null;

drop index document_of_checkout;
create index document_of_checkout on document (shop, parent) where kind = 'intent';
