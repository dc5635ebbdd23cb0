-- Each of the two indexes of what waits may serve its own question only: with predicates that are the same the planner, while it thinks that nothing
-- waits, takes either of them for either question, and reads all that waits for each event. A question that names a time implies this one.
-- The old one goes first: so the strongest lock is the first, and nobody who reads the table and then writes to it meets it halfway.
drop index inbox_waiting;
create index inbox_waiting on inbox (next_try_at) where done_at is null and next_try_at is not null;
