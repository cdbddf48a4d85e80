-- Text that not every engine takes (NUL, halves of surrogate pairs, bytes that are no UTF-8) is kept exact in documents
-- and cleaned in the columns that people search by. This table has the captures of which that is so: what their rows,
-- child rows and events say may lack what their documents have. Nearly always it is empty.

create table annals_cleaned_text (
    capture_id text not null primary key,
    object_type text not null
);
