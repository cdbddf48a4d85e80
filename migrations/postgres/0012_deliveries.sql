-- Over a broker a delivery may arrive twice, or after one that followed it, at any writer. How many deliveries of the
-- present lease are written tells the next one from all others, in the transaction that writes it; and the messages of the
-- lease that had to be parked are known to whichever writer saves its state.

alter table annals_partition add column deliveries bigint not null default 0;
alter table annals_partition add column parked_captures bigint not null default 0;
alter table annals_partition add column parked_deletions bigint not null default 0;
