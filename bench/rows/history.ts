import { drive, quantile, request } from '../drive.ts'
import type { People } from '../people.ts'
import { judged, ms, type Result, requireStatuses } from '../row.ts'
import type { World } from '../world.ts'

const MANY = 10_000_000
const SECONDS = 8
const RATE = 100

/** Slots, a doctor's list and bookings, at one rate, before and after ten million past appointments are there. */
export async function history(world: World, people: People): Promise<Result[]> {
  const measure = async (day: number) => {
    // others each time: nobody may have many open appointments
    const tokens = await world.tokens(people.patients.slice(8_000 + day * 2_000, 10_000 + day * 2_000))
    const doctors = await world.tokens(people.doctors.slice(0, 2_000), 'doctor')
    const kinds = {
      slots: (nth: number) => request('GET', `/v1/doctors/${people.doctors[nth % 2_000]}/slots`),
      agenda: (nth: number) => request('GET', `/v1/appointments?from=${Temporal.Now.instant().round('second')}`, doctors[nth % 2_000]),
      booking: (nth: number) => {
        const start = slotOnDay(30 + day, nth)
        return request('POST', '/v1/appointments', tokens[nth % 2_000], {
          doctorId: people.doctors[(nth * 13) % people.doctors.length],
          start
        })
      }
    }
    const medians: Record<string, number> = {}
    for (const [name, next] of Object.entries(kinds)) {
      const outcome = await drive({ url: world.url, connections: 8, seconds: SECONDS, rate: RATE, next })
      requireStatuses(outcome, 200, 201)
      medians[name] = quantile(outcome.times, 0.5)
    }
    return medians
  }
  await measure(0)
  const few = await measure(1)
  await addPast(world)
  await measure(2)
  const many = await measure(3)
  return Object.keys(few).map((name) =>
    judged(`${name}: 10 million past appointments ÷ 10 thousand`, {
      ours: `median ${ms(many[name] as number)}`,
      reference: `median ${ms(few[name] as number)}`,
      value: (many[name] as number) / (few[name] as number),
      goal: ['under', 1.2]
    })
  )
}

const slotOnDay = (nth: number, doctor: number) => {
  const monday = Temporal.Now.plainDateISO('America/Sao_Paulo')
  const day = monday.add({ days: 8 - monday.dayOfWeek + Math.floor(nth / 5) * 7 + ((nth + doctor) % 5) })
  return day.toZonedDateTime({ timeZone: 'America/Sao_Paulo', plainTime: '15:00' }).toInstant().toString()
}

/** Ten million visits of the last ten years; the indexes are made again after it, which takes a fraction of the time. */
async function addPast(world: World): Promise<void> {
  const admin = world.sql('admin')
  const btrees = ['appointments_of_patient (patient_id, lower(during), id)', 'appointments_of_doctor (doctor_id, lower(during), id)']
  await admin.begin(async (tx) => {
    await tx.unsafe(
      `set local session_replication_role = replica; set local search_path = scheduling; set local maintenance_work_mem = '512MB'`
    )
    for (const index of btrees) await tx.unsafe(`drop index ${index.split(' ')[0]}`)
    await tx.unsafe(
      `insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency, created_at, updated_at)
       select gen_random_uuid(), d.id, gen_random_uuid(), 'Ana', 'completed', r, r, 'America/Sao_Paulo', 35000, 'BRL', lower(r), lower(r)
         from doctors d, generate_series(1, ${MANY} / (select count(*)::int from doctors)) k,
              lateral (select tstzrange(now() - k * interval '7 days', now() - k * interval '7 days' + interval '30 minutes') as r) v`
    )
    for (const index of btrees) await tx.unsafe(`create index ${index.split(' ')[0]} on appointments ${index.slice(index.indexOf(' '))}`)
  })
  // what a database does by itself after such a load would run into what is measured
  await admin.unsafe('vacuum (analyze) scheduling.appointments')
  await admin.unsafe('checkpoint')
}
