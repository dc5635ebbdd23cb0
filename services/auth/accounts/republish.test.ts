import { expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { one } from '#platform/data/db'
import { rigOf } from '../testing/testing.ts'
import { republishUsers } from './republish.ts'

test('everybody is told of again as they are now, with the version that they have', async () => {
  const rig = await rigOf()
  try {
    const doctor = await rig.person({ crm: '31-SP' })
    const patient = await rig.person()
    await rig.call('PATCH', '/v1/auth/me', { token: patient.accessToken, body: { name: 'Novo Nome' } })
    const { count } = await one<{ count: number }>(rig.sql, SQL`select count(*) as count from users`)
    expect(await republishUsers(rig.sql)).toBe(count)
    const last = async (id: string) => (await rig.events('user.updated', id)).at(-1)?.data
    expect(await last(doctor.id)).toMatchObject({ id: doctor.id, crm: '31-SP', approval: 'pending', version: 1 })
    expect(await last(patient.id)).toMatchObject({ name: 'Novo Nome', email: patient.email, version: 2 })
  } finally {
    await rig.stop()
  }
})
