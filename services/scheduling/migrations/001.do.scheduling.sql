-- What is known of people: names, and whether an address is verified. From `user.*` events; an older version changes nothing.
create table people (
  id uuid primary key,
  role text not null,
  name text not null,
  email_verified boolean not null,
  disabled boolean not null,
  erased boolean not null default false,
  version int not null
);

create table doctors (
  id uuid primary key,
  name text not null,
  -- lower case without accents, for the search
  name_folded text not null,
  crm text,
  -- null until auth has told
  approval text check (approval in ('pending', 'approved', 'rejected')),
  disabled boolean not null default false,
  specialties text[] not null default '{}',
  price_amount int check (price_amount >= 0),
  price_currency text,
  bio text,
  timezone text not null default 'America/Sao_Paulo',
  min_notice_minutes int not null default 60,
  booking_window_days int not null default 90,
  buffer_minutes int not null default 0,
  cancellation_notice_minutes int not null default 0,
  answer_within_minutes int not null default 1440,
  auto_confirm boolean not null default false,
  slot_minutes int check (slot_minutes > 0),
  -- [{ weekday, start, end, validFrom?, validUntil? }], replaced as a whole
  rules jsonb not null default '[]',
  -- rises with every change of what is offered: a booking that read an older one decides again
  schedule_version int not null default 0,
  listed boolean not null generated always as (
    coalesce(approval = 'approved', false) and not disabled and crm is not null and price_amount is not null and slot_minutes is not null
  ) stored
);
create index doctors_specialties on doctors using gin (specialties) where listed;
create index doctors_by_price on doctors (price_amount, id) where listed;
create index doctors_by_name on doctors (name_folded collate "C", id) where listed;
create index doctors_name on doctors using gin (name_folded extensions.gin_trgm_ops) where listed;

create table exceptions (
  id uuid primary key,
  doctor_id uuid not null references doctors on delete cascade,
  kind text not null check (kind in ('closed', 'open')),
  from_date date not null,
  to_date date not null,
  start_time text,
  end_time text,
  reason text,
  created_at timestamptz(3) not null,
  check (to_date >= from_date),
  check ((start_time is null) = (end_time is null))
);
create index exceptions_of_doctor on exceptions (doctor_id, to_date);

-- Appointments and holds: a hold is a row that becomes the appointment in place.
create table appointments (
  id uuid primary key,
  doctor_id uuid not null references doctors,
  patient_id uuid not null,
  patient_name text not null,
  status text not null check (status in ('held', 'released', 'requested', 'confirmed', 'declined', 'cancelled', 'completed', 'no_show', 'expired')),
  -- the visit
  during tstzrange not null,
  -- the visit and the doctor's buffer after it: two racing neighbours cannot eat the buffer
  doctor_during tstzrange not null,
  timezone text not null,
  price_amount int not null,
  price_currency text not null,
  reason text,
  status_reason text,
  -- held: when the hold ends; requested: until when the doctor may answer
  expires_at timestamptz(3),
  waitlist_id uuid,
  version int not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  -- an empty range meets nothing and would slip past the constraints below
  constraint during_is_a_visit check (lower(during) < upper(during) and lower_inc(during) and not upper_inc(during)),
  constraint doctor_during_covers check (lower(doctor_during) = lower(during) and upper(doctor_during) >= upper(during) and not upper_inc(doctor_during)),
  constraint slot_taken exclude using gist (doctor_id with =, doctor_during with &&) where (status in ('held', 'requested', 'confirmed')),
  constraint patient_conflict exclude using gist (patient_id with =, during with &&) where (status in ('held', 'requested', 'confirmed'))
);
create unique index hold_limit on appointments (patient_id) where status = 'held' and waitlist_id is null;
create index appointments_of_patient on appointments (patient_id, lower(during), id);
create index appointments_of_doctor on appointments (doctor_id, lower(during), id);
create index appointments_to_expire on appointments (expires_at) where status in ('held', 'requested');

-- Who did what when. `tx` and `seq` are also the id of a live change: numbers are drawn before the commit, so one alone could come late and be missed.
create table history (
  seq bigint generated always as identity primary key,
  tx xid8 not null default pg_current_xact_id(),
  appointment_id uuid not null references appointments,
  doctor_id uuid not null,
  patient_id uuid not null,
  at timestamptz(3) not null,
  actor_id uuid,
  actor_role text not null,
  action text not null,
  from_status text,
  to_status text not null,
  reason text,
  version int not null
);
create index history_of_appointment on history (appointment_id, seq);
create index history_of_doctor on history (doctor_id, tx, seq);
create index history_of_patient on history (patient_id, tx, seq);
create function history_wake() returns trigger language plpgsql as $$
begin
  perform pg_notify('scheduling_changes', new.seq || ' ' || new.doctor_id || ' ' || new.patient_id);
  return null;
end $$;
create trigger history_wake after insert on history for each row execute function history_wake();

create table waitlist (
  id uuid primary key,
  doctor_id uuid not null references doctors,
  patient_id uuid not null,
  patient_name text not null,
  from_date date not null,
  to_date date not null,
  created_at timestamptz(3) not null,
  -- waiting, offered (holds a slot), done (booked or withdrawn)
  status text not null default 'waiting' check (status in ('waiting', 'offered', 'done')),
  check (to_date >= from_date)
);
create index waitlist_line on waitlist (doctor_id, created_at, id) where status = 'waiting';
create index waitlist_of_patient on waitlist (patient_id) where status <> 'done';

-- An instant before which no slot of the doctor can be free: what lets a search look at the soonest doctors alone. Claims and the passing of time only
-- make it lower than it could be; what frees time or changes hours sets it back, and raises `generation` so that nobody writes what was read before.
create table next_free (
  doctor_id uuid primary key references doctors on delete cascade,
  at timestamptz(3) not null default 'epoch',
  -- from when on nobody may book what starts at `at`, for the notice; and the same bound for what comes after it: null where it is not known
  doubt_at timestamptz(3),
  then_at timestamptz(3),
  generation int not null default 0
);
create index next_free_order on next_free (at, doctor_id);
create index next_free_doubts on next_free (doubt_at) where then_at is not null;
create index next_free_unknowns on next_free (at, doctor_id) where then_at is null;
create function next_free_unknown() returns trigger language plpgsql as $$
begin
  insert into next_free (doctor_id) values ((to_jsonb(new) ->> tg_argv[0])::uuid)
      on conflict (doctor_id) do update set at = 'epoch', doubt_at = null, then_at = null, generation = next_free.generation + 1;
  return null;
end $$;
create trigger next_free_begins after insert on doctors for each row execute function next_free_unknown('id');
create trigger next_free_of_hours after update of schedule_version on doctors for each row execute function next_free_unknown('id');
-- deferred: who frees times of several doctors holds their rows no longer than the commit takes
create constraint trigger next_free_of_time after update on appointments deferrable initially deferred for each row
  when (old.status in ('requested', 'confirmed') and (new.status not in ('requested', 'confirmed') or new.doctor_during <> old.doctor_during))
  execute function next_free_unknown('doctor_id');

-- An offer is over when its hold is, however that ended: booked, given up, run out, erased.
create function offer_is_over() returns trigger language plpgsql as $$
begin
  update waitlist set status = 'done' where id = old.waitlist_id and status = 'offered';
  return null;
end $$;
create trigger offer_is_over after update of status on appointments for each row
  when (old.status = 'held' and new.status <> 'held' and old.waitlist_id is not null) execute function offer_is_over();

create table calendar_feeds (
  person_id uuid primary key,
  role text not null,
  token_hash text not null unique,
  created_at timestamptz(3) not null
);

create table idempotency_keys (
  caller_id uuid not null,
  key text not null,
  fingerprint text not null,
  status int not null,
  headers jsonb not null,
  body jsonb not null,
  created_at timestamptz(3) not null default now(),
  primary key (caller_id, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

create table inbox (
  event_id uuid primary key,
  type text not null,
  received_at timestamptz(3) not null default now(),
  done_at timestamptz(3),
  attempts int not null default 0,
  next_try_at timestamptz(3),
  last_error text,
  event jsonb
);
create index inbox_waiting on inbox (next_try_at) where done_at is null;
create index inbox_waiting_subject on inbox ((event->>'subject'), event_id) where done_at is null;
create index inbox_done on inbox (done_at) where done_at is not null;

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
