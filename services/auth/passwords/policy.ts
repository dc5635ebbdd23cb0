import { Problem } from '#platform/http/problem'
import { sealedFor } from '../accounts/model.ts'
import type { Account } from '../accounts/queries.ts'
import type { Seal } from '../privacy/seal.ts'
import { guessesFor } from './estimate.ts'

const MIN = 12
const MAX = 128
/** A local part shorter than this is in too many passwords by chance. */
const TELLING = 3
/** zxcvbn's highest score begins here: out of reach even for somebody who has stolen the hashes and knows how people choose. */
const ENOUGH_GUESSES = 1e10

/** What an attacker may know of the person whose password it is. */
export type Known = { email: string; name: string; cpf: string | null; crm: string | null }

/** See `Known`. */
export const knownOf = ({ id, email, name, cpfSealed, crm }: Account, seal: Seal): Known => ({
  email,
  name,
  cpf: cpfSealed && seal.open(cpfSealed, sealedFor(id, 'cpf')),
  crm
})

/**
 * NIST SP 800-63B-4, 3.1.1.2: 12 to 128 characters (code points), no rules of composition, not with the local part of the person's own address in it, and
 * not easy to guess by zxcvbn's estimate, which knows common passwords, words, names, dates and keys in a row. Throws `weak_password`, which says why.
 */
export async function requireStrong(password: string, known: Known): Promise<void> {
  const normal = password.normalize('NFKC')
  const length = [...normal].length
  if (length < MIN) throw new Problem('weak_password', `Use at least ${MIN} characters; a short sentence does well`)
  if (length > MAX) throw new Problem('weak_password', `Use at most ${MAX} characters`)
  const local = known.email.slice(0, known.email.lastIndexOf('@')).toLowerCase()
  if (local.length >= TELLING && normal.toLowerCase().includes(local)) {
    throw new Problem('weak_password', 'The password may not contain the name of your email address')
  }
  // of the same letters that a dictionary has
  const plain = normal.normalize('NFD').replace(/\p{M}/gu, '')
  if ((await guessesFor(plain, wordsOf(known))) < ENOUGH_GUESSES) {
    throw new Problem('weak_password', 'This password is easy to guess; a sentence of several words is not')
  }
}

/** The words of a person, in the spellings in which they come into passwords. */
function wordsOf({ email, name, cpf, crm }: Known): string[] {
  const plain = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
  const names = plain(name).split(/[^\p{L}\p{N}]+/u)
  const parts = email.split(/[^\p{L}\p{N}]+/u)
  const numbers = cpf ? [cpf, cpf.replace(/^(...)(...)(...)(..)$/, '$1.$2.$3-$4'), cpf.slice(0, 9)] : []
  const words = [...names, names.join(''), email, ...parts, ...numbers, crm ?? '', crm?.replace(/\D/g, '') ?? '']
  return [...new Set(words)].filter((word) => word.length >= TELLING)
}
