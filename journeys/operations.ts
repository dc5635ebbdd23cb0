import { asAdmin, newDoctor, newPatient, type Person } from './client.ts'
import type { System } from './system.ts'

/** A JSON schema, as far as the tests read one. */
export type Schema = {
  type?: string
  pattern?: string
  enum?: unknown[]
  anyOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  example?: unknown
}
/** A parameter of a path or a query. */
export type Parameter = { name: string; in: string; required?: boolean; schema: Schema; example?: unknown; description?: string }
/** One call of the API as its documents describe it; `path` has its parameters in braces. */
export type Operation = {
  method: string
  path: string
  parameters: Parameter[]
  body: Schema | undefined
  bodyExample: unknown
  roles: string[] | 'any' | 'public'
}

type Described = {
  parameters?: Parameter[]
  requestBody?: { content: { 'application/json': { schema: Schema; example?: unknown } } }
  security?: unknown[]
  'x-roles'?: string[]
}

/** Every call that the documents of a running system describe. */
export async function operationsOf(system: Pick<System, 'url'>): Promise<Operation[]> {
  const { paths } = (await (await fetch(`${system.url}/docs/json`)).json()) as { paths: Record<string, Record<string, Described>> }
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters = [], requestBody, security, ...rest }]) => {
      const media = requestBody?.content['application/json']
      return {
        method: method.toUpperCase(),
        path,
        parameters,
        body: media?.schema,
        bodyExample: media?.example ?? (media && exampleOf(media.schema)),
        roles: security?.length === 0 ? ('public' as const) : (rest['x-roles'] ?? ('any' as const))
      }
    })
  )
}

/** The example that a form begins with: that of a schema, or of its fields. */
export function exampleOf({ example, anyOf, enum: words, properties, items }: Schema): unknown {
  if (example !== undefined) return example
  if (properties) return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, exampleOf(schema)]))
  if (items) return [exampleOf(items)]
  return words?.[0] ?? (anyOf?.[0] && exampleOf(anyOf[0]))
}

/** One person of each role, with a token that lets them in. */
export type Cast = { patient: Person; doctor: Person; tokens: Record<'patient' | 'doctor' | 'admin', string> }

/** Registers them. */
export async function castOf(system: System): Promise<Cast> {
  const [patient, doctor, admin] = [await newPatient(system), await newDoctor(system), await asAdmin(system)]
  return { patient, doctor, tokens: { patient: patient.token, doctor: doctor.token, admin } }
}

/** The token of somebody who may call an operation. */
export function tokenFor({ roles }: Operation, { tokens }: Cast): string | undefined {
  if (roles === 'public') return undefined
  const role = roles === 'any' ? 'patient' : (roles[0] as keyof Cast['tokens'])
  return tokens[role]
}
