import { schemas } from '../data/provision.ts'
import { DEAD_LETTERS, EXCHANGE } from './bus.ts'
import { type EventType, typesOf } from './events.ts'

type Passwords = Record<(typeof schemas)[number], string>

const literal = (name: string) => name.replaceAll('.', '\\.')
const anyOf = (...patterns: string[]) => `^(${patterns.join('|')})$`
const [events, dead] = [literal(EXCHANGE), literal(DEAD_LETTERS)]
const ownQueues = (service: string) => `${service}\\.events\\..+`

/**
 * What each service may do: auth only announces; scheduling has a queue of its own and puts aside what it cannot process; the notifier keeps the dead
 * letters as well, and puts them back into the queue of any service, which goes by way of the default exchange.
 */
const permissions = {
  auth: { configure: anyOf(events), write: anyOf(events), read: '' },
  scheduling: {
    configure: anyOf(events, dead, ownQueues('scheduling')),
    write: anyOf(events, dead, ownQueues('scheduling')),
    read: anyOf(events, ownQueues('scheduling'))
  },
  notifier: {
    configure: anyOf(events, dead, ownQueues('notifier')),
    write: anyOf(events, dead, ownQueues('notifier'), 'amq\\.default'),
    read: anyOf(events, dead, ownQueues('notifier'))
  }
}

/** Routing keys of these types, in any version, so that a release may announce a newer one. `\z` is the end: `$` also matches before a line break. */
const keysOf = (types: EventType[]) => `^(${types.map((type) => literal(type.replace(/\.v\d+$/, ''))).join('|')})\\.v[0-9]+\\z`
const NOTHING = '(?!)'

/**
 * Which routing keys each service may use on the exchange of events: it publishes the types that it owns, and no other. `read` is what its queue may be
 * bound to: scheduling learns of people and never gets an event that bears a token.
 */
const topics = {
  auth: { write: keysOf(typesOf.auth), read: NOTHING },
  scheduling: {
    write: keysOf(typesOf.scheduling),
    read: '^healthmed\\.(user|doctor)\\.(?!verification|password)[a-z_]+\\.(\\*|v[0-9]+)\\z'
  },
  notifier: { write: NOTHING, read: '^healthmed\\..+' }
}

/** Gives each service a user of its own on the broker, with the least permissions. `api` is the management API with an administrator's credentials. */
export async function provisionBroker(api: string, passwords: Passwords, vhost = '/'): Promise<void> {
  for (const service of schemas) {
    await put(`${api}/users/${service}`, { password: passwords[service], tags: '' })
    await put(`${api}/permissions/${encodeURIComponent(vhost)}/${service}`, permissions[service])
    await put(`${api}/topic-permissions/${encodeURIComponent(vhost)}/${service}`, { exchange: EXCHANGE, ...topics[service] })
  }
}

async function put(address: string, body: unknown): Promise<void> {
  const url = new URL(address)
  const authorization = `Basic ${btoa(`${url.username}:${url.password}`)}`
  url.username = ''
  url.password = ''
  const response = await fetch(url, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(`RabbitMQ answered ${response.status} to PUT ${url.pathname}: ${await response.text()}`)
}
