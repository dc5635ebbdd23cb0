import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQL from 'sql-template-strings'
import { connect, run } from '#platform/data/db'
import { migrate } from '#platform/data/migrate'
import { type Passwords, provision, roles, roleUrl } from '#platform/data/provision'
import { startPostgres } from '../dev/postgres.ts'
import { ms } from './row.ts'

/*
 * `bun bench/migration-pause.ts [ROWS…]`: how long nobody can book or read an appointment while scheduling's migration 003 builds its two exclusion
 * constraints anew, with so many open appointments (10,000 and 100,000 where none is said). A constraint of this kind cannot be built beside the work.
 */
const BEFORE = 2
const PROBE_EVERY_MS = 10
const password = crypto.randomUUID()

/** Open appointments, half an hour each, of a thousand doctors and as many patients as there are visits. Indexes come last, which is quicker. */
const fill = (count: number) => `
alter table appointments drop constraint slot_taken, drop constraint patient_conflict;
insert into doctors (id, name, name_folded) select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Ana', 'ana' from generate_series(0, 999) n;
insert into appointments (id, doctor_id, patient_id, patient_name, status, during, doctor_during, timezone, price_amount, price_currency, created_at, updated_at)
select gen_random_uuid(), ('00000000-0000-7000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid, gen_random_uuid(), 'Zoë', 'confirmed', visit, visit, 'UTC', 1, 'BRL', now(), now()
from generate_series(0, ${count - 1}) n, lateral (select tstzrange('2031-01-01Z'::timestamptz + n / 1000 * interval '30 min', '2031-01-01Z'::timestamptz + (n / 1000 + 1) * interval '30 min') visit) v;
alter table appointments
  add constraint slot_taken exclude using gist (doctor_id with =, doctor_during with &&) where (status in ('held', 'requested', 'confirmed')),
  add constraint patient_conflict exclude using gist (patient_id with =, during with &&) where (status in ('held', 'requested', 'confirmed'));
analyze appointments`

async function pauseWith(server: string, count: number): Promise<{ migration: number; pause: number }> {
  const database = `pause_${count}`
  await provision(server, { database, passwords: Object.fromEntries(roles.map((role) => [role, password])) as Passwords })
  const owner = roleUrl(server, database, 'scheduling_owner', password)
  await migrate(owner, 'scheduling', BEFORE)
  const sql = connect(owner, { name: 'bench', max: 2, statementTimeoutMs: 900_000 })
  await sql.unsafe(`set search_path = scheduling, extensions; ${fill(count)}`)
  let [over, longest] = [false, 0]
  const probing = (async () => {
    while (!over) {
      const since = performance.now()
      await sql.begin(async (tx) => {
        // a service gives up after 5 s, and its caller gets a 503
        await run(tx, SQL`set local lock_timeout = 0`)
        await run(tx, SQL`select 1 from scheduling.appointments limit 1`)
      })
      longest = Math.max(longest, performance.now() - since)
      await Bun.sleep(PROBE_EVERY_MS)
    }
  })()
  await Bun.sleep(500)
  longest = 0
  const since = performance.now()
  await migrate(owner, 'scheduling', BEFORE + 1)
  const migration = performance.now() - since
  over = true
  await probing
  await sql.end({ timeout: 1 })
  return { migration, pause: longest }
}

const dir = mkdtempSync(join(tmpdir(), 'healthmed-pause-'))
const postgres = await startPostgres({ dir: join(dir, 'postgres'), password })
try {
  const counts = process.argv.slice(2).map(Number)
  for (const count of counts.length > 0 ? counts : [10_000, 100_000]) {
    const { migration, pause } = await pauseWith(postgres.url, count)
    console.log(`${count.toLocaleString('en')} open appointments: nobody is answered for ${ms(pause)} of the migration's ${ms(migration)}`)
  }
} finally {
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
}
