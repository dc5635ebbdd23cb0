import SQL from 'sql-template-strings'
import { type Db, rows, type Sql, transaction } from '#platform/data/db'
import { announce } from '#platform/events/outbox'
import { snapshotOf } from './model.ts'
import type { Account } from './queries.ts'

const BATCH = 500

/**
 * Tells of every person again as they are now, so that a service whose schema was lost or is new learns of all of them; who knows a person's newest
 * version already changes nothing. Gives how many. May be run again, at any time; after a failure it begins anew.
 */
export async function republishUsers(sql: Sql): Promise<number> {
  let told = 0
  for (let after: string | null = null; ; ) {
    const batch: Account[] = await transaction(sql, (tx) => tellNext(tx, after))
    told += batch.length
    after = batch.at(-1)?.id ?? null
    if (batch.length < BATCH) return told
  }
}

/** Locked, so that no older state of a person goes out behind a newer one. */
async function tellNext(tx: Db, after: string | null): Promise<Account[]> {
  const batch = await rows<Account>(
    tx,
    SQL`select id, role, name, email, email_verified, cpf_sealed, phone_sealed, crm, approval, locale, timezone, password_hash, disabled, version, created_at
          from users where ${after}::uuid is null or id > ${after}::uuid order by id limit ${BATCH} for update`
  )
  for (const account of batch) await announce(tx, 'healthmed.user.updated.v1', account.id, snapshotOf(account))
  return batch
}
