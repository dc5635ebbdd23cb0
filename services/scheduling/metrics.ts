import SQL from 'sql-template-strings'
import { run, type Sql } from '#platform/data/db'
import { specialties } from './doctors/specialties.ts'
import { searchDoctors } from './search/directory.ts'
import { earliestSlots } from './search/earliest.ts'
import { listSlots } from './slots/list.ts'

type Size = { doctors: number; appointments: number; now: Date }

/**
 * Adds doctors of every specialty, with appointments from a year before to two months after `now`; nobody can log in as them. `tell` is told after
 * each batch which share is done.
 */
export async function fill(sql: Sql, { doctors, appointments, now }: Size, tell: (share: number) => void = () => {}): Promise<void> {
  const codes = specialties.map(({ code }) => code)
  await run(
    sql,
    SQL`insert into doctors (id, name, name_folded, crm, approval, specialties, price_amount, price_currency, slot_minutes, rules, timezone)
        select gen_random_uuid(), 'Dra. ' || i, 'dra. ' || i, i || '-SP', 'approved', array[(${codes}::text[])[1 + i % 55]], 10000 + i % 400 * 100, 'BRL', 30,
               (select jsonb_agg(jsonb_build_object('weekday', day, 'start', to_char(7 + i % 4, 'FM00') || ':00', 'end', '17:00')) from generate_series(1, 5) day),
               case when i % 10 = 0 then 'America/Manaus' else 'America/Sao_Paulo' end
          from generate_series(1, ${doctors}::int) i`
  )
  const each = Math.ceil(appointments / doctors)
  const batch = 500
  for (let offset = 0; offset < doctors; offset += batch) {
    await run(
      sql,
      SQL`insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency, created_at, updated_at)
          select gen_random_uuid(), d.id, gen_random_uuid(), 'Ana', case when start < ${now} then 'completed' else 'confirmed' end,
                 tstzrange(start, start + interval '30 minutes'), tstzrange(start, start + interval '30 minutes'), d.timezone, 1, 'BRL', ${now}, ${now}
            from (select id, timezone from doctors where name like 'Dra. %' and crm like '%-SP' order by id offset ${offset}::int limit ${batch}::int) d,
                 lateral (select date_trunc('day', ${now}::timestamptz) - interval '365 days' + k * (interval '425 days' / ${each}::int) as day from generate_series(0, ${each}::int - 1) k) days,
                 lateral (select date_trunc('day', day) + interval '14 hours' + (hashtext(d.id::text || day::text) & 7) * interval '30 minutes' as start) starts
          on conflict do nothing`
    )
    tell(Math.min(1, (offset + batch) / doctors))
  }
  await sql.unsafe('analyze')
}

/** Runs a question often and gives the median, the 99th percentile and the longest in ms. */
export async function timed(times: number, ask: (index: number) => Promise<unknown>): Promise<string> {
  const took: number[] = []
  for (let index = 0; index < times; index++) {
    const started = performance.now()
    await ask(index)
    took.push(performance.now() - started)
  }
  const first = took[0] ?? 0
  took.sort((a, b) => a - b)
  const at = (share: number) => (took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0).toFixed(1)
  return `first ${first.toFixed(1)}, median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} ms`
}

/** Measures what patients ask most on a filled schema. */
export async function measure(sql: Sql, now: Temporal.Instant, say: (line: string) => void): Promise<void> {
  const code = (index: number) => specialties[index % specialties.length]?.code ?? ''
  const questions: Record<string, (index: number) => Promise<unknown>> = {
    'doctors by next slot': () => searchDoctors(sql, { sort: 'next_slot' }, now),
    'doctors of a specialty by next slot': (index) => searchDoctors(sql, { specialty: code(index) }, now),
    'doctors by next slot, half an hour later': () => searchDoctors(sql, {}, now.add({ minutes: 30 })),
    'doctors by price': () => searchDoctors(sql, { sort: 'price' }, now),
    'doctors by name': () => searchDoctors(sql, { sort: 'name' }, now),
    'doctors by text': (index) => searchDoctors(sql, { q: `dra. ${100 + index}` }, now),
    'doctors of a specialty with a slot next week': (index) =>
      searchDoctors(sql, { specialty: code(index), availableFrom: now.add({ hours: 168 }).toString().slice(0, 10) }, now),
    'earliest slots of a specialty': (index) => earliestSlots(sql, { specialty: code(index) }, now)
  }
  for (const [name, ask] of Object.entries(questions)) say(`${name}: ${await timed(300, ask)}`)
  const { items } = await searchDoctors(sql, { limit: 100 }, now)
  say(`slots of a doctor: ${await timed(300, (index) => listSlots(sql, items[index % items.length]?.id ?? '', {}, now))}`)
}
