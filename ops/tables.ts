import SQL from 'sql-template-strings'
import { type Db, rows } from '#platform/data/db'
import { schemas } from '#platform/data/provision'

/** A table of the system with the columns that are kept, in the order in which it has to be filled: those that it refers to come first. */
export type Table = { schema: string; name: string; columns: string[] }

/** A row's transaction says nothing on another server: there all rows are of the transaction that brings them back, and the sequence orders them. */
const LEFT_OUT = ['xid8']

/** Every table of the three schemas but the migrations' own. Throws where tables refer to each other in a circle. */
export async function tablesOf(db: Db): Promise<Table[]> {
  const columns = await rows<{ schema: string; name: string; columns: string[] }>(
    db,
    SQL`select n.nspname as schema, c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
          from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
         where n.nspname = any(${[...schemas]}::text[]) and c.relkind = 'r' and c.relname <> 'schema_version' and a.attnum > 0
           and not a.attisdropped and a.attgenerated = '' and not format_type(a.atttypid, null) = any(${LEFT_OUT}::text[])
         group by 1, 2 order by 1, 2`
  )
  const references = await rows<{ from: string; to: string }>(
    db,
    SQL`select conrelid::regclass::text as from, confrelid::regclass::text as to from pg_constraint
         where contype = 'f' and conrelid <> confrelid`
  )
  const ordered: Table[] = []
  const left = new Map(columns.map((table) => [nameOf(table), table]))
  while (left.size > 0) {
    const free = [...left].filter(([name]) => !references.some(({ from, to }) => from === name && left.has(to)))
    if (free.length === 0) throw new Error(`these tables refer to each other in a circle: ${[...left.keys()].join(', ')}`)
    for (const [name, table] of free) {
      ordered.push(table)
      left.delete(name)
    }
  }
  return ordered
}

/** `scheduling.appointments`, as PostgreSQL writes it where neither schema nor table needs quotes. */
export const nameOf = ({ schema, name }: Pick<Table, 'schema' | 'name'>) => `${schema}.${name}`

/** The migration at which each schema stands; 0 where none has run. */
export async function versionsOf(db: Db): Promise<Record<string, number>> {
  const versions: Record<string, number> = {}
  for (const schema of schemas) {
    const [there] = await rows<{ there: boolean }>(db, SQL`select to_regclass(${`${schema}.schema_version`}) is not null as there`)
    // a schema's name cannot be a parameter; it is one of three constants
    const statement = SQL`select coalesce(max(version), 0)::int as version from `.append(`${schema}.schema_version`)
    versions[schema] = there?.there ? ((await rows<{ version: number }>(db, statement))[0]?.version ?? 0) : 0
  }
  return versions
}
