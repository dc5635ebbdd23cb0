import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bold, red, say, step } from '../../dev/terminal.ts'
import { watchAlerts } from './alerts.ts'
import type { Tally } from './balancer.ts'
import {
  compose,
  containersOf,
  dropBackups,
  GATEWAYS,
  killAndStart,
  MAILBOX,
  metricOf,
  openBackups,
  run,
  takeAway,
  trial
} from './engine.ts'
import { prepare, startLoad, WIDTH } from './load.ts'
import { Verdicts } from './verdicts.ts'
import { lookAtBoards, startWatching } from './watching.ts'

/*
 * `deploy/verify-compose`: builds and starts the containers in a project of their own, plays the tour, scales every service, looks whether the
 * replicas are used evenly, kills one container of each service under load, and prints a verdict. `--alerts` also asks a live Prometheus for all that rules and
 * dashboards ask, breaks what the alerts watch and waits for them; `--keep` leaves the containers running.
 */
const root = join(import.meta.dir, '..', '..')
const scale = { gateway: 2, auth: 2, scheduling: 3, notifier: 2 }
type Service = keyof typeof scale
const opsPort = (service: Service) => (service === 'gateway' ? 9090 : 8000)
/** What tells how much each replica did. */
const workOf = (service: Service) => (service === 'notifier' ? 'healthmed_events_consumed_total' : 'healthmed_http_request_seconds_count')
const AWAY_MS = 6_000
const verdicts = new Verdicts()
const judge = verdicts.judge.bind(verdicts)

async function main(): Promise<void> {
  say(bold('Containers under test'))
  await step('Secrets', () => run([join(root, 'deploy/init-secrets')]))
  openBackups()
  await step('Clean slate', takeAway)
  await step('Images', () => compose('build', '--quiet'))
  const since = performance.now()
  await step('Up and healthy', () => compose('up', '--detach', '--wait', '--wait-timeout', '180'))
  judge('up --wait on a clean engine', true, `${((performance.now() - since) / 1000).toFixed(0)} s`)
  const password = readFileSync(join(root, 'deploy/secrets/admin_password'), 'utf8').trim()
  await tour(password)
  const scaling = Object.entries(scale).flatMap(([service, count]) => ['--scale', `${service}=${count}`])
  await step('Scaled', () => compose('up', '--detach', '--wait', '--wait-timeout', '180', '--no-recreate', ...scaling))
  const world = await step('People for the load', () => prepare(password))
  await evenUse(world)
  for (const service of Object.keys(scale) as Service[]) await killOne(service, world)
  await tour(password)
  await recovery()
  if (process.argv.includes('--alerts')) {
    const exporters = await step('Prometheus', startWatching, (how) => how)
    // what the boards show has to have happened since
    await tour(password)
    const boards = await lookAtBoards()
    judge('rules and dashboards', boards.right, `${boards.figures}, ${exporters}`)
    for (const line of boards.lines) say(`    ${line}`)
    for (const { alert, fired, cleared } of await watchAlerts())
      judge(`alert ${alert}`, true, `fired after ${fired} s, quiet after ${cleared} s`)
  }
}

async function tour(password: string): Promise<void> {
  const env = { ...process.env, GATEWAY_URL: await answeringGateway(), MAILBOX_URL: MAILBOX, ADMIN_PASSWORD: password }
  const said = await step('Tour', () => run([process.execPath, 'dev/tour.ts'], env)).catch((error: Error) => error.message)
  const last = said.split('\n').find((line) => /The tour (went through|stopped)/.test(line)) ?? said.trim().split('\n').at(-1) ?? ''
  judge('tour', last.includes('went through'), last.replace(/^\W*The tour /, ''))
}

/** The URL of a gateway that answers: the port of one that was killed may stay open on the host with nothing behind it. */
async function answeringGateway(): Promise<string> {
  for (const url of GATEWAYS)
    if (
      await fetch(`${url}/health`).then(
        (response) => response.ok,
        () => false
      )
    )
      return url
  throw new Error('no gateway answers')
}

/** A backup, and the same brought back beside the living database; then the doctor finds nothing wrong. */
async function recovery(): Promise<void> {
  const ops = (...words: string[]) => compose('run', '--rm', '--quiet-pull', ...words)
  await step('Backup, restore, doctor', async () => {
    const folder = /(\/backups\/healthmed-\S+):/.exec(await ops('ops', 'backup', '/backups'))?.[1] ?? ''
    const restored = await ops('-e', 'DATABASE_NAME=trial', 'ops', 'restore', folder)
    judge('backup and restore', restored.includes('are restored'), restored.trim().split('\n')[0]?.replace(/^\W+/, '') ?? '')
    const found = await ops('ops', 'doctor').catch((error: Error) => error.message)
    judge('ops doctor', found.includes('Nothing is wrong'), found.trim().split('\n').at(-1) ?? '')
  }).catch((error: Error) => judge('backup and restore', false, error.message))
}

/** Every replica does at least half of what the busiest does. */
async function evenUse(world: Awaited<ReturnType<typeof prepare>>): Promise<void> {
  // longer than the gateways take to learn of new addresses
  await Bun.sleep(5_000)
  const counts = async () => {
    const all: Record<string, number[]> = {}
    for (const service of Object.keys(scale) as Service[]) {
      const containers = await containersOf(service)
      all[service] = await Promise.all(containers.map((id) => metricOf(id, opsPort(service), workOf(service))))
    }
    return all
  }
  const before = await counts()
  const load = await startLoad(world)
  await step('Load on all replicas', () => Bun.sleep(20_000))
  await load.stop()
  await Bun.sleep(2_000)
  const after = await counts()
  for (const service of Object.keys(scale) as Service[]) {
    const shares = after[service]?.map((count, index) => count - (before[service]?.[index] ?? 0)) ?? []
    const even = shares.length === scale[service] && Math.min(...shares) >= Math.max(...shares) / 2
    judge(`${service} = ${scale[service]}, used evenly`, even, shares.join(' : '))
  }
  judge('load without a kill', load.tally.failed.length === 0, figuresOf(load.tally))
}

/** Of a killed service nothing may fail but what a killed gateway had under way. */
async function killOne(service: Service, world: Awaited<ReturnType<typeof prepare>>): Promise<void> {
  const [victim = ''] = await containersOf(service)
  const load = await startLoad(world)
  await Bun.sleep(2_000)
  await step(`One ${service} killed`, () => killAndStart(victim, AWAY_MS))
  await Bun.sleep(4_000)
  await load.stop()
  const { failed } = load.tally
  const excused = service === 'gateway' && failed.length <= WIDTH && failed.every(({ cutOff }) => cutOff)
  judge(`kill of one ${service}`, failed.length === 0 || excused, figuresOf(load.tally))
  for (const { what } of failed.slice(0, 12)) say(`    ${what}`)
}

const figuresOf = ({ requests, failed, refused, late, slowestMs, bookings }: Tally) =>
  `${requests} requests, ${bookings} bookings, ${failed.length} failed, slowest ${Math.round(slowestMs)} ms${refused ? `, ${refused} went to the other gateway (${late} by a port left open)` : ''}`

try {
  await main()
} catch (error) {
  say(red(error instanceof Error ? error.message : String(error)))
  verdicts.brokeOff(error)
} finally {
  if (process.argv.includes('--keep'))
    say(`The containers run on: ${GATEWAYS.join(', ')}; mails at ${MAILBOX}; backups in ${trial.BACKUP_DIR}`)
  else await step('Taken away', takeAway).catch((error) => verdicts.brokeOff(error))
}
if (!process.argv.includes('--keep')) dropBackups()
for (const line of verdicts.lines()) say(line)
process.exit(verdicts.holds() ? 0 : 1)
