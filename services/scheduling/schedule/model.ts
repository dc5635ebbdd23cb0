import { type Static, t } from 'elysia'
import { LocalDate, LocalTime, Reason, Uuid } from '#platform/schema'

const Rule = t.Object(
  {
    weekday: t.Number({ multipleOf: 1, minimum: 1, maximum: 7, examples: [1] }),
    start: LocalTime,
    end: LocalTime,
    validFrom: t.Optional(LocalDate),
    validUntil: t.Optional(LocalDate)
  },
  { additionalProperties: false }
)

/** Weekly hours, replaced as a whole; `slotMinutes` is the length of a visit. */
export const ScheduleWish = t.Object(
  { slotMinutes: t.Number({ multipleOf: 1, minimum: 5, maximum: 480, examples: [30] }), rules: t.Array(Rule, { maxItems: 200 }) },
  { additionalProperties: false }
)
export type ScheduleWish = Static<typeof ScheduleWish>

/** The weekly hours; `slotMinutes` is null until they are published. */
export const Schedule = t.Object({ slotMinutes: t.Union([t.Number(), t.Null()]), rules: t.Array(Rule) })
/** The published hours, and the appointments of the future that now lie outside of them. */
export const Published = t.Object({ slotMinutes: t.Number(), rules: t.Array(Rule), conflicts: t.Array(Uuid) })

/** Days, both included, on which the doctor is away or is there besides; without times the whole day. */
export const ExceptionWish = t.Object(
  {
    kind: t.Union([t.Literal('closed'), t.Literal('open')]),
    from: LocalDate,
    to: LocalDate,
    start: t.Optional(LocalTime),
    end: t.Optional(LocalTime),
    reason: t.Optional(Reason)
  },
  { additionalProperties: false }
)
export type ExceptionWish = Static<typeof ExceptionWish>

/** An exception as it is kept. */
export const ExceptionOut = t.Object({ id: Uuid, ...ExceptionWish.properties })
/** The same with the appointments of the future that now lie outside of the hours. */
export const ExceptionMade = t.Object({ ...ExceptionOut.properties, conflicts: t.Array(Uuid) })
