-- A person, or an identifier that belongs to nobody, with too many failures in a day: closed until a password reset by email. `subject` is a keyed hash.
create table attempt_locks (
  subject text primary key,
  -- null where the identifier belongs to nobody
  user_id uuid references users on delete cascade,
  at timestamptz(3) not null
);
create index attempt_locks_of_user on attempt_locks (user_id) where user_id is not null;
-- When the person was last mailed about a lock.
alter table users add column lockout_mailed_at timestamptz(3);
