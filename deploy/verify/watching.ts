import { step } from '../../dev/terminal.ts'
import { askAll, isWell, linesOf, sumOf } from '../prometheus/live.ts'
import { compose, files } from './engine.ts'

/** Where Prometheus of the project under test is published. */
export const PROMETHEUS = 'http://127.0.0.1:18091'
const EXPORTERS = ['postgres-exporter', 'node-exporter']
/** Rates need two scrapes and recording rules a turn after them; a scrape is every 10 s. */
const SCRAPED_MS = 45_000

const observed = (...args: string[]) => compose('--profile', 'observability', ...args)

/** Starts Prometheus and the exporters. Tells where these came from: the images of docker-compose.yml, else Debian's packages, else why there are none. */
export async function startWatching(): Promise<string> {
  await observed('up', '--detach', 'prometheus')
  await until('Prometheus answers', async () => (await fetch(`${PROMETHEUS}/-/ready`)).ok)
  const start = () => observed('up', '--detach', ...EXPORTERS)
  const pulled = await observed('pull', '--quiet', ...EXPORTERS).then(
    () => true,
    () => false
  )
  if (pulled) return start().then(() => 'with the exporters of docker-compose.yml')
  files.push('deploy/verify/exporters.yml')
  try {
    await observed('build', '--quiet', 'postgres-exporter')
    await start()
    return "with Debian's exporters, since those of docker-compose.yml could not be pulled"
  } catch (error) {
    files.pop()
    return `with no exporter, so nothing of PostgreSQL and the machine: ${(error as Error).message.split('\n').at(-1)}`
  }
}

/** Asks Prometheus for all that rules and dashboards ask, once what happened before has been scraped. */
export async function lookAtBoards(): Promise<{ right: boolean; figures: string; lines: string[] }> {
  const asked = await step('Every expression of rules and dashboards', async () => {
    await Bun.sleep(SCRAPED_MS)
    return askAll(PROMETHEUS)
  })
  return { right: isWell(asked), figures: sumOf(asked), lines: linesOf(asked) }
}

/** Waits up to 4 minutes. Throws where it does not come. */
export async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 240_000; Date.now() < deadline; await Bun.sleep(1_000)) {
    if (await check().catch(() => false)) return
  }
  throw new Error(`not within 4 minutes: ${what}`)
}
