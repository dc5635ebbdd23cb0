import SQL from 'sql-template-strings'
import { one, rows, run } from '#platform/data/db'
import { fill } from '../services/scheduling/metrics.ts'
import { learn } from '../services/scheduling/search/search-by-next-slot.ts'
import { tidy, type World } from './world.ts'

/** How many doctors and patients the loads have. */
export const DOCTORS = 20_000
export const PATIENTS = 20_000
/** More patients, for whom only the mails' load books: however fast the other loads are, these stay far from their limits. */
const MAILED = 3_000

/** Who takes part in the loads: doctors of one zone with a known slot that is free on every weekday, and patients; `mailed` are those of the mails' load. */
export type People = { doctors: string[]; patients: string[]; mailed: string[] }

/**
 * Fills scheduling with doctors of all specialties and appointments, and makes patients; the notifier learns everybody's address, so that every booking
 * is mailed. They stand in the schemas as events would have brought them: nobody signs up 40,000 times over HTTP for a measurement.
 */
export async function populate(world: World, appointments = 100_000): Promise<People> {
  await fill(world.sql('scheduling'), { doctors: DOCTORS, appointments, now: new Date() })
  while ((await learn(world.sql('scheduling'), Date.now())) > 0);
  const admin = world.sql('admin')
  await run(
    admin,
    SQL`insert into scheduling.people (id, role, name, email_verified, disabled, version)
        select gen_random_uuid(), 'patient', 'Paciente ' || i, true, false, 1 from generate_series(1, ${PATIENTS + MAILED}::int) i`
  )
  await run(
    admin,
    SQL`insert into notifier.people (id, role, name, email, locale, timezone, crm, version)
        select id, 'patient', name, id || '@bench.example', 'pt-BR', 'America/Sao_Paulo', null, 1 from scheduling.people where role = 'patient'
         union all
        select id, 'doctor', name, id || '@bench.example', 'pt-BR', timezone, crm, 1 from scheduling.doctors`
  )
  await tidy(world)
  const ids = async (statement: ReturnType<typeof SQL>) => (await rows<{ id: string }>(admin, statement)).map(({ id }) => id)
  const patients = await ids(SQL`select id from scheduling.people where role = 'patient' order by id`)
  return {
    doctors: await ids(SQL`select id from scheduling.doctors where timezone = 'America/Sao_Paulo' order by id`),
    patients: patients.slice(0, PATIENTS),
    mailed: patients.slice(PATIENTS)
  }
}

/** 15:00 and 16:00 in São Paulo on a weekday that is `nth` weekdays from now: every doctor is there then, and what `populate` booked lies earlier. */
export function slotOn(nth: number, hour: 15 | 16): string {
  const weekdays = Math.floor(nth / 5) * 7 + (nth % 5)
  const today = Temporal.Now.plainDateISO('America/Sao_Paulo')
  const monday = today.add({ days: 8 - today.dayOfWeek })
  return monday
    .add({ days: weekdays })
    .toZonedDateTime({ timeZone: 'America/Sao_Paulo', plainTime: `${hour}:00` })
    .toInstant()
    .toString()
}

/** The nth wish of a load for spread slots: no two want the same, and no patient is wanted twice at one time. */
export function wishOf({ doctors, patients }: Pick<People, 'doctors' | 'patients'>, nth: number, hour: 15 | 16 = 15) {
  const doctorId = doctors[nth % doctors.length] as string
  return { patient: nth % patients.length, body: { doctorId, start: slotOn(Math.floor(nth / doctors.length), hour) } }
}

/** What must never be after any load; throws where it is. */
export async function nothingOverlaps(world: World): Promise<void> {
  const { pairs } = await one<{ pairs: number }>(
    world.sql('scheduling'),
    SQL`select count(*) as pairs from appointments a join appointments b on a.doctor_id = b.doctor_id and a.id < b.id and a.during && b.during
         where a.status in ('held', 'requested', 'confirmed') and b.status in ('held', 'requested', 'confirmed') and a.created_at > now() - interval '1 hour'`
  )
  if (pairs > 0) throw new Error(`${pairs} appointments overlap`)
}
