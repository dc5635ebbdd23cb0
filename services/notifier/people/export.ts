import SQL from 'sql-template-strings'
import { type Db, maybeOne, rows } from '#platform/data/db'
import { instantText, maybeInstantText } from '#platform/http/schema'

type Contact = { name: string; email: string; locale: string; timezone: string }
type Mail = { event: string; template: string; status: string; createdAt: Date; sentAt: Date | null }

/** All that the notifier holds on a person: contacts, and which mails went to them. */
export async function exportPerson(db: Db, id: string) {
  const contact = await maybeOne<Contact>(db, SQL`select name, email, locale, timezone from people where id = ${id} and erased_at is null`)
  const mails = await rows<Mail>(
    db,
    SQL`select event_type as event, template, status, created_at, sent_at from mails where recipient_id = ${id} order by id`
  )
  return {
    contact: contact ?? null,
    mails: mails.map((mail) => ({ ...mail, createdAt: instantText(mail.createdAt), sentAt: maybeInstantText(mail.sentAt) }))
  }
}
