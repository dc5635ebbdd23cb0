import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from '#platform/data/db'
import { migrate } from '#platform/data/migrate'
import { type Role, roleUrl, schemas } from '#platform/data/provision'
import { missingPasswords } from '#platform/setup/prepare-settings'
import { SettingsError } from '#platform/setup/settings'
import type { Place } from './place.ts'
import { versionsOf } from './tables.ts'

/** How a schema stands: the last migration that ran and the ones that wait. */
export type Standing = { schema: string; version: number; waiting: string[] }

/** How every schema stands against the migrations of this release. */
export async function standings({ adminUrl, database }: Place): Promise<Standing[]> {
  const sql = connect(roleUrl(adminUrl, database), { name: 'ops migrate', max: 1 })
  try {
    const versions = await versionsOf(sql)
    return schemas.map((schema) => {
      const version = versions[schema] ?? 0
      const files = readdirSync(join(import.meta.dir, '..', 'services', schema, 'migrations')).filter((name) => name.endsWith('.sql'))
      return { schema, version, waiting: files.filter((name) => Number.parseInt(name, 10) > version).sort() }
    })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** Runs what waits, each schema as its owner. Gives the names of what ran. Throws where an owner's password is not known. */
export async function migrateUp({ adminUrl, database, passwords }: Place): Promise<string[]> {
  const missing = missingPasswords(
    schemas.map((schema): Role => `${schema}_owner`),
    passwords
  )
  if (missing.length > 0) throw new SettingsError(missing)
  const ran: string[] = []
  for (const schema of schemas) {
    ran.push(...(await migrate(roleUrl(adminUrl, database, `${schema}_owner`, passwords[`${schema}_owner`]), schema)))
  }
  return ran
}
