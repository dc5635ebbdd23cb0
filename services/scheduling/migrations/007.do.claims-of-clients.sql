-- From where a claim was made, as a keyed hash, as long as the claim is open: what limits the claims of one client with one doctor.
alter table appointments add column client text;
alter table waitlist add column client text;
create index appointments_of_client on appointments (client, doctor_id) where client is not null;
create index waitlist_of_client on waitlist (client, doctor_id) where client is not null;
