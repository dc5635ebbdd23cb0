import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { identityOf } from './identity.ts'
import type { Registry } from './registry.ts'

/** A process as it is written down: enough to end it, also for a later start if this one is killed. */
export type Entry = {
  name: string
  pid: number
  identity: string
  /** A command to run before the signal. */
  beforeStop?: string[]
  stopSignal: NodeJS.Signals
  stopWithinMs: number
  /** What builds on another has the higher tier, and is ended before it. */
  tier: number
}

/** A process that runs. `exited` is its exit code, or -1 where a signal ended it; it never rejects. */
export type Running = Entry & { exited: Promise<number>; stop: () => Promise<void> }

/** What to run. It gets a session of its own, so Ctrl-C in the terminal reaches only the parent, which then stops all in order. */
export type Command = {
  name: string
  command: string[]
  env?: Record<string, string | undefined>
  cwd?: string
  /** The file to which stdout and stderr go; `inherit` for our own. */
  log: string
  /** Where it is written down while it runs. */
  registry?: Registry
} & Partial<Pick<Entry, 'beforeStop' | 'stopSignal' | 'stopWithinMs' | 'tier'>>

const MAX_LOG_BYTES = 20_000_000

/** Starts a process. Throws where the program is not there. */
export async function run(options: Command): Promise<Running> {
  const { name, command, env, cwd, log, stopSignal = 'SIGTERM', stopWithinMs = 10_000, tier = 0, beforeStop, registry } = options
  const [program = '', ...args] = command
  const output = log === 'inherit' ? log : openLog(log)
  const child = spawn(program, args, { cwd, env: env as NodeJS.ProcessEnv, detached: true, stdio: ['ignore', output, output] })
  if (output !== 'inherit') closeSync(output)
  const pid = await spawned(child, program)
  const exited = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)))
  const entry: Entry = { name, pid, identity: identityOf(pid) ?? '', ...(beforeStop && { beforeStop }), stopSignal, stopWithinMs, tier }
  registry?.add(entry)
  exited.then(() => registry?.remove(pid))
  return { ...entry, exited, stop: () => end(entry) }
}

function spawned(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number))
    child.once('error', (error) => reject(new Error(`${program} could not be started: ${error.message}`)))
  })
}

/** Whether it is still that process, and not another that got its number. */
export const isAlive = ({ pid, identity }: Pick<Entry, 'pid' | 'identity'>) => identityOf(pid) === identity

/** Asks a process to end, and makes it when its time is over; resolves when it is gone. */
export async function end(entry: Entry): Promise<void> {
  if (isAlive(entry)) {
    if (entry.beforeStop) await Bun.spawn(entry.beforeStop, { stdio: ['ignore', 'ignore', 'ignore'], timeout: 2_000 }).exited
    send(entry.pid, entry.stopSignal)
    for (const deadline = Date.now() + entry.stopWithinMs; Date.now() < deadline && isAlive(entry); ) await Bun.sleep(10)
  }
  // its group too, for what it may have started itself
  send(-entry.pid, 'SIGKILL')
  for (const deadline = Date.now() + 2_000; Date.now() < deadline && isAlive(entry); ) await Bun.sleep(10)
}

/** Sends a signal to a process, or to a group where the number is negative; does nothing where it is gone. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it has ended
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true })
  if (existsSync(path) && statSync(path).size > MAX_LOG_BYTES) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/** The last lines of a log, for a message of what went wrong. */
export function lastLines(log: string, count = 15): string {
  if (log === 'inherit') return '(they are above)'
  if (!existsSync(log)) return '(no log)'
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-count).join('\n')
}

/** Waits until `ready` answers true. Throws, with the last lines of the log, where the process ends before or time runs out. */
export async function untilReady(running: Running, log: string, withinMs: number, ready: () => Promise<boolean>): Promise<void> {
  let code: number | undefined
  running.exited.then((exit) => {
    code = exit
  })
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await Bun.sleep(50)) {
    if (code !== undefined)
      throw new Error(`${running.name} ended with ${code} before it was ready. Its last lines (${log}):\n${lastLines(log)}`)
    if (await ready().catch(() => false)) return
  }
  throw new Error(`${running.name} was not ready within ${withinMs / 1000} s. Its last lines (${log}):\n${lastLines(log)}`)
}
