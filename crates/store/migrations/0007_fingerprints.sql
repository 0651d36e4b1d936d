-- What an imported document was made of and what it says, as whoever imported it has it; none where it was written here.
alter table document add column fingerprint blob check (length(fingerprint) = 16);
