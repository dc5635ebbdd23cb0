import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpf } from 'cpf-cnpj-validator'
import { type Browser, chromium, type Page } from 'playwright-core'
import { ensureBrowser } from '../dev/browser.ts'
import { call, newPatient, type Person } from './client.ts'
import { type System, startSystem } from './system.ts'

const documents = ['/docs/gateway/json', '/docs/auth/json', '/docs/scheduling/json', '/docs/notifier/json', '/docs/json']
let system: System
let patient: Person
let browser: Browser | undefined
const dir = mkdtempSync(join(tmpdir(), 'healthmed-docs-'))
// looked for before the tests are named: without one, those that need it are skipped and say why
const executablePath = await ensureBrowser(dir, console.log)
const inBrowser = test.skipIf(!executablePath)
const why = executablePath ? '' : ' (skipped: there is no Chromium here and none can be installed)'

beforeAll(async () => {
  system = await startSystem()
  patient = await newPatient(system)
  if (executablePath) browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}, 300_000)
afterAll(async () => {
  await browser?.close()
  await system?.stop()
  rmSync(dir, { recursive: true, force: true })
}, 30_000)

test.each(documents)(
  '%s passes recommended-strict without error or warning',
  async (path) => {
    const file = join(dir, `${path.replaceAll('/', '-')}.json`)
    await Bun.write(file, await (await fetch(`${system.url}${path}`)).text())
    const lint = Bun.spawnSync(['node_modules/.bin/redocly', 'lint', '--extends=recommended-strict', '--format=json', file], {
      cwd: join(import.meta.dir, '..'),
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' },
      stderr: 'ignore'
    })
    const { problems } = JSON.parse(lint.stdout.toString()) as { problems: { ruleId: string; message: string }[] }
    expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([])
  },
  60_000
)

test.each(['/docs', '/docs/auth', '/ops', '/problems', '/problems/slot_taken', '/verify-email', '/reset-password'])(
  '%s is there as a page, with a policy that lets in nothing from elsewhere',
  async (path) => {
    const { status, headers } = await fetch(`${system.url}${path}`, { headers: { accept: 'text/html' } })
    expect([status, headers.get('content-type')]).toEqual([200, expect.stringMatching(/^text\/html/)])
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  }
)

/** Opens a page that may speak to the gateway alone; gives what else it asked for and what it complained about. */
async function look(path: string, work: (page: Page) => Promise<void>): Promise<string[]> {
  if (!browser) throw new Error('there is no browser')
  const complaints: string[] = []
  const context = await browser.newContext({ locale: 'en-US' })
  await context.route('**', (route) => {
    const url = route.request().url()
    if (url.startsWith(system.url) || url.startsWith('data:')) return route.continue()
    complaints.push(`asked for ${url}`)
    return route.abort()
  })
  const page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => message.type() === 'error' && !/40\d/.test(message.text()) && complaints.push(message.text()))
  const answer = await page.goto(`${system.url}${path}`)
  expect(answer?.status()).toBe(200)
  await work(page)
  await context.close()
  return complaints
}

inBrowser(
  `the Swagger page authorizes and calls, and asks nothing from elsewhere${why}`,
  async () => {
    const complaints = await look('/docs/auth', async (page) => {
      await page.click('.auth-wrapper .authorize')
      await page.fill('.auth-container input', patient.token)
      await page.click('.auth-btn-wrapper .authorize')
      await page.click('.btn-done')
      const operation = '#operations-Accounts-getV1AuthMe'
      await page.click(`${operation} .opblock-summary-control`)
      await page.click(`${operation} .try-out__btn`)
      await page.click(`${operation} .execute`)
      await page.waitForSelector(`${operation} .live-responses-table tr.response`)
      expect(await page.textContent(`${operation} .live-responses-table tr.response`)).toContain('200')
      expect(await page.textContent(`${operation} .live-responses-table`)).toContain(patient.email)
    })
    expect(complaints).toEqual([])
  },
  60_000
)

inBrowser(
  `one page leads to the documents of all four processes${why}`,
  async () => {
    const complaints = await look('/docs', async (page) => {
      const choices = (await page.locator('#select option').allTextContents()).join(' ')
      for (const name of ['ateway', 'uth', 'cheduling', 'otifier']) expect(choices).toContain(name)
    })
    expect(complaints).toEqual([])
  },
  60_000
)

inBrowser(
  `the link of a mail leads to a page that verifies the address at the press of its button${why}`,
  async () => {
    const email = `page-${crypto.randomUUID()}@example.com`
    const wish = { name: 'Ana', email, cpf: cpf.generate(), password: patient.password }
    expect((await call(system, 'POST', '/v1/auth/patients', { body: wish })).status).toBe(201)
    const link = /https?:\/\/\S+\/verify-email#token=\S+/.exec((await system.mailbox.mailTo(email, /./)).text)?.[0] ?? ''
    const complaints = await look(new URL(link).pathname + new URL(link).hash, async (page) => {
      const verified = page.waitForResponse((response) => response.url().endsWith('/v1/auth/email/verify'))
      await page.click('button')
      expect((await verified).status()).toBe(204)
    })
    expect(complaints).toEqual([])
    const { body } = await call<{ user: { emailVerified: boolean } }>(system, 'POST', '/v1/auth/login', {
      body: { identifier: email, password: patient.password }
    })
    expect(body.user.emailVerified).toBe(true)
  },
  60_000
)

inBrowser(
  `the page for operators shows the processes, the mails and what waits, once an administrator has signed in${why}`,
  async () => {
    const complaints = await look('/ops', async (page) => {
      const signIn = async (identifier: string, password: string) => {
        await page.fill('[name=identifier]', identifier)
        await page.fill('[name=password]', password)
        await page.click('#sign-in button')
      }
      await signIn(patient.email, patient.password)
      await page.waitForSelector('.outcome:has-text("no administrator")')
      await signIn(system.admin.identifier, system.admin.password)
      await page.waitForSelector('#processes tbody tr')
      const rows = await page.locator('#processes tbody tr').allTextContents()
      expect(rows.map((row) => /^(\w+?)up\d/.exec(row)?.[1])).toEqual(['gateway', 'auth', 'scheduling', 'notifier'])
      await page.waitForSelector('#mails tbody tr')
      expect(await page.textContent('#mails')).toContain('verify_email')
      expect(await page.textContent('#letters')).toContain('None.')
      await page.waitForSelector('#figure-requests strong:text-matches("^[0-9]")')
      await page.click('#figures button')
      await page.waitForSelector('#sign-in button', { state: 'visible' })
      expect(await page.isVisible('#state')).toBe(false)
    })
    expect(complaints).toEqual([])
  },
  60_000
)

inBrowser(
  `every problem has a page that explains it${why}`,
  async () => {
    const complaints = await look('/problems/slot_taken', async (page) => expect(await page.textContent('body')).toContain('slot_taken'))
    expect(complaints).toEqual([])
  },
  60_000
)
