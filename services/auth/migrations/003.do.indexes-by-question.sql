-- Each of the two indexes of what waits may serve its own question only: with predicates that are the same the planner, while it thinks that nothing
-- waits, takes either of them for either question, and reads all that waits for each event. A question that names a number implies this one.
drop index outbox_unsent_seq;
create index outbox_unsent_seq on outbox (seq) where sent_at is null and seq is not null;
