import { cpf } from 'cpf-cnpj-validator'

/*
 * Whether the time of an answer tells if a person is known: `AUTH_URL=http://127.0.0.1:… bun bench/timing.ts` against the auth process of a running
 * system (the address that `bun start` prints). 400 samples of each, in turn, at log-in and at the request for a reset; every sample says that it
 * comes from another address, which auth believes of a gateway on its own machine.
 */
const auth = process.env.AUTH_URL ?? 'http://127.0.0.1:8000'
const SAMPLES = 400
/** Below the number of failures that locks a person. */
const PER_PERSON = 9

let calls = 0
async function post(path: string, body: unknown): Promise<{ status: number; ms: number }> {
  const from = `100.64.${(++calls >> 8) & 255}.${calls & 255}`
  const since = performance.now()
  const response = await fetch(`${auth}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': from },
    body: JSON.stringify(body)
  })
  await response.arrayBuffer()
  return { status: response.status, ms: performance.now() - since }
}

async function knownPeople(count: number): Promise<string[]> {
  const emails = Array.from({ length: count }, () => `timing-${crypto.randomUUID()}@healthmed.example`)
  for (const email of emails) {
    const { status } = await post('/v1/auth/patients', {
      name: 'Timing',
      email,
      cpf: cpf.generate(),
      password: 'uma frase que ninguem adivinha'
    })
    if (status !== 201) throw new Error(`a registration was answered ${status}`)
  }
  return emails
}

const quantile = (values: number[], part: number) => values.sort((a, b) => a - b)[Math.floor(values.length * part)] ?? 0

/** How often a guess by one sample alone would be right: 0.5 is blind, 1 is certain. */
const advantage = (known: number[], unknown: number[]) =>
  known.reduce((sum, a) => sum + unknown.filter((b) => a > b).length + unknown.filter((b) => a === b).length / 2, 0) /
  (known.length * unknown.length)

async function compare(what: string, status: number, ask: (email: string) => Promise<{ status: number; ms: number }>, people: string[]) {
  const known: number[] = []
  const unknown: number[] = []
  for (let nth = 0; nth < SAMPLES; nth++) {
    const someone = people[nth % people.length] as string
    const nobody = `timing-${crypto.randomUUID()}@healthmed.example`
    // in turn, and who goes first changes too
    const pair = nth % 2 === 0 ? [someone, nobody] : [nobody, someone]
    for (const email of pair) {
      const answer = await ask(email)
      if (answer.status !== status) throw new Error(`${what} was answered ${answer.status}`)
      ;(email === someone ? known : unknown).push(answer.ms)
    }
  }
  console.log(
    `${what.padEnd(10)} known ${quantile(known, 0.5).toFixed(2)} ms, unknown ${quantile(unknown, 0.5).toFixed(2)} ms (medians of ${SAMPLES}); ` +
      `a guess by one sample is right ${(100 * advantage(known, unknown)).toFixed(1)} % of the time`
  )
}

const people = await knownPeople(Math.ceil(SAMPLES / PER_PERSON))
await compare('log-in', 401, (identifier) => post('/v1/auth/login', { identifier, password: 'a wrong password' }), people)
await compare('forgot', 202, (email) => post('/v1/auth/password/forgot', { email }), people)
