import { type Static, t } from 'elysia'
import { eg, IdOf, LocalDate, LocalTime, Reason } from '#platform/http/schema'
import { SlotMinutes } from '../doctors/model.ts'

const Rule = t.Object(
  {
    weekday: t.Number({ multipleOf: 1, minimum: 1, maximum: 7, examples: [1], description: 'ISO: 1 is Monday, 7 Sunday' }),
    start: eg(LocalTime, '08:00', 'In the zone of the profile'),
    end: eg(LocalTime, '17:00', 'When the last visit ends at the latest; `24:00` is midnight'),
    validFrom: t.Optional(eg(LocalDate, '2027-01-04', 'The first day of the rule; always where it is left out')),
    validUntil: t.Optional(eg(LocalDate, '2027-12-17', 'The last day of the rule; for ever where it is left out'))
  },
  { additionalProperties: false }
)

/** Weekly hours, replaced as a whole; `slotMinutes` is the length of a visit. */
export const ScheduleInput = t.Object(
  { slotMinutes: SlotMinutes, rules: t.Array(Rule, { maxItems: 200 }) },
  { additionalProperties: false }
)
export type ScheduleInput = Static<typeof ScheduleInput>

/** The weekly hours; `slotMinutes` is null until they are published. */
export const Schedule = t.Object({
  slotMinutes: t.Union([SlotMinutes, t.Null()], { description: 'Null until hours are published' }),
  rules: t.Array(Rule)
})
const Conflicts = t.Array(IdOf('appointment'), { description: 'Appointments ahead that now lie outside of the hours' })
/** The published hours, and the appointments of the future that now lie outside of them. */
export const Published = t.Object({ slotMinutes: SlotMinutes, rules: t.Array(Rule), conflicts: Conflicts })

/** Days, both included, on which the doctor is away or is there besides; without times the whole day. */
export const ExceptionInput = t.Object(
  {
    kind: t.Union([t.Literal('closed'), t.Literal('open')], { description: 'Away, or there besides the weekly hours' }),
    from: eg(LocalDate, '2027-02-08', 'The first day, in the zone of the profile'),
    to: eg(LocalDate, '2027-02-10', 'The last day, included'),
    start: t.Optional(eg(LocalTime, '13:00', 'On each of the days; without times the whole day')),
    end: t.Optional(eg(LocalTime, '17:00', 'Given with `start` or not at all')),
    reason: t.Optional(eg(Reason, 'Congress', 'For the doctor alone'))
  },
  { additionalProperties: false }
)
export type ExceptionInput = Static<typeof ExceptionInput>

/** An exception as it is kept. */
export const ExceptionOut = t.Object({
  id: IdOf('exception'),
  ...ExceptionInput.properties,
  // what was kept before a rule for text existed is answered as it is
  reason: t.Optional(t.String({ examples: ['Congress'], description: 'For the doctor alone' }))
})
/** The same with the appointments of the future that now lie outside of the hours. */
export const ExceptionMade = t.Object({ ...ExceptionOut.properties, conflicts: Conflicts })
