import { expect, test } from 'bun:test'
import ICAL from 'ical.js'
import { type ParsedMail, simpleParser } from 'mailparser'
import { createTransport } from 'nodemailer'
import type { Person } from '../people/queries.ts'
import { compose, type Draft, type Sender } from './compose.ts'
import type { MailData } from './model.ts'
import { sample, samples } from './samples.ts'

const sender: Sender = { from: { name: 'Health&Med', address: 'no-reply@healthmed.example' }, publicUrl: 'https://healthmed.example' }
const wire = createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
const rawOf = async (draft: Draft): Promise<string> =>
  ((await wire.sendMail(compose(draft, sender))) as unknown as { message: Buffer }).message.toString('latin1')
const parsedOf = async (draft: Draft): Promise<ParsedMail> => simpleParser(Buffer.from(await rawOf(draft), 'latin1'))

const someone = (more: Partial<Person> = {}): Person => ({
  id: '019b0d5e-0000-7000-8000-00000000000a',
  role: 'patient',
  name: 'Rui Sales',
  email: 'rui@example.com',
  verified: true,
  locale: 'en',
  timezone: 'America/Sao_Paulo',
  crm: null,
  ...more
})
const drBell = { doctor: { name: 'Dr. Ann Bell', crm: '123456-SP' }, patient: { name: 'Rui Sales' } }
const withAppointment = (draft: Draft, more: Partial<NonNullable<MailData['appointment']>>): Draft => ({
  ...draft,
  data: { ...draft.data, appointment: draft.data.appointment && { ...draft.data.appointment, ...more } }
})

test.each(['appointment_confirmed', 'verify_email', 'reminder_24h', 'appointment_cancelled', 'password_reset'] as const)(
  'no part of an ASCII mail is in base64: %s',
  async (template) => {
    const draft = withAppointment(sample(template, someone(), drBell), { statusReason: null })
    const raw = await rawOf(draft)
    expect(raw).not.toMatch(/base64/i)
    expect(raw).toMatch(/^[\t\r\n -~]+$/)
    for (const line of raw.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998)
    const { text, html } = await simpleParser(raw)
    const { text: meant, html: markup } = compose(draft, sender)
    expect(text?.trim()).toBe(String(meant).trim())
    expect(String(html).trim()).toBe(String(markup).trim())
  }
)

test('parts beyond ASCII are encoded and read as they were written', async () => {
  const draft = sample('appointment_confirmed', someone({ locale: 'pt-BR', name: 'João Ávila 👩‍⚕️' }))
  expect(await rawOf(draft)).toMatch(/^[\t\r\n -~]+$/)
  const { text, html } = await parsedOf(draft)
  expect(text?.trim()).toBe(String(compose(draft, sender).text).trim())
  expect(html).toContain('Íris Conceição')
})

test('no mail asks for an automatic answer', async () => {
  for (const draft of samples()) {
    const { headers } = await parsedOf(draft)
    expect([draft.template, headers.get('x-auto-response-suppress'), headers.get('auto-submitted')]).toEqual([
      draft.template,
      'All',
      'auto-generated'
    ])
  }
})

test.each(['appointment_confirmed', 'appointment_rescheduled', 'appointment_cancelled'] as const)(
  '%s: text, HTML and calendar are alternatives, and invite.ics is attached beside them with the same content',
  async (template) => {
    const draft = sample(template, someone())
    const raw = await rawOf(draft)
    const outer = /^Content-Type: multipart\/mixed;\s+boundary="([^"]+)"/im.exec(raw)?.[1] ?? ''
    const [, first = '', second = '', end] = raw.split(`--${outer}`)
    expect(first).toMatch(/^\s*Content-Type: multipart\/alternative;/i)
    const types = [...first.matchAll(/^Content-Type: (text\/\w+)/gim)].map(([, type]) => type)
    expect(types).toEqual(['text/plain', 'text/html', 'text/calendar'])
    expect(second).toMatch(/^\s*Content-Type: application\/ics; name=invite\.ics/i)
    expect(second).toMatch(/^Content-Disposition: attachment; filename=invite\.ics/im)
    expect(end?.trim()).toBe('--')
    const [calendar, attached] = (await parsedOf(draft)).attachments
    expect(attached?.filename).toBe('invite.ics')
    expect(attached?.content.toString()).toBe(calendar?.content.toString() as string)
  }
)

test('a mail without a calendar entry has no attachment', async () => {
  expect((await parsedOf(sample('reminder_24h', someone()))).attachments).toEqual([])
})

test('attendee and organizer of an international domain are in Punycode', async () => {
  const from = { ...sender, from: { name: 'Clínica', address: 'agenda@clínica.com.br' } }
  const { alternatives } = compose(sample('appointment_confirmed', someone({ email: 'rui@saúde.example' })), from)
  const event = new ICAL.Component(ICAL.parse(String(alternatives?.[0]?.content))).getFirstSubcomponent('vevent')
  expect(String(event?.getFirstPropertyValue('attendee')).toLowerCase()).toBe('mailto:rui@xn--sade-rra.example')
  expect(String(event?.getFirstPropertyValue('organizer'))).toBe('mailto:agenda@xn--clnica-4va.com.br')
})

const forged = 'Vou viajar.\r\n\r\n-- \r\nHealth&Med: pague em golpe\u2028\u202e”“ "Fim" « »\u200b'

test.each(['appointment_declined', 'appointment_cancelled'] as const)(
  'the reason that another person gave for %s is a quotation on one line',
  async (template) => {
    for (const locale of ['pt-BR', 'en'] as const) {
      const draft = withAppointment(sample(template, someone({ locale })), { statusReason: forged })
      const { text, html } = await parsedOf(draft)
      const quotation = '“Vou viajar. -- Health&Med: pague em golpe ’’ ’Fim’ ’ ’”'
      expect(text?.split('\n').filter((line) => line.endsWith(`: ${quotation}`))).toHaveLength(1)
      expect(text?.match(/^-- $/gm)).toHaveLength(1)
      expect(html).toContain(quotation.replace('&', '&amp;'))
    }
  }
)

test('whatever a mail shows of a reason is a quotation on one line, in every mail there is', async () => {
  for (const draft of samples()) {
    const account = { ...draft.data.account, reason: forged }
    const { appointment } = draft.data
    const data = { ...draft.data, account, ...(appointment && { appointment: { ...appointment, statusReason: forged } }) }
    const { text = '' } = await parsedOf({ ...draft, data })
    const shown = text.split('\n').filter((line) => line.includes('golpe'))
    for (const line of shown)
      expect([draft.template, line]).toEqual([draft.template, expect.stringMatching(/^[^“]+: “Vou viajar\. -- .*”$/)])
    expect([draft.template, text.match(/^-- $/gm)?.length]).toEqual([draft.template, 1])
  }
})

test('a party without a name has no line of its own', async () => {
  for (const draft of [
    sample('appointment_confirmed', someone({ verified: false })),
    sample('waitlist_offered', someone({ verified: false })),
    sample('appointment_cancelled', someone(), { doctor: { name: null, crm: null } })
  ])
    expect([draft.template, (await parsedOf(draft)).text]).toEqual([draft.template, expect.not.stringMatching(/^Doctor:/m)])
  expect((await parsedOf(sample('appointment_confirmed', someone(), drBell))).text).toContain('Doctor: Dr. Ann Bell (CRM 123456-SP)')
})

test('the reason for a rejection is a quotation on one line', async () => {
  const draft = sample('doctor_rejected', someone({ role: 'doctor' }), { data: { account: { reason: forged } } })
  const { text } = await parsedOf(draft)
  expect(text).toContain('“Vou viajar. -- Health&Med: pague em golpe ’’ ’Fim’ ’ ’”')
  expect(text?.match(/^-- $/gm)).toHaveLength(1)
})

const named = { doctor: { name: 'Zuleica Quaresma', crm: '778899-SP' }, patient: { name: 'Anacleto Prado' } }
const names = /zuleica|quaresma|anacleto|prado|778899/i

test('a mail to an address that is not verified names nobody: not in headers, text, HTML or calendar', async () => {
  for (const draft of samples()) {
    const name = draft.recipient.role === 'doctor' ? named.doctor.name : named.patient.name
    const recipient = { ...draft.recipient, name, verified: false }
    const unproved = {
      ...draft,
      recipient,
      ...(draft.doctor && { doctor: named.doctor }),
      ...(draft.patient && { patient: named.patient })
    }
    const mail = await parsedOf(unproved)
    const all = [
      mail.headerLines.map(({ line }) => line),
      mail.subject,
      mail.text,
      mail.html,
      mail.attachments.map(({ content }) => content.toString())
    ]
    expect([draft.template, JSON.stringify(all)]).toEqual([draft.template, expect.not.stringMatching(names)])
    expect(mail.text).not.toMatch(/ , |^,| \.|undefined|null/m)
  }
})

test('the mail that asks to verify an address names nobody, whoever has it', async () => {
  for (const locale of ['pt-BR', 'en'] as const) {
    const mail = await parsedOf(sample('verify_email', someone({ locale, name: named.patient.name })))
    expect(JSON.stringify([mail.headerLines, mail.text, mail.html])).not.toMatch(names)
  }
})

test('a name that was kept with a link in it is not shown', async () => {
  const bad = 'Ganhe R$ 500 em https://golpe.example'
  for (const template of ['appointment_confirmed', 'reminder_1h', 'account_erased'] as const) {
    const draft = sample(template, someone({ name: bad }), { doctor: { name: bad, crm: '1-SP' }, patient: { name: bad } })
    const mail = await parsedOf(draft)
    expect(
      JSON.stringify([mail.headerLines, mail.text, mail.html, mail.attachments.map(({ content }) => content.toString())])
    ).not.toContain('golpe')
  }
})

test.each(['appointment_declined', 'appointment_expired'] as const)(
  '%s after a move says both times and that the earlier one is gone',
  async (template) => {
    const moved = { previousStart: '2027-01-05T13:00:00Z' }
    const textOf = async (locale: 'pt-BR' | 'en', role: 'patient' | 'doctor') =>
      (await parsedOf(withAppointment(sample(template, someone({ locale, role })), moved))).text ?? ''
    for (const role of ['patient', 'doctor'] as const) {
      const [portuguese, english] = [await textOf('pt-BR', role), await textOf('en', role)]
      expect(portuguese).toContain('quinta-feira, 7 de janeiro de 2027, 08:00')
      expect(portuguese).toMatch(/horário anterior, terça-feira, 5 de janeiro de 2027, 10:00,.*(liberado|não está mais reservado)/)
      expect(english).toContain('Thursday, January 7, 2027, 8:00 AM')
      expect(english).toMatch(/earlier time, Tuesday, January 5, 2027, 10:00 AM,.*(given up|no longer)/)
    }
    expect((await parsedOf(sample(template, someone()))).text).not.toMatch(/earlier time/)
  }
)
