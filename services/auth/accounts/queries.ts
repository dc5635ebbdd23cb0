import SQL from 'sql-template-strings'
import { type Db, maybeOne, one, rows, run } from '#platform/data/db'
import type { Role } from '#platform/identity/caller'

/** A row of `users`. */
export type Account = {
  id: string
  role: Role
  name: string
  email: string
  emailVerified: boolean
  cpfSealed: string | null
  phoneSealed: string | null
  crm: string | null
  approval: 'pending' | 'approved' | 'rejected' | null
  locale: 'pt-BR' | 'en'
  timezone: string
  passwordHash: string
  disabled: boolean
  version: number
  createdAt: Date
}

/** A person who is to be stored. */
export type NewAccount = Omit<Account, 'version' | 'disabled' | 'createdAt'> & {
  nameFolded: string
  cpfIndex: string | null
  /** The account goes where its address is not verified by then; left out, it may stay. */
  verifyBy?: Date | null
  now: Date
}

/** Stores a person. Throws `email_taken`, `cpf_taken` or `crm_taken` by the constraint of that name. */
export const insertAccount = (tx: Db, account: NewAccount) =>
  one<Account>(
    tx,
    SQL`insert into users (id, role, name, name_folded, email, email_verified, cpf_sealed, cpf_index, phone_sealed, crm, approval, locale, timezone,
                           password_hash, verify_by, created_at, updated_at)
        values (${account.id}, ${account.role}, ${account.name}, ${account.nameFolded}, ${account.email}, ${account.emailVerified}, ${account.cpfSealed},
                ${account.cpfIndex}, ${account.phoneSealed}, ${account.crm}, ${account.approval}, ${account.locale}, ${account.timezone},
                ${account.passwordHash}, ${account.verifyBy ?? null}, ${account.now}, ${account.now})
        returning id, role, name, email, email_verified, cpf_sealed, phone_sealed, crm, approval, locale, timezone, password_hash, disabled, version, created_at`
  )

/** Finds a person by id. */
export const findAccount = (db: Db, id: string) =>
  maybeOne<Account>(
    db,
    SQL`select id, role, name, email, email_verified, cpf_sealed, phone_sealed, crm, approval, locale, timezone, password_hash, disabled, version, created_at
          from users where id = ${id}`
  )

/** As `findAccount`, and nobody changes the person until the transaction ends. */
export const lockAccount = (tx: Db, id: string) =>
  maybeOne<Account>(
    tx,
    SQL`select id, role, name, email, email_verified, cpf_sealed, phone_sealed, crm, approval, locale, timezone, password_hash, disabled, version, created_at
          from users where id = ${id} for update`
  )

/** As `lockAccount` for several people, in one order everywhere, so that no two who lock the same people wait for each other. */
export const lockAccounts = async (tx: Db, ids: string[]): Promise<Map<string, Account>> => {
  const found = await rows<Account>(
    tx,
    SQL`select id, role, name, email, email_verified, cpf_sealed, phone_sealed, crm, approval, locale, timezone, password_hash, disabled, version, created_at
          from users where id = any(${ids}::uuid[]) order by id for update`
  )
  return new Map(found.map((account) => [account.id, account]))
}

/** How a person may be named at log-in; what is not given finds nobody. A rejected doctor's CRM names nobody. */
export type Identifier = { email: string | null; cpfIndex: string | null; crm: string | null }

/** Finds the person whom an identifier names. One statement for each kind: with all three in one, the plan is made anew for every call. */
export const findByIdentifier = (db: Db, { email, cpfIndex, crm }: Identifier) =>
  maybeOne<Account>(
    db,
    SQL`select id, role, name, email, email_verified, cpf_sealed, phone_sealed, crm, approval, locale, timezone, password_hash, disabled, version, created_at
          from users where `.append(
      cpfIndex !== null ? SQL`cpf_index = ${cpfIndex}` : crm !== null ? SQL`crm = ${crm} and approval <> 'rejected'` : SQL`email = ${email}`
    )
  )

/** Stores what may change of a person and raises the version. Throws `email_taken` by the constraint of that name. */
export const saveAccount = (tx: Db, account: Account & { nameFolded: string }, now: Date) =>
  one<Account>(
    tx,
    SQL`update users
           set name = ${account.name}, name_folded = ${account.nameFolded}, email = ${account.email}, email_verified = ${account.emailVerified}, phone_sealed = ${account.phoneSealed},
               approval = ${account.approval}, locale = ${account.locale}, timezone = ${account.timezone}, disabled = ${account.disabled},
               version = version + 1, updated_at = ${now}
         where id = ${account.id}
        returning id, role, name, email, email_verified, cpf_sealed, phone_sealed, crm, approval, locale, timezone, password_hash, disabled, version, created_at`
  )

/** Stores another password. Other services are not told, so the version stays. */
export const savePassword = (db: Db, id: string, passwordHash: string, now: Date) =>
  one<{ id: string }>(db, SQL`update users set password_hash = ${passwordHash}, updated_at = ${now} where id = ${id} returning id`)

/** Stores the same password hashed anew, unless another was set meanwhile. */
export const rehash = (db: Db, { id, passwordHash }: Account, anew: string, now: Date) =>
  run(db, SQL`update users set password_hash = ${anew}, updated_at = ${now} where id = ${id} and password_hash = ${passwordHash}`)
