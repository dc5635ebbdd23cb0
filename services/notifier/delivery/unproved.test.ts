import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Rig, someAppointment, someDoctor, someEvent, somePatient, startRig } from '../testing/testing.ts'

let rig: Rig
beforeAll(async () => {
  rig = await startRig()
})
afterAll(() => rig.stop())

test('a person whose address is not verified reads no name in any mail, and reads names from the verification on', async () => {
  const [doctor, patient] = [someDoctor({ name: 'Zuleica Quaresma' }), somePatient({ name: 'Anacleto Prado', emailVerified: false })]
  await rig.publish(...[doctor, patient].map((person) => someEvent('healthmed.user.registered.v1', person)))
  const booked = someAppointment(doctor, patient)
  await rig.publish(someEvent('healthmed.appointment.requested.v1', booked))
  const [request] = await rig.mailsTo(patient.email, 1)
  await rig.publish(someEvent('healthmed.appointment.confirmed.v1', { ...booked, status: 'confirmed', version: 2 }))
  const confirmed = (await rig.mailsTo(patient.email, 2))[1]
  for (const mail of [request, confirmed]) {
    const { headerLines, text, html, attachments } = mail?.parsed ?? {}
    const all = JSON.stringify([headerLines, text, html, attachments?.map(({ content }) => content.toString())])
    expect(all).not.toMatch(/zuleica|quaresma|anacleto|prado/i)
  }
  expect(confirmed?.parsed.attachments.length).toBe(2)
  // the doctor's address is verified: that mail has the names
  expect((await rig.mailsTo(doctor.email, 1))[0]?.parsed.text).toContain('Anacleto Prado')
  await rig.publish(someEvent('healthmed.user.updated.v1', { ...patient, emailVerified: true, version: 2 }))
  await rig.publish(someEvent('healthmed.appointment.cancelled.v1', { ...booked, status: 'cancelled', version: 3 }))
  const cancelled = (await rig.mailsTo(patient.email, 3))[2]
  expect([cancelled?.parsed.to].flat()[0]?.text).toContain('Anacleto Prado')
  expect(cancelled?.parsed.text).toContain('Zuleica Quaresma')
})
