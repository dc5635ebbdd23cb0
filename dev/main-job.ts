import { resolve } from 'node:path'
import { cpf } from 'cpf-cnpj-validator'
import { onceKnown } from './client.ts'
import { readSecrets } from './secrets.ts'
import { bold, dim, green, red, say, seconds } from './terminal.ts'
import { type Guide, guideOf } from './tour-guide.ts'

const PASSWORD = 'uma-volta-completa-2027'

type Tokens = { accessToken: string; expiresIn: number }
type Slot = { start: string; end: string }
type Appointment = { id: string; status: string; start: string; version: number }

/** Plays the product's main job against the running system, as an outside client. Gives the exit code. */
export async function tour(): Promise<number> {
  const since = performance.now()
  const { env } = process
  const guide = guideOf(
    env.GATEWAY_URL ?? `http://localhost:${env.PORT ?? 8080}`,
    env.MAILBOX_URL ?? `http://localhost:${env.MAILBOX_PORT ?? 1080}`
  )
  const kept = readSecrets(resolve(env.DATA_DIR ?? '.data'))
  try {
    await mainJob(guide, {
      identifier: env.ADMIN_EMAIL ?? kept?.adminEmail ?? 'admin@healthmed.example',
      password: env.ADMIN_PASSWORD ?? kept?.adminPassword ?? ''
    })
    say(
      `\n${green('✓')} ${bold('The tour went through:')} ${guide.calls} calls and ${guide.mails} mails in ${seconds(since)}, each as it should be.`
    )
    return 0
  } catch (error) {
    say(`\n${red('✗')} ${bold('The tour stopped:')} ${error instanceof Error ? error.message : error}`)
    say(
      dim(
        `  It talks to ${guide.gateway} and ${guide.mailbox}: PORT and MAILBOX_PORT, or GATEWAY_URL and MAILBOX_URL, lead elsewhere; \`bun start\` starts the system.`
      )
    )
    return 1
  }
}

async function mainJob(guide: Guide, adminLogin: { identifier: string; password: string }): Promise<void> {
  const { title, send, mail } = guide
  const tag = crypto.randomUUID().slice(0, 6)
  const person = (name: string) => ({
    name,
    email: `${name.split(' ')[0]?.toLowerCase()}-${tag}@healthmed.example`,
    cpf: cpf.generate(),
    password: PASSWORD
  })
  const logIn = async (identifier: string, password = PASSWORD) =>
    (await send<Tokens>('POST', '/v1/auth/login', 200, { body: { identifier, password } }, ['tokenType', 'expiresIn'])).accessToken

  title('People: a doctor and two patients register')
  const crm = `${100_000 + Math.floor(Math.random() * 900_000)}-SP`
  const doctor = { ...person('Teresa Vilela'), crm }
  const { id: doctorId } = await send<{ id: string }>('POST', '/v1/auth/doctors', 201, { body: doctor }, ['role', 'crm', 'approval'])
  const [patient, rival] = [person('Bento Farias'), person('Yara Campos')]
  for (const { email } of [patient, rival]) {
    const body = email === patient.email ? patient : rival
    await send('POST', '/v1/auth/patients', 201, { body }, ['role', 'cpf', 'emailVerified'])
    const { token } = await mail(email, 'token')
    await send('POST', '/v1/auth/email/verify', 204, { body: { token } })
  }

  title('The admin approves the doctor')
  const admin = await logIn(adminLogin.identifier, adminLogin.password)
  await send('POST', `/v1/admin/doctors/${doctorId}/approve`, 200, { token: admin }, ['name', 'approval'])
  await mail(doctor.email, 'message')

  title('The doctor logs in by CRM and sets a profile and weekly hours')
  const doctorToken = await logIn(crm)
  const { items: specialties } = await send<{ items: { code: string }[] }>('GET', '/v1/specialties', 200)
  const specialty = specialties[0]?.code ?? ''
  const profile = { specialties: [specialty], price: { amount: 35000, currency: 'BRL' }, timezone: 'America/Sao_Paulo' }
  await onceKnown(() =>
    send('PUT', '/v1/doctors/me/profile', 200, { token: doctorToken, body: profile }, ['specialties', 'price', 'timezone'])
  )
  const rules = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, start: '08:00', end: '17:00' }))
  await send('PUT', '/v1/doctors/me/schedule', 200, { token: doctorToken, body: { slotMinutes: 60, rules } }, ['slotMinutes'])

  title('A patient logs in by CPF, finds the doctor and books')
  const token = await logIn(patient.cpf)
  await send('GET', `/v1/doctors?specialty=${specialty}&q=Vilela&limit=5`, 200, {}, ['items'])
  const { slots } = await send<{ slots: Slot[] }>('GET', `/v1/doctors/${doctorId}/slots`, 200, {}, ['timezone', 'slotMinutes', 'slots'])
  const [first, second] = slots
  if (!first || !second) throw new Error('the doctor has hours, and yet there are no two free slots')
  const wish = { doctorId, start: first.start, reason: 'Dor de cabeça' }
  const headers = { 'idempotency-key': crypto.randomUUID() }
  const fields = ['status', 'start', 'version']
  const { id } = await send<Appointment>('POST', '/v1/appointments', 201, { token, body: wish, headers }, fields)
  for (const { email } of [patient, doctor]) await mail(email, 'message')

  title('Another patient asks for the same slot and is refused')
  const rivalToken = await logIn(rival.email)
  await send('POST', '/v1/appointments', 409, { token: rivalToken, body: { doctorId, start: first.start } }, ['code'], 'slot_taken')

  title('The doctor confirms, the patient cancels: the calendar entry follows')
  await send('POST', `/v1/appointments/${id}/confirm`, 200, { token: doctorToken }, fields)
  for (const { email } of [patient, doctor]) await mail(email, 'REQUEST')
  await send('POST', `/v1/appointments/${id}/cancel`, 200, { token, body: { reason: 'Vou viajar' } }, [...fields, 'statusReason'])
  for (const { email } of [patient, doctor]) await mail(email, 'CANCEL')
  await send('GET', `/v1/appointments/${id}/history`, 200, { token }, ['length'])

  title('Another request is declined, and its slot is free again')
  const other = await send<Appointment>(
    'POST',
    '/v1/appointments',
    201,
    { token: rivalToken, body: { doctorId, start: second.start } },
    fields
  )
  await mail(rival.email, 'message')
  const reason = { reason: 'Congresso' }
  await send('POST', `/v1/appointments/${other.id}/decline`, 200, { token: doctorToken, body: reason }, [...fields, 'statusReason'])
  await mail(rival.email, 'message')
  const { slots: free } = await send<{ slots: Slot[] }>('GET', `/v1/doctors/${doctorId}/slots`, 200, {}, ['slots'])
  if (![first, second].every(({ start }) => free.some((slot) => slot.start === start)))
    throw new Error('the freed slots are not offered again')
}
