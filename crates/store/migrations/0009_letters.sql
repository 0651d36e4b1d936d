-- What a provider wrote, byte for byte, as long as nothing has become of it: an older program that owns the shop is told in the
-- provider's own words. Emptied with the outcome.
alter table inbox add column signature text;
alter table inbox add column body blob;

-- Where more is due than can be done, some of each shop is.
create index wake_of_shop on wake (shop, at);
