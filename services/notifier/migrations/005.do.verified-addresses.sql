-- Whether a person has proved the address: mails to one that has not name nobody. People who are known already count as verified until auth next tells
-- of them; `bun run ops republish users` makes it tell of everybody.
alter table people add column verified boolean not null default true;
