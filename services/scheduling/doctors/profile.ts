import SQL from 'sql-template-strings'
import { type Db, maybeOne, one, run, type Sql, transaction } from '#platform/data/db'
import { invalid, requireCurrency, zoneOf } from '#platform/http/schema'
import type { Caller } from '#platform/identity/caller'
import { requireActive } from '../people/active.ts'
import { fold, type Profile, type ProfileWish } from './model.ts'
import { isSpecialty } from './specialties.ts'

type Row = Omit<Profile, 'price' | 'bio'> & { priceAmount: number | null; priceCurrency: string | null; bio: string | null }

const profileOf = ({ priceAmount, priceCurrency, bio, ...rest }: Row): Profile => ({
  ...rest,
  price: priceAmount === null || priceCurrency === null ? null : { amount: priceAmount, currency: priceCurrency },
  ...(bio !== null && { bio })
})

/** Makes the row of a doctor who calls before the event of the registration has arrived: name from the token, the rest as auth will tell. */
export const ensureDoctor = (db: Db, { id, name }: Pick<Caller, 'id' | 'name'>) =>
  run(db, SQL`insert into doctors (id, name, name_folded) values (${id}, ${name}, ${fold(name)}) on conflict do nothing`)

/** The caller's own profile. */
export async function readProfile(sql: Sql, doctor: Caller): Promise<Profile> {
  const find = () =>
    maybeOne<Row>(
      sql,
      SQL`select specialties, price_amount, price_currency, bio, timezone, min_notice_minutes, booking_window_days, buffer_minutes,
                 cancellation_notice_minutes, answer_within_minutes, auto_confirm
            from doctors where id = ${doctor.id}`
    )
  const known = await find()
  if (known) return profileOf(known)
  await transaction(sql, async (tx) => {
    await requireActive(tx, doctor)
    await ensureDoctor(tx, doctor)
  })
  return profileOf((await find()) as Row)
}

const DAY_MINUTES = 1_440

/** Replaces the caller's profile; what is left out takes its standard. Throws `invalid_timezone`, `validation_failed`. */
export async function writeProfile(sql: Sql, doctor: Caller, wish: ProfileWish): Promise<Profile> {
  const unknown = wish.specialties.findIndex((code) => !isSpecialty(code))
  if (unknown >= 0) throw invalid(`/specialties/${unknown}`, 'is not the code of a specialty')
  requireCurrency(wish.price.currency, '/price/currency')
  const { minNoticeMinutes = 60, bookingWindowDays = 90 } = wish
  // else no slot could ever be booked
  if (minNoticeMinutes > bookingWindowDays * DAY_MINUTES) throw invalid('/minNoticeMinutes', 'must not exceed bookingWindowDays')
  const zone = zoneOf(wish.timezone)
  return transaction(sql, async (tx) => {
    await requireActive(tx, doctor)
    await ensureDoctor(tx, doctor)
    const row = await one<Row>(
      tx,
      SQL`update doctors
             set specialties = ${wish.specialties}, price_amount = ${wish.price.amount}, price_currency = ${wish.price.currency},
                 bio = ${wish.bio ?? null}, timezone = ${zone}, min_notice_minutes = ${minNoticeMinutes},
                 booking_window_days = ${bookingWindowDays}, buffer_minutes = ${wish.bufferMinutes ?? 0},
                 cancellation_notice_minutes = ${wish.cancellationNoticeMinutes ?? 0},
                 answer_within_minutes = ${wish.answerWithinMinutes ?? 1440}, auto_confirm = ${wish.autoConfirm ?? false},
                 schedule_version = schedule_version + 1
           where id = ${doctor.id}
       returning specialties, price_amount, price_currency, bio, timezone, min_notice_minutes, booking_window_days, buffer_minutes,
                 cancellation_notice_minutes, answer_within_minutes, auto_confirm`
    )
    await dropBuffers(tx, doctor.id, row.bufferMinutes)
    return profileOf(row)
  })
}

/** A smaller buffer is smaller after what is booked already, too. A larger one is kept by the slots: moving ranges apart could fail. */
const dropBuffers = (tx: Db, doctorId: string, bufferMinutes: number) =>
  run(
    tx,
    SQL`update appointments set doctor_during = tstzrange(lower(during), upper(during) + make_interval(mins => ${bufferMinutes}::int))
         where doctor_id = ${doctorId}::uuid and status in ('held', 'requested', 'confirmed')
           and upper(doctor_during) > upper(during) + make_interval(mins => ${bufferMinutes}::int)`
  )
