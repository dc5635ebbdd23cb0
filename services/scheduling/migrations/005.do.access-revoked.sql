-- The id of the last event that revoked a person's access: sessions with a lower id (both are UUIDv7) may set up nothing any more. And the session that
-- made a feed: null where a previous release made it, which is then older than any revocation. Columns without a default are added at once.
alter table people add column revoked_before uuid;
alter table calendar_feeds add column session_id uuid;
