import postgres from 'postgres'

/** The schemas of the system, each owned by one service. */
export const schemas = ['auth', 'scheduling', 'notifier'] as const
/** A schema's name, which is also its service's and its role's. */
export type Schema = (typeof schemas)[number]
/** The six roles that log in: for each schema the one that migrates and owns, and the one that serves. */
export type Role = Schema | `${Schema}_owner`
/** A password for each role. */
export type Passwords = Record<Role, string>

/** Every role, in a stable order. */
export const roles: Role[] = schemas.flatMap((schema): Role[] => [`${schema}_owner`, schema])

/** The same that `connect` asks for. */
const BOUNDS = { statement_timeout: '10s', lock_timeout: '5s', idle_in_transaction_session_timeout: '15s' }

/**
 * Plans of prepared statements are made while tables are small and kept until the next `analyze`: then a table is read as a whole that has long
 * grown. Whatever a service asks for has an index.
 */
const PLANS = { enable_seqscan: 'off', jit: 'off' }

const quote = (value: string) => `'${value.replaceAll("'", "''")}'`

/**
 * Makes the database, its roles and its schemas, or brings what is there up to date; safe to run again.
 * `adminUrl` is of a role that may create roles and databases.
 */
export async function provision(adminUrl: string, { database, passwords }: { database: string; passwords: Passwords }): Promise<void> {
  const server = postgres(adminUrl, { max: 1, onnotice: () => {} })
  try {
    for (const role of roles) {
      const [known] = await server`select 1 from pg_roles where rolname = ${role}`
      await server.unsafe(
        `${known ? 'alter' : 'create'} role "${role}" login nosuperuser nocreatedb nocreaterole password ${quote(passwords[role])}`
      )
      // a pooler does not pass on what a connection asks for, so what holds for a service's connections is its role's
      if (!role.endsWith('_owner')) {
        for (const [name, value] of Object.entries({ ...BOUNDS, ...PLANS }))
          await server.unsafe(`alter role "${role}" set ${name} = '${value}'`)
      }
      await server.unsafe(`alter role "${role}" set search_path = ${role.replace('_owner', '')}, extensions`)
    }
    const [there] = await server`select 1 from pg_database where datname = ${database}`
    if (!there) await server.unsafe(`create database "${database}"`)
  } finally {
    await server.end({ timeout: 5 })
  }
  await provisionSchemas(roleUrl(adminUrl, database), database)
}

async function provisionSchemas(url: string, database: string) {
  const db = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await db.unsafe(`revoke all on database "${database}" from public; revoke all on schema public from public`)
    await db.unsafe('create schema if not exists extensions')
    for (const extension of ['btree_gist', 'pg_trgm', 'unaccent']) {
      await db.unsafe(`create extension if not exists ${extension} schema extensions`)
    }
    for (const schema of schemas) {
      const owner = `${schema}_owner`
      // a managed server's administrator is no superuser and must be a member of a role to make a schema for it
      await db.unsafe(`grant "${owner}" to current_user`)
      await db.unsafe(`
        grant connect on database "${database}" to "${owner}", "${schema}";
        grant usage on schema extensions to "${owner}", "${schema}";
        create schema if not exists "${schema}" authorization "${owner}";
        grant usage on schema "${schema}" to "${schema}";
        alter default privileges for role "${owner}" in schema "${schema}" grant select, insert, update, delete on tables to "${schema}";
        alter default privileges for role "${owner}" in schema "${schema}" grant usage on sequences to "${schema}"`)
    }
  } finally {
    await db.end({ timeout: 5 })
  }
}

/** The same server with another database and, where given, another role. */
export function roleUrl(adminUrl: string, database: string, role?: Role, password?: string): string {
  const url = new URL(adminUrl)
  url.pathname = `/${database}`
  if (role) {
    url.username = role
    url.password = encodeURIComponent(password ?? '')
  }
  return url.href
}
