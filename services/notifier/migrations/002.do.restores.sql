-- When a backup was brought back. What happened before may have been told already: its mails are kept, and leave only if an administrator sends them.
create table restores (at timestamptz(3) primary key);
revoke insert, update, delete on restores from notifier;

create function told_before_restore() returns trigger language plpgsql as $$
begin
  if new.event_at < (select max(at) from restores) then
    new.status := 'failed';
    new.last_error := 'may have left before the restore';
  end if;
  return new;
end $$;
create trigger told_before_restore before insert on mails for each row execute function told_before_restore();
