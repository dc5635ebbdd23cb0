import { type Static, t } from 'elysia'
import type { UserSnapshot } from '#platform/events'
import { instantText, TimeZone, Uuid } from '#platform/schema'
import type { Seal } from '../privacy/seal.ts'
import { maskCpf } from './cpf.ts'
import type { Account } from './queries.ts'

const Locale = t.Union([t.Literal('pt-BR'), t.Literal('en')])
const Approval = t.Union([t.Literal('pending'), t.Literal('approved'), t.Literal('rejected')])
/** What a person is to the system. */
export const Role = t.Union([t.Literal('patient'), t.Literal('doctor'), t.Literal('admin')])

const about = {
  name: t.String({ minLength: 1, maxLength: 120, examples: ['Ana Conceição'] }),
  phone: t.Optional(t.String({ maxLength: 32, examples: ['+5511987654321'] })),
  locale: t.Optional(Locale),
  timezone: t.Optional(TimeZone)
}
/** A password as it comes in; whether it is good enough is for the policy to say, so that its answer can. */
export const Password = t.String({ minLength: 1, maxLength: 1024, examples: ['uma frase que ninguem adivinha'] })

const registration = {
  ...about,
  email: t.String({ minLength: 3, maxLength: 320, examples: ['ana@example.com'] }),
  cpf: t.String({ maxLength: 32, examples: ['529.982.247-25'] }),
  password: Password
}
/** What a patient registers with. */
export const PatientWish = t.Object(registration)
/** What a doctor registers with. */
export const DoctorWish = t.Object({ ...registration, crm: t.String({ maxLength: 32, examples: ['123456-SP'] }) })
/** What a person may change of the own account. */
export const AccountChange = t.Object(
  { ...about, name: t.Optional(about.name), phone: t.Optional(t.Union([t.String({ maxLength: 32 }), t.Null()])) },
  { minProperties: 1 }
)

/** A person as the API shows one; the CPF is masked. */
export const User = t.Object({
  id: Uuid,
  role: Role,
  name: t.String(),
  email: t.String(),
  emailVerified: t.Boolean(),
  cpf: t.Union([t.String({ examples: ['***.982.247-**'] }), t.Null()]),
  crm: t.Optional(t.String({ examples: ['123456-SP'] })),
  approval: t.Optional(Approval),
  phone: t.Optional(t.String()),
  locale: Locale,
  timezone: t.String(),
  createdAt: t.String(),
  disabled: t.Optional(t.Boolean({ description: 'Only where it is so, and only for admins to see' }))
})
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
