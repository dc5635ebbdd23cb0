import { afterAll, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { testPassword } from '../testing/testing.ts'
import { connect, rows, type Sql } from './db.ts'
import { migrate } from './migrate.ts'
import { type Passwords, provision, roles, roleUrl, type Schema, schemas } from './provision.ts'

/*
 * Each migration from the one before, on tables that people have used: what was there is there afterwards, and what was refused is refused.
 */
const server = process.env.TEST_POSTGRES_URL ?? ''
const admin = connect(server, { name: 'test', max: 1 })
const made: string[] = []
afterAll(async () => {
  for (const database of made) await admin.unsafe(`drop database if exists "${database}" with (force)`)
  await admin.end({ timeout: 1 })
})

const id = (n: number) => `'00000000-0000-7000-8000-${String(n).padStart(12, '0')}'`
const visit = (n: number, patient: number, hour: number) =>
  `insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency, created_at, updated_at)
   values (${id(n)}, ${id(2)}, ${id(patient)}, 'Zoë', 'confirmed', '[2031-01-06 ${hour}:00Z,2031-01-06 ${hour + 1}:00Z)',
           '[2031-01-06 ${hour}:00Z,2031-01-06 ${hour + 1}:10Z)', 'UTC', 1, 'BRL', now(), now())`
const event = (n: number) =>
  `insert into outbox (id, type, subject, data, traceparent, request_id) values (${id(n)}, 't', ${id(1)}, '{"name": "Zoë"}', 't', 'r')`
const mail = (n: number, event: number) =>
  `insert into mails (id, event_id, event_type, event_at, template, recipient_id, data, request_id, traceparent, due_at, created_at)
   values (${id(n)}, ${id(event)}, 'x', now(), 'verify_email', ${id(1)}, '{}', 'r', 't', now(), now())`
const user = (n: number, email: string) =>
  `insert into users (id, role, name, name_folded, email, locale, timezone, password_hash, created_at, updated_at)
   values (${id(n)}, 'patient', 'Zoë', 'zoe', '${email}', 'pt-BR', 'UTC', 'x', now(), now())`

/** What a schema is filled with at its first version, and what it must refuse from then on, by the name of what refuses it. */
const lives: Record<Schema, { filled: string[]; refused: [why: string, statement: string][] }> = {
  auth: {
    filled: [
      user(1, 'zoe@example.com'),
      `insert into sessions (id, user_id, created_at, last_used_at, expires_at) values (${id(2)}, ${id(1)}, now(), now(), now())`,
      `insert into refresh_tokens (id, session_id, secret_hash, created_at, expires_at) values (${id(3)}, ${id(2)}, 'x', now(), now())`,
      `insert into signing_keys (kid, public_jwk, private_sealed, created_at, signs_from) values ('k', '{}', 'x', now(), now())`,
      `insert into mail_tokens (id, user_id, purpose, secret_hash, created_at, expires_at) values (${id(4)}, ${id(1)}, 'verify', 'x', now(), now())`,
      `insert into failed_attempts (subject, at) values ('x', now())`,
      `insert into totp (user_id, secret_sealed, created_at) values (${id(1)}, 'x', now())`,
      `insert into audit (at, action, request_id) values (now(), 'x', 'r')`,
      event(5)
    ],
    refused: [
      ['email_taken', user(6, 'zoe@example.com')],
      ['users_role_check', `update users set role = 'nobody'`],
      ['refresh_tokens_session_id_fkey', `update refresh_tokens set session_id = ${id(9)}`],
      ['outbox_id_key', event(5)]
    ]
  },
  scheduling: {
    filled: [
      `insert into people values (${id(1)}, 'patient', 'Zoë', true, false, false, 1)`,
      `insert into doctors (id, name, name_folded, rules) values (${id(2)}, 'Ana', 'ana', '[{"weekday": 1}]')`,
      visit(3, 1, 11),
      `insert into exceptions (id, doctor_id, kind, from_date, to_date, created_at) values (${id(4)}, ${id(2)}, 'closed', '2031-01-07', '2031-01-07', now())`,
      `insert into history (appointment_id, doctor_id, patient_id, at, actor_role, action, to_status, version)
       values (${id(3)}, ${id(2)}, ${id(1)}, now(), 'patient', 'book', 'requested', 1)`,
      `insert into waitlist (id, doctor_id, patient_id, patient_name, from_date, to_date, created_at)
       values (${id(5)}, ${id(2)}, ${id(1)}, 'Zoë', '2031-01-06', '2031-01-07', now())`,
      `insert into calendar_feeds values (${id(1)}, 'patient', 'x', now())`,
      `insert into inbox (event_id, type) values (${id(6)}, 't')`,
      event(7)
    ],
    refused: [
      ['slot_taken', visit(8, 9, 11)],
      // the doctor's buffer after a visit
      ['slot_taken', visit(8, 9, 12)],
      ['patient_conflict', visit(8, 1, 11).replace(id(2), id(12))],
      ['during_is_a_visit', `update appointments set during = 'empty'`],
      ['history_appointment_id_fkey', `update history set appointment_id = ${id(9)}`]
    ]
  },
  notifier: {
    filled: [
      `insert into people (id, role, name, email, locale, timezone, version) values (${id(1)}, 'patient', 'Zoë', 'zoe@example.com', 'pt-BR', 'UTC', 1)`,
      `insert into appointments values (${id(2)}, 1, 'confirmed', now(), now(), 'UTC', ${id(3)}, ${id(1)}, now(), true)`,
      mail(4, 5),
      `insert into deliveries values (${id(4)}, 1, now(), 'failed', null)`,
      `insert into reminders values (${id(6)}, ${id(2)}, 60, now())`,
      `insert into dead_letters values (${id(7)}, 'q', 't', 'm', 'r', '\\x00', now(), now())`,
      `insert into inbox (event_id, type) values (${id(8)}, 't')`
    ],
    refused: [
      ['one_mail_each', mail(9, 5)],
      ['contacts_until_erased', `update people set email = null`],
      ['mails_status_check', `update mails set status = 'lost'`],
      ['reminders_appointment_id_fkey', `update reminders set appointment_id = ${id(9)}`]
    ]
  }
}

/** Another doctor, so that only the patient is in the way. */
const colleague = `insert into doctors (id, name, name_folded) values (${id(12)}, 'Eva', 'eva')`

for (const schema of schemas) {
  const files = readdirSync(join(import.meta.dir, '..', '..', 'services', schema, 'migrations')).sort()
  for (let version = 2; version <= files.length; version++) {
    test(`${files[version - 1]} of ${schema} keeps what ${version - 1} had, and what that refused`, async () => {
      const sql = await ownerAt(schema, version - 1)
      try {
        const { filled, refused } = lives[schema]
        for (const statement of filled) await sql.unsafe(statement)
        if (schema === 'scheduling') await sql.unsafe(colleague)
        const before = await contentOf(sql, schema)
        expect(before.size).toBeGreaterThan(5)
        expect(await migrate(sql.url, schema, version)).toEqual([files[version - 1] as string])
        const after = await contentOf(sql, schema, before)
        for (const [table, content] of before) expect([table, after.get(table)]).toEqual([table, content])
        for (const [why, statement] of refused) {
          const refusal = await sql.unsafe(statement).then(
            () => 'nothing',
            (error) => error.constraint_name
          )
          expect([statement, refusal]).toEqual([statement, why])
        }
      } finally {
        await sql.end({ timeout: 1 })
      }
    })
  }
}

/** A database of its own whose schema is at a version, as the schema's owner. */
async function ownerAt(schema: Schema, version: number): Promise<Sql & { url: string }> {
  const database = `from_${crypto.randomUUID().slice(0, 8)}`
  made.push(database)
  await provision(server, { database, passwords: Object.fromEntries(roles.map((role) => [role, testPassword])) as Passwords })
  const url = roleUrl(server, database, `${schema}_owner`, testPassword)
  await migrate(url, schema, version)
  return Object.assign(connect(url, { name: 'test', max: 1 }), { url })
}

type Row = Record<string, unknown>

/** Every row of every table, with the columns that `before` has: a column that a migration adds is no loss, one that it changes is. */
async function contentOf(sql: Sql, schema: Schema, before?: Map<string, Row[]>): Promise<Map<string, Row[]>> {
  const tables = await rows<{ name: string }>(
    sql,
    SQL`select tablename as name from pg_tables where schemaname = ${schema} and tablename <> 'schema_version' order by 1`
  )
  const content = new Map<string, Row[]>()
  for (const { name } of tables) {
    const found = await sql.unsafe<{ row: Row }[]>(`select to_jsonb(t) as row from "${name}" t order by t::text`)
    const known = Object.keys(before?.get(name)?.[0] ?? {})
    const kept = ({ row }: { row: Row }) => (before ? Object.fromEntries(known.map((column) => [column, row[column]])) : row)
    if (found.length > 0) content.set(name, found.map(kept))
  }
  return content
}
