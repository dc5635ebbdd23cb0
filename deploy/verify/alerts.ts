import { step } from '../../dev/terminal.ts'
import { compose, PROJECT, run } from './engine.ts'
import { PROMETHEUS, until } from './watching.ts'

type Alert = { labels: { alertname: string }; state: string }

/** What was seen: how long until the alert fired, and until it was quiet again, in seconds. */
export type Seen = { alert: string; fired: number; cleared: number }

/** Breaks one thing after the other in the running containers, waits for its alert, mends it, and waits until the alert is gone; Prometheus runs already. Throws where one does not come or stay. */
export async function watchAlerts(): Promise<Seen[]> {
  const seen: Seen[] = []
  for (const [alert, broken, mended] of trials) {
    seen.push(
      await step(
        alert,
        async () => {
          const fired = await timed(broken, alert, true)
          return { alert, fired, cleared: await timed(mended, alert, false) }
        },
        ({ fired, cleared }) => `fired after ${fired} s, quiet after ${cleared} s`
      )
    )
  }
  return seen
}

const psql = (statement: string) =>
  run([
    'docker',
    'exec',
    `${PROJECT}-postgres-1`,
    'sh',
    '-c',
    `PGPASSWORD=$(cat /run/secrets/postgres_password) psql -qh 127.0.0.1 -U postgres healthmed -c "${statement}"`
  ])

const ID = 'aaaaaaaa-0000-7000-8000-000000000000'
const trials: [alert: string, broken: () => Promise<unknown>, mended: () => Promise<unknown>][] = [
  ['ServiceDown', () => compose('stop', 'scheduling'), () => compose('start', 'scheduling')],
  [
    'DeadLetters',
    () => psql(`insert into notifier.dead_letters values ('${ID}', 'q', 't', '', 'trial', '', now(), now())`),
    () => psql(`delete from notifier.dead_letters where id = '${ID}'`)
  ],
  [
    'SmtpDown',
    async () => {
      await compose('stop', 'mailbox')
      // only a mail that is due shows that the server is away
      await psql(
        `update notifier.mails set status = 'pending', due_at = now(), event_at = now() where id = (select id from notifier.mails where template = 'doctor_approved' limit 1)`
      )
    },
    () => compose('start', 'mailbox')
  ],
  [
    'OutboxStuck',
    async () => {
      await compose('stop', 'rabbitmq')
      await psql(
        `insert into auth.outbox (id, type, subject, data, traceparent, request_id) values ('${ID}', 'healthmed.trial.v1', '${ID}', '{}', 't', 'r')`
      )
    },
    async () => {
      await compose('start', 'rabbitmq')
      // no queue takes an event of this type, so it would wait for ever
      await psql(`delete from auth.outbox where id = '${ID}'`)
    }
  ]
]

async function timed(act: () => Promise<unknown>, alert: string, firing: boolean): Promise<number> {
  const since = performance.now()
  await act()
  await until(`${alert} ${firing ? 'fires' : 'is quiet'}`, async () => {
    const { data } = (await (await fetch(`${PROMETHEUS}/api/v1/alerts`)).json()) as { data: { alerts: Alert[] } }
    return data.alerts.some(({ labels, state }) => labels.alertname === alert && state === 'firing') === firing
  })
  return Math.round((performance.now() - since) / 1000)
}
