import { type Static, t } from 'elysia'
import { Crm, eg, IdOf, Instant, Money, PersonName, PlainText, SpecialtyCode, TimeZone } from '#platform/http/schema'

const Bio = t.String({ examples: ['Twenty years of cardiology; I also speak English.'] })
const NewBio = PlainText(0, 2000, 'Twenty years of cardiology; I also speak English.')
/** How long a visit is. */
export const SlotMinutes = t.Number({ multipleOf: 1, minimum: 5, maximum: 480, examples: [30], description: 'How long a visit is' })
/** The name of the doctor of every example. */
export const DoctorName = eg(PersonName, 'Beatriz Nogueira')

/** A doctor as anybody sees them. */
export const Doctor = t.Object({
  id: IdOf('doctor'),
  name: DoctorName,
  crm: Crm,
  specialties: t.Array(SpecialtyCode),
  price: Money,
  bio: t.Optional(Bio),
  timezone: eg(TimeZone, 'America/Sao_Paulo', 'Where the visits are'),
  slotMinutes: SlotMinutes,
  nextSlot: t.Union([Instant, t.Null()], {
    description: 'The start of the next free slot; null where there is none to the end of the booking window'
  })
})
export type Doctor = Static<typeof Doctor>

const whole = (minimum: number, maximum: number, example: number, description: string) =>
  t.Number({ multipleOf: 1, minimum, maximum, examples: [example], description })
const DAYS_30 = 60 * 24 * 30
/** What a doctor may leave at its standard. */
const rules = {
  minNoticeMinutes: whole(0, DAYS_30, 60, 'How long before its start a slot can be booked at the latest; standard 60'),
  bookingWindowDays: whole(1, 365, 90, 'How many days ahead slots are offered; standard 90'),
  bufferMinutes: whole(0, 240, 10, 'Kept free before and after each visit; standard 0'),
  cancellationNoticeMinutes: whole(
    0,
    DAYS_30,
    1440,
    'How long before its start a patient may cancel or move a visit at the latest; standard 0'
  ),
  answerWithinMinutes: whole(5, DAYS_30, 1440, 'After so long a request that nobody has answered expires; standard 1440'),
  autoConfirm: t.Boolean({ examples: [false], description: 'Whether bookings are confirmed at once; standard false' })
}

/** What a doctor publishes about the practice; minutes, and days for the booking window. */
export const ProfileWish = t.Object(
  {
    specialties: t.Array(SpecialtyCode, { minItems: 1, maxItems: 5, uniqueItems: true }),
    price: Money,
    bio: t.Optional(NewBio),
    timezone: TimeZone,
    minNoticeMinutes: t.Optional(rules.minNoticeMinutes),
    bookingWindowDays: t.Optional(rules.bookingWindowDays),
    bufferMinutes: t.Optional(rules.bufferMinutes),
    cancellationNoticeMinutes: t.Optional(rules.cancellationNoticeMinutes),
    answerWithinMinutes: t.Optional(rules.answerWithinMinutes),
    autoConfirm: t.Optional(rules.autoConfirm)
  },
  { additionalProperties: false }
)
export type ProfileWish = Static<typeof ProfileWish>

/** The profile with every standard filled in; `price` is null until one is set. */
export const Profile = t.Object({
  specialties: t.Array(SpecialtyCode),
  price: t.Union([Money, t.Null()], { description: 'Null until one is set' }),
  bio: t.Optional(Bio),
  timezone: TimeZone,
  ...rules
})
export type Profile = Static<typeof Profile>

/** Lower case without accents: what a search compares. */
export const fold = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()
