-- A token that proves a new address of an account bears that address. The check only grows: what was allowed still is.
alter table mail_tokens
  add column email text,
  drop constraint mail_tokens_purpose_check,
  add constraint mail_tokens_purpose_check check (purpose in ('verify', 'reset', 'change')) not valid;
alter table mail_tokens validate constraint mail_tokens_purpose_check;
-- When an account goes whose address is not verified by then; null where it may stay.
alter table users add column verify_by timestamptz(3);
create index users_to_verify on users (verify_by) where verify_by is not null and not email_verified;
