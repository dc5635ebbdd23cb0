import { afterAll, beforeAll, expect, test } from 'bun:test'
import SQL from 'sql-template-strings'
import { rows } from '#platform/data/db'
import { eventually } from '#platform/testing/testing'
import { type Rig, someEvent, somePatient, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig.stop())

const register = async (more: object = {}) => {
  const person = somePatient({ name: 'Zuleica Prado', ...more })
  await rig.publish(someEvent('healthmed.user.registered.v1', person))
  return person
}

test('a change of address writes to the new address without a name, and to the one before, also after the change', async () => {
  const person = await register()
  const email = `new-${crypto.randomUUID().slice(0, 8)}@example.com`
  await rig.publish(someEvent('healthmed.user.updated.v1', { ...person, email, version: 2 }))
  const token = '019b1a20-9c3e-7d14-8b06-f1a57e2c4d93.3q2-7wEr5tYu8iOp1aSd4fGh6jKl9zXc0vBn2mQw5eR'
  await rig.publish(
    someEvent('healthmed.user.verification_of_new_address_requested.v1', {
      id: person.id,
      token,
      expiresAt: Temporal.Now.instant().add({ hours: 24 }).toString(),
      email,
      previousEmail: person.email
    })
  )
  const [proof] = await rig.mailsTo(email, 1)
  expect(proof?.parsed.subject).toBe('Confirme seu novo e-mail')
  expect(proof?.parsed.text).toContain(`verify-email#token=${encodeURIComponent(token)}`)
  expect(JSON.stringify([proof?.parsed.to, proof?.parsed.text, proof?.parsed.html])).not.toContain('Zuleica')
  const [notice] = await rig.mailsTo(person.email, 1)
  expect(notice?.parsed.subject).toBe('Pedido de troca de e-mail')
  expect(JSON.stringify([notice?.parsed.text, notice?.parsed.html])).not.toContain(token)
  // neither token nor address is kept once the mails have left
  await eventually(
    async () => (await rows(rig.sql, SQL`select 1 from mails where recipient_id = ${person.id} and status <> 'sent'`)).length === 0
  )
  expect(await rows<object>(rig.sql, SQL`select distinct data from mails where recipient_id = ${person.id}`)).toEqual([{ data: {} }])
})

const changes: [change: string, reason: string | null, subject: string, says: RegExp][] = [
  ['activated', null, 'Verificação em duas etapas ativada', /código do aplicativo/],
  ['removed', null, 'Verificação em duas etapas desativada', /somente a senha/],
  ['reset', 'Perdeu o celular', 'Verificação em duas etapas desativada', /administração.*Perdeu o celular/s],
  ['voided', null, 'Verificação em duas etapas desativada', /confirmado pela primeira vez/]
]
test.each(changes)('the person is told that the second factor was %s', async (change, reason, subject, says) => {
  const person = await register()
  await rig.publish(someEvent('healthmed.user.second_factor_changed.v1', { id: person.id, change, reason }))
  const [mail] = await rig.mailsTo(person.email, 1)
  expect(mail?.parsed.subject).toBe(subject)
  expect(mail?.parsed.text).toMatch(says)
})

const locks: [what: string, resetNeeded: boolean | undefined, says: RegExp, not: RegExp][] = [
  ['a while', undefined, /do mesmo lugar ficam bloqueadas até/, /somente depois/],
  ['a reset', true, /somente depois de você escolher uma nova senha/, /De outros lugares/]
]
test.each(locks)('the email about a lock that lasts until %s says so', async (_, resetNeeded, says, not) => {
  const person = await register()
  const until = Temporal.Now.instant().add({ minutes: 15 }).toString()
  await rig.publish(someEvent('healthmed.user.locked_out.v1', { id: person.id, until, ...(resetNeeded && { resetNeeded }) }))
  const [mail] = await rig.mailsTo(person.email, 1)
  const text = mail?.parsed.text?.replace(/\s+/g, ' ')
  expect(text).toMatch(says)
  expect(text).not.toMatch(not)
})

test('an account that was never verified in time gets no farewell', async () => {
  const [person, other] = [await register(), await register()]
  await rig.publish(someEvent('healthmed.user.erased.v1', { id: person.id, role: 'patient', version: 2, reason: 'unverified' }))
  await rig.publish(someEvent('healthmed.user.erased.v1', { id: other.id, role: 'patient', version: 2 }))
  await rig.mailsTo(other.email, 1)
  const left = SQL`select 1 from people where id = ${person.id} and erased_at is not null`
  await eventually(async () => (await rows(rig.sql, left)).length === 1)
  expect(await rows(rig.sql, SQL`select 1 from mails where recipient_id = ${person.id}`)).toEqual([])
})
