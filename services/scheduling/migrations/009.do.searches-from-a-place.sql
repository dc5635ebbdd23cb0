-- What a search by the next slot needs to begin in the middle: whose time is held at the moment, which bounds leave out, and who may have no free slot.
create index appointments_held on appointments (doctor_id) where status = 'held';
create index next_free_none on next_free (doctor_id) where then_at is null or then_at = at;
