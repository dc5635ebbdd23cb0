-- People. CPF and phone stand here only encrypted (AES-256-GCM); a CPF is found by its HMAC. Constraints are named after the problem that they mean.
create table users (
  id uuid primary key,
  role text not null check (role in ('patient', 'doctor', 'admin')),
  name text not null,
  -- lower case without accents, for the admins' search
  name_folded text not null,
  email text not null,
  email_verified boolean not null default false,
  cpf_sealed text,
  cpf_index text,
  phone_sealed text,
  crm text,
  approval text check (approval in ('pending', 'approved', 'rejected')),
  approval_reason text,
  locale text not null check (locale in ('pt-BR', 'en')),
  timezone text not null,
  password_hash text not null,
  disabled boolean not null default false,
  -- rises with every change that other services are told of
  version int not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  constraint email_taken unique (email),
  constraint cpf_taken unique (cpf_index),
  constraint crm_taken unique (crm),
  constraint doctors_have_a_crm check ((role = 'doctor') = (crm is not null) and (role = 'doctor') = (approval is not null))
);
create index users_name on users using gin (name_folded extensions.gin_trgm_ops);
create index users_approval on users (approval, id) where approval is not null;

-- A session outlives its person by a few minutes, so that every gateway learns that it ended.
create table sessions (
  id uuid primary key,
  user_id uuid references users on delete set null,
  user_agent text,
  created_at timestamptz(3) not null,
  last_used_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  ended_at timestamptz(3),
  end_reason text
);
create index sessions_open on sessions (user_id) where ended_at is null;
create index sessions_ended on sessions (ended_at) where ended_at is not null;
create index sessions_expired on sessions (expires_at);

-- One family a session: each token names the one that it came from.
create table refresh_tokens (
  id uuid primary key,
  session_id uuid not null references sessions on delete cascade,
  parent_id uuid,
  secret_hash text not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  used_at timestamptz(3),
  -- a fingerprint of the client that used it
  used_by text
);
create index refresh_tokens_of_session on refresh_tokens (session_id);
create index refresh_tokens_parent on refresh_tokens (parent_id);

create table signing_keys (
  kid text primary key,
  public_jwk jsonb not null,
  private_sealed text not null,
  created_at timestamptz(3) not null,
  -- from then on it signs; it is in the key set before, so that every gateway knows it in time
  signs_from timestamptz(3) not null,
  retired_at timestamptz(3)
);

create table mail_tokens (
  id uuid primary key,
  user_id uuid not null references users on delete cascade,
  purpose text not null check (purpose in ('verify', 'reset')),
  secret_hash text not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  used_at timestamptz(3)
);
create index mail_tokens_of_user on mail_tokens (user_id, purpose, created_at);

-- Failed attempts; `subject` is a keyed hash of a person, of an identifier that is nobody's, or of an address.
create table failed_attempts (
  seq bigint generated always as identity primary key,
  subject text not null,
  at timestamptz(3) not null
);
create index failed_attempts_of_subject on failed_attempts (subject, at);
create index failed_attempts_age on failed_attempts (at);

create table totp (
  user_id uuid primary key references users on delete cascade,
  secret_sealed text not null,
  created_at timestamptz(3) not null,
  activated_at timestamptz(3),
  -- the time step of the last code that was taken: no code twice
  last_step bigint not null default 0
);
create table recovery_codes (
  user_id uuid not null references users on delete cascade,
  code_hash text not null,
  used_at timestamptz(3),
  primary key (user_id, code_hash)
);
-- Between the password and the second step of a log-in.
create table mfa_tokens (
  id uuid primary key,
  user_id uuid not null references users on delete cascade,
  secret_hash text not null,
  user_agent text,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  used_at timestamptz(3)
);
create index mfa_tokens_age on mfa_tokens (expires_at);

-- Who did what to whose account; ids only. The service may write it and read it, never change it.
create table audit (
  seq bigint generated always as identity primary key,
  at timestamptz(3) not null,
  actor_id uuid,
  action text not null,
  subject_id uuid,
  session_id uuid,
  request_id text not null
);
create index audit_subject on audit (subject_id, seq);
revoke update, delete, truncate on audit from auth;

create table outbox (
  seq bigint generated always as identity primary key,
  id uuid not null unique,
  type text not null,
  subject uuid not null,
  data jsonb not null,
  traceparent text not null,
  request_id text not null,
  created_at timestamptz(3) not null default now(),
  attempts int not null default 0,
  lease_token uuid,
  lease_until timestamptz,
  last_error text,
  sent_at timestamptz(3)
);
create index outbox_unsent on outbox (subject, seq) where sent_at is null;
create index outbox_unsent_seq on outbox (seq) where sent_at is null;
create index outbox_sent on outbox (sent_at) where sent_at is not null;
create function outbox_wake() returns trigger language plpgsql as $$
begin
  perform pg_notify(tg_table_schema || '_outbox', '');
  return null;
end $$;
create trigger outbox_wake after insert on outbox for each statement execute function outbox_wake();
-- What was sent is not needed again, and it names people or bears a token: only the fact that it was sent stays.
create function outbox_forget() returns trigger language plpgsql as $$
begin
  new.data := jsonb_build_object('id', new.subject);
  return new;
end $$;
create trigger outbox_forget before update of sent_at on outbox for each row when (new.sent_at is not null) execute function outbox_forget();
