-- What a document was made of: a checkout its cart, an intent its checkout. It repeats what the body says: an index over the body
-- had to read it at each write, on PostgreSQL twice. Most checkouts were made of no cart, and have no entry. A checkout that has
-- ended is not looked for, and keeps none until it is written again.
drop index document_by_cart;
drop index document_of_checkout;

alter table document add column parent text;
update document set parent = json_extract(body, '$.cart')
    where kind = 'checkout' and class = 'live' and state in ('open', 'paying', 'awaiting');
update document set parent = json_extract(body, '$.checkout') where kind = 'intent';

create index document_by_cart on document (shop, parent)
    where kind = 'checkout' and class = 'live' and state in ('open', 'paying', 'awaiting') and parent is not null;
create index document_of_checkout on document (shop, parent) where kind = 'intent';
