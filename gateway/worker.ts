import { registry } from '#platform/setup/metrics'
import { readSettings } from '#platform/setup/settings'
import { stopOnSignal } from '#platform/setup/stop'
import { runGateway } from './run.ts'
import { settingsSchema } from './settings.ts'

/*
 * One of several gateways that share a port of one machine: gateway/main.ts starts it where GATEWAY_WORKERS asks for more than one, and asks it
 * over the channel between the two how it is.
 */
const running = await runGateway(readSettings(settingsSchema), { isShared: true })
stopOnSignal(running.steps)

process.on('message', async (id) => {
  process.send?.({ id, isReady: running.isReady(), metrics: await registry.getMetricsAsJSON() })
})
// without the one that started it nobody would ever stop it
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
