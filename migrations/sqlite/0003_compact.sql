-- The dictionaries of the COMPACT format, one or more for an object type. A document that was compressed with one
-- names it in its own bytes by id, so that no capture needs a column for it; that is why a dictionary is never changed
-- and never removed while a capture may need it. What is written anew takes the newest version of its type.
--
-- content_hash is that of content: a damaged dictionary is found before anything is read with it.

create table annals_dictionary (
    id integer not null primary key autoincrement,
    object_type text not null,
    version integer not null,
    created integer not null,
    content_hash text not null,
    content blob not null,
    unique (object_type, version)
) strict;
