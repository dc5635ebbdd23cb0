import SQL from 'sql-template-strings'
import { maybeOne, transaction } from '#platform/data/db'
import { fold } from '#platform/data/fold'
import { announce } from '#platform/events/outbox'
import type { Client } from '#platform/http/client-address'
import { Problem } from '#platform/http/problem'
import { zoneOf } from '#platform/http/schema'
import type { Needs } from '../app.ts'
import { attemptOn, countFailure, lockOf, tooMany } from '../attempts/throttle.ts'
import { record } from '../audit/record.ts'
import { askToVerify } from '../email/verify.ts'
import { requireStrong } from '../passwords/policy.ts'
import { localeOf, normalEmail, normalName, normalPhone } from './contact.ts'
import { requireCpf } from './cpf.ts'
import { requireCrm } from './crm.ts'
import { VERIFY_WITHIN_DAYS } from './expire.ts'
import { sealedFor, snapshotOf, type User, userOf } from './model.ts'
import { insertAccount } from './queries.ts'

/** What somebody registers with; a doctor gives a CRM. */
export type Registration = {
  name: string
  email: string
  cpf: string
  password: string
  crm?: string
  phone?: string
  locale?: string
  timezone?: string
}

/**
 * Makes an account and asks to verify its address by mail. Throws `invalid_cpf`, `invalid_crm`, `invalid_timezone`, `weak_password`,
 * `validation_failed`, `email_taken`, `cpf_taken`, `crm_taken`; who meets taken ones too often `too_many_attempts`.
 */
export async function register(needs: Needs, wish: Registration, client: Client, now: Temporal.Instant): Promise<User> {
  const { sql, seal, passwords, doctorApproval, emailVerification } = needs
  const id = Bun.randomUUIDv7()
  const email = normalEmail(wish.email)
  const cpf = requireCpf(wish.cpf)
  const crm = wish.crm === undefined ? null : requireCrm(wish.crm)
  const phone = wish.phone === undefined ? null : normalPhone(wish.phone)
  const fields = {
    name: normalName(wish.name),
    email,
    cpfIndex: seal.index(cpf, 'users.cpf'),
    crm,
    locale: localeOf(wish.locale ?? 'pt-BR'),
    timezone: zoneOf(wish.timezone ?? 'America/Sao_Paulo')
  } as const
  await requireStrong(wish.password, { name: fields.name, email, cpf, crm })
  await refuseTaken(needs, fields, client, now)
  const passwordHash = await passwords.hash(wish.password)
  const approval = crm === null ? null : doctorApproval === 'auto' ? 'approved' : 'pending'
  const account = await transaction(sql, async (tx) => {
    const made = await insertAccount(tx, {
      ...fields,
      id,
      role: crm === null ? 'patient' : 'doctor',
      nameFolded: fold(fields.name),
      emailVerified: false,
      cpfSealed: seal.seal(cpf, sealedFor(id, 'cpf')),
      phoneSealed: phone && seal.seal(phone, sealedFor(id, 'phone')),
      approval,
      passwordHash,
      verifyBy: emailVerification === 'required' ? new Date(now.add({ hours: 24 * VERIFY_WITHIN_DAYS }).epochMilliseconds) : null,
      now: new Date(now.epochMilliseconds)
    })
    await announce(tx, 'healthmed.user.registered.v1', id, snapshotOf(made))
    await askToVerify(tx, seal, id, now)
    await record(tx, { actorId: id, action: 'registered' }, now)
    return made
  })
  return userOf(account, seal)
}

type Claimed = { email: string; cpfIndex: string; crm: string | null }

/** Says what is taken before any work is done; each such answer counts, since it tells who has an account. */
async function refuseTaken({ sql, seal }: Needs, { email, cpfIndex, crm }: Claimed, client: Client, now: Temporal.Instant) {
  // on nobody: it is the address alone that has to wait
  const attempt = attemptOn(seal, 'registration', { nobody: crypto.randomUUID() }, client)
  const lock = await lockOf(sql, attempt, now)
  if (lock) throw tooMany(lock)
  const taken = await maybeOne<{ code: 'email_taken' | 'cpf_taken' | 'crm_taken' }>(
    sql,
    SQL`select 'email_taken' as code from users where email = ${email}
        union all select 'cpf_taken' from users where cpf_index = ${cpfIndex}
        union all select 'crm_taken' from users where crm = ${crm}::text and approval <> 'rejected' limit 1`
  )
  if (!taken) return
  await countFailure(sql, attempt, now)
  throw new Problem(taken.code)
}
