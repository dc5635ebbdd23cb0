-- Sent events keep their data until they are purged: where the broker's data is lost they are published again, and a consumer needs what they say.
-- Erasing an account still deletes every event about it.
drop trigger if exists outbox_forget on outbox;
drop function if exists outbox_forget();
