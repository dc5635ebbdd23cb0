import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { canInstall, install, tidyUp } from './apt.ts'
import type { Registry } from './registry.ts'

// Debian's, Homebrew's on Apple and on Intel
const places = ['/usr/lib/rabbitmq/bin', '/opt/homebrew/opt/rabbitmq/sbin', '/usr/local/opt/rabbitmq/sbin', '/opt/rabbitmq/sbin']

/** The program that is RabbitMQ itself. Debian's on PATH is a wrapper that changes user and drops the environment: it is passed by. */
export function findRabbitServer(): string | undefined {
  const onPath = Bun.which('rabbitmq-server')
  const candidates = [...places.map((place) => join(place, 'rabbitmq-server')), ...(onPath ? [realpathSync(onPath)] : [])]
  return candidates.find((path) => existsSync(path) && !path.endsWith('script-wrapper') && !readFileSync(path, 'utf8').includes('runuser'))
}

/** Erlang's name server, which stands beside its runtime where it is not on PATH. Throws where there is none. */
export function findErlangPortMapper(): string {
  const onPath = Bun.which('epmd')
  if (onPath) return onPath
  const { stdout } = Bun.spawnSync(['erl', '-noshell', '-eval', 'io:format("~s",[code:root_dir()]),halt().'], { stderr: 'ignore' })
  const root = stdout.toString()
  const found = existsSync(root) && readdirSync(root).find((name) => name.startsWith('erts-') && existsSync(join(root, name, 'bin/epmd')))
  if (!found) throw new Error("Erlang's epmd, which RabbitMQ needs, is not on PATH")
  return join(root, found, 'bin/epmd')
}

const ways = `RabbitMQ is not on this machine, and it cannot be installed from here without asking you. Any one of these will do:
  Debian, Ubuntu   sudo apt-get install rabbitmq-server
  macOS            brew install rabbitmq
  Docker           docker run -d -p 5672:5672 -p 15672:15672 rabbitmq:4-management   and then
                   RABBITMQ_URL=amqp://guest:guest@localhost:5672 bun start
  elsewhere        RABBITMQ_URL=amqp://user:password@host:5672 bun start`

/**
 * Makes sure that RabbitMQ is on this machine: installs it where that needs no question, having said so.
 * Throws with the ways to get it elsewhere.
 */
export async function ensureRabbit(log: string, say: (line: string) => void, registry?: Registry): Promise<void> {
  tidyUp()
  if (findRabbitServer()) return
  if (!canInstall()) throw new Error(ways)
  say('RabbitMQ is not on this machine.')
  await install('rabbitmq-server', ['rabbitmq-server.service', 'epmd.socket', 'epmd.service'], log, registry)
  if (!findRabbitServer()) throw new Error(`apt installed rabbitmq-server, yet it is not where it is expected. ${ways}`)
}
