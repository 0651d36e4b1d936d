-- Parts of shops whose reads a copy may answer; a part that is not here is read at its owner.
create table dial (
    shop text not null,
    part text not null,
    primary key (shop, part)
) strict, without rowid;
