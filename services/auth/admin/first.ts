import SQL from 'sql-template-strings'
import { maybeOne, type Sql, transaction } from '#platform/db'
import { fold } from '#platform/fold'
import { log } from '#platform/log'
import { announce } from '#platform/outbox'
import { normalEmail } from '../accounts/contact.ts'
import { snapshotOf } from '../accounts/model.ts'
import { insertAccount } from '../accounts/queries.ts'
import { record } from '../audit/record.ts'
import type { Passwords } from '../passwords/hash.ts'

/** Makes the admin that the settings name, where nobody has that address yet; a password that was changed since stays. */
export async function makeFirstAdmin(
  sql: Sql,
  passwords: Passwords,
  wish: { email: string; password: string },
  now: Temporal.Instant
): Promise<void> {
  const email = normalEmail(wish.email)
  const known = () => maybeOne<{ role: string }>(sql, SQL`select role from users where email = ${email}`)
  if (await known()) return
  const passwordHash = await passwords.hash(wish.password)
  await transaction(sql, async (tx) => {
    // replicas that start at once make one admin
    await maybeOne(tx, SQL`select pg_advisory_xact_lock(hashtext('auth first admin'))`)
    if (await maybeOne(tx, SQL`select 1 as there from users where email = ${email}`)) return
    const name = 'Admin'
    const id = Bun.randomUUIDv7()
    const made = await insertAccount(tx, {
      id,
      role: 'admin',
      name,
      nameFolded: fold(name),
      email,
      emailVerified: true,
      cpfSealed: null,
      cpfIndex: null,
      phoneSealed: null,
      crm: null,
      approval: null,
      locale: 'pt-BR',
      timezone: 'America/Sao_Paulo',
      passwordHash,
      now: new Date(now.epochMilliseconds)
    })
    await announce(tx, 'healthmed.user.registered.v1', id, snapshotOf(made))
    await record(tx, { actorId: null, action: 'registered', subjectId: id }, now)
    log.info({ id }, 'the first admin was made')
  })
}
