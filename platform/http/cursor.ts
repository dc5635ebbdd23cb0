import { invalid, isUuid } from './schema.ts'

/** What each part of a cursor must be before it may reach a column of that type. */
const parts = {
  uuid: isUuid,
  text: (part: unknown): part is string => typeof part === 'string' && !part.includes('\0') && part.isWellFormed(),
  instant: (part: unknown): part is string => typeof part === 'string' && /^\d{4}-.*T.*Z$/.test(part) && exists(part),
  date: (part: unknown): part is string => typeof part === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(part) && exists(`${part}T00:00:00Z`),
  int4: (part: unknown): part is number => Number.isInteger(part) && Math.abs(part as number) <= 2 ** 31 - 1,
  /** A number that no column is compared with. */
  number: (part: unknown): part is number => Number.isSafeInteger(part)
} as const

/** Whether an instant exists for PostgreSQL, too, which knows no year 0. Dates that are stored may be outside of the range of what comes in now. */
function exists(instant: string): boolean {
  try {
    return Temporal.Instant.from(instant) && !instant.startsWith('0000')
  } catch {
    return false
  }
}

type Part = keyof typeof parts
type Value<Kind extends Part> = Kind extends 'int4' | 'number' ? number : string
/** The values that a cursor holds. */
export type Position<Kinds extends readonly Part[]> = { -readonly [Index in keyof Kinds]: Value<Kinds[Index]> }

/** The cursors of one list: opaque to clients, base64url of the name of the list and of what its next page needs to know. */
export type Cursors<Kinds extends readonly Part[]> = {
  encode: (position: Position<Kinds>) => string
  /** Throws `validation_failed` for what is no cursor of this list, or was changed so that its parts are of another type. */
  decode: (cursor: string) => Position<Kinds>
}

/** The only way to make and read cursors. `list` names the list and its order: a cursor of one is none of another. */
export const cursorsOf = <const Kinds extends readonly Part[]>(list: string, ...kinds: Kinds): Cursors<Kinds> => ({
  encode: (position) => Buffer.from(JSON.stringify([list, ...position])).toString('base64url'),
  decode: (cursor) => {
    const [name, ...position] = readList(cursor)
    const isOurs = name === list && position.length === kinds.length && kinds.every((kind, index) => parts[kind](position[index]))
    if (!isOurs) throw invalid('/cursor', 'is not a cursor of this list')
    return position as Position<Kinds>
  }
})

function readList(cursor: string): unknown[] {
  try {
    const read: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(read) ? read : []
  } catch {
    return []
  }
}
