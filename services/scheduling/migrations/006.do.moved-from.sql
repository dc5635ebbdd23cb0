-- The start that a request gave up when it was moved: the last one that was confirmed, else the first. Mails tell it where the request then comes to nothing.
alter table appointments add column moved_from timestamptz(3);
