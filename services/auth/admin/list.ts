import SQL from 'sql-template-strings'
import { type Db, rows } from '#platform/data/db'
import { fold } from '#platform/data/fold'
import { cursorsOf } from '#platform/http/cursor'
import { readCpf } from '../accounts/cpf.ts'
import { readCrm } from '../accounts/crm.ts'
import { type User, userOf } from '../accounts/model.ts'
import type { Account } from '../accounts/queries.ts'
import type { Seal } from '../privacy/seal.ts'

/** What an admin looks for: `q` is a part of a name or address, a CRM or a whole CPF. */
export type Filter = { role?: string; approval?: string; q?: string; limit?: number; cursor?: string }

const cursors = cursorsOf('users', 'uuid')

/** People, those who registered last first. */
export async function listUsers(db: Db, seal: Seal, filter: Filter): Promise<{ items: User[]; nextCursor: string | null }> {
  const { role = null, approval = null, q, limit = 20, cursor } = filter
  const [after] = cursor ? cursors.decode(cursor) : [null]
  const text = q?.trim() || null
  const cpf = text && readCpf(text)
  const pattern = text && `%${fold(text).replace(/[\\%_]/g, '\\$&')}%`
  const found = await rows<Account>(
    db,
    SQL`select id, role, name, email, email_verified, cpf_sealed, phone_sealed, crm, approval, locale, timezone, password_hash, disabled, version, created_at
          from users
         where (${after}::uuid is null or id < ${after}::uuid)
           and (${role}::text is null or role = ${role}::text)
           and (${approval}::text is null or approval = ${approval}::text)
           and (${text}::text is null or name_folded like ${pattern}::text or email like ${pattern}::text
                or crm = ${(text && readCrm(text)) ?? null}::text or cpf_index = ${cpf ? seal.index(cpf, 'users.cpf') : null}::text)
         order by id desc limit ${limit + 1}`
  )
  const items = found.slice(0, limit).map((account) => userOf(account, seal))
  const last = items.at(-1)
  return { items, nextCursor: found.length > limit && last ? cursors.encode([last.id]) : null }
}
