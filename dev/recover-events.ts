import { manage } from '../ops/manage.ts'
import { republishEvents } from '../ops/republish-events.ts'
import type { Parts } from './parts.ts'
import type { StartSettings } from './start-settings.ts'
import { say, step, yellow } from './terminal.ts'

/**
 * Where the broker starts without the data of the run before, puts the events that its queues held back into the outbox, before any service starts.
 * Running it again after a start that broke off does no harm: consumers ignore what they know.
 */
export async function recoverEvents(parts: Parts, settings: StartSettings): Promise<void> {
  const { brokerData, postgresUrl: adminUrl, database } = parts
  if (!brokerData) return
  if (brokerData.events === 'lost') {
    const republish = () => republishEvents({ adminUrl, database, passwords: {} })
    const why = brokerData.why
    if (why) {
      say(yellow(`  ! The data of RabbitMQ is not used: ${why}. It starts empty, and events that no service has handled leave again.`))
      say(yellow('    The old data is in rabbitmq/data.set-aside; it is not needed any more.'))
    }
    const { lost, needsUsers } = why ? await step('Events published again', republish, ({ events }) => `${events}`) : await republish()
    // of a release that kept no data of sent events: every service is told of everybody as they are now
    if (needsUsers && manage('auth', ['republish'], { ...process.env, ...placeOf(settings) }) !== 0)
      throw new Error('The services could not be told of everybody again; see above.')
    if (lost > 0)
      say(
        yellow(
          `  ! Emails with a link or a notice of the previous release that cannot be made again: ${lost}. People can ask for new ones.`
        )
      )
  }
  brokerData.settle()
}

// no database but that of the system at hand
const placeOf = ({ DATA_DIR, POSTGRES_URL, RABBITMQ_URL }: StartSettings) => ({
  DATA_DIR,
  POSTGRES_URL,
  RABBITMQ_URL,
  DATABASE_URL: undefined,
  DATABASE_URL_FILE: undefined
})
