import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '#platform/setup/ports'
import { eventually } from '#platform/testing/testing'
import { clientOf } from '../dev/client.ts'
import { type Local, localSystem } from '../dev/local.ts'

const root = join(import.meta.dir, '..')

/** `bun start` as somebody runs it: `said` is what it has printed so far. */
export type LocalStart = {
  url: string
  api: ReturnType<typeof clientOf>
  said: () => string
  local: () => Local
  /** Sends a signal to one of the processes that it runs. */
  signal: (name: string, signal: NodeJS.Signals) => void
  stop: () => Promise<number>
}

/** Runs `bun start` on a data directory with free ports and waits until it is ready. Throws with its output where it ends before. */
export async function startHere(dataDir: string, settings: Record<string, string> = {}): Promise<LocalStart> {
  const port = freePort()
  const environment = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    DATA_DIR: dataDir,
    PORT: String(port),
    MAILBOX_PORT: String(freePort()),
    DEMO_DATA: 'off',
    RATE_LIMIT: 'off',
    ...settings
  }
  const child = Bun.spawn([process.execPath, 'dev/start.ts'], { cwd: root, env: environment, stdout: 'pipe', stderr: 'pipe' })
  let output = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true })
  }
  const reading = Promise.all([read(child.stdout), read(child.stderr)])
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(`bun start ended with ${child.exitCode}:\n${output}`)
    return output.includes('Ready after')
  }, 150_000).catch(async (error) => {
    child.kill('SIGINT')
    await child.exited
    throw new Error(`${error.message}\n${output}`)
  })
  return {
    url: `http://127.0.0.1:${port}`,
    api: clientOf(`http://127.0.0.1:${port}`),
    said: () => output,
    local: () => {
      const local = localSystem({ DATA_DIR: dataDir, POSTGRES_URL: settings.POSTGRES_URL })
      if (!local) throw new Error(`nothing runs in ${dataDir}`)
      return local
    },
    signal: (name, signal) => {
      const entries = JSON.parse(readFileSync(join(dataDir, 'processes.json'), 'utf8')) as { name: string; pid: number }[]
      for (const entry of entries) if (entry.name === name) process.kill(entry.pid, signal)
    },
    stop: async () => {
      child.kill('SIGINT')
      const code = await child.exited
      await reading
      return code
    }
  }
}
