import { createHash, randomInt } from 'node:crypto'
import { generateSecret, generateURI, verify } from 'otplib'
import SQL from 'sql-template-strings'
import { type Db, maybeOne, run } from '#platform/data/db'
import { sealedFor } from '../accounts/model.ts'
import type { Seal } from '../privacy/seal.ts'

const STEP_SECONDS = 30
const RECOVERY_CODES = 10
// no letter or digit that is mistaken for another
const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz'

/** A new TOTP secret (RFC 6238, base32) with the address that authenticator programs read. */
export function newTotp(label: string): { secret: string; otpauthUri: string } {
  const secret = generateSecret()
  return { secret, otpauthUri: generateURI({ issuer: 'Health&Med', label, secret }) }
}

/** Ten codes of 50 bits, each for one log-in without the authenticator. */
export function newRecoveryCodes(): string[] {
  const part = () => Array.from({ length: 5 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  return Array.from({ length: RECOVERY_CODES }, () => `${part()}-${part()}`)
}

/** What is stored of a recovery code, bound to its person. */
export const recoveryHash = (userId: string, code: string) =>
  createHash('sha256')
    .update(`${userId}\0${code.toLowerCase().replace(/[^a-z0-9]/g, '')}`)
    .digest('base64url')

type Row = { secretSealed: string; lastStep: number }

/**
 * Uses up a TOTP code of the person (one step of clock drift either way), pending or active. A code, or one older than the last taken, works no
 * second time: the row is locked, so not even at once.
 */
export async function useTotp(tx: Db, seal: Seal, userId: string, code: string, now: Temporal.Instant): Promise<boolean> {
  const row = await maybeOne<Row>(tx, SQL`select secret_sealed, last_step from totp where user_id = ${userId} for update`)
  const token = code.replace(/\s/g, '')
  if (!row || !/^\d{6}$/.test(token)) return false
  const epoch = Math.floor(now.epochMilliseconds / 1000)
  const secret = seal.open(row.secretSealed, sealedFor(userId, 'totp'))
  const result = await verify({ strategy: 'totp', secret, token, epoch, epochTolerance: STEP_SECONDS })
  if (!result.valid || !('timeStep' in result) || result.timeStep <= row.lastStep) return false
  await run(tx, SQL`update totp set last_step = ${result.timeStep}::bigint where user_id = ${userId}`)
  return true
}

/** Uses up a recovery code. */
export const useRecoveryCode = async (tx: Db, userId: string, code: string, now: Temporal.Instant): Promise<boolean> =>
  (await run(
    tx,
    SQL`update recovery_codes set used_at = ${new Date(now.epochMilliseconds)}
         where user_id = ${userId} and code_hash = ${recoveryHash(userId, code)} and used_at is null`
  )) === 1
