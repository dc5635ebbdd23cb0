import SQL from 'sql-template-strings'
import { connect, rows } from '#platform/data/db'
import { roleUrl } from '#platform/data/provision'
import type { Parts } from './parts.ts'
import { type Secrets, saveSecrets } from './secrets.ts'
import type { Plan } from './services.ts'
import type { StartSettings } from './start-settings.ts'

/** An admin's login, as `bun start` knows it: the password is the one of the first start, and may have been changed since. */
export type AdminLogin = { identifier: string; password: string }

/** The admins of the database, the first one first. */
export async function adminsOf({ postgresUrl, database }: Parts): Promise<string[]> {
  const sql = connect(roleUrl(postgresUrl, database), { name: 'bun start', max: 1 })
  try {
    const found = await rows<{ email: string }>(sql, SQL`select email from auth.users where role = 'admin' order by id`)
    return found.map(({ email }) => email)
  } finally {
    await sql.end({ timeout: 2 })
  }
}

/** The login that auth is to make where there is no admin yet; it is noted, so that `bun run tour` knows it. */
export function firstAdminOf({ DATA_DIR, ADMIN_EMAIL, ADMIN_PASSWORD }: StartSettings, secrets: Secrets): AdminLogin {
  const admin = { identifier: ADMIN_EMAIL, password: ADMIN_PASSWORD ?? secrets.adminPassword }
  saveSecrets(DATA_DIR, { ...secrets, adminEmail: admin.identifier, adminPassword: admin.password })
  return admin
}

/** Has auth make this admin, or none. */
export const withFirstAdmin = (plans: Plan[], admin: AdminLogin | undefined): Plan[] =>
  plans.map((plan) =>
    plan.name === 'auth' ? { ...plan, env: { ...plan.env, ADMIN_EMAIL: admin?.identifier, ADMIN_PASSWORD: admin?.password } } : plan
  )

const HOW = '`bun run ops admin add EMAIL` makes an admin, `bun run ops admin reset EMAIL` gives one a new password.'

/** What is said of settings that come too late: the first start has made the admin, and nothing makes a second one. */
export function ignoredAdminSettings(
  { ADMIN_EMAIL, ADMIN_PASSWORD }: StartSettings,
  given: Record<string, string | undefined>,
  { adminPassword }: Secrets,
  admins: string[]
): string | undefined {
  const isNamed = Boolean(given.ADMIN_EMAIL || given.ADMIN_EMAIL_FILE)
  const ignored = [
    ...(isNamed && !admins.includes(ADMIN_EMAIL.trim().toLowerCase()) ? ['ADMIN_EMAIL'] : []),
    ...(ADMIN_PASSWORD && ADMIN_PASSWORD !== adminPassword ? ['ADMIN_PASSWORD'] : [])
  ]
  if (ignored.length === 0) return undefined
  return `${ignored.join(' and ')} ${ignored.length > 1 ? 'are' : 'is'} ignored: the admin was made at the first start (${admins.join(', ')}). ${HOW}`
}

/** What is said where the first admin could not be made. */
export const noAdmin = (email: string) => `There is no admin: ${email} is the address of another account. ${HOW}`
