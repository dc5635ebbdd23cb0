import { join } from 'node:path'

const root = join(import.meta.dir, '..', '..')

/** A project of containers of its own, beside one that may run already: other ports, own volumes. */
export const PROJECT = 'healthmed-verify'
/** Two ports, for two gateways. */
export const GATEWAYS = ['http://127.0.0.1:18080', 'http://127.0.0.1:18081'] as const
/** Where the mailbox's page is. */
export const MAILBOX = 'http://127.0.0.1:18025'

const environment = {
  ...process.env,
  COMPOSE_PROJECT_NAME: PROJECT,
  GATEWAY_PORTS: '18080-18081',
  MAILBOX_PORT: '18025',
  PROMETHEUS_PORT: '18091',
  RATE_LIMIT: 'off',
  EMAIL_VERIFICATION: 'optional'
}

/** Runs a command and gives what it printed. Throws with its last lines where it fails. */
export async function run(command: string[], env: Record<string, string | undefined> = environment): Promise<string> {
  const child = Bun.spawn(command, { cwd: root, env, stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${`${out}${err}`.trim().split('\n').slice(-12).join('\n')}`)
  return out
}

/** `docker compose …` in that project. */
export const compose = (...args: string[]) => run(['docker', 'compose', ...args])

/** The ids of a service's containers, the oldest first. */
export const containersOf = async (service: string): Promise<string[]> =>
  (await compose('ps', '-q', service)).split('\n').filter((id) => id !== '')

/** One replica's metrics, asked from inside, since its port is published nowhere. Sums every series whose line begins with `prefix`. */
export async function metricOf(container: string, port: number, prefix: string): Promise<number> {
  const script = `process.stdout.write(await (await fetch('http://127.0.0.1:${port}/metrics')).text())`
  const text = await run(['docker', 'exec', container, 'bun', '-e', script])
  return text
    .split('\n')
    .filter((line) => line.startsWith(prefix) && !/route="\/(health|metrics|internal|\.well-known)/.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

/** Kills a container as the kernel would, and starts it again after `awayMs`, when whatever watches over it would have. */
export async function killAndStart(container: string, awayMs: number): Promise<void> {
  await run(['docker', 'kill', '--signal', 'KILL', container])
  await Bun.sleep(awayMs)
  await run(['docker', 'start', container])
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await Bun.sleep(500)) {
    if ((await run(['docker', 'inspect', '--format', '{{.State.Health.Status}}', container])).trim() === 'healthy') return
  }
  throw new Error(`${container} did not become healthy again`)
}
