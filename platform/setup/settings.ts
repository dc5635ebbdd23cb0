import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { FormatRegistry, type Static, type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

/** Exit code for a bad setting, as sysexits.h names it (EX_CONFIG). */
export const EX_CONFIG = 78

/** A text setting; give `default` where there is one, `examples` always. */
export const text = (options: Parameters<typeof Type.String>[0] = {}) => Type.String({ minLength: 1, ...options })
/** A whole number between two bounds, both included. */
export const whole = (minimum: number, maximum: number, options: Record<string, unknown> = {}) =>
  Type.Integer({ minimum, maximum, ...options })
/** One of a few words. */
export const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words, standard?: Words[number]) =>
  Type.Unsafe<Words[number]>(
    Type.String({ pattern: `^(${words.join('|')})$`, examples: [words.join(' | ')], ...(standard && { default: standard }) })
  )
/** 32 bytes as 64 hexadecimal digits. */
export const key = () => Type.String({ pattern: '^[0-9a-f]{64}$', examples: ['(openssl rand -hex 32)'] })
/** Such keys in a comma list, of which the first seals and all open: how a key is exchanged. */
export const keys = () => Type.String({ pattern: '^[0-9a-f]{64}(\\s*,\\s*[0-9a-f]{64})*$', examples: ['(openssl rand -hex 32)'] })
/** A URL of one of the protocols, e.g. `url('postgres')`; it has a host, and its user and password can be decoded. */
export const url = (protocols: string, options: Record<string, unknown> = {}) =>
  Type.String({
    pattern: `^(${protocols})://\\S+$`,
    format: 'url-with-host',
    examples: [`${protocols.replaceAll('?', '').split('|')[0]}://host`],
    ...options
  })
FormatRegistry.Set('url-with-host', (value) => parsedUrl(value) !== undefined)

/** An e-mail address. */
export const emailAddress = (options: Record<string, unknown> = {}) =>
  text({ pattern: '^[^\\s@<>,;:"]+@[^\\s@<>,;:"]+$', examples: ['admin@clinic.example'], ...options })

/** The address at which people reach the system: http or https, without user, query and fragment. */
export const publicUrl = (options: Record<string, unknown> = {}) =>
  url('https?', { format: 'public-url', examples: ['https://clinic.example'], ...options })
FormatRegistry.Set('public-url', (value) => {
  const address = parsedUrl(value)
  return address !== undefined && !/[?#\\]/.test(value) && address.username === '' && address.password === ''
})

/** Origins in a comma list, `*` or `none`. */
export const origins = (options: Record<string, unknown> = {}) =>
  text({ format: 'origins', examples: ['https://app.clinic.example'], ...options })
FormatRegistry.Set('origins', (value) => ['none', '*'].includes(value) || value.split(',').every((entry) => isOrigin(entry.trim())))

/** As a browser sends it: no path, no slash at the end. */
const isOrigin = (entry: string): boolean => /^https?:/.test(entry) && parsedUrl(entry)?.origin === entry

/** A URL that has a host and whose parts can be decoded; undefined where it is not one. */
export function parsedUrl(value: string): URL | undefined {
  try {
    const parsed = new URL(value)
    for (const part of [parsed.username, parsed.password, parsed.pathname]) decodeURIComponent(part)
    return parsed.hostname === '' ? undefined : parsed
  } catch {
    return undefined
  }
}

FormatRegistry.Set('networks', (value) => value === 'none' || value.split(',').every((entry) => isNetwork(entry.trim())))
/** Addresses and CIDR blocks in a comma list, or `none`. */
export const networks = (options: Record<string, unknown> = {}) =>
  text({ format: 'networks', examples: ['10.0.0.0/8,192.0.2.7'], ...options })

function isNetwork(entry: string): boolean {
  const [address = '', bits, ...more] = entry.split('/')
  const most = { 4: 32, 6: 128 }[isIP(address)]
  return most !== undefined && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
}

/** The sender of every mail, which is also the organizer of every calendar entry. */
export const mailFrom = () =>
  Type.String({
    pattern: '^([^<>"\\r\\n]+ )?<?[^\\s<>@,;:"]+@[^\\s<>@,;:"]+>?$',
    default: 'Health&Med <no-reply@healthmed.localhost>',
    examples: ['Health&Med <no-reply@example.com>']
  })

/** What every process reads besides its own settings. */
export const commonSettings = {
  PORT: whole(0, 65535, { examples: [8080] }),
  HOST: text({ default: '127.0.0.1', examples: ['0.0.0.0'] }),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(url('https?', { examples: ['http://collector:4318'] }))
}

/**
 * The settings of a process from its environment; each may come from a file named by `NAME_FILE`.
 * Throws one error that names every wrong or missing one.
 */
export function parseSettings<P extends TProperties>(
  schema: TObject<P>,
  environment: Record<string, string | undefined>
): Static<TObject<P>> {
  const wrong: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, property] of Object.entries<TSchema>(schema.properties)) {
    const wrongBefore = wrong.length
    const fromAFile = fromFile(environment[`${name}_FILE`], `${name}_FILE`, wrong)
    if (wrong.length > wrongBefore) continue
    const raw = fromAFile ?? environment[name]
    const value = raw === undefined || raw === '' ? property.default : property.type === 'integer' ? Number(raw) : raw
    if (value === undefined && !(schema.required as string[] | undefined)?.includes(name)) continue
    const example = property.examples ? `, for example ${property.examples[0]}` : ''
    if (value === undefined) wrong.push(`${name} is missing${example}`)
    else if (!Value.Check(property, value))
      wrong.push(fromAFile ? `${name}_FILE names a file whose content is not valid${example}` : `${name} is not valid${example}`)
    else values[name] = value
  }
  if (wrong.length > 0) throw new SettingsError(wrong)
  return values as Static<TObject<P>>
}

function fromFile(path: string | undefined, name: string, wrong: string[]): string | undefined {
  if (!path) return undefined
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    wrong.push(`${name} names a file that cannot be read`)
    return undefined
  }
}

/** Names every wrong setting of a process. */
export class SettingsError extends Error {
  constructor(readonly wrong: string[]) {
    super(`These settings need a look:\n${wrong.map((line) => `  - ${line}`).join('\n')}`)
  }
}

/**
 * As `parseSettings`, from the real environment; says what is wrong on stderr and ends the process with 78. `together` names what is wrong of settings
 * that need each other, `alsoWrong` what is wrong besides.
 */
export function readSettings<P extends TProperties>(
  schema: TObject<P>,
  together: (settings: Static<TObject<P>>) => string[] = () => [],
  alsoWrong: string[] = []
): Static<TObject<P>> {
  try {
    const settings = parseSettings(schema, process.env)
    const wrong = [...together(settings), ...alsoWrong]
    if (wrong.length > 0) throw new SettingsError(wrong)
    return settings
  } catch (error) {
    console.error(error instanceof SettingsError ? new SettingsError([...new Set([...error.wrong, ...alsoWrong])]).message : error)
    process.exit(EX_CONFIG)
  }
}
