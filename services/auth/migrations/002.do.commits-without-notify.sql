-- NOTIFY takes one lock for the whole server until its commit is on disk: no two transactions share a write any more. Processes wake themselves after
-- the commit, and others ask from time to time.
drop trigger outbox_wake on outbox;
drop function outbox_wake();
