-- The checkouts of a cart that have not ended: one that is converted twice, or moved in between, has one.
create index document_by_cart on document (shop, json_extract(body, '$.cart'))
    where kind = 'checkout' and class = 'live' and state in ('open', 'paying');
