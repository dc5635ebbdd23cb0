import { type About, about } from '#platform/docs/about'
import type { example } from './model.ts'

/** The words of a booking or a change, which all honour `Idempotency-Key`. */
export const writing = (words: About) =>
  about({
    ...words,
    problems: [...(words.problems ?? []), 'idempotency_key_reused', 'idempotency_in_progress'],
    takes: ['Idempotency-Key', ...(words.takes ?? [])],
    gives: ['ETag', ...(words.gives ?? [])]
  })
/** The same of a change of what is there. */
export const changing = (words: About) =>
  writing({
    answer: 'The appointment as it is now',
    ...words,
    problems: ['appointment_not_found', 'invalid_transition', 'too_late', 'version_conflict', ...(words.problems ?? [])],
    takes: ['If-Match']
  })

/** What is different of the example after a change. */
export const exampleAfter = (status: string, more: Partial<typeof example> & { statusReason?: string } = {}) => ({
  status,
  version: 2,
  updatedAt: '2027-01-04T12:15:00Z',
  ...more
})
