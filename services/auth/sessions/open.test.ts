import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { one, rows, run, transaction } from '#platform/data/db'
import { type Account, findAccount } from '../accounts/queries.ts'
import { attemptOn } from '../attempts/throttle.ts'
import { type Rig, rigOf } from '../testing/testing.ts'
import type { Tokens } from './model.ts'
import { openIfProven, type Visit } from './open.ts'

let rig: Rig
beforeAll(async () => {
  rig = await rigOf()
})
afterAll(() => rig?.stop())

const client = { address: '198.51.100.20', userAgent: 'test' }
const open = (visit: Visit) => openIfProven(rig.sql, { ...rig, requireMfa: [] }, visit)
/** Somebody who has shown a right password. */
async function visitor(from = client): Promise<Visit> {
  const { id } = await rig.person()
  return {
    account: (await findAccount(rig.sql, id)) as Account,
    client: from,
    attempt: attemptOn(rig.seal, 'login', { id }, from),
    hasSecondFactor: false,
    now: rig.now()
  }
}
const visitors = (count: number) => Promise.all(Array.from({ length: count }, () => visitor()))
const fail = (subject: string, times: number) =>
  run(
    rig.sql,
    SQL`insert into failed_attempts (subject, at) select ${subject}, ${new Date(rig.now().epochMilliseconds)}::timestamptz from generate_series(1, ${times}::int)`
  )
const failures = async ({ attempt }: Visit) =>
  (await rows(rig.sql, SQL`select 1 from failed_attempts where subject = ${attempt.pair}`)).length
const traces = ({ account: { id } }: Visit) =>
  rows(
    rig.sql,
    SQL`select id::text from sessions where user_id = ${id} union all select seq::text from audit where subject_id = ${id} order by 1`
  )
const claimsOf = (tokens: Tokens | undefined): { sub?: string; sid?: string } =>
  tokens ? JSON.parse(Buffer.from(tokens.accessToken.split('.')[1] ?? '', 'base64url').toString()) : {}

test('sessions that are opened at the same time share a commit, and each is its own: tokens, audit, failures that are forgotten', async () => {
  const [first, ...others] = await visitors(5)
  await fail((first as Visit).attempt.pair, 9)
  await fail((others[0] as Visit).attempt.address, 3)
  const all = [first as Visit, ...others]
  const tokens = await Promise.all(all.map(open))
  const sids = tokens.map((each) => claimsOf(each).sid ?? '')
  const { commits } = await one<{ commits: number }>(
    rig.sql,
    SQL`select count(distinct xmin::text) as commits from sessions where id = any(${sids}::uuid[])`
  )
  expect(commits).toBe(1)
  for (const [index, visit] of all.entries()) {
    expect(claimsOf(tokens[index]).sub).toBe(visit.account.id)
    const refreshed = await rig.post<{ user: { id: string } }>('/v1/auth/refresh', { refreshToken: tokens[index]?.refreshToken })
    expect(refreshed.body.user.id).toBe(visit.account.id)
    const told = SQL`select action, subject_id, session_id from audit where actor_id = ${visit.account.id} order by seq desc limit 1`
    expect(await one<object>(rig.sql, told)).toEqual({ action: 'logged_in', subjectId: visit.account.id, sessionId: sids[index] ?? '' })
    expect(await failures(visit)).toBe(0)
  }
  expect(await rows(rig.sql, SQL`select 1 from failed_attempts`)).toHaveLength(3)
})

test('nobody gets in with company whose proof is worth nothing any more, and nobody waits for somebody who is being changed', async () => {
  const [fine, password, version, disabled, twoSteps, guessed, changing] = (await visitors(7)) as [
    Visit,
    Visit,
    Visit,
    Visit,
    Visit,
    Visit,
    Visit
  ]
  const elsewhere = await visitor({ ...client, address: '198.51.100.66' })
  const change = (visit: Visit, what: ReturnType<typeof SQL>) =>
    SQL`update users set `.append(what).append(SQL` where id = ${visit.account.id}`)
  await run(rig.sql, change(password, SQL`password_hash = 'another'`))
  await run(rig.sql, change(version, SQL`version = version + 1`))
  await run(rig.sql, change(disabled, SQL`disabled = true`))
  const since = new Date(rig.now().epochMilliseconds)
  await run(
    rig.sql,
    SQL`insert into totp (user_id, secret_sealed, created_at, activated_at) values (${twoSteps.account.id}, 'x', ${since}, ${since})`
  )
  await fail(guessed.attempt.pair, 10)
  await fail(elsewhere.attempt.address, 50)
  const refused = [password, version, disabled, twoSteps, guessed, elsewhere, changing]
  const before = await Promise.all(refused.map(traces))
  const opened = await transaction(rig.sql, async (tx) => {
    await run(tx, change(changing, SQL`name = 'Outro'`))
    // before the change is over: who waited for it would never get here
    return Promise.all([fine, ...refused].map(open))
  })
  expect(opened.map((tokens) => claimsOf(tokens).sub)).toEqual([fine.account.id, ...refused.map(() => undefined)])
  expect(await Promise.all(refused.map(traces))).toEqual(before)
  expect(await failures(guessed)).toBe(10)
})

test('nine failures of a person or 49 of an address do not keep a right password out, nor do ten that are 15 minutes old', async () => {
  const [nearly, old] = (await visitors(2)) as [Visit, Visit]
  const elsewhere = await visitor({ ...client, address: '198.51.100.67' })
  await fail(old.attempt.pair, 10)
  rig.pass({ minutes: 15, seconds: 1 })
  await fail(nearly.attempt.pair, 9)
  await fail(elsewhere.attempt.address, 49)
  const opened = await Promise.all([nearly, old, elsewhere].map((visit) => open({ ...visit, now: rig.now() })))
  expect(opened.filter(Boolean)).toHaveLength(3)
})

test('one who spoils the statement leaves nothing, and no company without an answer: each may try alone', async () => {
  const [spoiler, other] = (await visitors(2)) as [Visit, Visit]
  const before = await traces(other)
  // what PostgreSQL takes from nobody
  expect(await Promise.all([{ ...spoiler, client: { ...client, userAgent: '\0' } }, other].map(open))).toEqual([undefined, undefined])
  expect(await traces(other)).toEqual(before)
  expect(claimsOf(await open(other)).sub).toBe(other.account.id)
})
