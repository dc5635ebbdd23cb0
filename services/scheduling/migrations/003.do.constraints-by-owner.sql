-- Each of the two indexes may serve only questions about its own party: with predicates that are the same the planner, while it thinks that few rows
-- are open, takes either of them for either question, and reads all that is open. A question that names a doctor implies the first, one that names a
-- patient the second.
alter table appointments
  drop constraint slot_taken,
  drop constraint patient_conflict,
  add constraint slot_taken exclude using gist (doctor_id with =, doctor_during with &&)
    where (status in ('held', 'requested', 'confirmed') and doctor_id is not null),
  add constraint patient_conflict exclude using gist (patient_id with =, during with &&)
    where (status in ('held', 'requested', 'confirmed') and patient_id is not null);
