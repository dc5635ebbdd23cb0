import { type Client, clientOf, onceKnown, Refused } from './client.ts'
import { DEMO_PASSWORD, type DemoDoctor, type DemoPatient, demoDoctors, demoPatients } from './demo-people.ts'
import { type DemoRecord, readDemoRecord, writeDemoRecord } from './demo-record.ts'
import { awaitMail, tokenIn } from './mails.ts'

type User = { id: string; email: string; emailVerified: boolean; approval?: string }
type Needs = {
  gateway: string
  mailbox?: string
  admin: { identifier: string; password: string }
  dataDir: string
  /** For tests: other people than the usual ones. */
  doctors?: DemoDoctor[]
  patients?: DemoPatient[]
}
/** Everything that one load works with. */
type Load = {
  api: Client
  mailbox: string | undefined
  token: string
  specialties: Map<string, string>
  record: DemoRecord
  dataDir: string
}

// as many as may be hashing at once without one being turned away
const AT_ONCE = 2
/** Longer than it ever takes where nothing is in its way. After that the system is up, and the rest follows. */
const WAIT_MS = 60_000

/**
 * Brings the demo data in through the public API, once in the life of a data directory: doctors with hours and price, approved by the admin, and patients,
 * all with verified addresses. What somebody changed, deleted or registered before stays as it is. It never throws: whatever is in the way, the system
 * starts without the demo data or with a part of it. Tells in a few words what it did.
 */
export async function loadDemoData(needs: Needs): Promise<string> {
  try {
    return await Promise.race([load(needs), Bun.sleep(WAIT_MS).then(() => 'takes long; it goes on while the system runs')])
  } catch (error) {
    return `left out: ${reasonOf(error)}`
  }
}

async function load({ gateway, mailbox, admin, dataDir, doctors = demoDoctors, patients = demoPatients }: Needs): Promise<string> {
  const known = readDemoRecord(dataDir)
  if (known?.complete) return 'there already'
  const api = clientOf(gateway)
  const { accessToken: token } = await api.want<{ accessToken?: string }>('POST', '/v1/auth/login', { body: admin })
  if (!token) return 'left out: the admin logs in with a second factor'
  // of a release that kept no record, or another directory on the same database
  if (!known && (await isAnyoneThere(api, token, [...doctors, ...patients]))) {
    writeDemoRecord(dataDir, { complete: true, begun: [], done: [] })
    return 'there already'
  }
  const record = known ?? { complete: false, begun: [], done: [] }
  const all: Load = { api, mailbox, token, specialties: await specialtyCodes(api), record, dataDir }
  const left: string[] = []
  let retry = 0
  const job = (email: string, bring: (user: User | undefined) => Promise<void>) => async () => {
    const outcome = await bringOnce(all, email, bring)
    if (outcome !== 'done') left.push(`${email} (${outcome.reason})`)
    if (outcome !== 'done' && outcome.again) retry++
  }
  await inTurns([
    ...doctors.map((doctor) => job(doctor.email, (user) => bringDoctor(all, doctor, user))),
    ...patients.map((patient) => job(patient.email, (user) => bringPatient(all, patient, user)))
  ])
  writeDemoRecord(dataDir, { ...record, complete: retry === 0 })
  const unverified = mailbox ? '' : '; their addresses are not verified, since their mails went to your server'
  const without = left.length > 0 ? `; left as it is: ${left.join(', ')}` : ''
  return `${doctors.length} doctors, ${patients.length} patients${unverified}${without}`
}

/** Brings one person, unless that was done. Somebody whom we did not begin with is somebody else's. `again` says that the next start tries once more. */
async function bringOnce(
  { api, token, record, dataDir }: Load,
  email: string,
  bring: (user: User | undefined) => Promise<void>
): Promise<'done' | { reason: string; again: boolean }> {
  if (record.done.includes(email)) return 'done'
  const finish = () => {
    record.done.push(email)
    writeDemoRecord(dataDir, record)
  }
  try {
    const user = await userAt(api, token, email)
    if (user && !record.begun.includes(email)) {
      finish()
      return { reason: 'there already', again: false }
    }
    if (!record.begun.includes(email)) record.begun.push(email)
    writeDemoRecord(dataDir, record)
    await bring(user)
    finish()
    return 'done'
  } catch (error) {
    // what the API refuses now it refuses at the next start as well, but for limits
    const again = !(error instanceof Refused) || error.status === 429 || error.status >= 500
    if (!again) finish()
    return { reason: reasonOf(error), again }
  }
}

const reasonOf = (error: unknown) =>
  error instanceof Refused ? (error.code ?? String(error.status)) : error instanceof Error ? error.message : String(error)

async function userAt(api: Client, token: string, email: string): Promise<User | undefined> {
  const { items } = await api.want<{ items: User[] }>('GET', `/v1/admin/users?limit=100&q=${encodeURIComponent(email)}`, { token })
  return items.find((user) => user.email === email)
}

async function isAnyoneThere(api: Client, token: string, people: { email: string }[]): Promise<boolean> {
  for (const { email } of people) if (await userAt(api, token, email)) return true
  return false
}

async function specialtyCodes(api: Client): Promise<Map<string, string>> {
  const { items } = await api.want<{ items: { code: string; namePt: string }[] }>('GET', '/v1/specialties?limit=100')
  return new Map(items.map(({ code, namePt }) => [namePt.toLowerCase(), code]))
}

async function bringDoctor({ api, mailbox, token: admin, specialties }: Load, doctor: DemoDoctor, known?: User): Promise<void> {
  const { name, email, cpf, crm, price, timezone, slotMinutes, hours, autoConfirm = false } = doctor
  const specialty = specialties.get(doctor.specialty.toLowerCase())
  if (!specialty) throw new Error(`GET /v1/specialties knows no "${doctor.specialty}"`)
  const body = { name, email, cpf, crm, password: DEMO_PASSWORD, locale: 'pt-BR', timezone }
  const user = known ?? (await api.want<User>('POST', '/v1/auth/doctors', { body }))
  if (user.approval === 'pending') await api.want('POST', `/v1/admin/doctors/${user.id}/approve`, { token: admin })
  const login = { identifier: email, password: DEMO_PASSWORD }
  const { accessToken: token } = await api.want<{ accessToken: string }>('POST', '/v1/auth/login', { body: login })
  const profile = { specialties: [specialty], price: { amount: price, currency: 'BRL' }, timezone, autoConfirm }
  const found = await onceKnown(() => api.want<{ specialties: string[] }>('GET', '/v1/doctors/me/profile', { token }))
  if (found.specialties.length === 0) await onceKnown(() => api.want('PUT', '/v1/doctors/me/profile', { token, body: profile }))
  const rules = hours.map(([weekday, start, end]) => ({ weekday, start, end }))
  const schedule = await api.want<{ rules: unknown[] }>('GET', '/v1/doctors/me/schedule', { token })
  if (schedule.rules.length === 0) await api.want('PUT', '/v1/doctors/me/schedule', { token, body: { slotMinutes, rules } })
  if (!user.emailVerified) await verify(api, mailbox, email)
}

async function bringPatient({ api, mailbox }: Load, { name, email, cpf, locale, timezone }: DemoPatient, known?: User): Promise<void> {
  if (!known) await api.want('POST', '/v1/auth/patients', { body: { name, email, cpf, password: DEMO_PASSWORD, locale, timezone } })
  if (!known?.emailVerified) await verify(api, mailbox, email)
}

async function verify(api: Client, mailbox: string | undefined, email: string): Promise<void> {
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
