import { Problem } from '#platform/problem'
import { isCommon } from './common.ts'

const MIN = 12
const MAX = 128
/** A local part shorter than this is in too many passwords by chance. */
const TELLING = 3

/**
 * NIST SP 800-63B-4, 3.1.1.2: 12 to 128 characters (code points), no rules of composition, none that many people use, and not with the
 * local part of the person's own address in it. Throws `weak_password`, which says why.
 */
export function requireStrong(password: string, email: string): void {
  const length = [...password.normalize('NFKC')].length
  if (length < MIN) throw new Problem('weak_password', `Use at least ${MIN} characters; a short sentence does well`)
  if (length > MAX) throw new Problem('weak_password', `Use at most ${MAX} characters`)
  const local = email.slice(0, email.lastIndexOf('@')).toLowerCase()
  if (local.length >= TELLING && password.toLowerCase().includes(local)) {
    throw new Problem('weak_password', 'The password may not contain the name of your e-mail address')
  }
  if (isCommon(password)) throw new Problem('weak_password', 'Many people use this password, so it is guessed first')
}
