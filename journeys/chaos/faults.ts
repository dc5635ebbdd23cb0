import type { Name, System } from '../system.ts'
import type { Parts } from './parts.ts'
import type { Sink } from './sink.ts'

type Needs = { system: System; parts: Parts; sink: Sink; random: () => number; say: (line: string) => void }
type Fault = { name: string; happen: () => Promise<void> }

/** Longer than the lease of a relay or of a mail, so that another takes over what the paused one held. */
const PAUSE_MS = 18_000

/** A number of faults to choose from; each heals before it returns. */
function faultsOf({ system, parts, sink, random }: Needs): Fault[] {
  const any = <T>(list: T[]) => list[Math.floor(random() * list.length)] as T
  const behind = system.names.filter((name) => name !== 'gateway')
  const kill = (name: Name): Fault => ({
    name: `kill -9 ${name}`,
    happen: async () => {
      await system.kill(name)
      await Bun.sleep(1_000)
      await system.start(name)
    }
  })
  const forAWhile = (name: string, begin: () => void, end: () => void, ms: number): Fault => ({
    name,
    happen: async () => {
      begin()
      await Bun.sleep(ms)
      end()
    }
  })
  const one = any(behind)
  const line = system.brokerOf(one)
  return [
    kill(any(system.names)),
    kill(one),
    forAWhile(
      `pause ${one}`,
      () => system.pause(one),
      () => system.resume(one),
      PAUSE_MS
    ),
    { name: 'kill -9 RabbitMQ', happen: parts.crashBroker },
    { name: 'immediate stop of PostgreSQL', happen: parts.crashPostgres },
    forAWhile(`half-open line of ${one} to the broker`, line.freeze, line.heal, 6_000),
    forAWhile('SMTP refuses', sink.line.cut, sink.line.heal, 5_000),
    forAWhile(
      'SMTP stalls',
      () => sink.stall(true),
      () => sink.stall(false),
      5_000
    ),
    forAWhile(
      'SMTP resets after DATA',
      () => sink.breakAfterData(true),
      () => sink.breakAfterData(false),
      3_000
    )
  ]
}

/** Lets a fault happen every ten seconds, one after the other, until `until`; gives how often each did. */
export async function trouble(needs: Needs, until: number): Promise<Map<string, number>> {
  const happened = new Map<string, number>()
  while (performance.now() < until) {
    const next = performance.now() + 10_000
    const faults = faultsOf(needs)
    const fault = faults[Math.floor(needs.random() * faults.length)] as Fault
    needs.say(fault.name)
    await fault.happen()
    happened.set(fault.name, (happened.get(fault.name) ?? 0) + 1)
    await Bun.sleep(Math.max(0, next - performance.now()))
  }
  return happened
}
