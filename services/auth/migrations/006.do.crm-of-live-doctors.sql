-- A doctor who was rejected keeps no CRM from its owner: it is unique among the others only. The index bears the name of the constraint before it, and
-- so of the problem that it means. The strongest lock comes first, so that nobody who reads the table and then writes to it meets it halfway; it is
-- held while the table is read twice.
alter table users drop constraint crm_taken;
create unique index crm_taken on users (crm) where approval <> 'rejected';
-- for the previous release, which finds people by the CRM alone, and for the admins' search
create index users_crm on users (crm) where crm is not null;
