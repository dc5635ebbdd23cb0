import { existsSync, globSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where and on which machine the broker's data was used last. */
type Home = { path: string; machine: string | null }
/** What `bun start` finds about the broker's data. `events` tells whether the kept events have to be published again. */
export type BrokerData = {
  events: 'there' | 'lost'
  /** What happened, for people; undefined where nothing did. */
  why?: string
  /** Notes that the data lives here. Called when the events are in line again: a start that breaks off before begins anew. */
  settle: () => void
}

const homeFile = (dir: string) => join(dir, 'home.json')

/**
 * Looks whether the broker's data in `dir` may be used here, and sets it aside where not. RabbitMQ writes absolute paths into the configuration of its
 * quorum queues: at another path no queue works, and while the old directory is still there, a copy would write into it. Another machine may have
 * another version of RabbitMQ. What waited in the queues is in the outbox as well.
 */
export function examineBrokerData(dir: string, machine = machineId()): BrokerData {
  const settle = () => {
    writeFileSync(`${homeFile(dir)}.new`, JSON.stringify({ path: dir, machine } satisfies Home), { mode: 0o600 })
    renameSync(`${homeFile(dir)}.new`, homeFile(dir))
  }
  const data = join(dir, 'data')
  if (!existsSync(data)) return { events: 'lost', settle }
  const home = readHome(dir)
  const at = home?.path ?? pathInQueues(data)
  const moved = at !== undefined && !isSame(at, dir)
  if (!moved && (!home || home.machine === machine)) return { events: 'there', settle }
  // kept beside the new data, once, for somebody who wants to look into it
  rmSync(`${data}.set-aside`, { recursive: true, force: true })
  renameSync(data, `${data}.set-aside`)
  return { events: 'lost', why: moved ? `it was moved or copied from ${at}` : 'it comes from another machine', settle }
}

function readHome(dir: string): Home | undefined {
  try {
    return JSON.parse(readFileSync(homeFile(dir), 'utf8'))
  } catch {
    // of a release that did not note it, or cut short
    return undefined
  }
}

/** The broker's directory as its queues name it; undefined where there is no queue. */
function pathInQueues(data: string): string | undefined {
  const [config] = globSync(join(data, '*', 'quorum', '*', '*', 'config'))
  return config && /data_dir\s*=>\s*"([^"]+?)\/data\/[^"/]+\/quorum/.exec(readFileSync(config, 'utf8'))?.[1]
}

const isSame = (one: string, other: string) => one === other || real(one) === real(other)
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** systemd's id of this machine; null where there is none. The host's name does not count: the node is called after localhost. */
function machineId(): string | null {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim() || null
  } catch {
    return null
  }
}
