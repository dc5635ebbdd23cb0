import { type Static, t } from 'elysia'
import type { UserSnapshot } from '#platform/events/events'
import { Crm, eg, IdOf, Instant, instantText, PersonName, TimeZone } from '#platform/http/schema'
import type { Seal } from '../privacy/seal.ts'
import { maskCpf } from './cpf.ts'
import type { Account } from './queries.ts'

const Locale = t.Union([t.Literal('pt-BR'), t.Literal('en')], { description: 'The language of the mails; `pt-BR` where it is not said' })
/** A language as it comes in: `localeOf` says which of the two it names. */
const LocaleWish = t.String({
  pattern: '^\\s*([Pp][Tt]|[Ee][Nn])([-_][A-Za-z0-9]{1,8}){0,4}\\s*$',
  maxLength: 35,
  examples: ['pt-BR'],
  error: 'must be pt-BR or en',
  description: 'The language of the mails: `pt-BR` (also `pt`) or `en` (also `en-US` and the like)'
})
/** Whether a doctor may be found and booked. */
export const Approval = t.Union([t.Literal('pending'), t.Literal('approved'), t.Literal('rejected')], {
  description: 'Whether the doctor may be found and booked; only doctors have one'
})
/** What a person is to the system. */
export const Role = t.Union([t.Literal('patient'), t.Literal('doctor'), t.Literal('admin')], {
  description: 'What the person is to the system'
})
/** A number in E.164, as it is kept; as it comes in it may have blanks and brackets between the digits, and in Brazil no country code. */
const Phone = t.String({
  maxLength: 32,
  examples: ['+5511987654321'],
  description: 'E.164; one that comes in without its country code is Brazilian'
})

const about = {
  name: t.String({ minLength: 1, maxLength: 120, examples: ['Ana Conceição'] }),
  phone: t.Optional(Phone),
  locale: t.Optional(LocaleWish),
  timezone: t.Optional(TimeZone)
}
/** A password as it comes in; whether it is good enough is for the policy to say, so that its answer can. */
export const Password = t.String({
  minLength: 1,
  maxLength: 1024,
  examples: ['uma frase que ninguem adivinha'],
  description:
    '12 to 128 characters of any kind, not easy to guess (zxcvbn, with words of Portuguese and of the person), without the name of the email address. A sentence of four words or more does.'
})
/** The password that a person has. */
export const CurrentPassword = t.String({ minLength: 1, maxLength: 1024, examples: ['uma frase que ninguem adivinha'] })

/** An email address as it comes in; whether it is one is for `normalEmail` to say. */
export const EmailAddress = t.String({ minLength: 3, maxLength: 320, examples: ['ana@example.com'] })

const registration = {
  ...about,
  email: EmailAddress,
  cpf: t.String({ maxLength: 32, examples: ['529.982.247-25'], description: 'With or without punctuation' }),
  password: Password
}
/** What a patient registers with. */
export const PatientWish = t.Object(registration)
/** What a doctor registers with. */
export const DoctorWish = t.Object({
  ...registration,
  name: eg(registration.name, 'Beatriz Nogueira'),
  email: eg(registration.email, 'beatriz@example.com'),
  cpf: eg(registration.cpf, '390.533.447-05'),
  crm: t.String({ maxLength: 32, examples: ['123456-SP'], description: 'Also `CRM/SP 123456` and `12.345-6/SP`' })
})
/** What a person may change of the own account. */
export const AccountChange = t.Object(
  { ...about, name: t.Optional(about.name), phone: t.Optional(t.Union([Phone, t.Null()], { description: 'Null takes it away' })) },
  { minProperties: 1 }
)

/** The patient of every example. */
export const patientExample = {
  id: '019b0d61-77a0-7c42-8d15-5b0e9c3a7f20',
  role: 'patient',
  name: 'Ana Conceição',
  email: 'ana@example.com',
  emailVerified: true,
  cpf: '***.982.247-**',
  phone: '+5511987654321',
  locale: 'pt-BR',
  timezone: 'America/Sao_Paulo',
  createdAt: '2027-01-04T09:12:33.12Z'
}
/** What is different of the doctor of every example. */
export const doctorExample = {
  id: '019b0d5e-3c4f-7a31-9f0e-2f6f1f0c9a11',
  role: 'doctor',
  name: 'Beatriz Nogueira',
  email: 'beatriz@example.com',
  cpf: '***.533.447-**',
  crm: '123456-SP'
}

const userFields = {
  id: IdOf('user'),
  role: Role,
  name: PersonName,
  email: t.String({ examples: ['ana@example.com'] }),
  emailVerified: t.Boolean(),
  cpf: t.Union([t.String({ examples: ['***.982.247-**'] }), t.Null()], { description: 'Masked; an admin may have none' }),
  crm: t.Optional(Crm),
  approval: t.Optional(Approval),
  phone: t.Optional(Phone),
  locale: Locale,
  timezone: TimeZone,
  createdAt: Instant,
  disabled: t.Optional(t.Boolean({ description: 'Only where it is so, and only for admins to see' }))
}
/** A person as the API shows one; the CPF is masked. */
export const User = t.Object(userFields, { examples: [patientExample] })
/** The same as the person's own export has it, with nothing masked. */
export const UnmaskedUser = t.Object(
  { ...userFields, cpf: t.Union([t.String(), t.Null()]) },
  { examples: [{ ...patientExample, cpf: '52998224725' }] }
)
/** See `User`. */
export type User = Static<typeof User>

/** What sealed values of a person are bound to. */
export const sealedFor = (id: string, field: 'cpf' | 'phone' | 'totp') => `users.${id}.${field}`

/** A stored account as the API shows it. */
export function userOf(account: Account, seal: Seal): User {
  const { id, role, name, email, emailVerified, cpfSealed, crm, approval, phoneSealed, locale, timezone, createdAt, disabled } = account
  return {
    id,
    role,
    name,
    email,
    emailVerified,
    cpf: cpfSealed && maskCpf(seal.open(cpfSealed, sealedFor(id, 'cpf'))),
    ...(crm && { crm }),
    ...(approval && { approval }),
    ...(phoneSealed && { phone: seal.open(phoneSealed, sealedFor(id, 'phone')) }),
    locale,
    timezone,
    createdAt: instantText(createdAt),
    ...(disabled && { disabled })
  }
}

/** A stored account as the other services are told of it. */
export const snapshotOf = ({
  id,
  role,
  name,
  email,
  emailVerified,
  locale,
  timezone,
  crm,
  approval,
  disabled,
  version
}: Account): UserSnapshot => ({
  id,
  role,
  name,
  email,
  emailVerified,
  locale,
  timezone,
  crm,
  approval,
  disabled,
  version
})
