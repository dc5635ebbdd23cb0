import { join } from 'node:path'
import { migrate } from '#platform/data/migrate'
import { provision, roleUrl, schemas } from '#platform/data/provision'
import { setPortsAside } from '#platform/setup/ports'
import { tidyUp } from './apt.ts'
import { loadDemoData } from './demo.ts'
import { adminsOf, firstAdminOf, ignoredAdminSettings, withFirstAdmin } from './first-admin.ts'
import { noteSmtp } from './local.ts'
import { startParts } from './parts.ts'
import { holderOf, isFree } from './ports.ts'
import { privateDirectory } from './private-files.ts'
import { recoverEvents } from './recover-events.ts'
import { openRegistry, type Registry } from './registry.ts'
import { secretsOf } from './secrets.ts'
import { planServices, startService } from './services.ts'
import { type StartSettings, startSettings } from './start-settings.ts'
import { supervise } from './supervise.ts'
import { bold, dim, red, say, seconds, step, yellow } from './terminal.ts'
import { problemReader, watchProblems } from './watch.ts'
import { welcome } from './welcome.ts'

/** `bun start`: brings the whole system up on this machine, keeps it up, and takes it down in order on Ctrl-C or SIGTERM. */
export async function startSystem(): Promise<void> {
  const since = performance.now()
  const settings = startSettings()
  say(bold('Health&Med'))
  let registry: Registry | undefined
  const stopping = new AbortController()
  try {
    // first, since what a killed start left running may hold the ports
    registry = await openRegistry(settings.DATA_DIR, (names) =>
      say(yellow(`  ! ended what a killed start left running: ${names.join(', ')}`))
    )
    stopOnSignals(registry, stopping)
    await refuseBusyPorts(settings)
    await bringUp(settings, registry, stopping.signal)
    say(
      dim(
        `\n  Ready after ${seconds(since)}. Ctrl-C stops everything; ${settings.LOGS === 'stdout' ? 'logs come here' : `logs are in ${join(settings.DATA_DIR, 'logs')}`}.`
      )
    )
  } catch (error) {
    // stopped while it started: what broke off did so because of that
    if (stopping.signal.aborted) return
    stopping.abort('failure')
    say(`\n${red('Health&Med could not be started.')} ${error instanceof Error ? error.message : error}`)
    await registry?.endAll()
    registry?.close()
    process.exit(1)
  }
}

async function refuseBusyPorts({ PORT, MAILBOX_PORT, OPS_PORT, SMTP_URL }: StartSettings): Promise<void> {
  setPortsAside(PORT, MAILBOX_PORT, ...(OPS_PORT ? [OPS_PORT] : []))
  for (const [name, port] of Object.entries({ PORT, ...(OPS_PORT && { OPS_PORT }), ...(!SMTP_URL && { MAILBOX_PORT }) })) {
    if ((await isFree(port)) && (await isFree(port, '::1'))) continue
    const holder = holderOf(port)
    throw new Error(`Port ${port} is taken${holder ? ` by ${holder}` : ''}. End that process, or set ${name} to another port.`)
  }
}

async function bringUp(settings: StartSettings, registry: Registry, stopping: AbortSignal): Promise<void> {
  const secrets = secretsOf(settings.DATA_DIR)
  const logs = join(settings.DATA_DIR, 'logs')
  privateDirectory(logs)
  const parts = await startParts(settings, secrets, registry, stopping)
  noteSmtp(settings.DATA_DIR, parts.smtpUrl, settings.SMTP_CA)

  await step('Database, roles, schemas', () => provision(parts.postgresUrl, { database: parts.database, passwords: secrets.rolePasswords }))
  const databaseUrl = (role: Parameters<typeof roleUrl>[2] & string) =>
    roleUrl(parts.postgresUrl, parts.database, role, secrets.rolePasswords[role])
  const migrateAll = async () => (await Promise.all(schemas.map((schema) => migrate(databaseUrl(`${schema}_owner`), schema)))).flat()
  await step('Migrations', migrateAll, (ran) => (ran.length > 0 ? `${ran.length} run` : 'up to date'))
  await recoverEvents(parts, settings)

  const admins = await adminsOf(parts)
  const first = admins.length === 0 ? firstAdminOf(settings, secrets) : undefined
  const surroundings = { settings, secrets, databaseUrl, brokerUrl: parts.brokerUrl, smtpUrl: parts.smtpUrl }
  const plans = withFirstAdmin(await planServices(surroundings), first)
  await Promise.all(
    plans.map(async (plan) => {
      const log = settings.LOGS === 'stdout' ? 'inherit' : join(logs, `${plan.name}.log`)
      const start = () => startService(plan, log, registry)
      supervise(await step(`${plan.name[0]?.toUpperCase()}${plan.name.slice(1)}`, start, () => plan.url), start, stopping)
    })
  )
  const gateway = plans.find(({ name }) => name === 'gateway')?.url ?? ''
  const admin = first ?? { identifier: secrets.adminEmail ?? settings.ADMIN_EMAIL, password: secrets.adminPassword }
  if (settings.DEMO_DATA === 'on') {
    const load = () => loadDemoData({ gateway, mailbox: parts.mailboxUrl, admin, dataDir: settings.DATA_DIR })
    await step('Demo data', load, (outcome) => outcome)
  }
  watchProblems(stopping, { read: problemReader(gateway) })
  say(`\n${welcome(settings, parts, first, await adminsOf(parts))}`)
  const remark = first ? undefined : ignoredAdminSettings(settings, process.env, secrets, admins)
  if (remark) say(`\n${yellow(`  ! ${remark}`)}`)
}

function stopOnSignals(registry: Registry, stopping: AbortController): void {
  const stop = async (signal: string) => {
    if (stopping.signal.aborted) return
    stopping.abort(signal)
    const since = performance.now()
    say(`\n${bold('Stopping')} ${dim(`(${signal})`)}`)
    await registry.endAll((name) => say(`  ${dim('·')} ${name} ${dim(seconds(since))}`))
    tidyUp()
    registry.close()
    say(dim(`  Stopped after ${seconds(since)}.`))
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(signal))
}
