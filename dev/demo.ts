import { type Client, clientOf, onceKnown } from './client.ts'
import { DEMO_PASSWORD, type DemoDoctor, type DemoPatient, demoDoctors, demoPatients } from './demo-people.ts'
import { awaitMail, tokenIn } from './mails.ts'

type User = { id: string; email: string; emailVerified: boolean; approval?: string }
type Needs = { gateway: string; mailbox?: string; admin: { identifier: string; password: string } }

// as many as may be hashing at once without one being turned away
const AT_ONCE = 2

/**
 * Brings the demo data in through the public API, as clients would: doctors with hours and price, approved by the admin, and patients
 * with verified addresses. What is there already is left as it is. Tells in a few words what it did.
 */
export async function loadDemoData({ gateway, mailbox, admin }: Needs): Promise<string> {
  const api = clientOf(gateway)
  const { accessToken } = await api.want<{ accessToken: string }>('POST', '/v1/auth/login', { body: admin })
  const known = await usersThere(api, accessToken)
  const listed = await listedDoctors(api)
  const doctors = demoDoctors.filter(({ email }) => !listed.has(known.get(email)?.id ?? ''))
  const patients = demoPatients.filter(({ email }) => !known.get(email)?.emailVerified && (mailbox || !known.has(email)))
  if (doctors.length + patients.length === 0) return 'there already'

  const specialties = doctors.length > 0 ? await specialtyCodes(api) : new Map<string, string>()
  await inTurns([
    ...doctors.map((doctor) => () => bringDoctor(api, accessToken, doctor, specialties, known.get(doctor.email))),
    ...patients.map((patient) => () => bringPatient(api, mailbox, patient, known.get(patient.email)))
  ])
  const unverified = mailbox ? '' : "; the patients' addresses are not verified, for their mails went to your server"
  return `${doctors.length} doctors, ${patients.length} patients${unverified}`
}

async function usersThere(api: Client, token: string): Promise<Map<string, User>> {
  const { items } = await api.want<{ items: User[] }>('GET', '/v1/admin/users?limit=100&q=healthmed.example', { token })
  return new Map(items.map((user) => [user.email, user]))
}

async function listedDoctors(api: Client): Promise<Set<string>> {
  const { items } = await api.want<{ items: { id: string; specialties: string[] }[] }>('GET', '/v1/doctors?limit=100')
  return new Set(items.filter(({ specialties }) => specialties.length > 0).map(({ id }) => id))
}

async function specialtyCodes(api: Client): Promise<Map<string, string>> {
  const { items } = await api.want<{ items: { code: string; namePt: string }[] }>('GET', '/v1/specialties?limit=100')
  return new Map(items.map(({ code, namePt }) => [namePt.toLowerCase(), code]))
}

async function bringDoctor(api: Client, admin: string, doctor: DemoDoctor, specialties: Map<string, string>, known?: User): Promise<void> {
  const { name, email, cpf, crm, price, timezone, slotMinutes, hours, autoConfirm = false } = doctor
  const specialty = specialties.get(doctor.specialty.toLowerCase())
  if (!specialty) throw new Error(`GET /v1/specialties knows no "${doctor.specialty}"`)
  const user =
    known ??
    (await api.want<User>('POST', '/v1/auth/doctors', {
      body: { name, email, cpf, crm, password: DEMO_PASSWORD, locale: 'pt-BR', timezone }
    }))
  if (user.approval === 'pending') await api.want('POST', `/v1/admin/doctors/${user.id}/approve`, { token: admin })
  const { accessToken: token } = await api.want<{ accessToken: string }>('POST', '/v1/auth/login', {
    body: { identifier: email, password: DEMO_PASSWORD }
  })
  const profile = { specialties: [specialty], price: { amount: price, currency: 'BRL' }, timezone, autoConfirm }
  await onceKnown(() => api.want('PUT', '/v1/doctors/me/profile', { token, body: profile }))
  const rules = hours.map(([weekday, start, end]) => ({ weekday, start, end }))
  await api.want('PUT', '/v1/doctors/me/schedule', { token, body: { slotMinutes, rules } })
}

async function bringPatient(
  api: Client,
  mailbox: string | undefined,
  { name, email, cpf, locale, timezone }: DemoPatient,
  known?: User
): Promise<void> {
  if (!known) await api.want('POST', '/v1/auth/patients', { body: { name, email, cpf, password: DEMO_PASSWORD, locale, timezone } })
  if (!mailbox) return
  const mail = await awaitMail(mailbox, email, (candidate) => tokenIn(candidate) !== undefined)
  await api.want('POST', '/v1/auth/email/verify', { body: { token: tokenIn(mail) } })
}

async function inTurns(jobs: (() => Promise<void>)[]): Promise<void> {
  const queue = [...jobs]
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await job()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}
