import { type Static, t } from 'elysia'
import { Instant, Money, TimeZone, Uuid } from '#platform/schema'

/** A doctor as anybody sees them. */
export const Doctor = t.Object({
  id: Uuid,
  name: t.String(),
  crm: t.String({ examples: ['123456-SP'] }),
  specialties: t.Array(t.String()),
  price: Money,
  bio: t.Optional(t.String()),
  timezone: TimeZone,
  slotMinutes: t.Number(),
  nextSlot: t.Union([Instant, t.Null()])
})
export type Doctor = Static<typeof Doctor>

const minutes = (maximum: number) => t.Number({ multipleOf: 1, minimum: 0, maximum })

/** What a doctor publishes about the practice; minutes, and days for the booking window. */
export const ProfileWish = t.Object(
  {
    specialties: t.Array(t.String({ maxLength: 64 }), { minItems: 1, maxItems: 5, uniqueItems: true, examples: [['cardiologia']] }),
    price: Money,
    bio: t.Optional(t.String({ maxLength: 2000 })),
    timezone: TimeZone,
    minNoticeMinutes: t.Optional(minutes(60 * 24 * 30)),
    bookingWindowDays: t.Optional(t.Number({ multipleOf: 1, minimum: 1, maximum: 365 })),
    bufferMinutes: t.Optional(minutes(240)),
    cancellationNoticeMinutes: t.Optional(minutes(60 * 24 * 30)),
    answerWithinMinutes: t.Optional(t.Number({ multipleOf: 1, minimum: 5, maximum: 60 * 24 * 30 })),
    autoConfirm: t.Optional(t.Boolean())
  },
  { additionalProperties: false }
)
export type ProfileWish = Static<typeof ProfileWish>

/** The profile with every standard filled in; `price` is null until one is set. */
export const Profile = t.Object({
  specialties: t.Array(t.String()),
  price: t.Union([Money, t.Null()]),
  bio: t.Optional(t.String()),
  timezone: TimeZone,
  minNoticeMinutes: t.Number(),
  bookingWindowDays: t.Number(),
  bufferMinutes: t.Number(),
  cancellationNoticeMinutes: t.Number(),
  answerWithinMinutes: t.Number(),
  autoConfirm: t.Boolean()
})
export type Profile = Static<typeof Profile>

/** Lower case without accents: what a search compares. */
export const fold = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()
