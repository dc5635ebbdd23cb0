import SQL, { type SQLStatement } from 'sql-template-strings'
import { type Db, one } from '#platform/data/db'
import { Problem } from '#platform/http/problem'

/**
 * How many open appointments a patient may have (in all, and with doctors of the specialties of the one asked for), and how many open claims on one
 * doctor may come from one client address.
 */
export type Limits = { perSpecialty: number; inAll: number; perClient?: number }

/** Open claims from one client address for one doctor: holds, bookings and places in the waitlist. */
export const CLAIMS_PER_CLIENT = 10
/** How often one patient may hold the same slot, slots of one doctor, and any slots, in 24 hours. A hold is of 5 minutes. */
const HOLDS_OF_SLOT = 3
const HOLDS_OF_DOCTOR = 10
const HOLDS = 30

/** How often a patient books in an hour, and moves: 20 times, or as often as appointments may be open. In a day it is twice as often. */
export const timesAnHour = ({ inAll }: Limits) => Math.max(20, inAll)

const HOUR_S = 3_600
const DAY_S = 24 * HOUR_S

/** Which limit a claim has reached, and for one that counts over time, when that time began. */
export type Reached = {
  reached: 'open' | 'hour' | 'day' | 'slot' | 'doctor' | 'holds' | 'client' | null
  since: Date | null
}

/** The columns that `reached` and `since` are made of, of a source named `claim`. */
const counts = () => SQL`
  select count(*) filter (where a.status in ('requested', 'confirmed') and lower(a.during) > claim.at) as in_all,
         count(*) filter (where d.specialties && claim.specialties and lower(a.during) > claim.at) as of_specialty,
         count(*) filter (where booked.lately and a.created_at > claim.at - interval '1 hour') as in_hour,
         min(a.created_at) filter (where booked.lately and a.created_at > claim.at - interval '1 hour') as hour_since,
         count(*) filter (where booked.lately) as in_day,
         min(a.created_at) filter (where booked.lately) as day_since,
         count(*) filter (where held.lately) as held,
         min(a.created_at) filter (where held.lately) as held_since,
         count(*) filter (where held.lately and a.doctor_id = claim.doctor_id) as held_of_doctor,
         min(a.created_at) filter (where held.lately and a.doctor_id = claim.doctor_id) as doctor_since,
         count(*) filter (where held.lately and a.doctor_id = claim.doctor_id and lower(a.during) = claim.start_at) as held_of_slot,
         min(a.created_at) filter (where held.lately and a.doctor_id = claim.doctor_id and lower(a.during) = claim.start_at) as slot_since
    from appointments a
         left join doctors d on d.id = a.doctor_id and a.status in ('requested', 'confirmed')
         cross join lateral (select a.status not in ('held', 'released') and a.created_at > claim.at - interval '1 day' as lately) as booked
         cross join lateral (select a.status in ('held', 'released') and a.waitlist_id is null and a.created_at > claim.at - interval '1 day' as lately) as held
   where a.patient_id = claim.patient_id and lower(a.during) > claim.at - interval '1 day'`

/** `of_client`: the open claims on the doctor from the client of a source named `claim`. An offer of the waitlist is a hold, and its place waits no more. */
export const claimsOfClient = (): SQLStatement => SQL`
  select case when claim.client is null then 0 else
           (select count(*) from appointments c
             where c.client = claim.client and c.doctor_id = claim.doctor_id and c.status in ('held', 'requested', 'confirmed')
               and lower(c.during) > claim.at and not (c.status = 'held' and c.expires_at <= claim.at))
         + (select count(*) from waitlist w
             where w.client = claim.client and w.doctor_id = claim.doctor_id and w.status = 'waiting' and w.to_date >= claim.at::date - 1)
         end as of_client`

/**
 * Gives `reached` and `since` of each row of a source named `claim`, which names the claim's patient, doctor, specialties, client, status, start and
 * instant and the limits. Whatever was claimed within a day starts after that day began, so one range of the patient's index is read. Whoever asks holds
 * the locks of `limitLocks`: what is counted stays so.
 */
export const limitReached = (): SQLStatement =>
  SQL`cross join lateral (`
    .append(counts())
    .append(SQL`) as did
    cross join lateral (`)
    .append(claimsOfClient())
    .append(SQL`) as near
    cross join lateral (
      select case when claim.status = 'held' then
                    case when did.held_of_slot >= ${HOLDS_OF_SLOT}::int then 'slot'
                         when did.held_of_doctor >= ${HOLDS_OF_DOCTOR}::int then 'doctor'
                         when did.held >= ${HOLDS}::int then 'holds' end
                  when did.in_all >= claim.most_in_all or did.of_specialty >= claim.most_of_specialty then 'open'
                  when did.in_day >= 2 * claim.most_an_hour then 'day'
                  when did.in_hour >= claim.most_an_hour then 'hour' end as reached) as pace
    cross join lateral (
      select coalesce(pace.reached, case when near.of_client >= claim.most_of_client then 'client' end) as reached,
             case pace.reached when 'slot' then did.slot_since when 'doctor' then did.doctor_since when 'holds' then did.held_since
                               when 'day' then did.day_since when 'hour' then did.hour_since end as since) as limits`)

/** What a claim that has reached a limit is answered. `limits` are those that it was made with. */
export function limitProblem({ reached, since }: Reached, limits: Limits, now: Date): Problem {
  if (reached === 'client') return new Problem('booking_limit', 'Too many open claims on this doctor come from your network')
  const quotas = {
    hour: ['bookings', timesAnHour(limits), HOUR_S],
    day: ['bookings', 2 * timesAnHour(limits), DAY_S],
    slot: ['holds', HOLDS_OF_SLOT, DAY_S],
    doctor: ['holds', HOLDS_OF_DOCTOR, DAY_S],
    holds: ['holds', HOLDS, DAY_S]
  } as const
  if (reached === null || reached === 'open' || !since) return new Problem('booking_limit')
  const [name, quota, window] = quotas[reached]
  return tooOften(name, quota, window, since, now)
}

/** Throws `rate_limited` where a patient has moved appointments as often as they may. The patient's lock is held. */
export async function requireMovesLeft(tx: Db, patientId: string, limits: Limits, now: Date): Promise<void> {
  // what was moved within a day starts after that day began
  const moved = await one<{ inHour: number; hourSince: Date; inDay: number; daySince: Date }>(
    tx,
    SQL`select count(*) filter (where h.at > ${now}::timestamptz - interval '1 hour') as in_hour,
               min(h.at) filter (where h.at > ${now}::timestamptz - interval '1 hour') as hour_since, count(*) as in_day, min(h.at) as day_since
          from appointments a join history h on h.appointment_id = a.id
         where a.patient_id = ${patientId}::uuid and lower(a.during) > ${now}::timestamptz - interval '1 day'
           and h.actor_id = ${patientId}::uuid and h.action = 'reschedule' and h.at > ${now}::timestamptz - interval '1 day'`
  )
  const most = timesAnHour(limits)
  if (moved.inDay >= 2 * most) throw tooOften('moves', 2 * most, DAY_S, moved.daySince, now)
  if (moved.inHour >= most) throw tooOften('moves', most, HOUR_S, moved.hourSince, now)
}

/** 429 for something that was done as often as allowed in a window of seconds, first at `since`; it may be done again when that one leaves the window. */
function tooOften(name: string, quota: number, window: number, since: Date, now: Date): Problem {
  const seconds = Math.max(1, Math.ceil((since.getTime() - now.getTime()) / 1000) + window)
  return new Problem('rate_limited', `At most ${quota} ${name} in ${window / HOUR_S === 1 ? 'an hour' : `${window / HOUR_S} hours`}`, {
    retryAfter: seconds,
    headers: { 'ratelimit-policy': `"${name}";q=${quota};w=${window}`, ratelimit: `"${name}";r=0;t=${seconds}` }
  })
}
