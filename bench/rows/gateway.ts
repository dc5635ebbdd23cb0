import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { AUDIENCE, ISSUER, TOKEN_TYPE } from '#platform/identity/caller'
import { freePort } from '#platform/setup/ports'
import { allocation } from '../../dev/services.ts'
import { judged, perSecond, type Result } from '../row.ts'
import { ensureTool, installPeers } from '../tools.ts'

const ROUNDS = 3
/** Rounds before those that count: what runs day and night is compiled. */
const WARM_ROUNDS = 2
const SECONDS = 5
const root = join(import.meta.dir, '../..')
const peers = join(import.meta.dir, '../peers')

type Peer = { name: string; port: number; token: string }
type Run = { perSecond: number; p99: number }

/**
 * An authenticated GET through the gateway, one worker, beside the same upstream bare, behind nginx with no check, and behind what else one would put
 * together. All in turn, by wrk with 64 connections; the median of `ROUNDS` counts, after some to warm up. None of them writes a log.
 */
export async function gateway(): Promise<Result[]> {
  await Promise.all([ensureTool('wrk', 'wrk'), ensureTool('nginx', 'nginx-light'), installPeers()])
  const dir = mkdtempSync(join(tmpdir(), 'healthmed-bench-gateway-'))
  const running: Bun.Subprocess[] = []
  const start = (command: string[], env: Record<string, string>) =>
    running.push(
      Bun.spawn(command, {
        cwd: root,
        env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
        stdout: 'ignore',
        stderr: 'inherit'
      })
    )
  try {
    const found = await startAll(dir, start)
    const runs = new Map<string, Run[]>(found.map(({ name }) => [name, []]))
    for (let round = 0; round < WARM_ROUNDS; round++) for (const peer of found) await wrk(peer)
    for (let round = 0; round < ROUNDS; round++) for (const peer of found) runs.get(peer.name)?.push(await wrk(peer))
    return compare(new Map([...runs].map(([name, list]) => [name, median(list)])))
  } finally {
    for (const child of running) child.kill()
    await Promise.all(running.map(({ exited }) => exited))
    rmSync(dir, { recursive: true, force: true })
  }
}

async function startAll(dir: string, start: (command: string[], env: Record<string, string>) => void): Promise<Peer[]> {
  const ours = await keysFor('EdDSA')
  // what Express users check tokens with knows no Ed25519
  const theirs = await keysFor('ES256')
  const names = ['upstream', 'nginx', 'pipe', 'gateway', 'Fastify', 'Express']
  const port = Object.fromEntries(await Promise.all(names.map(async (name) => [name, freePort()]))) as Record<string, number>
  const upstream = `http://127.0.0.1:${port.upstream}`
  const env = (name: string) => ({ PORT: String(port[name]), UPSTREAM: upstream })
  start([process.execPath, 'bench/peers/upstream.ts'], { ...env('upstream'), JWK: ours.jwk })
  const config = (await Bun.file(join(peers, 'nginx.conf')).text()).replaceAll('DIR', dir).replaceAll('PORT', String(port.nginx))
  await Bun.write(join(dir, 'nginx.conf'), config.replaceAll('UPSTREAM', `127.0.0.1:${port.upstream}`))
  mkdirSync(join(dir, 'logs'))
  start(['nginx', '-p', dir, '-c', join(dir, 'nginx.conf')], {})
  start([process.execPath, 'gateway/main.ts'], {
    ...env('gateway'),
    ...allocation,
    OPS_PORT: String(freePort()),
    AUTH_URL: upstream,
    SCHEDULING_URL: upstream,
    NOTIFIER_URL: upstream,
    RATE_LIMIT: 'off',
    LOG_LEVEL: 'silent'
  })
  start([process.execPath, join(peers, 'pipe.ts')], env('pipe'))
  start(['node', join(peers, 'fastify.mjs')], { ...env('Fastify'), PUBLIC_KEY: ours.pem })
  start(['node', join(peers, 'express.mjs')], { ...env('Express'), PUBLIC_KEY: theirs.pem })
  const found = names.map((name) => ({ name, port: port[name] as number, token: name === 'Express' ? theirs.token : ours.token }))
  for (const peer of found) await untilAnswers(peer)
  return found
}

async function keysFor(alg: 'EdDSA' | 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true, ...(alg === 'EdDSA' && { crv: 'Ed25519' }) })
  const claims = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: crypto.randomUUID(),
    sid: crypto.randomUUID(),
    role: 'patient',
    name: 'Ana',
    email_verified: true
  }
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg, kid: 'bench', typ: TOKEN_TYPE })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey)
  return {
    token,
    pem: await exportSPKI(publicKey),
    jwk: JSON.stringify({ ...(await exportJWK(publicKey)), kid: 'bench', alg, use: 'sig' })
  }
}

const PATH = '/v1/appointments'
async function untilAnswers({ name, port, token }: Peer): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  for (const until = Date.now() + 15_000; ; await Bun.sleep(50)) {
    const answer = await fetch(`http://127.0.0.1:${port}${PATH}`, { headers }).catch(() => undefined)
    if (answer?.ok && (await answer.text()).includes('"nextCursor"')) break
    if (Date.now() > until) throw new Error(`${name} does not answer: ${answer?.status}`)
  }
  const refused = await fetch(`http://127.0.0.1:${port}${PATH}`, { headers: { authorization: `${headers.authorization}x` } })
  if (!['upstream', 'nginx', 'pipe'].includes(name) && refused.status !== 401) throw new Error(`${name} lets a bad token in`)
}

async function wrk({ name, port, token }: Peer): Promise<Run> {
  const command = [
    'wrk',
    '-t1',
    '-c64',
    `-d${SECONDS}s`,
    '--latency',
    '-H',
    `authorization: Bearer ${token}`,
    `http://127.0.0.1:${port}${PATH}`
  ]
  const said = await Bun.spawn(command).stdout.text()
  // an answer that takes more than two seconds, as Express's may, is a slow one and no wrong one
  if (/Non-2xx|Socket errors: (?!connect 0, read 0, write 0)/.test(said)) throw new Error(`${name} was answered wrongly:\n${said}`)
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(said) ?? []
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1]),
    p99: Number(p99[1]) * ({ us: 0.001, ms: 1, s: 1000 }[p99[2] as 'ms'] ?? Number.NaN)
  }
}

const median = (runs: Run[]): Run => [...runs].sort((a, b) => a.perSecond - b.perSecond)[Math.floor(runs.length / 2)] as Run

function compare(runs: Map<string, Run>): Result[] {
  const of = (name: string) => runs.get(name) as Run
  const words = (name: string) => `${perSecond(of(name).perSecond)}, p99 ${of(name).p99.toFixed(1)} ms`
  const against = (name: string, goal: number, ours = 'gateway') =>
    judged(`authenticated GET through the ${ours} ÷ ${name}`, {
      ours: words(ours),
      reference: words(name),
      value: of(ours).perSecond / of(name).perSecond,
      goal: ['at least', goal],
      details: Object.fromEntries(runs)
    })
  const unjudged = (result: Result): Result => ({ ...result, goal: '', met: undefined })
  return [
    against('nginx', 0.6),
    against('Fastify', 3),
    unjudged(against('Express', 0)),
    // what is left of nginx's figure before a byte is looked at
    unjudged(against('nginx', 0, 'pipe'))
  ]
}
