import { describeError, log } from '../setup/log.ts'
import { keyIdOf, type Seal } from './seal.ts'

/*
 * Texts that people wrote, in columns that held them in clear before. A sealed one begins with a mark; one without it was stored by an earlier release
 * and is read as it is, until `reseal.ts` has sealed it.
 */
const MARK = 'sealed:'
const form = /^sealed:[\w-]{8}\.[\w-]{16}\.[\w-]{22}\.[\w-]*$/

/** Whether a stored text is sealed. */
export const isSealedText = (stored: string): boolean => form.test(stored)

/** The id of the key that sealed a stored text; undefined where it is in clear. */
export const textKeyIdOf = (stored: string): string | undefined => (isSealedText(stored) ? keyIdOf(stored.slice(MARK.length)) : undefined)

/** A text as it is stored. */
export const sealText = <T extends string | null>(seal: Seal, text: T, context: string): T =>
  (text === null ? null : MARK + seal.seal(text, context)) as T

/** A stored text in clear. One that does not open is logged and left out: it must not take a whole list with it. */
export function openText(seal: Seal, stored: string | null, context: string): string | null {
  if (stored === null || !isSealedText(stored)) return stored
  try {
    return seal.open(stored.slice(MARK.length), context)
  } catch (error) {
    log.error({ context, ...describeError(error) }, 'a sealed text cannot be opened, it is left out')
    return null
  }
}
