/** A JSON object, as far as documents care. */
export type Json = { [name: string]: unknown }

/** The example of a schema as OpenAPI has it, put together from those of its fields, as Swagger does. What has none is undefined. */
export function exampleOf(schema: Json): unknown {
  if ('example' in schema) return schema.example
  if (Array.isArray(schema.enum)) return schema.enum[0]
  if (Array.isArray(schema.anyOf)) return exampleOf(schema.anyOf[0])
  if (schema.type === 'array') return [exampleOf(schema.items as Json)]
  if (schema.type === 'boolean') return true
  if (schema.type !== 'object') return undefined
  return Object.fromEntries(
    Object.entries((schema.properties ?? {}) as Record<string, Json>).map(([name, field]) => [name, exampleOf(field)])
  )
}

/** Where an example has nothing to show: JSON pointers. */
export function gapsOf(example: unknown, path = ''): string[] {
  if (example === undefined) return [path || '/']
  if (example === null || typeof example !== 'object') return []
  const inner = Object.entries(example)
  return inner.length === 0 && !Array.isArray(example) ? [path || '/'] : inner.flatMap(([name, value]) => gapsOf(value, `${path}/${name}`))
}
