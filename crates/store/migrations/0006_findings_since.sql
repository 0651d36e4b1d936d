-- Since when a finding is open, and why somebody accepted it. mending: the shop's copy begins again because of it, so it
-- stops no more, and is open until that copy is verified.
alter table finding add column since integer;
alter table finding add column accepted_why text;
alter table finding add column mending integer not null default 0 check (mending in (0, 1));
