-- Each of the two indexes of what waits may serve its own question only: with predicates that are the same the planner, while it thinks that nothing
-- waits, takes either of them for either question, and reads all that waits for each event. A question that names a time implies this one.
drop index inbox_waiting;
create index inbox_waiting on inbox (next_try_at) where done_at is null and next_try_at is not null;
