import { jwt } from '@elysiajs/jwt'
import { exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import SQL from 'sql-template-strings'
import { type Db, maybeOne, rows, run, type Sql, transaction } from '#platform/data/db'
import { AUDIENCE, ISSUER, TOKEN_TYPE } from '#platform/identity/caller'
import { describeError, log } from '#platform/setup/log'
import type { Account } from '../accounts/queries.ts'
import { record } from '../audit/record.ts'
import type { Seal } from '../privacy/seal.ts'

/** How long an access token runs, in seconds. */
export const ACCESS_SECONDS = 600
/** A new key signs only when every gateway has had the time to learn it: they ask once a minute. */
const OVERLAP = { minutes: 2 } as const
const REFRESH_MS = 15_000

type Row = { kid: string; publicJwk: JWK; privateSealed: string; signsFrom: Date; retiredAt: Date | null }
type Signing = { kid: string; signsFrom: number; sign: (claims: Record<string, string | number | boolean>) => Promise<string> }

/** The keys that tokens are signed with. */
export type KeyRing = {
  /** An access token of a session, RFC 9068. With `mustEnrol` it is good for the own account alone, until a second factor is enrolled. */
  accessToken: (account: Account, sid: string, now: Temporal.Instant, mustEnrol?: boolean) => Promise<string>
  /** The public keys, RFC 7517. */
  keySet: () => { keys: JWK[] }
  keyFor: (header: { kid?: string }) => Promise<CryptoKey>
  refresh: () => Promise<void>
  stop: () => void
}

/** Opens the keys of all replicas; the first replica ever makes the first one. */
export async function openKeys(sql: Sql, seal: Seal, clock: () => Temporal.Instant): Promise<KeyRing> {
  await transaction(sql, async (tx) => {
    await lockKeys(tx)
    if ((await liveKeys(tx)).length === 0) await makeKey(tx, seal, clock(), clock())
  })
  let signing: Signing[] = []
  let published: JWK[] = []
  const known = new Map<string, CryptoKey>()
  const refresh = async () => {
    const live = await liveKeys(sql)
    signing = await Promise.all(live.map((row) => signing.find(({ kid }) => kid === row.kid) ?? signerOf(row, seal)))
    for (const kid of known.keys()) if (!live.some((row) => row.kid === kid)) known.delete(kid)
    for (const { kid, publicJwk } of live) if (!known.has(kid)) known.set(kid, (await importJWK(publicJwk, 'EdDSA')) as CryptoKey)
    published = live.map(({ publicJwk }) => publicJwk)
  }
  await refresh()
  const timer = setInterval(
    () => refresh().catch((error) => log.warn(describeError(error), 'the keys could not be read again')),
    REFRESH_MS
  )

  return {
    accessToken: (account, sid, now, mustEnrol) => {
      const key = signing.findLast(({ signsFrom }) => signsFrom <= now.epochMilliseconds) ?? signing[0]
      if (!key) throw new Error('there is no signing key')
      const { id: sub, role, name, emailVerified, approval } = account
      const exp = Math.floor(now.epochMilliseconds / 1000) + ACCESS_SECONDS
      // only where they take something away: a rejected doctor, and a person who must enrol, have no more than the own account
      const marks = { ...(approval === 'rejected' && { approval }), ...(mustEnrol && { enrol: true }) }
      return key.sign({ sub, sid, role, name, email_verified: emailVerified, exp, ...marks })
    },
    keySet: () => ({ keys: published }),
    keyFor: async ({ kid }) => {
      const key = known.get(kid ?? '')
      if (!key) throw new Error('there is no such key')
      return key
    },
    refresh,
    stop: () => clearInterval(timer)
  }
}

/** Adds a key that will sign from two minutes on; the ones before go on being trusted. */
export const rotate = (sql: Sql, seal: Seal, now: Temporal.Instant) =>
  transaction(sql, async (tx) => {
    await lockKeys(tx)
    const kid = await makeKey(tx, seal, now, now.add(OVERLAP))
    await record(tx, { actorId: null, action: 'key_rotated' }, now)
    return kid
  })

/** Takes every key out of the set that has not signed for longer than a token runs; gives their ids. The newest always stays. */
export const retire = (sql: Sql, now: Temporal.Instant) =>
  transaction(sql, async (tx) => {
    await lockKeys(tx)
    const live = await liveKeys(tx)
    const safe = now.subtract({ seconds: ACCESS_SECONDS + 60 }).epochMilliseconds
    // a key stopped signing when the next one began to
    const old = live.filter((_, index) => (live[index + 1]?.signsFrom.getTime() ?? Number.POSITIVE_INFINITY) < safe).map(({ kid }) => kid)
    await run(tx, SQL`update signing_keys set retired_at = ${new Date(now.epochMilliseconds)} where kid = any(${old}::text[])`)
    for (const _ of old) await record(tx, { actorId: null, action: 'key_retired' }, now)
    return old
  })

const lockKeys = (tx: Db) => run(tx, SQL`select pg_advisory_xact_lock(hashtext('auth signing keys'))`)

const liveKeys = (db: Db) =>
  rows<Row>(db, SQL`select kid, public_jwk, private_sealed, signs_from from signing_keys where retired_at is null order by signs_from, kid`)

async function makeKey(tx: Db, seal: Seal, now: Temporal.Instant, signsFrom: Temporal.Instant): Promise<string> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const kid = Bun.randomUUIDv7()
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: 'EdDSA', use: 'sig' }
  const sealed = seal.seal(JSON.stringify(await exportJWK(privateKey)), `signing_keys.${kid}`)
  await maybeOne(
    tx,
    SQL`insert into signing_keys (kid, public_jwk, private_sealed, created_at, signs_from)
        values (${kid}, ${publicJwk}, ${sealed}, ${new Date(now.epochMilliseconds)}, ${new Date(signsFrom.epochMilliseconds)})`
  )
  return kid
}

async function signerOf({ kid, privateSealed, signsFrom }: Row, seal: Seal): Promise<Signing> {
  const secret = (await importJWK(JSON.parse(seal.open(privateSealed, `signing_keys.${kid}`)), 'EdDSA')) as CryptoKey
  const { sign } = jwt({ secret, alg: 'EdDSA', kid, typ: TOKEN_TYPE, iss: ISSUER, aud: AUDIENCE }).decorator.jwt
  return { kid, signsFrom: signsFrom.getTime(), sign: (claims) => sign(claims) }
}
