import { expect, test } from 'bun:test'
import { Elysia } from 'elysia'
import { handlerOf, http, problems } from './app.ts'
import { eventsCheck, ops } from './health.ts'
import { Problem } from './problem.ts'

const state = { database: true, flowing: true }
const app = new Elysia(http)
  .use(problems)
  .use(
    ops([
      { name: 'database', critical: true, up: () => state.database },
      { name: 'broker', critical: false, up: () => Promise.reject(new Error('away')) },
      eventsCheck(() => state.flowing)
    ])
  )
  .get('/v1/refused', () => {
    throw new Problem('slot_taken')
  })
const ask = async (path: string) => {
  const response = await handlerOf(app)(new Request(`http://localhost${path}`))
  return { status: response.status, text: await response.text() }
}

test('what is not critical degrades, what is critical takes the process out', async () => {
  state.database = true
  expect(await ask('/health/ready')).toMatchObject({ status: 200, text: expect.stringContaining('"degraded"') })
  state.database = false
  expect(await ask('/health/ready')).toMatchObject({ status: 503, text: expect.stringContaining('"down"') })
})

test('the metrics say which dependency is there at this moment', async () => {
  state.database = false
  const { text } = await ask('/metrics')
  expect(text).toContain('healthmed_dependency_up{dependency="database",critical="true"} 0')
  expect(text).toContain('healthmed_dependency_up{dependency="broker",critical="false"} 0')
  state.database = true
  expect((await ask('/metrics')).text).toContain('healthmed_dependency_up{dependency="database",critical="true"} 1')
})

test('a refused request counts under its route and code', async () => {
  await ask('/v1/refused')
  expect((await ask('/metrics')).text).toContain('healthmed_problems_total{route="/v1/refused",code="slot_taken"} 1')
})

test('a process stays ready while events do not leave, and says what somebody has to look at', async () => {
  const readiness = async () => JSON.parse((await ask('/health/ready')).text)
  state.database = true
  expect((await readiness()).problems).toBeUndefined()
  state.flowing = false
  expect((await ask('/health/ready')).status).toBe(200)
  expect(await readiness()).toMatchObject({
    status: 'degraded',
    checks: { database: 'up', broker: 'down', events: 'down' },
    problems: [expect.stringContaining('Events have not left')]
  })
  state.flowing = true
})
