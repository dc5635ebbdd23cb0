import SQL from 'sql-template-strings'
import { type Db, maybeOne, rows, type Sql, transaction } from '#platform/data/db'
import { fold } from '#platform/data/fold'
import { announce } from '#platform/events/outbox'
import { log } from '#platform/setup/log'
import { normalEmail } from '../accounts/contact.ts'
import { snapshotOf } from '../accounts/model.ts'
import { type Account, insertAccount } from '../accounts/queries.ts'
import { type Action, record } from '../audit/record.ts'
import type { Passwords } from '../passwords/hash.ts'

type Wish = { email: string; password: string }

/**
 * Makes the admin that ADMIN_EMAIL and ADMIN_PASSWORD name, where there is no admin at all; never a second one. Gives what was ignored, in words, where
 * the settings say something else than what is there. A setting that stays in place after the first start is no mistake and is passed over in silence.
 */
export async function makeFirstAdmin(sql: Sql, passwords: Passwords, wish: Wish, now: Temporal.Instant): Promise<string | undefined> {
  const email = normalEmail(wish.email)
  const made = (await hasAdmin(sql)) ? undefined : await insertFirst(sql, email, await passwords.hash(wish.password), now)
  if (made) {
    log.info({ id: made.id }, 'the first admin was made')
    return undefined
  }
  const ignored = await ignoredOf(sql, passwords, { ...wish, email })
  if (ignored) log.warn(ignored)
  return ignored
}

const hasAdmin = async (db: Db) => (await rows(db, SQL`select 1 as there from users where role = 'admin' limit 1`)).length > 0

const insertFirst = (sql: Sql, email: string, passwordHash: string, now: Temporal.Instant): Promise<Account | undefined> =>
  transaction(sql, async (tx) => {
    // replicas that start at once make one admin
    await maybeOne(tx, SQL`select pg_advisory_xact_lock(hashtext('auth first admin'))`)
    if ((await hasAdmin(tx)) || (await accountAt(tx, email))) return undefined
    return insertAdmin(tx, email, passwordHash, 'registered', now)
  })

type Known = { role: string; passwordHash: string }
const accountAt = (db: Db, email: string) => maybeOne<Known>(db, SQL`select role, password_hash from users where email = ${email}`)

const MAKE = '`bun run ops admin add EMAIL` makes an admin, `bun run ops admin reset EMAIL` gives one a new password.'

async function ignoredOf(sql: Sql, passwords: Passwords, { email, password }: Wish): Promise<string | undefined> {
  const account = await accountAt(sql, email)
  if (account && account.role !== 'admin') return `ADMIN_EMAIL is ignored: it is the address of an account that is no admin. ${MAKE}`
  if (!account) return `ADMIN_EMAIL and ADMIN_PASSWORD are ignored: there is an admin with another address already. ${MAKE}`
  if (!(await passwords.verify(account.passwordHash, password)).right)
    return `ADMIN_PASSWORD is ignored: this admin exists and has another password. ${MAKE}`
  return undefined
}

/** Stores an admin whose address counts as verified, tells the other services and the audit trail. Throws `email_taken`. */
export async function insertAdmin(tx: Db, email: string, passwordHash: string, action: Action, now: Temporal.Instant): Promise<Account> {
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
  await record(tx, { actorId: null, action, subjectId: id }, now)
  return made
}
