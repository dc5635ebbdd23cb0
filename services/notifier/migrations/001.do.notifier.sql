-- Whom mails go to. An erased person stays as an id without contacts, so that a late event cannot bring them back.
create table people (
  id uuid primary key,
  role text not null,
  name text,
  email text,
  locale text not null,
  timezone text not null,
  crm text,
  version int not null,
  erased_at timestamptz(3),
  constraint contacts_until_erased check ((erased_at is null) = (email is not null and name is not null))
);
create index people_email on people (lower(email));

-- The newest state of each appointment that an event told: what mails and reminders are checked against before they leave.
create table appointments (
  id uuid primary key,
  version int not null,
  status text not null,
  start_at timestamptz(3) not null,
  end_at timestamptz(3) not null,
  timezone text not null,
  doctor_id uuid not null,
  patient_id uuid not null,
  booked_at timestamptz(3) not null,
  -- whether some mail has put it into the parties' calendars, so that its end must be told there too
  in_calendars boolean not null default false
);
create index appointments_doctor on appointments (doctor_id);
create index appointments_patient on appointments (patient_id);

-- One row for each event, recipient and template. Bodies are made when a mail leaves: only ids and what the event said stand here.
create table mails (
  id uuid primary key,
  event_id uuid not null,
  event_type text not null,
  event_at timestamptz(3) not null,
  template text not null,
  recipient_id uuid not null,
  appointment_id uuid,
  version int,
  data jsonb not null,
  request_id text not null,
  traceparent text not null,
  status text not null default 'pending' check (status in ('pending', 'sending', 'sent', 'failed', 'superseded')),
  attempts int not null default 0,
  -- pending: when it may be tried; sending: when the lease of the one who sends it ends
  due_at timestamptz(3) not null,
  lease_token uuid,
  last_error text,
  created_at timestamptz(3) not null,
  sent_at timestamptz(3),
  constraint one_mail_each unique (event_id, recipient_id, template),
  check ((appointment_id is null) = (version is null))
);
create index mails_due on mails (due_at) where status in ('pending', 'sending');
create index mails_in_order on mails (appointment_id, recipient_id, version, id) where appointment_id is not null;
create index mails_of_person on mails (recipient_id, id);
create index mails_by_status on mails (status, id);
create function mails_wake() returns trigger language plpgsql as $$ begin perform pg_notify(tg_table_schema || '_mails', ''); return null; end $$;
create trigger mails_wake after insert on mails for each statement execute function mails_wake();

-- The delivery log: every attempt and how it ended.
create table deliveries (
  mail_id uuid not null references mails on delete cascade,
  attempt int not null,
  at timestamptz(3) not null,
  outcome text not null check (outcome in ('sent', 'refused', 'failed', 'superseded')),
  -- what the server said, without addresses
  reply text
);
create index deliveries_mail on deliveries (mail_id);

-- What is due before an appointment. A row goes when it was turned into mails or dropped, and all go when the appointment changes.
create table reminders (
  id uuid primary key,
  appointment_id uuid not null references appointments on delete cascade,
  lead_minutes int not null,
  due_at timestamptz(3) not null,
  unique (appointment_id, lead_minutes)
);
create index reminders_due on reminders (due_at);

-- Messages that a consumer could not process, moved here from the broker's dead-letter queue.
create table dead_letters (
  id uuid primary key,
  queue text not null,
  type text not null,
  message_id text not null,
  reason text not null,
  content bytea not null,
  failed_at timestamptz(3) not null,
  received_at timestamptz(3) not null
);

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
