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
-- The service may write the audit trail and read it. What is older than its settings say goes by this function, a thousand entries at a time; it never
-- takes what is younger than a year, whatever it is asked.
create function forget_audit(before timestamptz) returns int language plpgsql security definer set search_path = auth, pg_temp as $$
declare deleted int;
begin
  delete from audit
   where seq in (select seq from (select seq, at from audit order by seq limit 1000) oldest where at < least(before, now() - interval '365 days'));
  get diagnostics deleted = row_count;
  return deleted;
end $$;
revoke all on function forget_audit from public;
grant execute on function forget_audit to auth;
