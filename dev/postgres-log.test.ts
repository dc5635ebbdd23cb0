import { expect, test } from 'bun:test'
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import SQL from 'sql-template-strings'
import { run } from '#platform/data/db'
import { eventually, testDatabase } from '#platform/testing/testing'

const PARAMETERS = { log_error_verbosity: 'terse', log_parameter_max_length: '0', log_parameter_max_length_on_error: '0' }

test('what a constraint refuses leaves no value of a person in the log of PostgreSQL, by key, row or parameter', async () => {
  const database = await testDatabase('auth', { max: 1 })
  const secret = `joana.${crypto.randomUUID()}@example.com`
  const insert = (email: string, role = 'patient') =>
    run(
      database.sql,
      SQL`insert into users (id, role, name, name_folded, email, locale, timezone, password_hash, created_at, updated_at)
          values (${Bun.randomUUIDv7()}, ${role}, ${secret}, ${secret}, ${email}, 'pt-BR', 'UTC', 'x', now(), now())`
    )
  try {
    await insert(secret)
    // a duplicate (Key (email)=(…)), a check (Failing row contains …) and a missing reference
    await expect(insert(secret)).rejects.toThrow('email_taken')
    await expect(insert(`2${secret}`, 'nobody')).rejects.toThrow('users_role_check')
    await expect(run(database.sql, SQL`update users set crm = ${secret} where email = ${secret}`)).rejects.toThrow('doctors_have_a_crm')
    const log = () => readFileSync(process.env.TEST_POSTGRES_LOG ?? '', 'utf8')
    await eventually(() => log().includes('doctors_have_a_crm'))
    expect(log()).toContain('email_taken')
    expect(log()).not.toContain(secret)
    expect(log()).not.toContain(secret.slice(0, 20))
  } finally {
    await database.close()
  }
})

test('the servers of compose and of Kubernetes keep the same out of their logs', () => {
  const read = (file: string) => readFileSync(join(import.meta.dir, '..', file), 'utf8')
  const { services } = Bun.YAML.parse(read('docker-compose.yml')) as { services: { postgres: { entrypoint: string[] } } }
  for (const [name, value] of Object.entries(PARAMETERS)) expect(services.postgres.entrypoint.join(' ')).toContain(`-c ${name}=${value}`)
  const [cluster] = Bun.YAML.parse(read('deploy/k8s/overlays/production/postgres.yml')) as {
    spec: { postgresql: { parameters: object } }
  }[]
  expect(cluster?.spec.postgresql.parameters).toMatchObject(PARAMETERS)
})

test('nobody but their owner enters the directories of PostgreSQL and RabbitMQ, or reads their logs', () => {
  const log = process.env.TEST_POSTGRES_LOG ?? ''
  const run = dirname(dirname(log))
  const paths = [dirname(log), log, join(run, 'rabbitmq'), join(run, 'rabbitmq/rabbitmq.log')]
  expect(paths.map((path) => [path, statSync(path).mode & 0o077])).toEqual(paths.map((path) => [path, 0]))
})
