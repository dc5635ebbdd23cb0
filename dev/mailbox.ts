import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '#platform/setup/ports'
import { privateDirectory, withPrivateFiles } from './private-files.ts'
import { type Running, run, untilReady } from './process.ts'
import type { Registry } from './registry.ts'

/** A mailbox that keeps every mail it is given: `smtpUrl` takes them, `url` has the page and, below /api/email, the list. */
export type MailboxServer = Running & { smtpUrl: string; url: string }

const MAILS_KEPT = 2_000

/** Starts MailDev on 127.0.0.1; the mails of earlier starts are there again. Ready when this returns. */
export async function startMailbox(options: {
  dir: string
  port?: number
  smtpPort?: number
  registry?: Registry
}): Promise<MailboxServer> {
  const { dir, port = freePort(), smtpPort = freePort(), registry } = options
  const program = join(fileURLToPath(import.meta.resolve('maildev')), '../bin/maildev.js')
  const listening = ['--ip', '127.0.0.1', '--smtp', String(smtpPort), '--web-ip', '127.0.0.1', '--web', String(port)]
  const keeping = ['--mail-directory', join(dir, 'mails'), '--max-emails', String(MAILS_KEPT)]
  const log = join(dir, 'mailbox.log')
  privateDirectory(dir)
  const running = await run({
    name: 'mailbox',
    command: withPrivateFiles([process.execPath, program, ...listening, ...keeping]),
    env: { PATH: process.env.PATH, HOME: dir },
    log,
    stopWithinMs: 1_000,
    tier: 2,
    registry
  })
  const url = `http://127.0.0.1:${port}`
  try {
    await untilReady(running, log, 20_000, async () => (await fetch(`${url}/api/email`)).ok)
  } catch (error) {
    await running.stop()
    throw error
  }
  return { ...running, url, smtpUrl: `smtp://127.0.0.1:${smtpPort}` }
}
