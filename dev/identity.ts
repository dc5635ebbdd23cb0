import { readFileSync } from 'node:fs'

/**
 * Tells this process from any other that had or will have the same id: when it started, and in which boot.
 * Undefined where there is no such process.
 */
export function identityOf(pid: number): string | undefined {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
}

function fromProc(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the command's name, in parentheses, may hold blanks; what follows it does not
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? undefined : `${boot}/${fields[18]}`
  } catch {
    return undefined
  }
}

function fromPs(pid: number): string | undefined {
  const { stdout } = Bun.spawnSync(['ps', '-o', 'lstart=', '-p', String(pid)], { stderr: 'ignore' })
  return stdout.toString().trim() || undefined
}
