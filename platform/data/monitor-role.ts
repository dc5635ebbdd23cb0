import postgres from 'postgres'

/** The role that reads statistics of the server and no data: for the exporter of PostgreSQL's metrics. */
const ROLE = 'healthmed_monitor'

/** Makes that role, or gives it this password. `adminUrl` is of a role that may create roles. */
export async function provisionMonitor(adminUrl: string, password: string): Promise<void> {
  const server = postgres(adminUrl, { max: 1, onnotice: () => {} })
  try {
    const [known] = await server`select 1 from pg_roles where rolname = ${ROLE}`
    await server.unsafe(`${known ? 'alter' : 'create'} role ${ROLE} login connection limit 5 password '${password.replaceAll("'", "''")}'`)
    await server.unsafe(`grant pg_monitor to ${ROLE}`)
  } finally {
    await server.end({ timeout: 5 })
  }
}
