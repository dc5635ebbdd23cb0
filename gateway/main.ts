import { Elysia } from 'elysia'
import { handlerOf, http, listen, problems } from '#platform/http/app'
import { type Check, ops } from '#platform/http/health'
import { readSettings } from '#platform/setup/settings'
import { type Step, stopOnSignal } from '#platform/setup/stop'
import { runGateway } from './run.ts'
import { settingsSchema } from './settings.ts'
import { startWorkers } from './workers.ts'

const settings = readSettings(settingsSchema)

/** For those who run the system, on a port of its own that no client reaches. */
function serveOps(check: Check, metrics?: () => Promise<string>): Step {
  const inside = new Elysia(http).use(problems).use(ops([check], metrics))
  return ['operations', listen(handlerOf(inside), { port: settings.OPS_PORT, host: settings.HOST }).stop]
}

if (settings.GATEWAY_WORKERS > 1) {
  const workers = await startWorkers(settings)
  const serving = serveOps({ name: 'workers', critical: true, up: workers.areReady }, workers.metrics)
  stopOnSignal([['workers', workers.stop], serving])
} else {
  const running = await runGateway(settings, { isShared: false })
  stopOnSignal([...running.steps, serveOps({ name: 'keys', critical: true, up: running.isReady })])
}
