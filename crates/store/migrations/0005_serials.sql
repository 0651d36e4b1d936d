-- The number that a document has among those of its kind in its shop: of an order, that of its invoice. It repeats what
-- the body says. Whoever gives the next one looks here, at live documents and history alike, so no counter has to agree.
alter table document add column serial integer;
create index document_by_serial on document (shop, kind, serial) where serial is not null;
