-- What a page over all shops counts: when owners changed, and how long the newest holds were.
create index flip_done on step_record (at, shop, direction) where step = 'flip' and phase = 'done';
create index release_done on step_record (at, shop, epoch) where step = 'release' and phase = 'done';
