import { userInfo } from 'node:os'

/** Whether this process is root, as which PostgreSQL refuses to run. */
export const isRoot = () => process.getuid?.() === 0

/** Who PostgreSQL runs as when we are root: the system's `postgres`, made where it is missing. */
export function postgresUser(): { uid: number; gid: number } {
  const known = idsOf('postgres')
  if (known) return known
  Bun.spawnSync(['groupadd', '--system', 'postgres'])
  const { success, stderr } = Bun.spawnSync(['useradd', '--system', '--no-create-home', '--gid', 'postgres', 'postgres'])
  const made = idsOf('postgres')
  if (!success || !made) throw new Error(`PostgreSQL does not run as root, and a user for it could not be made: ${stderr.toString()}`)
  return made
}

function idsOf(name: string) {
  const uid = Bun.spawnSync(['id', '-u', name], { stderr: 'ignore' })
  const gid = Bun.spawnSync(['id', '-g', name], { stderr: 'ignore' })
  return uid.success && gid.success ? { uid: Number(uid.stdout.toString()), gid: Number(gid.stdout.toString()) } : undefined
}

/**
 * The command as the user that PostgreSQL may run as. Where that user cannot reach one of the paths, as in a clone below /root,
 * the process keeps the one capability that lets it pass closed directories (and the bit by which access(2) honours it, which PostgreSQL asks).
 */
export async function asPostgres(command: string[], paths: string[]): Promise<string[]> {
  if (!isRoot()) return command
  if (process.platform !== 'linux') throw new Error(`PostgreSQL does not run as ${userInfo().username}: start this as another user.`)
  const { uid, gid } = postgresUser()
  const plain = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
  if (reaches(plain, paths)) return [...plain, ...command]
  const passing = [...plain, '--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override']
  if (reaches(passing, paths)) return [...passing, ...command]
  throw new Error(
    `The user postgres cannot reach ${paths.join(' and ')}: clone to a directory that others may enter, or set DATA_DIR to one.`
  )
}

const reaches = (prefix: string[], paths: string[]) =>
  paths.every((path) => Bun.spawnSync([...prefix, 'ls', path], { stdout: 'ignore', stderr: 'ignore' }).success)
