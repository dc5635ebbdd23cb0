import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort } from '#platform/setup/ports'
import { privateDirectory, withPrivateFiles } from './private-files.ts'
import { type Running, run, untilReady } from './process.ts'
import { findErlangPortMapper, findRabbitServer } from './rabbitmq-find.ts'
import { slimHome } from './rabbitmq-home.ts'
import type { Registry } from './registry.ts'

/** A RabbitMQ node of our own. `url` is its administrator's at the default vhost, `api` the management API's base with credentials. */
export type RabbitNode = Running & { url: string; api: string; port: number; managementPort: number; portMapper: Running }

type Options = {
  dir: string
  port?: number
  managementPort?: number
  password: string
  /** For tests: ended at once, its data of no use any more. */
  throwaway?: boolean
  registry?: Registry
}

// the name server is our own, so no other node's name can clash
const NODE = 'healthmed@localhost'

// what it logs at most, keeps in memory before it writes, and does while idle: sized for one machine that it shares
const configuration = (options: { port: number; managementPort: number; password: string }) => `
listeners.tcp.1 = 127.0.0.1:${options.port}
management.tcp.ip = 127.0.0.1
management.tcp.port = ${options.managementPort}
default_user = admin
default_pass = ${options.password}
log.console = true
log.console.level = info
log.file = false
raft.wal_max_size_bytes = 33554432
disk_free_limit.absolute = 200MB
`

/**
 * Starts a private RabbitMQ node that disturbs no other: own name server, ports, cookie, data and log; ready when this returns.
 * Throws where RabbitMQ is not on this machine.
 */
export async function startRabbit({ dir, port, managementPort, password, throwaway = false, registry }: Options): Promise<RabbitNode> {
  const server = findRabbitServer()
  if (!server) throw new Error('RabbitMQ is not on this machine')
  // messages name people, and the cookie lets others in
  privateDirectory(dir)
  const ports = { port: port ?? freePort(), managementPort: managementPort ?? freePort(), password }
  const mapperPort = freePort()
  const env = { ...(await environment(dir, mapperPort)), ...slimHome(server, join(dir, 'home')), RABBITMQ_NODE_PORT: String(ports.port) }
  writeFileSync(join(dir, 'rabbitmq.conf'), configuration(ports), { mode: 0o600 })
  writeFileSync(join(dir, 'plugins'), '[rabbitmq_management].')
  writeFileSync(join(dir, 'environment'), "# in place of the file in /etc, which is for the system's own node\n")

  const log = join(dir, 'rabbitmq.log')
  // started here, it is a child with a known id; started by Erlang it would outlive the node
  const portMapper = await run({
    name: "RabbitMQ's epmd",
    command: [findErlangPortMapper(), '-port', String(mapperPort), '-address', '127.0.0.1'],
    env,
    cwd: dir,
    log: join(dir, 'epmd.log'),
    stopWithinMs: 1_000,
    registry
  })
  const stopSignal = throwaway ? 'SIGKILL' : 'SIGTERM'
  const node = await run({
    name: 'RabbitMQ',
    command: withPrivateFiles([server]),
    env,
    cwd: dir,
    log,
    ...(!throwaway && { beforeStop: dropStatistics(dir, mapperPort) }),
    stopSignal,
    stopWithinMs: 7_000,
    tier: 1,
    registry
  })
  const stop = async () => {
    await node.stop()
    await portMapper.stop()
  }
  const api = `http://admin:${password}@127.0.0.1:${ports.managementPort}/api`
  try {
    await untilReady(node, log, 90_000, async () => (await accepts(ports.port)) && (await fetch(`${api}/whoami`)).ok)
  } catch (error) {
    await stop()
    throw error
  }
  return { ...node, ...ports, portMapper, stop, api, url: `amqp://admin:${password}@127.0.0.1:${ports.port}` }
}

/**
 * Takes the management plugin's statistics handler away, by Erlang's own remote call. While it stops, the node otherwise waits five
 * seconds for that handler's call to a process that is itself waiting for the node to stop (seen in 3.10).
 */
const dropStatistics = (dir: string, mapperPort: number) => [
  ...['env', `HOME=${dir}`, `ERL_EPMD_PORT=${mapperPort}`],
  ...['erl_call', '-sname', NODE, '-timeout', '2', '-a', 'gen_event delete_handler [rabbit_event,rabbit_mgmt_db_handler,[]]']
]

async function environment(dir: string, mapperPort: number): Promise<Record<string, string | undefined>> {
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: dir,
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // the script then becomes the node instead of staying its parent
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_NODENAME: NODE,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_DIST_PORT: String(freePort()),
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_LOG_BASE: join(dir, 'logs'),
    RABBITMQ_SCHEMA_DIR: join(dir, 'schema'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'generated'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'advanced'),
    RABBITMQ_CONF_ENV_FILE: join(dir, 'environment'),
    RABBITMQ_PID_FILE: join(dir, 'rabbitmq.pid'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}'
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => socket.destroy() && resolve(true))
    socket.once('error', () => resolve(false))
  })
}
