-- Keys that seal values at rest, each of them sealed with ENCRYPTION_KEY. The newest whose time has come seals; all of them open.
create table encryption_keys (
  id text primary key,
  sealed text not null,
  created_at timestamptz(3) not null,
  seals_from timestamptz(3) not null
);
-- How far each table has been sealed with a key, in the order of its primary key.
create table resealing (
  target text primary key,
  key_id text not null,
  after text not null,
  finished_at timestamptz(3)
);
-- The trail of changes is written and read, never changed; but for its texts, which go when a person is erased and are sealed anew when keys change.
revoke update, delete, truncate on history from scheduling;
grant update (reason) on history to scheduling;
