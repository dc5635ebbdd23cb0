import { Problem } from '#platform/http/problem'

/** The time of an estimate grows with the square of the length, and what follows these characters makes a password only stronger. */
const CHARACTERS = 32
/** Estimates take some 2 to 40 ms each, one after the other: a caller who would wait for more than this many is refused. */
const MAX_WAITING = 128
/** The thread and its dictionaries go after this time without work. */
const IDLE_MS = 30_000

type Waiting = { resolve: (guesses: number) => void; reject: (error: Error) => void }
type Thread = { worker: Worker; waiting: Map<number, Waiting> }

let thread: Thread | undefined
let idle: ReturnType<typeof setTimeout> | undefined
let asked = 0

/**
 * About how many guesses a good attacker needs for a password, by zxcvbn. `own` are words that the attacker knows of the person. It runs in a thread of its
 * own, so that no other request waits for it and its dictionaries take memory only while they are in use. Throws `overloaded`.
 */
export async function guessesFor(password: string, own: string[]): Promise<number> {
  thread ??= startThread()
  const { worker, waiting } = thread
  if (waiting.size >= MAX_WAITING) throw new Problem('overloaded', undefined, { retryAfter: 2 })
  clearTimeout(idle)
  const id = ++asked
  try {
    return await new Promise<number>((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      worker.postMessage({ id, password: [...password].slice(0, CHARACTERS).join(''), own })
    })
  } finally {
    waiting.delete(id)
    if (waiting.size === 0) endWhenIdle()
  }
}

function startThread(): Thread {
  const worker = new Worker(new URL('./estimator.ts', import.meta.url).href, { smol: true })
  const waiting: Thread['waiting'] = new Map()
  worker.onmessage = ({ data }: MessageEvent<{ id: number; guesses: number }>) => waiting.get(data.id)?.resolve(data.guesses)
  worker.onerror = ({ message }) => {
    thread = undefined
    worker.terminate()
    for (const { reject } of waiting.values()) reject(new Error(`passwords could not be estimated: ${message}`))
  }
  // a process that has nothing else to do ends
  worker.unref()
  return { worker, waiting }
}

function endWhenIdle() {
  clearTimeout(idle)
  idle = setTimeout(() => {
    thread?.worker.terminate()
    thread = undefined
  }, IDLE_MS)
  idle.unref()
}
