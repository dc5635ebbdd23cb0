-- Each of the two indexes of what waits may serve its own question only: with predicates that are the same the planner, while it thinks that nothing
-- waits, takes either of them for either question, and reads all that waits for each event. A question that names a number implies this one.
-- The old one goes first: so the strongest lock is the first, and nobody who reads the table and then writes to it meets it halfway.
drop index outbox_unsent_seq;
create index outbox_unsent_seq on outbox (seq) where sent_at is null and seq is not null;
