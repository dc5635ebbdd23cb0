import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dir, '..', '..')

/** A project of containers of its own, beside one that may run already: other ports, own volumes. */
export const PROJECT = 'healthmed-verify'
/** Two ports, for two gateways. */
export const GATEWAYS = ['http://127.0.0.1:18080', 'http://127.0.0.1:18081'] as const
/** Where the mailbox's page is. */
export const MAILBOX = 'http://127.0.0.1:18025'

const secrets = join(root, 'deploy', 'secrets')
const home = mkdtempSync(join(tmpdir(), 'healthmed-verify-'))
/** Backups of the trial go where no real one is that they could push out. */
const backups = join(home, 'backups')
mkdirSync(backups)
/** Its mails go to its mailbox, whatever server is among the real secrets. */
const smtp = join(home, 'smtp_url')
writeFileSync(smtp, 'smtp://mailbox:1025')

/**
 * Every variable of docker-compose.yml, each with a value of the trial's own, or none: what stands in `.env` or in the caller's shell is the living system's, and
 * the trial would prune its backups and mail to people.
 */
export const trial = {
  ...(Object.fromEntries(variablesOf('docker-compose.yml', 'deploy/pgbouncer/compose.yml').map((name) => [name, ''])) as Record<
    string,
    string
  >),
  COMPOSE_PROJECT_NAME: PROJECT,
  COMPOSE_PROFILES: '',
  BACKUP_DIR: backups,
  SMTP_URL_SECRET: smtp,
  ADMIN_EMAIL: 'admin@healthmed.example',
  PORT: '18080',
  GATEWAY_PORTS: '18080-18081',
  MAILBOX_PORT: '18025',
  PROMETHEUS_PORT: '18091',
  ALERTMANAGER_PORT: '18093',
  GRAFANA_PORT: '18030',
  RATE_LIMIT: 'off',
  // the load's patients book and cancel all the time
  BOOKING_LIMIT: '1000',
  EMAIL_VERIFICATION: 'optional',
  DOCTOR_APPROVAL: 'manual',
  OTEL_EXPORTER_OTLP_ENDPOINT: ''
}

/** What the files ask the environment for; left empty, each has its default. Who owns the secrets is seen at themselves. */
function variablesOf(...names: string[]): string[] {
  const texts = names.map((name) => readFileSync(join(root, name), 'utf8'))
  const found = new Set(texts.flatMap((text) => [...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => name as string)))
  return [...found].filter((name) => name !== 'SECRETS_OWNER')
}

/** The files that compose reads, as the caller said: pgbouncer's may be among them. */
export const files = (process.env.COMPOSE_FILE || 'docker-compose.yml').split(':')

/** Run with these alone; only the file to read may be another, such as that of pgbouncer, and who owns the secrets is seen at themselves. */
function environment(): Record<string, string | undefined> {
  const SECRETS_OWNER = existsSync(secrets) ? ownerOf(secrets) : '1000:1000'
  return { ...process.env, COMPOSE_FILE: files.join(':'), ...trial, SECRETS_OWNER }
}

function ownerOf(path: string): string {
  const { uid, gid } = statSync(path)
  return `${uid}:${gid}`
}

/** The trial's backups can be written by its containers, which run as who owns the secrets. */
export function openBackups(): void {
  const { uid, gid } = statSync(secrets)
  if (process.getuid?.() === 0) chownSync(backups, uid, gid)
}

/** Takes its backups away. */
export const dropBackups = () => rmSync(home, { recursive: true, force: true })

/** Runs a command and gives what it printed. Throws with its last lines where it fails. */
export async function run(command: string[], env = environment()): Promise<string> {
  const child = Bun.spawn(command, { cwd: root, env, stdout: 'pipe', stderr: 'pipe' })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${`${out}${err}`.trim().split('\n').slice(-12).join('\n')}`)
  return out
}

/** `docker compose …` in that project, with no `.env`. */
export const compose = (...args: string[]) => run(['docker', 'compose', '--env-file', '/dev/null', ...args])

/** Takes the project away with its volumes, what the profiles started included. */
export const takeAway = () => compose('--profile', 'observability', '--profile', 'ops', 'down', '--volumes', '--remove-orphans')

/** The ids of a service's containers, the oldest first. */
export const containersOf = async (service: string): Promise<string[]> =>
  (await compose('ps', '-q', service)).split('\n').filter((id) => id !== '')

/** Which container is behind each address of a gateway. To be asked while all of them run: a container that ended has no port. */
export async function gatewaysByUrl(): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const id of await containersOf('gateway')) found.set(`http://${(await run(['docker', 'port', id, '8000'])).trim()}`, id)
  return found
}

/** When a container that is away ended, in milliseconds since the epoch; undefined while it runs. */
export async function endedAt(container: string): Promise<number | undefined> {
  const [running, at = ''] = (await run(['docker', 'inspect', '--format', '{{.State.Running}} {{.State.FinishedAt}}', container]))
    .trim()
    .split(' ')
  return running === 'true' ? undefined : Date.parse(at)
}

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
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await Bun.sleep(500)) {
    if ((await run(['docker', 'inspect', '--format', '{{.State.Health.Status}}', container])).trim() === 'healthy') return
  }
  throw new Error(`${container} did not become healthy again`)
}
