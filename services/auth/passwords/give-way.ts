import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** How far behind others hashing stands: a thread gets about a tenth of what others of this process do where both want a core. */
const NICENESS = 10
/** And this process about a third of what another does. */
const GROUP_NICENESS = 5
const THREADS = '/proc/self/task'
const GROUP = '/proc/self/autogroup'

/**
 * Puts the threads that hash behind what answers in this process, and this process behind the others of the machine, so that a storm of sign-ins slows
 * nobody's booking. Linux keeps a niceness for each thread; elsewhere nothing is done. To be called once hashing is there.
 */
export function giveWay(): void {
  if (!existsSync(THREADS)) return
  for (const id of readdirSync(THREADS)) {
    // started to stand further behind, it may not come forward
    if (nameOf(id).startsWith('Bun Pool') && getPriority(Number(id)) < NICENESS) setPriority(Number(id), NICENESS)
  }
  if (existsSync(GROUP) && leadsSession()) standBack()
}

/**
 * Where Linux shares the cores among sessions first (sched(7), "The autogroup feature"), the niceness of a thread counts only within its session, so that
 * the session needs one, too. Among containers cgroups share the cores and this has no say; a smaller share for auth's helps
 * little there (bench/notes/logins.md).
 */
function standBack(): void {
  const nice = Number(/nice (-?\d+)/.exec(readFileSync(GROUP, 'utf8'))?.[1])
  // the kernel takes one every 0.1 s, of whomever; where it takes none, this process goes on as the others do
  for (let tries = 0; nice < GROUP_NICENESS && tries < 5; tries++) {
    try {
      writeFileSync(GROUP, `${GROUP_NICENESS}`)
      return
    } catch {
      Bun.sleepSync(100)
    }
  }
}

/** Only then is the session this process's own, and nobody's terminal. */
const leadsSession = () =>
  /^\S+ \d+ \d+ (\d+)/.exec(readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1) ?? '')?.[1] === `${process.pid}`

function nameOf(thread: string): string {
  try {
    return readFileSync(`${THREADS}/${thread}/comm`, 'utf8')
  } catch {
    return 'one that has ended meanwhile'
  }
}
