import type { SendMailOptions } from 'nodemailer'
import { type Mailbox, mailboxOf } from '#platform/events/calendar-entry'
import { hasLink, oneLine } from '#platform/http/text'
import type { Locale, Person } from '../people/queries.ts'
import { calendarPart } from './calendar.ts'
import { toHtml, toText } from './html.ts'
import { type Facts, type MailData, type Template, unproved } from './model.ts'
import { english } from './words-en.ts'
import { portuguese } from './words-pt.ts'

/** A mail as its row has it, with the people it speaks of. */
export type Draft = {
  eventId: string
  eventAt: Date
  template: Template
  appointmentId: string | null
  version: number | null
  data: MailData
  recipient: Person
  /** Null where the mail is about no appointment, or the person is erased. */
  doctor: Pick<Person, 'name' | 'crm'> | null
  patient: Pick<Person, 'name'> | null
}
/** Who writes, and where links lead. */
export type Sender = { from: Mailbox; publicUrl: string }

const words = { 'pt-BR': portuguese, en: english }
const somebody = {
  'pt-BR': { doctor: 'o médico ou a médica', patient: 'o paciente' },
  en: { doctor: 'the doctor', patient: 'the patient' }
}
const footers = {
  'pt-BR': 'Esta mensagem é automática: respostas não são lidas.',
  en: 'This is an automatic message: replies are not read.'
}
const onlyAddress = /^[^\s<>()[\]\\,;:@"\p{Cc}]+@[^\s<>()[\]\\,;:@"\p{Cc}]+$/u

/** The whole message for SMTP; the same draft always gives the same Message-ID. Throws where the recipient has no address that can be written to. */
export function compose(written: Draft, sender: Sender): SendMailOptions {
  const { draft, to } = readyToSend(written)
  const facts = factsOf(draft, sender)
  const content = words[facts.locale][draft.template](facts)
  const frame = { lang: facts.locale, footer: footers[facts.locale] }
  const calendar = calendarOf(draft, facts, sender.from, to)
  const [text, html] = [toText(content, frame), toHtml(content, frame)]
  const domain = sender.from.address.split('@')[1]
  return {
    from: sender.from,
    to,
    // explicit, and objects all through: a string would be parsed and could name another recipient
    envelope: { from: sender.from, to: [to] } as unknown as SendMailOptions['envelope'],
    messageId: `<${draft.eventId}.${draft.recipient.id}.${draft.template}@${domain}>`,
    ...(draft.appointmentId && { references: `<${draft.appointmentId}@${domain}>` }),
    subject: oneLine(content.subject),
    text,
    html,
    // base64 is a third less work for nodemailer than quoted-printable; text that is ASCII stays readable, and lines are folded where they are long
    textEncoding: isAscii(text) && isAscii(html) ? 'quoted-printable' : 'base64',
    ...(calendar && calendarParts(calendar)),
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All', 'Content-Language': facts.locale },
    disableFileAccess: true,
    disableUrlAccess: true
  }
}

/**
 * The draft with the names that it may show, and whom it goes to. A mail to an address that nobody has proved would put the names of strangers, and what
 * they wrote as their names, before anybody. Names with a link were kept before such names were refused.
 */
function readyToSend(draft: Draft): { draft: Draft; to: Mailbox } {
  const namesNobody = !draft.recipient.verified || unproved.includes(draft.template)
  const named = <P extends { name: string | null }>(person: P): P => ({
    ...person,
    name: namesNobody || !person.name || hasLink(person.name) ? null : oneLine(person.name)
  })
  const { address } = draft.data
  const recipient = { ...named(draft.recipient), ...(address && { email: address }) }
  const shown = { ...draft, recipient, doctor: draft.doctor && named(draft.doctor), patient: draft.patient && named(draft.patient) }
  return { draft: shown, to: addressOf(recipient) }
}

function factsOf({ recipient, doctor, patient, data }: Draft, { publicUrl }: Sender): Facts {
  const locale: Locale = recipient.locale === 'en' ? 'en' : 'pt-BR'
  return {
    locale,
    you: { name: recipient.name, role: recipient.role, timezone: recipient.timezone },
    doctor: doctor?.name ? withCrm(doctor.name, doctor.crm) : somebody[locale].doctor,
    patient: patient?.name ?? somebody[locale].patient,
    isNamed: { doctor: Boolean(doctor?.name), patient: Boolean(patient?.name) },
    by: actorOf(data, recipient),
    appointment: data.appointment,
    offer: data.offer,
    account: data.account ?? {},
    publicUrl
  }
}

function actorOf({ appointment }: MailData, recipient: Person): Facts['by'] {
  const actor = appointment?.actor
  if (actor?.id === recipient.id) return 'you'
  return actor?.role === 'doctor' || actor?.role === 'patient' ? actor.role : 'system'
}

const withCrm = (name: string, crm: string | null) => (crm ? `${name} (CRM ${crm})` : name)

function calendarOf(draft: Draft, facts: Facts, organizer: Mailbox, attendee: Mailbox) {
  const { appointmentId, version, data, recipient, doctor } = draft
  if (!data.appointment || !data.calendar || !appointmentId || version === null) return undefined
  return calendarPart({
    method: data.calendar,
    appointmentId,
    version,
    status: data.appointment.status,
    stamp: draft.eventAt,
    start: new Date(data.appointment.start),
    end: new Date(data.appointment.end),
    with: recipient.role === 'doctor' ? facts.patient : (doctor?.name ?? facts.doctor),
    locale: facts.locale,
    organizer,
    attendee
  })
}

/** The entry as an alternative to the text, for programs that understand it, and as a file, for those that only let it be opened. */
function calendarParts(entry: string): Pick<SendMailOptions, 'alternatives' | 'attachments'> {
  const method = /^METHOD:(\w+)/m.exec(entry)?.[1]
  const part = { content: entry, contentTransferEncoding: isAscii(entry) ? ('7bit' as const) : ('base64' as const) }
  return {
    alternatives: [{ ...part, contentType: `text/calendar; charset=utf-8; method=${method}` }],
    attachments: [{ ...part, contentType: 'application/ics; name=invite.ics', filename: 'invite.ics' }]
  }
}

const isAscii = (text: string) => !/\P{ASCII}/u.test(text)

function addressOf({ name, email }: Person): Mailbox {
  if (!email || email.length > 254 || !onlyAddress.test(email)) throw new Error('the recipient has no address that can be written to')
  return { name: name ?? '', address: email }
}

/** The sender that `MAIL_FROM` names. */
export const senderOf = (mailFrom: string, publicUrl: string): Sender => ({ from: mailboxOf(mailFrom), publicUrl })
