import { Type } from '@sinclair/typebox'
import { connect } from '#platform/data/db'
import { manageKeys } from '#platform/data/manage-keys'
import { connectBus } from '#platform/events/bus'
import { readSettings } from '#platform/setup/settings'
import { listDeadLetters, replayDeadLetters } from './admin/dead-letters.ts'
import { sealedTables } from './secrets.ts'
import { settingsSchema } from './settings.ts'

/**
 * What is done to the notifier from a shell, where its settings are: `list` shows what could not be processed, `replay [ID…]` puts it back, `encryption …`
 * exchanges the encryption keys.
 */
const { DATABASE_URL, RABBITMQ_URL, ENCRYPTION_KEY } = readSettings(
  Type.Pick(settingsSchema, ['DATABASE_URL', 'RABBITMQ_URL', 'ENCRYPTION_KEY'])
)
const sql = connect(DATABASE_URL, { name: 'manage', max: 2, statementTimeoutMs: 600_000 })
const [command, ...ids] = process.argv.slice(2)
if (command === 'list') await list()
else if (command === 'replay') await replay()
else if (command === 'encryption') {
  const kept = { service: 'notifier', targets: sealedTables }
  if (!(await manageKeys(sql, ENCRYPTION_KEY, kept, ids[0], Temporal.Now.instant(), console.log))) process.exitCode = 1
} else {
  console.error('usage: list | replay [ID…] | encryption rotate|status|reseal|retire')
  process.exitCode = 64
}
await sql.end({ timeout: 5 })

async function list() {
  let shown = 0
  for (let cursor: string | null = null, first = true; first || cursor; first = false) {
    const page: Awaited<ReturnType<typeof listDeadLetters>> = await listDeadLetters(sql, { limit: 100, ...(cursor && { cursor }) })
    for (const { id, failedAt, queue, type, reason } of page.items) console.log(`${id}  ${failedAt}  ${queue}  ${type}  ${reason}`)
    shown += page.items.length
    cursor = page.nextCursor
  }
  console.log(shown === 0 ? 'no dead letters' : `${shown} dead letters`)
}

async function replay() {
  const bus = await connectBus({ url: RABBITMQ_URL, name: 'manage' })
  const until = Date.now() + 10_000
  while (!bus.connected() && Date.now() < until) await Bun.sleep(50)
  console.log(`${await replayDeadLetters(sql, bus, ids.length > 0 ? ids : undefined)} put back`)
  await bus.close()
}
