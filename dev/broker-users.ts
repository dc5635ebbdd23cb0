import { DEAD_LETTERS, EXCHANGE } from '#platform/bus'
import { schemas } from '#platform/provision'

type Passwords = Record<(typeof schemas)[number], string>

const literal = (name: string) => name.replaceAll('.', '\\.')

/**
 * Gives each service a user of its own on the broker, who can touch the shared exchange, the dead letters and the queues
 * that bear the service's name, and nothing else. `api` is the management API with an administrator's credentials.
 */
export async function provisionBroker(api: string, passwords: Passwords): Promise<void> {
  for (const service of schemas) {
    const own = `^(${literal(EXCHANGE)}|${literal(DEAD_LETTERS)}|(healthmed\\.)?${service}([.-].*)?)$`
    await put(`${api}/users/${service}`, { password: passwords[service], tags: '' })
    await put(`${api}/permissions/%2F/${service}`, { configure: own, write: own, read: own })
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
