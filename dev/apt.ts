import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { lastLines, run } from './process.ts'
import type { Registry } from './registry.ts'
import { say } from './terminal.ts'

const POLICY = '/usr/sbin/policy-rc.d'
const KEPT = `${POLICY}.kept-by-healthmed`
const MARK = 'written by healthmed while it installs a package'

type Runner = { prefix: string[]; log: string; registry?: Registry; cwd?: string }

/** Whether packages can be installed here: Debian or Ubuntu, as root or with sudo that asks for no password. */
export function canInstall(): boolean {
  return existsSync('/etc/debian_version') && Bun.which('apt-get') !== null && prefix() !== undefined
}

function prefix(): string[] | undefined {
  if (process.getuid?.() === 0) return []
  if (!Bun.which('sudo')) return undefined
  return Bun.spawnSync(['sudo', '-n', 'true'], { stdout: 'ignore', stderr: 'ignore' }).success
    ? ['sudo', '-n', '--preserve-env=DEBIAN_FRONTEND']
    : undefined
}

/** Installs a package with apt, and says so. Its own service is neither started now nor at the next boot. Throws with apt's words where that fails. */
export async function install(name: string, services: string[], log: string, registry?: Registry): Promise<void> {
  say(`Installing Debian's package ${name} with apt${services.length > 0 ? ' (its own service stays off)' : ''} …`)
  const runner = { prefix: prefix() ?? [], log, registry }
  const service = ['systemctl', 'disable', ...services]
  await withoutServices(runner, async () => {
    const command = ['apt-get', 'install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', name]
    // the lists may be missing or old: then the first try fails quickly and is made again with new ones
    if (await apt(runner, command, false)) return
    await apt(runner, ['apt-get', 'update'], true)
    await apt(runner, command, true)
  })
  if (existsSync('/run/systemd/system')) Bun.spawnSync([...runner.prefix, ...service], { stdout: 'ignore', stderr: 'ignore' })
}

/** Unpacks a package into a directory and installs nothing; says so. Throws with apt's words where that fails. */
export async function unpack(name: string, dir: string): Promise<void> {
  say(`Fetching Debian's package ${name} into ${dir} (it is not installed) …`)
  mkdirSync(dir, { recursive: true })
  const log = join(dir, 'apt.log')
  const download: Runner = { prefix: [], log, cwd: dir }
  const command = ['apt-get', 'download', name]
  if (!(await apt(download, command, false))) {
    await apt({ prefix: prefix() ?? [], log }, ['apt-get', 'update'], true)
    await apt(download, command, true)
  }
  const file = readdirSync(dir).find((each) => each.startsWith(`${name}_`)) ?? ''
  await apt(download, ['dpkg', '-x', file, '.'], true)
}

/** Ends what a killed installation left: our rule that no service may be started. */
export function tidyUp(): void {
  if (!existsSync(POLICY) || !isOurs()) return
  const sudo = prefix()
  if (sudo) allowServices(sudo)
}

const isOurs = () => Bun.spawnSync(['grep', '-q', MARK, POLICY]).success

/** Debian asks policy-rc.d before it starts a service; 101 forbids it. */
async function withoutServices(runner: Runner, work: () => Promise<void>) {
  tidyUp()
  const forbidden = existsSync(POLICY) && Bun.spawnSync([POLICY, 'rabbitmq-server', 'start'], { stdout: 'ignore' }).exitCode === 101
  if (forbidden) return work()
  if (existsSync(POLICY)) Bun.spawnSync([...runner.prefix, 'mv', POLICY, KEPT])
  const script = `#!/bin/sh\n# ${MARK}\nexit 101\n`
  Bun.spawnSync([...runner.prefix, 'sh', '-c', `printf '%s' "$1" > ${POLICY} && chmod 755 ${POLICY}`, 'sh', script])
  try {
    await work()
  } finally {
    allowServices(runner.prefix)
  }
}

function allowServices(sudo: string[]) {
  Bun.spawnSync([...sudo, 'rm', '-f', POLICY])
  if (existsSync(KEPT)) Bun.spawnSync([...sudo, 'mv', KEPT, POLICY])
}

async function apt({ prefix, log, registry, cwd }: Runner, command: string[], must: boolean): Promise<boolean> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const child = await run({ name: 'apt-get', command: [...prefix, ...command], env, cwd, log, tier: 9, registry })
  const code = await child.exited
  if (code !== 0 && must) throw new Error(`${command.join(' ')} failed. Its last lines (${log}):\n${lastLines(log)}`)
  return code === 0
}
